"use strict";
// Sheets to the tables of runs: kinetlib.lab.heads, .layout and .stacks, and of layouts one run a
// sheet, runs below each other, and a column that names the run. Others are refused by name.
(function (kinetlib) {
  const { columnLetter, elsewhere, isNumber, isText, key, listed, printable, quoted, refuse, remark,
    said } = kinetlib.words;
  const titles = kinetlib.titles;
  const KNOWN =
    "one run a sheet; runs beside each other, each with its own time; runs below each other; a " +
    "column 'run'; or a tidy table (run, time, species, value)";
  const LOOKED_AT = 40; // rows in which the names of the columns are looked for
  const cellOf = (cells, i) => cells[i] ?? null;
  const padded = (cells, width) => Array.from({ length: width }, (_, i) => cellOf(cells, i));

  /** The cells of one run, each with its address in the file. */
  class Table {
    constructor(parts) {
      Object.assign(this, parts);
    }

    get label() {
      return `${this.file}, run ${quoted(this.name)}`;
    }

    /** Positions of the columns called `name`; those with its unit as well first. */
    called(name) {
      const places = this.titles.map((_, i) => i);
      const exact = places.filter((i) => key(this.titles[i].text) === key(name));
      return exact.length ? exact : places.filter((i) => titles.isCalled(this.titles[i], name));
    }

    column(name, role) {
      const found = this.called(name);
      if (found.length === 1) return found[0];
      if (found.length) {
        return refuse(
          `${this.label}: ${found.length} columns are called ${quoted(name)} (${role}); ` +
            "give each column a name of its own.",
        );
      }
      const present = this.titles.map((title) => title.text).filter(Boolean);
      return refuse(
        `${this.label}: no column ${quoted(name)} for the ${role}; ` +
          `its columns are ${listed(present.map(quoted))}.`,
      );
    }

    /** All numbers of a column, NaN where a cell is empty; anything else is refused. */
    numbers(column) {
      return this.rows.map(([row, cells]) => numberOf(cells[column], this.address(row, column)));
    }

    /** All numbers of a column, NaN where a cell holds none, whatever it holds. */
    seen(column) {
      return this.rows.map(([, cells]) => (isNumber(cells[column]) ? cells[column] : NaN));
    }

    address(row, column) {
      const title = this.titles[column].text;
      const where = `${columnLetter(this.places[column])}${row}`;
      return `${this.label}, cell ${where}${title ? ` (${title})` : ""}`;
    }

    of(name, rows) {
      return new Table({ ...this, name, rows });
    }
  }

  function numberOf(cell, where) {
    if (cell === null) return NaN;
    if (isNumber(cell) && Number.isFinite(cell)) return cell;
    if (cell instanceof Date) {
      refuse(
        `${where}: expected a number, found a date or clock time; ` +
          "the date or clock time belongs into the column of times.",
      );
    }
    const never = cell === "a formula that was never calculated";
    const advice = never
      ? "open the file in a spreadsheet program and save it."
      : "correct the cell or leave it empty.";
    const shown = isNumber(cell) ? `${cell < 0 ? "-" : ""}inf` : quoted(cell);
    return refuse(`${where}: expected a number, found ${shown}; ${advice}`);
  }

  /** Find the row of names: one that names a time above numbers, else text above numbers. */
  function findHead(sheet) {
    const { rows } = sheet;
    for (const named of [true, false]) {
      for (let at = 0; at < Math.min(LOOKED_AT, rows.length); at += 1) {
        if (isHead(rows, at, named)) return withUnits(rows, at);
      }
    }
    if (rows.length === 1 && rows[0][1].filter(isText).length > 1) return withUnits(rows, 0);
    refuseNumbers(sheet);
    return null;
  }

  function isHead(rows, at, named) {
    const cells = rows[at][1];
    const filled = cells.map((_, i) => i).filter((i) => cells[i] !== null);
    if (filled.length < 2 || !filled.some((i) => isText(cells[i]))) return false;
    const below = rows.slice(at + 1, at + 4).map(([, row]) => row);
    if (named) {
      return filled.some(
        (i) =>
          isText(cells[i]) &&
          titles.isTime(titles.titleOf(cells[i])) &&
          below.some((row) => mayBeTime(cellOf(row, i))),
      );
    }
    const above = filled.filter((i) => isText(cells[i]));
    const over = above.some((i) => below.slice(0, 2).some((row) => isNumber(cellOf(row, i))));
    return 2 * above.length >= filled.length && over;
  }

  const mayBeTime = (cell) =>
    cell !== null && (!isText(cell) || (/^\d/.test(cell) && cell.replace(/\D/g, "").length > 1));

  /** Take a row of names together with the row of units below it, if there is one. */
  function withUnits(rows, at) {
    const width = Math.max(...rows.slice(at, at + 50).map(([, cells]) => cells.length));
    let found = padded(rows[at][1], width).map(titles.titleOf);
    let body = at + 1;
    if (body < rows.length) {
      const below = padded(rows[body][1], width);
      const texts = below.filter(isText);
      const told = texts.filter(isUnitCell);
      if (texts.length && !below.some(isNumber) && 2 * told.length >= texts.length) {
        body += 1;
        found = found.map((title, i) =>
          isText(below[i]) && title.text ? { ...title, unit: bare(below[i]) } : title,
        );
      }
    }
    return { at, titles: found, body };
  }

  const bare = (text) => text.trim().replace(/^[[\]()]+|[[\]()]+$/g, "").trim();
  const isUnitCell = (text) =>
    titles.isUnit(bare(text)) || ["K", "\u00b0C", "a.u.", "1", "au", "g/L"].includes(bare(text));

  function refuseNumbers(sheet) {
    const numbers = sheet.rows.flatMap(([, cells]) => cells).filter(isNumber).length;
    if ((numbers < 4 && sheet.rows.length > 1) || !numbers) return;
    const [number, cells] = sheet.rows[0];
    const seen = listed(cells.slice(0, 6).filter((cell) => cell !== null).map(quoted));
    const first = sheet.rows.map(([, row]) => row[0]).filter((cell) => cell !== null);
    const across =
      first.length && first.filter(isText).length > 0.8 * first.length
        ? " Where times run along a row, turn the table."
        : "";
    refuse(
      `${sheet.file}, run ${quoted(sheet.name)}, row ${number}: expected the names of the ` +
        `columns, found ${seen}; put a row of names above the values, the first of them the ` +
        `time. Layouts that are read: ${KNOWN}.${across}`,
    );
  }

  function remarksOn(sheet, head) {
    const found = [];
    const names = head.titles.map((title) => title.text).filter(Boolean);
    const repeated = new Set(names).size < names.length;
    if (head.at && !(repeated && labels(sheet, head).length > 1)) {
      const text = labels(sheet, head, (cell) => cell)[0];
      found.push(
        remark(
          `The names of the columns stand in row ${sheet.rows[head.at][0]}; above them ` +
            `${quoted(text)} is passed over.`,
          "--header",
          [sheet.name],
        ),
      );
    }
    if (head.body > head.at + 1) {
      const number = sheet.rows[head.at + 1][0];
      found.push(remark(`Row ${number} holds units.`, "--unit", [sheet.name]));
    }
    return found;
  }

  /** What stands in the row above the names of columns. */
  function labels(sheet, head, write = (cell) => printable(said(cell))) {
    if (!head.at) return [];
    return sheet.rows[head.at - 1][1].filter((cell) => cell !== null).map(write);
  }

  /** Find the runs in a sheet: {tables, remarks}. */
  function tablesOf(sheet) {
    const head = findHead(sheet);
    if (head === null) {
      const text = "Passed over, without numbers below names of columns.";
      return { tables: [], remarks: [remark(text, "", [sheet.name])] };
    }
    const remarks = remarksOn(sheet, head);
    refuseTidy(sheet, head);
    const { time, told } = timeOf(sheet, head);
    remarks.push(...told);
    const widest = Math.max(...sheet.rows.slice(head.at).map(([, cells]) => cells.length));
    const width = Math.max(head.titles.findLastIndex((title) => title.text) + 1, widest);
    const places = Array.from({ length: width }, (_, i) => i);
    const table = new Table({
      file: sheet.file,
      name: sheet.name,
      sheet: sheet.name,
      titles: places.map((i) => head.titles[i] ?? titles.titleOf(null)),
      places,
      time,
      rows: sheet.rows.slice(head.body).map(([number, cells]) => [number, padded(cells, width)]),
    });
    const above = labels(sheet, head);
    const runs = kinetlib.stacks.split(table, above.length === 1 ? above[0] : "");
    return { tables: runs.tables, remarks: [...remarks, ...runs.remarks] };
  }

  function refuseTidy(sheet, head) {
    const species = head.titles.findIndex(titles.isSpecies);
    const values = head.titles.filter(titles.isValue);
    if (!head.titles.some(titles.isTime) || species < 0 || values.length !== 1) return;
    const rows = sheet.rows.slice(head.body);
    if (rows.some(([, cells]) => isNumber(cellOf(cells, species)))) return;
    elsewhere(`${sheet.file}, sheet ${quoted(sheet.name)} is a tidy table, one value a row`);
  }

  /** Find the column of times; runs beside each other have several. */
  function timeOf(sheet, head) {
    const all = head.titles;
    let times = all.map((_, i) => i).filter((i) => all[i].text && titles.isTime(all[i]));
    if (!times.length) {
      const found = all.findIndex((title) => title.text && !titles.isRun(title));
      const first = Math.max(found, 0);
      const alike = (i) => all[i].text && all[first].text && key(all[i].text) === key(all[first].text);
      times = all.map((_, i) => i).filter((i) => i === first || alike(i));
    }
    let time = times[0];
    const told = [];
    for (const i of times.slice(1)) {
      const between = all.slice(time + 1, i).some((title) => title.text && !titles.isRun(title));
      if (between || key(all[i].text) === key(all[time].text)) {
        elsewhere(`${sheet.file}, sheet ${quoted(sheet.name)} holds blocks beside each other`);
      }
      const [best, other] = clear(sheet, head, i) > clear(sheet, head, time) ? [i, time] : [time, i];
      const text = `Of the times ${quoted(all[best].text)} is used, not ${quoted(all[other].text)}.`;
      told.push(remark(text, "--time", [sheet.name]));
      time = best;
    }
    refuseGroups(sheet, head, time);
    return { time, told };
  }

  /** Say how clearly a column tells times: numbers with a unit, numbers, clock times. */
  function clear(sheet, head, column) {
    const rows = sheet.rows.slice(head.body, head.body + 20);
    const numbers = rows.filter(([, cells]) => isNumber(cellOf(cells, column))).length;
    const unit = titles.timeUnit(titles.unitOfTime(head.titles[column]));
    return 2 * Number(numbers > Math.floor(rows.length / 2)) + Number(Boolean(unit));
  }

  /** Refuse runs that share one time: names that repeat, with the runs' names above them. */
  function refuseGroups(sheet, head, time) {
    const counts = new Map();
    head.titles.forEach((title, i) => {
      if (i === time || !title.text) return;
      counts.set(key(title.text), (counts.get(key(title.text)) ?? 0) + 1);
    });
    const sizes = new Set(counts.values());
    const [size] = sizes;
    if (sizes.size !== 1 || size === 1 || labels(sheet, head).length !== size) return;
    elsewhere(`${sheet.file}, sheet ${quoted(sheet.name)} holds runs that share one time`);
  }

  /** Read the sheets of a file as one table a run, each with a name of its own. */
  function readTables(file, sheets) {
    const found = sheets.map(tablesOf);
    const tables = found.flatMap((one) => one.tables);
    const remarks = found.flatMap((one) => one.remarks);
    if (!tables.length) {
      refuse(
        `${file}: no numbers below names of columns in ` +
          `${listed(sheets.map((sheet) => quoted(sheet.name)))}. Layouts that are read: ${KNOWN}.`,
      );
    }
    const names = tables.map((table) => table.name);
    const used = new Set();
    const named = tables.map((table) => {
      const twice = names.filter((name) => name === table.name).length > 1;
      const full = twice && table.sheet !== table.name ? `${table.sheet}, ${table.name}` : table.name;
      let unique = full;
      for (let k = 2; used.has(unique); k += 1) unique = `${full} (${k})`;
      used.add(unique);
      return table.of(unique, table.rows);
    });
    return { tables: named, remarks };
  }

  kinetlib.layout = { numberOf, readTables };
})((globalThis.kinetlib ??= {}));
