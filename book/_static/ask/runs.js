"use strict";
// From the cells of a table to one checked run, and its catalyst: kinetlib.lab.runs and .catalyst.
(function (kinetlib) {
  const { Refusal, elsewhere, folded, general, isText, listed, quoted, refuse, remark } =
    kinetlib.words;
  const titles = kinetlib.titles;
  const MIN_POINTS = 3;
  const AGREES = 0.05; // between a column and the names of runs
  const CONSUMED = 0.5; // of what the substrate loses, that a catalyst may lose
  const LOADING =
    /(?<![\p{L}\p{N}_.,])(\d+(?:[.,]\d+)?)\s*(mol\s*-?\s*%|mol\s*-?\s*percent|ppm|%)/iu;
  const CATALYST = /cat|load|\[?(pd|ni|cu|rh|ru|ir|co|fe|mn|au|pt|ag|zn)\b/i;
  const known = Number.isFinite;
  const largest = (values) => Math.max(...values.filter(known));
  const meanOf = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

  /** Tell whether a column given as the substrate is conversion: called so, and not falling. */
  function isConversion(table, column) {
    if (!/^(conv|umsatz|turnover)/i.test(table.titles[column].name)) return false;
    const values = table.seen(column).filter(known);
    return values.length > 0 && values[0] < 0.5 * largest(values);
  }

  /** Find the position of each column in the table, by its role; roles it lacks are left out. */
  function positions(table, roles) {
    const found = { time: table.time };
    for (const role of ["substrate", "product", "catalyst"]) {
      const name = roles[role];
      if (!name || !table.called(name).length) continue;
      const position = table.column(name, role);
      for (const [other, taken] of Object.entries(found)) {
        if (position !== taken) continue;
        refuse(
          `${table.label}: the column ${quoted(table.titles[position].text)} is given as ` +
            `${role} and is already the ${other}; each needs a column of its own.`,
        );
      }
      found[role] = position;
    }
    return found;
  }

  /** Read the column of times, which are numbers here: [times, unit]. */
  function timesOf(table) {
    for (const [row, cells] of table.rows) {
      const cell = cells[table.time];
      if (cell instanceof Date || isText(cell)) {
        const where = table.address(row, table.time);
        elsewhere(`${where}: ${isText(cell) ? quoted(cell) : "a date or clock time"} is no number`);
      }
    }
    const told = titles.unitOfTime(table.titles[table.time]);
    return [table.numbers(table.time), titles.isClock(told) ? "" : titles.timeUnit(told) || told];
  }

  /** Check one table and take the run out of it: {run, remarks}. */
  function readRun(table, roles, names) {
    const at = positions(table, roles);
    if ("substrate" in at && isConversion(table, at.substrate)) {
      elsewhere(`${table.label}: column ${quoted(table.titles[at.substrate].text)} is conversion`);
    }
    const values = {};
    for (const role of ["substrate", "product"]) {
      if (role in at) values[role] = table.numbers(at[role]);
    }
    const others = {};
    for (const name of names) for (const i of table.called(name).slice(0, 1)) others[name] = table.seen(i);
    const measured = table.rows.map((_, i) => Object.values(values).some((own) => known(own[i])));
    const count = measured.filter(Boolean).length;
    if (count < MIN_POINTS) {
      const short = new Refusal(
        `${table.label}: ${count} rows with a concentration, expected at least ` +
          `${MIN_POINTS}. Remove the sheet if it is no run.`,
      );
      throw Object.assign(short, { tooShort: true });
    }
    const { rows, time, unit, remarks } = timed(table, measured);
    const taken = (own) => rows.map((i) => own[i]);
    for (const role of Object.keys(values)) values[role] = taken(values[role]);
    const run = { table, name: table.name, time, unit, ...inBase(table, at, values, time, remarks) };
    run.others = {};
    for (const [name, column] of Object.entries(others)) {
      const own = titles.concentration(table.titles[table.called(name)[0]].unit);
      const factor = own.kind === "molar" && run.base.kind === "molar" ? own.factor / run.base.factor : 1;
      run.others[name] = taken(column).map((value) => value * factor);
    }
    return { run, remarks };
  }

  /** Put the rows that hold a measurement in the order of time, from time 0 on. */
  function timed(table, measured) {
    const [time, unit] = timesOf(table);
    const all = measured.map((_, i) => i).filter((i) => measured[i]);
    const remarks = [];
    for (const i of all.filter((k) => Number.isNaN(time[k]))) {
      const where = table.address(table.rows[i][0], table.time);
      refuse(`${where}: empty, expected the time of this row.`);
    }
    const before = all.filter((i) => time[i] < 0);
    if (before.length === all.length) {
      refuse(
        `${table.address(table.rows[all[0]][0], table.time)}: the time ` +
          `${general(time[all[0]])} and all others lie before the start; give that by --start.`,
      );
    }
    if (before.length) {
      const text = "Rows before the start of the reaction, t = 0, are left out.";
      remarks.push(remark(text, "--start", [`${table.name} (${before.length})`]));
    }
    const rows = all.filter((i) => !(time[i] < 0));
    if (rows.some((i, k) => k && time[i] < time[rows[k - 1]])) {
      remarks.push(remark("Rows out of the order of time were sorted.", "", [table.name]));
    }
    rows.sort((a, b) => time[a] - time[b] || a - b);
    if (rows.length < MIN_POINTS) {
      const short = new Refusal(
        `${table.label}: ${rows.length} rows with a concentration from the start on, expected at ` +
          `least ${MIN_POINTS}; give the time of the start by --start.`,
      );
      throw Object.assign(short, { tooShort: true });
    }
    return { rows, time: rows.map((i) => time[i]), unit, remarks };
  }

  /** Bring substrate and product to one unit, and find what the run starts with. */
  function inBase(table, at, values, time, remarks) {
    const title = (role) => table.titles[at[role]];
    const unit = {};
    for (const role of Object.keys(values)) unit[role] = titles.concentration(title(role).unit);
    let base = { text: "%", kind: "share", factor: 0.01 };
    if (values.substrate) base = unit.substrate;
    if (values.substrate && !base.text && unit.product?.text) base = unit.product;
    const first = time.map((moment) => moment === time[0]);
    const starts = (role) => values[role].filter((value, i) => first[i] && known(value));
    let substrate0 = NaN;
    if (values.substrate) {
      if (!starts("substrate").length) {
        refuse(
          `${table.address(table.rows[0][0], at.substrate)}: empty, expected the initial ` +
            "substrate; the first row of a run must be complete, or --substrate-0 tell it.",
        );
      }
      substrate0 = meanOf(starts("substrate"));
    }
    if (values.product) values.product = productInBase(table, at.product, unit.product, base,
      { values: values.product, substrate: values.substrate, substrate0, remarks });
    let product0 = 0;
    if (values.product && starts("product").length) product0 = meanOf(starts("product"));
    else if (values.product) {
      if (time[0] > 0) {
        refuse(
          `${table.address(table.rows[0][0], at.product)}: empty, expected the initial ` +
            "product; the first row of a run must be complete, or --product-0 tell it.",
        );
      }
      const text = "Product empty at the start is taken as none.";
      remarks.push(remark(text, "--product-0", [table.name]));
    }
    return { base, ...values, substrate_0: substrate0, product_0: product0 };
  }

  function productInBase(table, column, unit, base, { values, substrate, substrate0, remarks }) {
    const name = table.titles[column].text;
    const ofStart = unit.kind === "share" && (base.kind !== "share" || !substrate);
    if (ofStart && known(substrate0)) {
      if (base.kind !== "share") {
        const text = `Column ${quoted(name)} is read as a share of the initial substrate.`;
        remarks.push(remark(text, "--unit"));
      }
      return values.map((value) => value * unit.factor * substrate0);
    }
    const factor = factorTo(table, unit, base, name);
    if (factor !== 1) {
      remarks.push(remark(`Column ${quoted(name)} is converted to ${base.text}.`, "--unit"));
    }
    return values.map((value) => value * factor);
  }

  /** Return what brings values in a unit to the base; a unit that is not told is the base. */
  function factorTo(table, unit, base, what) {
    if (!unit.text || !base.text) return 1;
    if (titles.converts(unit, base)) return unit.kind === "other" ? 1 : unit.factor / base.factor;
    return refuse(
      `${table.label}: ${quoted(what)} is in ${unit.text}, and the concentrations are in ` +
        `${base.text}: different units that do not convert; bring them to one, or tell them by ` +
        "--unit.",
    );
  }

  /** Find the loading in the name of a run, null where it tells none. */
  function loadingIn(name) {
    const match = LOADING.exec(name);
    if (!match || (match[2] === "%" && !CATALYST.test(name))) return null;
    const unit = titles.concentration(match[2].toLowerCase() === "ppm" ? "ppm" : "mol%");
    return { value: Number(match[1].replace(",", ".")), unit };
  }

  /** Find the catalyst of each run, in the unit of its substrate: {catalysts, remarks}. */
  function catalystOf(runs, column) {
    const remarks = [];
    const told = runs.map((run) => loadingIn(run.name));
    const fromNames = [];
    let catalysts = runs.map((run, i) => {
      let value = column ? firstOf(run, column) : null;
      if (value && column) remarks.push(...onUnit(run, column));
      if (value === null && told[i]) {
        value = amountIn(run, told[i], run.name);
        fromNames.push(run.name);
      }
      if (value === null && column) return unknown(run, column);
      if (value === null && told.some(Boolean)) return isBlank(run) ? 0 : NaN;
      return value ?? 0;
    });
    const untold = runs.filter((_, i) => Number.isNaN(catalysts[i])).map((run) => run.name);
    if (untold.length) {
      const text =
        "Loading not told, as it is of other runs: kept, but not read by classify and design next.";
      remarks.push(remark(text, `--loading '${untold[0]}=5 mol%'`, untold));
    }
    if (fromNames.length) {
      remarks.push(remark("Loading taken from the name of the run.", "--loading", fromNames));
    } else if (column) {
      catalysts = againstNames(runs, catalysts, told, column, remarks);
    }
    if (catalysts.some((value) => value > 0)) {
      if (column) refuseReactant(runs, column);
      refuseMoreThanSubstrate(runs, catalysts, column);
      const blanks = runs.filter((_, i) => catalysts[i] === 0).map((run) => run.name);
      if (blanks.length) {
        const text =
          "Without catalyst, a blank run: kept, but it tells nothing of a catalytic " +
          "mechanism and is not read by networks.";
        remarks.push(remark(text, "--loading", blanks));
      }
    } else if (column) {
      refuseZero(runs[0], column);
    }
    return { catalysts, remarks };
  }

  const isBlank = (run) => folded(run.name).includes("blank");

  /** Take the first number of the column; what stands below it does not matter. */
  function firstOf(run, column) {
    const { table } = run;
    const [i] = table.called(column);
    if (i === undefined) return null;
    const unit = titles.concentration(table.titles[i].unit);
    for (const [row, cells] of table.rows) {
      const value = kinetlib.layout.numberOf(cells[i], table.address(row, i));
      if (Number.isNaN(value)) continue;
      if (value < 0) {
        const where = table.address(row, i);
        refuse(`${where}: the catalyst is ${general(value)}, expected zero or more.`);
      }
      const same = unit.kind === run.base.kind && unit.text.trim() === run.base.text.trim();
      return !unit.text || same ? value : amountIn(run, { value, unit }, table.titles[i].text);
    }
    return isBlank(run) ? 0 : null;
  }

  /** Say in which unit the column was taken to be, where that is not the substrate's own. */
  function onUnit(run, column) {
    const title = run.table.titles[run.table.called(column)[0]];
    const unit = titles.concentration(title.unit);
    if (unit.text === run.base.text) return [];
    const name = `Column ${quoted(title.text)}`;
    const base = run.base.text;
    const to = base || "the substrate's unit, which is not told: it is taken to be the same";
    let text = `${name} is converted from ${unit.text} to ${to}.`;
    if (!unit.text) text = `${name} has no unit, and is taken to be in ${base}.`;
    else if (unit.kind === "share") {
      text = `${name} is read as ${unit.text} of the run's own initial substrate.`;
    }
    return [remark(text, `--unit '${title.name}=...'`)];
  }

  /** Bring an amount to the unit of the run's substrate; a share is one of its own start. */
  function amountIn(run, { value, unit }, what) {
    if (unit.kind === "share" || !unit.text) return value * unit.factor * run.substrate_0;
    if (titles.converts(unit, run.base)) return (value * unit.factor) / run.base.factor;
    if (!run.base.text) return value;
    return refuse(
      `${run.table.label}: ${quoted(what)} is in ${unit.text}, and the substrate is in ` +
        `${run.base.text}: different units; give the start by --substrate-0, as '0.2 M', or the ` +
        "catalyst as a share by --loading, as '5 mol%'.",
    );
  }

  /** Refuse a run of which nothing tells the catalyst; a blank has none. */
  function unknown(run, column) {
    if (isBlank(run)) return 0;
    const { table } = run;
    const wayOut = `or tell it by --loading '${run.name}=5 mol%', or in the run's name`;
    if (!table.called(column).length) {
      try {
        table.column(column, "catalyst");
      } catch (error) {
        refuse(`${error.message} Add one, ${wayOut}.`);
      }
    }
    return refuse(
      `${table.label}: the column ${quoted(column)} is empty; expected the catalyst's ` +
        `concentration in its first row, in the unit of the substrate, ${wayOut}.`,
    );
  }

  /** Where names of runs tell loadings in another unit than the column's, believe the names. */
  function againstNames(runs, found, told, column, remarks) {
    const pairs = runs
      .map((run, i) => ({ run, value: found[i], told: told[i] }))
      .filter(({ run, value, told: own }) => own && value > 0 && run.substrate_0 > 0)
      .map(({ run, value, told: own }) => ({ run, value, named: amountIn(run, own, run.name) }));
    const ratios = pairs.map(({ value, named }) => value / named);
    if (ratios.every((ratio) => Math.abs(ratio - 1) < AGREES)) return found;
    const mean = meanOf(ratios);
    const spread = Math.max(...ratios) - Math.min(...ratios);
    if (pairs.length === runs.length && runs.length > 1 && spread < AGREES * mean) {
      const text =
        `Column ${quoted(column)} is ${general(mean, 3)} times the loadings in the names of the ` +
        "runs, so in another unit than the substrate's: the names are believed.";
      remarks.push(remark(text, "--loading"));
      return pairs.map(({ named }) => named);
    }
    const text =
      `Column ${quoted(column)} and the names of the runs tell different loadings; the column is ` +
      "believed.";
    const apart = pairs.filter((_, i) => Math.abs(ratios[i] - 1) >= AGREES);
    remarks.push(remark(text, "--loading", apart.map(({ run }) => run.name)));
    return found;
  }

  /** Refuse a catalyst that is consumed as the substrate is. */
  function refuseReactant(runs, column) {
    for (const run of runs) {
      const [i] = run.table.called(column);
      if (i === undefined || !run.substrate) continue;
      const seen = run.table.seen(i).filter(known);
      const left = run.substrate.filter(known);
      if (seen.length < 3 || left.length < 3 || seen[0] <= 0) continue;
      const [lost, consumed] = [seen[0] - seen.at(-1), left[0] - left.at(-1)];
      if (lost > 0.2 * seen[0] && lost > CONSUMED * consumed && CONSUMED * consumed > 0) {
        refuse(
          `${run.table.label}: ${quoted(column)} falls from ${general(seen[0])} to ` +
            `${general(seen.at(-1))} while the substrate loses ${general(consumed, 3)}: a ` +
            "reactant, not a catalyst, so the reaction looks uncatalysed, and the mechanisms told " +
            "apart are catalytic. kinetlib discover finds its reactions; --reactant " +
            `${quoted(column)} keeps it beside a catalyst.`,
        );
      }
    }
  }

  /** Refuse more catalyst than substrate: a unit that is not told, most likely. */
  function refuseMoreThanSubstrate(runs, found, column) {
    const above = runs
      .map((run, i) => [run, found[i]])
      .filter(([run, value]) => value > run.substrate_0 && run.substrate_0 > 0)
      .map(([run, value]) => `${run.name} (${general(value / run.substrate_0, 3)} times)`);
    if (above.length <= runs.length / 2) return;
    refuse(
      `${runs[0].table.file}: the catalyst exceeds the substrate in ${listed(above)}; if it ` +
        `is in another unit, say so by --unit '${column || "catalyst"}=mM', with the substrate's ` +
        "likewise, or state it by --loading '5 mol%'.",
    );
  }

  function refuseZero(run, column) {
    const [i] = run.table.called(column);
    const [row] = run.table.rows.find(([, cells]) => cells[i] !== null);
    refuse(
      `${run.table.address(row, i)}: the catalyst is 0, here and in all runs, expected more than ` +
        "zero; a blank run without catalyst carries no mechanism.",
    );
  }

  kinetlib.runs = { MIN_POINTS, catalystOf, known, positions, readRun };
})((globalThis.kinetlib ??= {}));
