"use strict";
// Text files of values: the encoding, what separates columns, the decimal sign; kinetlib.lab.text.
(function (kinetlib) {
  const { refuse, remark } = kinetlib.words;
  const SEPARATORS = ["\t", ";", ","];
  const LOOKED_AT = 200; // lines that tell the separator and the decimal sign
  const AGREEING = 0.8;
  const WITH_COMMA = /^[+-]?\d*,\d+([eE][+-]?\d+)?$/;
  const WITH_POINT = /^[+-]?\d*\.\d+([eE][+-]?\d+)?$/;

  /** Read a text file: rows of texts with their numbers, and remarks. */
  function readText(file, stem, bytes) {
    let text = decoded(file, bytes);
    const remarks = [];
    const lines = linesOf(text).slice(0, LOOKED_AT).filter((line) => line.trim());
    let separator;
    if (lines.length && /^sep=.$/.test(lines[0].trim())) {
      separator = lines[0].trim().at(-1);
      text = text.replace(lines[0], "");
    } else {
      separator = separatorOf(lines);
    }
    if (separator !== "," && decimalComma(file, lines, separator)) {
      remarks.push(remark("Commas in numbers are decimal commas."));
    }
    let rows = separator === " " ? byWords(text) : byQuotes(text, separator);
    rows = rows.filter(([, cells]) => cells.some((cell) => cell.trim()));
    if (separator === ",") {
      // A quoted number with a comma may be thousands: it stays apart from one with a point.
      const kept = (cell) => (WITH_COMMA.test(cell.trim()) ? `'${cell}'` : cell);
      rows = rows.map(([number, cells]) => [number, cells.map(kept)]);
    }
    refuseLonger(file, rows);
    return { sheets: [{ name: stem, rows, text: true, hidden: false }], remarks };
  }

  function decoded(file, bytes) {
    for (const encoding of encodings(bytes)) {
      let text;
      try {
        text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
      } catch {
        continue;
      }
      // What Windows-1252 does not define is a control character here, and an error in Python.
      if (encoding === "windows-1252" && /[\x81\x8d\x8f\x90\x9d]/.test(text)) continue;
      const odd = [...text.slice(0, 4000)].filter((c) => /[\p{C}\p{Z}]/u.test(c) && !/\s/.test(c));
      if (!text.includes("\0") && odd.length < 1200) return text;
    }
    return refuse(
      `${file}: not a text file in UTF-8, UTF-16 or Windows-1252; save it as CSV (UTF-8), or ` +
        "give the workbook itself.",
    );
  }

  function encodings(bytes) {
    if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) return ["utf-8"];
    if (bytes[0] === 0xff && bytes[1] === 0xfe) return ["utf-16le"];
    if (bytes[0] === 0xfe && bytes[1] === 0xff) return ["utf-16be"];
    // Every other byte of ASCII in UTF-16 is zero, and tells which comes first.
    const half = bytes.length >> 1;
    const zeros = [0, 0];
    bytes.forEach((byte, i) => { zeros[i % 2] += Number(byte === 0); });
    if (half > 1 && zeros[1] > 0.8 * half) return ["utf-16le"];
    if (half > 1 && zeros[0] > 0.8 * half) return ["utf-16be"];
    return ["utf-8", "windows-1252"];
  }

  function linesOf(text) {
    const lines = text.split(/\r\n|\r|\n/);
    if (lines.at(-1) === "") lines.pop();
    return lines;
  }

  /** Find what most lines hold of tabs, semicolons, commas, in this order; else spaces. */
  function separatorOf(lines) {
    const counts = SEPARATORS.map((sign) => lines.filter((line) => line.includes(sign)).length);
    const most = counts.findIndex((n) => n > 0 && n >= AGREEING * lines.length);
    if (most >= 0) return SEPARATORS[most];
    const largest = counts.indexOf(Math.max(...counts));
    return counts[largest] > 1 ? SEPARATORS[largest] : " ";
  }

  const splitWords = (line) => line.split(/\s+/).filter(Boolean);
  const byWords = (text) => linesOf(text).map((line, i) => [i + 1, splitWords(line)]);

  /** Divide into rows and cells; a cell in quotes may hold separators and line ends. */
  function byQuotes(text, separator) {
    const rows = [];
    let [cells, cell, inside, line] = [[], "", false, 1];
    const endRow = () => {
      rows.push([line, cell === "" && !cells.length ? [] : [...cells, cell]]);
      [cells, cell] = [[], ""];
    };
    for (let i = 0; i < text.length; i += 1) {
      const sign = text[i];
      const ends = sign === "\n" || sign === "\r";
      if (inside && sign === '"' && text[i + 1] === '"') [cell, i] = [`${cell}"`, i + 1];
      else if (inside && sign === '"') inside = false;
      else if (inside) cell += sign;
      else if (sign === '"' && cell === "") inside = true;
      else if (sign === separator) [cells, cell] = [[...cells, cell], ""];
      else if (!ends) cell += sign;
      if (!ends) continue;
      if (sign === "\r" && text[i + 1] === "\n") {
        if (inside) cell += "\n";
        i += 1;
      }
      if (!inside) endRow();
      line += 1;
    }
    if (cell !== "" || cells.length) endRow();
    return rows;
  }

  function decimalComma(file, lines, separator) {
    const split = (line) => (separator === " " ? splitWords(line) : line.split(separator));
    const cells = lines.flatMap(split).map((cell) => cell.trim());
    const comma = cells.find((cell) => WITH_COMMA.test(cell));
    const point = cells.find((cell) => WITH_POINT.test(cell));
    if (comma && point) {
      refuse(
        `${file}: numbers with a comma (${comma}) and with a point (${point}); write all ` +
          "with one decimal sign, and none between thousands.",
      );
    }
    return comma !== undefined;
  }

  /** Refuse rows with values beyond the last name: which value belongs where is not told. */
  function refuseLonger(file, rows) {
    let width = 0;
    const isValue = (text) => WITH_COMMA.test(text) || WITH_POINT.test(text) || /^\d+$/.test(text);
    for (const [number, cells] of rows) {
      const plain = cells.map((cell) => cell.trim());
      const filled = plain.findLastIndex((cell) => cell) + 1;
      if (filled > width && width > 1 && plain.every((cell) => !cell || isValue(cell))) {
        refuse(
          `${file}, row ${number}: ${filled} values under ${width} names; name all ` +
            "columns, and where numbers have a decimal comma, separate columns by semicolons.",
        );
      }
      width = Math.max(width, cells.length);
    }
  }

  kinetlib.text = { readText };
})((globalThis.kinetlib ??= {}));
