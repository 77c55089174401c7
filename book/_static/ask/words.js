"use strict";
// Remarks, numbers and names as kinetlib.lab writes them: .remarks, .sheets, and Python's formats.
(function (kinetlib) {
  const MOST_LISTED = 12;
  const MOST_SHOWN = 60; // longest piece of a file that a message repeats
  const MISSING = new Set(["", "nan", "na", "n/a", "-", "--", "\u2013", "\u2014"]);
  const NUMBER = /^[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?$/;

  /** An input that is refused: its message is for the reader. */
  class Refusal extends Error {}

  const refuse = (text) => {
    throw new Refusal(text);
  };

  /** Refuse what only the command line reads. */
  const elsewhere = (what) =>
    refuse(
      `${what}: this page does not read that; the command line does, by ` +
        "kinetlib classify FILE --quick.",
    );

  /** Write a number to so many significant digits, as "%g" does. */
  function general(value, digits = 6) {
    if (Number.isNaN(value)) return "nan";
    if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
    if (value === 0) return "0";
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    const power = Number(exponent);
    const bare = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
    if (power >= -4 && power < digits) return bare(value.toFixed(digits - 1 - power));
    return `${bare(mantissa)}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
  }

  /** Write a value as Python repeats it, cut where it is long. */
  function quoted(value) {
    const text = repeated(value);
    return [...text].length <= MOST_SHOWN
      ? text
      : `${[...text].slice(0, MOST_SHOWN - 4).join("")}...${text.at(-1)}`;
  }

  function repeated(value) {
    if (typeof value === "boolean") return value ? "True" : "False";
    if (typeof value === "number") {
      return Number.isInteger(value) && Math.abs(value) < 1e16 ? value.toFixed(1) : String(value);
    }
    const text = String(value).replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
    const plain = text.replaceAll("\r", "\\r").replaceAll("\t", "\\t");
    if (plain.includes("'") && !plain.includes('"')) return `"${plain}"`;
    return `'${plain.replaceAll("'", "\\'")}'`;
  }

  function listed(names) {
    const more = names.length - MOST_LISTED;
    return names.slice(0, MOST_LISTED).join(", ") + (more > 0 ? ` and ${more} more` : "");
  }

  /** Return a name from a file on one line, without control characters, at most 200 long. */
  function printable(text) {
    const shown = String(text).replace(/[\p{C}\p{Z}]/gu, " ");
    return [...shown.split(/\s+/).filter(Boolean).join(" ")].slice(0, 200).join("");
  }

  const folded = (text) => text.toLowerCase().replaceAll("\u00df", "ss");

  /** Return a name as it is compared: without outer spaces and case. */
  const key = (name) => folded(String(name).split(/\s+/).filter(Boolean).join(" "));

  const remark = (text, option = "", where = []) => ({ text, option, where });

  /** Join remarks that say the same of several runs, and write each as a sentence. */
  function sentences(remarks) {
    const found = new Map();
    for (const { text, option, where } of remarks) {
      const id = JSON.stringify([text, option]);
      if (!found.has(id)) found.set(id, { text, option, names: [] });
      const { names } = found.get(id);
      for (const name of where) if (!names.includes(name)) names.push(name);
    }
    return [...found.values()].map(({ text, option, names }) => {
      const full = names.length ? `${text.replace(/\.$/, "")}: ${listed(names)}.` : text;
      return option ? `${full} [${option}]` : full;
    });
  }

  /** Return a cell as a sheet keeps it: number, text, boolean, date, or null where it is empty. */
  function valueOf(cell) {
    if (cell === null || cell === undefined) return null;
    if (typeof cell !== "string") return cell;
    const plain = cell.trim();
    if (MISSING.has(folded(plain))) return null;
    if (NUMBER.test(plain)) return Number(plain.replace(",", "."));
    const infinite = /^([+-]*)(inf|infinity)$/i.exec(plain);
    if (infinite && infinite[1].length < 2) return infinite[1] === "-" ? -Infinity : Infinity;
    return plain;
  }

  const isNumber = (cell) => typeof cell === "number";
  const isText = (cell) => typeof cell === "string";
  /** Write a cell as its reader sees it. */
  const said = (cell) => {
    if (isNumber(cell)) return Number.isInteger(cell) ? String(cell) : repeated(cell);
    return typeof cell === "boolean" ? repeated(cell) : String(cell);
  };

  function columnLetter(place) {
    let name = "";
    for (let rest = place + 1; rest > 0; rest = Math.floor((rest - 1) / 26)) {
      name = String.fromCharCode(65 + ((rest - 1) % 26)) + name;
    }
    return name;
  }

  kinetlib.words = {
    Refusal, columnLetter, elsewhere, folded, general, isNumber, isText, key, listed, printable,
    quoted, refuse, remark, said, sentences, valueOf,
  };
})((globalThis.kinetlib ??= {}));
