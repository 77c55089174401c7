"use strict";
// A file to sheets of cells: kinetlib.lab.opening. What is no such file is refused before it costs.
(function (kinetlib) {
  const { Refusal, columnLetter, elsewhere, printable, quoted, refuse, remark, valueOf } =
    kinetlib.words;
  const MOST_BYTES = 32 * 2 ** 20;
  const MOST_ROWS = 100_000;
  const MOST_COLUMNS = 1024;
  const MOST_CELLS = 2_000_000;
  const WORKBOOK = "an Excel workbook";
  const KINDS = {
    ".xlsx": WORKBOOK,
    ".xls": "an Excel workbook of 1997 to 2003",
    ".ods": "an OpenDocument spreadsheet",
    ".csv": "text",
    ".tsv": "text",
    ".txt": "text",
  };
  const READ = "Excel (.xlsx, .xls), OpenDocument (.ods) and text (.csv, .tsv, .txt)";
  const STARTS = [
    [[0x25, 0x50, 0x44, 0x46], "a PDF"],
    [[0x89, 0x50, 0x4e, 0x47], "a picture"],
    [[0xff, 0xd8, 0xff], "a picture"],
    [[0x7f, 0x45, 0x4c, 0x46], "a program"],
    [[0x4d, 0x5a, 0x90], "a program"],
    [[0x89, 0x48, 0x44, 0x46], "an HDF5 file"],
    [[0x1f, 0x8b], "a gzip archive"],
  ];
  const NEVER = "a formula that was never calculated";

  /** Read all cells of a file that holds measurements: {sheets, remarks}. */
  async function openFile(file) {
    const { name } = file;
    const suffix = /\.[^.]*$/.exec(name)?.[0].toLowerCase() ?? "";
    if (!(suffix in KINDS)) {
      const advice = [".xlsm", ".xlsb", ".xltx", ".numbers", ".fods", ".gsheet"].includes(suffix)
        ? " Open it in a spreadsheet program and save it as .xlsx."
        : "";
      refuse(`${name}: files of kind ${quoted(suffix)} are not read, but ${READ}.${advice}`);
    }
    if (file.size > MOST_BYTES) {
      refuse(
        `${name}: the file has ${(file.size / 1e6).toFixed(0)} MB, expected kinetic runs in at ` +
          `most ${(MOST_BYTES / 1e6).toFixed(0)} MB; average or thin out the measurements first.`,
      );
    }
    const bytes = new Uint8Array(await file.arrayBuffer());
    refuseRenamed(name, bytes, suffix);
    if (suffix === ".xls" || suffix === ".ods") elsewhere(`${name} is ${KINDS[suffix]}`);
    const found =
      KINDS[suffix] === "text"
        ? kinetlib.text.readText(name, name.slice(0, -suffix.length), bytes)
        : await workbook(name, bytes);
    const sheets = found.sheets.map((sheet) => sheetOf(name, sheet));
    const remarks = [...found.remarks];
    for (const sheet of sheets) {
      if (sheet.hidden && sheet.rows.length) {
        remarks.push(remark(`Sheet ${quoted(sheet.name)} is hidden, and read.`));
      }
    }
    const filled = sheets.filter((sheet) => sheet.rows.length);
    if (!filled.length) refuse(`${name}: the file holds no values; expected runs, say one a sheet.`);
    for (const sheet of filled) {
      if (!sheet.texts) continue;
      const what = `numbers stored as text are read: ${sheet.texts}.`;
      remarks.push(remark(`Sheet ${quoted(sheet.name)}: ${what}`));
    }
    return { sheets: filled, remarks };
  }

  function refuseRenamed(name, bytes, suffix) {
    const found = contentOf(bytes);
    if (found === "encrypted") {
      refuse(
        `${name}: the workbook is encrypted; open it in a spreadsheet program and save it ` +
          "without a password.",
      );
    }
    if (found && found !== KINDS[suffix]) {
      const ending = Object.keys(KINDS).find((end) => KINDS[end] === found);
      const advice = ending ? `rename it to end in ${ending}` : `expected ${READ}`;
      refuse(`${name}: by its name ${KINDS[suffix]}, by its content ${found}; ${advice}.`);
    }
    if (!found && KINDS[suffix] !== "text") {
      const kind = KINDS[suffix].slice(KINDS[suffix].indexOf(" ") + 1);
      refuse(
        `${name}: not a readable workbook: its content is no ${kind}.` +
          " Open it in a spreadsheet program and save it as .xlsx.",
      );
    }
  }

  /** Name the kind of content, "" where it is not told: text, or damaged. */
  function contentOf(bytes) {
    const starts = (signs) => signs.every((sign, i) => bytes[i] === sign);
    if (starts([0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1])) {
      const text = new TextDecoder("utf-16le").decode(bytes);
      return text.includes("EncryptedPackage") ? "encrypted" : KINDS[".xls"];
    }
    if (starts([0x50, 0x4b, 3, 4])) {
      const names = kinetlib.archive.partsOf(bytes)?.map((part) => part.name.toLowerCase());
      if (!names) return "";
      if (names.some((name) => name.startsWith("xl/workbook"))) return WORKBOOK;
      return names.includes("content.xml") ? KINDS[".ods"] : "a zip archive that is no workbook";
    }
    const known = STARTS.find(([signs]) => starts(signs));
    if (known) return known[1];
    const double = bytes.subarray(0, 4096).some((byte, i, all) => !byte && all[i + 1] === 0);
    return double || !bytes.length ? "" : "text";
  }

  async function workbook(name, bytes) {
    const parts = kinetlib.archive.partsOf(bytes);
    if (kinetlib.archive.tooLarge(parts)) refuse(tooLarge(name, "the workbook"));
    let [books, odd] = [[], {}];
    try {
      odd = await oddities(name, bytes, parts);
      books = await globalThis.readXlsxFile(new Blob([bytes]), { trim: false });
    } catch (error) {
      if (error instanceof Refusal) throw error;
      refuse(
        `${name}: not a readable workbook (${error.name}: ${quoted(error.message)}). ` +
          "Open it in a spreadsheet program and save it as .xlsx, without a password.",
      );
    }
    const sheets = books.map(({ sheet, data }) => {
      const { cells = new Map(), hidden = false } = odd[sheet] ?? {};
      const rows = data.map((row, i) => [i + 1, [...row]]);
      for (const [place, text] of cells) {
        const [row, column] = place;
        while (rows.length < row) rows.push([rows.length + 1, []]);
        const own = rows[row - 1][1];
        while (own.length < column) own.push(null);
        if (own[column - 1] === null || own[column - 1] === "") own[column - 1] = text;
      }
      return { name: sheet, rows, text: false, hidden };
    });
    return { sheets, remarks: [] };
  }

  const tooLarge = (name, where) =>
    `${name}: ${where} reaches beyond 100,000 rows, 1,024 columns or ` +
    "2,000,000 cells, or unpacks to more than 160 MB; expected kinetic " +
    "runs. Delete what lies apart from them, or average or thin out the measurements.";

  /** By name of the sheet: whether it is hidden, and cells with an error or an empty formula. */
  async function oddities(name, bytes, parts) {
    const content = new Map();
    for (const part of parts) {
      const lower = part.name.toLowerCase();
      const wanted = lower.startsWith("xl/worksheets/") && lower.endsWith(".xml");
      if (!wanted && !/^xl\/(workbook\.xml|_rels\/workbook\.xml\.rels)$/.test(lower)) continue;
      const xml = new TextDecoder().decode(await kinetlib.archive.unpacked(bytes, part));
      if (wanted) refuseFar(name, part.name, xml);
      content.set(part.name, xml);
    }
    const links = new Map(
      tags(content.get("xl/_rels/workbook.xml.rels") ?? "", "Relationship").map((one) => [
        one.Id,
        one.Target.replace(/^\/+/, ""),
      ]),
    );
    const found = {};
    for (const sheet of tags(content.get("xl/workbook.xml") ?? "", "sheet")) {
      const target = links.get(sheet["r:id"]) ?? "";
      const xml = content.get(target.startsWith("xl/") ? target : `xl/${target}`) ?? "";
      const hidden = ["hidden", "veryHidden"].includes(sheet.state);
      found[unescaped(sheet.name)] = { hidden, cells: oddCells(xml) };
    }
    return found;
  }

  /** Read the attributes of all elements of a name. */
  function tags(xml, name) {
    const elements = xml.matchAll(new RegExp(`<(?:\\w+:)?${name}\\b([^>]*)>`, "g"));
    return [...elements].map(([, inside]) =>
      Object.fromEntries([...inside.matchAll(/([\w:]+)="([^"]*)"/g)].map(([, k, v]) => [k, v])),
    );
  }

  const NAMED = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  const unescaped = (text) =>
    text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, word) => {
      if (word) return NAMED[word] ?? whole;
      return String.fromCodePoint(hex ? parseInt(hex, 16) : Number(decimal));
    });

  function placeOf(address) {
    const [, letters, digits] = /^([A-Z]+)(\d+)$/.exec(address);
    const column = [...letters].reduce((sum, c) => 26 * sum + c.charCodeAt(0) - 64, 0);
    return [Number(digits), column];
  }

  /** Refuse a sheet with cells so far away that all before them would not fit. */
  function refuseFar(name, part, xml) {
    let [lastRow, lastColumn, count] = [0, 1, 0];
    for (const [, letters, digits] of xml.matchAll(/<(?:\w+:)?c\b[^>]*?\br="([A-Z]+)(\d+)"/g)) {
      count += 1;
      if (letters.length > 3 || digits.length > 7) refuse(tooLarge(name, part));
      const [row, column] = placeOf(letters + digits);
      lastRow = Math.max(lastRow, row);
      lastColumn = Math.max(lastColumn, column);
    }
    for (const [, row] of xml.matchAll(/<(?:\w+:)?row\b[^>]*?\br="(\d+)"/g)) {
      lastRow = Math.max(lastRow, Number(row));
    }
    if (lastRow * lastColumn > 4 * MOST_CELLS || count > 2 * MOST_CELLS) {
      refuse(tooLarge(name, part));
    }
  }

  function oddCells(xml) {
    const found = new Map();
    const cells = xml.matchAll(/<(?:\w+:)?c\b([^>]*[^/])>(.*?)<\/(?:\w+:)?c>/gs);
    for (const [, head, body] of cells) {
      const address = /\br="([A-Z]+\d+)"/.exec(head)?.[1];
      if (!address) continue;
      const value = /<(?:\w+:)?v>(.*?)<\/(?:\w+:)?v>/s.exec(body)?.[1];
      if (head.includes('t="e"') && value) found.set(placeOf(address), unescaped(value));
      else if (!value && /<(?:\w+:)?f\b/.test(body)) found.set(placeOf(address), NEVER);
    }
    return found;
  }

  /** Take cells as a reader of files gives them; numbers written as text become numbers. */
  function sheetOf(file, { name, rows, text, hidden }) {
    const kept = [];
    let [texts, count] = ["", 0];
    for (const [number, cells] of rows) {
      const row = cells.map(valueOf);
      while (row.length && row.at(-1) === null) row.pop();
      if (!row.length) continue;
      count += row.length;
      if (kept.length > MOST_ROWS || count > MOST_CELLS || row.length > MOST_COLUMNS) {
        refuse(
          `${file}, sheet ${quoted(name)}: more than 100,000 rows, 1,024 columns ` +
            "or 2,000,000 cells of values; expected kinetic runs, so average or thin " +
            "out the measurements first.",
        );
      }
      if (!texts && !text && kept.length) {
        const i = row.findIndex((cell, k) => typeof cells[k] === "string" && typeof cell === "number");
        if (i >= 0) texts = `cell ${columnLetter(i)}${number}, ${quoted(cells[i])}`;
      }
      kept.push([number, row]);
    }
    return { file, name: printable(name), rows: kept, texts, hidden };
  }

  kinetlib.opening = { openFile };
})((globalThis.kinetlib ??= {}));
