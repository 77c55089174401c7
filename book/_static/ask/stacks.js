"use strict";
// Runs below each other: told apart by a column, an empty row, or falling time; kinetlib.lab.stacks.
(function (kinetlib) {
  const { elsewhere, isText, key, listed, printable, quoted, refuse, remark, said } =
    kinetlib.words;
  const titles = kinetlib.titles;
  const LEAST = 2; // rows of a run
  const NEAR_START = 0.25; // of the time so far: where a time falls to, if a run begins
  const filled = (cells) => cells.filter((cell) => cell !== null);

  /** Divide a table into runs: {tables, remarks}; `above` is the text above the names of columns. */
  function split(table, above) {
    const runs = table.titles.findIndex((title, i) => titles.isRun(title) && i !== table.time);
    if (runs >= 0) return byColumn(table, runs);
    const remarks = [];
    const found = sections(table, remarks).flatMap(({ name, rows, heads }) => {
      const part = Object.assign(table.of(name, rows), { titles: heads });
      return pieces(part).map((piece) => part.of(name, piece));
    });
    if (found.length === 1) {
      const name = found[0].name || table.name;
      return { tables: [found[0].of(name, found[0].rows)], remarks };
    }
    const given = found.length && !found[0].name && found.some((one) => one.name) ? above : "";
    const used = new Set();
    const named = found.map((one, k) => {
      const own = one.name || (k === 0 ? given : "") || `${table.name} ${k + 1}`;
      const name = used.has(own) ? `${own} (${k + 1})` : own;
      used.add(name);
      return one.of(name, one.rows);
    });
    if (named.length) {
      const names = listed(named.map((one) => one.name));
      const text = `${named.length} runs stand below each other: ${names}.`;
      remarks.push(remark(`Sheet ${quoted(table.sheet)}: ${text}`, "--layout sheets"));
    }
    return { tables: named.length ? named : [table.of(table.name, [])], remarks };
  }

  /** Sort rows by the run that they belong to, in the order in which runs appear. */
  function byColumn(table, column) {
    const runs = new Map();
    let [last, without] = ["", 0];
    for (const [number, cells] of table.rows) {
      if (isHead(table, cells)) continue;
      const name = cells[column] === null ? "" : printable(said(cells[column]));
      if (!name) {
        if (!filled(cells).length) continue;
        if (!last) {
          refuse(
            `${table.file}, row ${number}: the column ${quoted(table.titles[column].text)} is ` +
              "empty; name the run.",
          );
        }
        without += 1;
      }
      last = name || last;
      if (!runs.has(last)) runs.set(last, []);
      runs.get(last).push([number, cells]);
    }
    const text = `${without} rows without a run belong to the one named last above them.`;
    return {
      tables: [...runs].map(([name, rows]) => table.of(name, rows)),
      remarks: without ? [remark(text, "", [table.sheet])] : [],
    };
  }

  /** Tell whether a row repeats the names of the columns. */
  function isHead(table, cells) {
    const places = cells.map((_, i) => i).filter((i) => cells[i] !== null && table.titles[i].text);
    const same = (i) => key(titles.titleOf(cells[i]).text) === key(table.titles[i].text);
    return places.length > 1 && places.every(same);
  }

  /** Divide at rows of names and at rows of text alone; what is only text is a label or a note. */
  function sections(table, remarks) {
    const found = [];
    let [heads, label, rows, before] = [table.titles, "", [], null];
    const passed = (number, text) =>
      remarks.push(remark(`Row ${number} is passed over, ${quoted(text)}.`, "", [table.sheet]));
    for (const [number, cells] of table.rows.filter(([, all]) => filled(all).length)) {
      const repeats = isHead(table, cells);
      const head = repeats || otherHead(table, cells);
      const texts = filled(cells);
      const time = cells[table.time];
      const only = texts.every(isText);
      const short = texts.length <= 2 && !clockwise(time) && (cells.length > 2 || texts.length === 1);
      const note = only && (time === null || short);
      const footnote = before !== null && number > before + 1 && isText(time) && !clockwise(time);
      before = number;
      if (!head && !note && !footnote) {
        rows.push([number, cells]);
        continue;
      }
      if (rows.length) {
        found.push({ name: label, rows, heads });
        [rows, label] = [[], ""];
      }
      if (head) {
        if (!repeats) heads = cells.map(titles.titleOf);
      } else if (note) {
        if (label) passed(number, label);
        label = printable(texts[0]);
      } else {
        passed(number, texts[0]);
      }
    }
    if (rows.length) found.push({ name: label, rows, heads });
    else if (label) passed(before, label);
    return found;
  }

  /** Tell whether a row gives the columns other names. */
  function otherHead(table, cells) {
    const texts = cells.filter(isText);
    return (
      texts.length > 2 &&
      texts.length === filled(cells).length &&
      titles.isTime(titles.titleOf(cells[table.time]))
    );
  }

  const clockwise = (cell) => isText(cell) && /^\d/.test(cell) && /[:\-./]/.test(cell);

  /** Divide where an empty row precedes a time that does not rise, or time falls to its start. */
  function pieces(table) {
    const clock = table.rows.find(([, cells]) => {
      const cell = cells[table.time];
      return cell instanceof Date || (isText(cell) && /\d/.test(cell));
    });
    if (clock) {
      elsewhere(`${table.address(clock[0], table.time)}: a date, a clock time or a time with a unit`);
    }
    const times = table.seen(table.time);
    const borders = [0];
    times.forEach((time, i) => {
      if (!i || !Number.isFinite(time)) return;
      const earlier = times.slice(borders.at(-1), i).filter(Number.isFinite);
      if (!earlier.length) return;
      const gap = table.rows[i][0] > table.rows[i - 1][0] + 1;
      const [low, high] = [Math.min(...earlier), Math.max(...earlier)];
      const toStart = time <= low + NEAR_START * (high - low);
      const falls = time < earlier.at(-1);
      if ((gap && time <= earlier.at(-1)) || (falls && toStart)) borders.push(i);
    });
    const found = borders.map((start, k) => table.rows.slice(start, borders[k + 1]));
    const rising = borders.every((start, k) => {
      const part = times.slice(start, borders[k + 1]).filter(Number.isFinite);
      return part.every((time, i) => !i || time >= part[i - 1]);
    });
    // Rows that are merely unsorted fall to the start as well, but then do not rise throughout.
    const whole = found.length > 1 && (!rising || found.some((rows) => rows.length < LEAST));
    return whole ? [table.rows] : found;
  }

  kinetlib.stacks = { split };
})((globalThis.kinetlib ??= {}));
