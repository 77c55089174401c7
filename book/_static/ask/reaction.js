"use strict";
// The runs of one reaction, from the tables of a file to what the network is asked with, and what
// `kinetlib classify --quick --json` says of them: kinetlib.lab.reaction and kinetlib.cli.
(function (kinetlib) {
  const { folded, general, key, quoted, refuse, remark, sentences } = kinetlib.words;
  const titles = kinetlib.titles;
  const { MIN_POINTS, known } = kinetlib.runs;
  const NEGATIVE_TOLERANCE = 0.05; // of the standard run's initial substrate

  /** Open a file: its tables, the names of their columns, a guess of each role, and remarks. */
  async function open(file) {
    const { sheets, remarks } = await kinetlib.opening.openFile(file);
    const found = kinetlib.layout.readTables(file.name, sheets);
    const names = new Map();
    for (const table of found.tables) {
      table.titles.forEach((title, i) => {
        const apart = i === table.time || titles.isRun(title) || titles.isTemperature(title);
        if (title.text && !apart && !names.has(key(title.text))) names.set(key(title.text), title.text);
      });
    }
    const columns = [...names.values()];
    return {
      file: file.name,
      tables: found.tables,
      remarks: [...remarks, ...found.remarks],
      columns,
      guess: guess(found.tables, columns),
    };
  }

  /** Guess which column is what: by name, else what falls, what rises, and what stays. */
  function guess(tables, columns) {
    const seen = (name) =>
      tables.flatMap((table) => {
        const first = table.called(name).slice(0, 1);
        return first.map((i) => table.seen(i).filter(known));
      });
    const numeric = columns.filter(
      (name) => seen(name).some((v) => v.length) && !titles.noSpecies(titles.titleOf(name)),
    );
    const change = (name) => {
      const runs = seen(name).filter((values) => values.length > 1);
      return runs.reduce((sum, values) => sum + values.at(-1) - values[0], 0);
    };
    const named = (pattern) => numeric.find((name) => pattern.test(name));
    const found = { catalyst: named(/cat|kat\.|katal|loading|precursor/i) };
    const rest = () => numeric.filter((name) => !Object.values(found).includes(name));
    found.substrate =
      rest().find((name) => /^(substrate|sm|starting material|\[?s\]?)\b/i.test(name)) ??
      rest().find((name) => change(name) < 0);
    found.product =
      rest().find((name) => /^(product|\[?p\]?)\b/i.test(name)) ??
      rest().find((name) => change(name) > 0);
    found.catalyst ??= rest().find((name) => seen(name).every((v) => new Set(v).size < 2));
    const of = (role) => found[role] ?? "";
    return { substrate: of("substrate"), product: of("product"), catalyst: of("catalyst") };
  }

  /** Read the runs of an opened file by the roles of its columns: {runs, standard, warnings, scale, units}. */
  function read(opened, roles) {
    const remarks = [...opened.remarks];
    const tables = ofThisReaction(opened, roles, remarks);
    const found = runsOf(tables, roles, remarks);
    const factors = inOneUnit(opened.file, found, remarks);
    const { catalysts, remarks: told } = kinetlib.runs.catalystOf(found, roles.catalyst);
    remarks.push(...told);
    const reference = standardRun(found, catalysts);
    if (!(reference.substrate_0 > 0)) {
      refuse(
        `${opened.file}, run ${quoted(reference.name)}: the initial substrate is ` +
          `${general(reference.substrate_0)}; the standard run, to which all others are related, ` +
          "needs more than zero. If this column is a product, give it by --product, and the start " +
          "of the substrate by --substrate-0 (100 for percent).",
      );
    }
    const runs = found.map((run, i) => relative(run, catalysts[i], factors[i], reference, remarks));
    checkNegative(opened.file, runs);
    const measured = found.some((run) => run.product);
    return {
      ...judged(runs, reference, tables, roles, measured, remarks),
      scale: reference.substrate_0,
      unit: reference.base.text,
      timeUnit: found.find((run) => run.unit)?.unit ?? "",
    };
  }

  /** Mark what the network may read, and say why it may not read the rest. */
  function judged(runs, reference, tables, roles, productMeasured, remarks) {
    const standard = runs.find((run) => run.name === reference.name);
    const { kept, remarks: told } = kinetlib.notes.comparable(runs, standard, productMeasured, roles);
    remarks.push(...told, ...kinetlib.notes.repeats(runs, standard), ...kinetlib.notes.doubts(runs));
    const kelvin = kinetlib.notes.temperatures(tables, runs.map((run) => run.name));
    if (kelvin) {
      const { apart, remarks: more } = kinetlib.notes.atOtherTemperatures(kelvin, standard.name);
      apart.forEach((name) => kept.delete(name));
      remarks.push(...more);
    }
    const cut = [];
    for (const run of runs) {
      run.comparable = kept.has(run.name);
      run.completed = kinetlib.notes.afterCompletion(run);
      const n = run.completed.filter(Boolean).length;
      if (n && run.comparable) cut.push(`${run.name} (${n} of ${run.time.length})`);
    }
    if (cut.length) {
      const text =
        "Rows after 95% of the turnover tell nothing of the mechanism, and are not " +
        "read by networks.";
      remarks.push(remark(text, "--keep-tail", cut));
    }
    const read = runs.filter((run) => run.comparable);
    const beyond = read.length ? kinetlib.notes.notes(read, productMeasured) : [];
    return { runs, standard: standard.name, warnings: [...sentences(remarks), ...beyond] };
  }

  /** Leave out tables that hold none of the species; refuse names that no table has. */
  function ofThisReaction(opened, roles, remarks) {
    const { tables } = opened;
    const named = ["substrate", "product"].filter((role) => roles[role]);
    if (!named.length) {
      refuse(`${opened.file}: expected the name of a column: --substrate, --product or --conversion.`);
    }
    const have = named.map((role) => tables.filter((table) => table.called(roles[role]).length));
    named.forEach((role, k) => have[k].forEach((table) => table.column(roles[role], role)));
    const kept = tables.filter((table) => have.some((those) => those.includes(table)));
    named.forEach((role, k) => {
      if (!have[k].length) (kept[0] ?? tables[0]).column(roles[role], role);
    });
    const left = tables.filter((table) => !kept.includes(table)).map((table) => table.name);
    if (left.length) {
      const what = named.map((role) => quoted(roles[role])).join(", ");
      remarks.push(remark(`Left out, without a column ${what}.`, "", left));
    }
    return kept;
  }

  /** Take the runs out of their tables; too short ones are left out where others remain. */
  function runsOf(tables, roles, remarks) {
    const used = tables.map((table) => {
      const at = kinetlib.runs.positions(table, { ...roles, catalyst: "" });
      const catalyst = roles.catalyst ? table.called(roles.catalyst) : [];
      return new Set([...Object.values(at), ...catalyst.filter((i) => isIdle(table, i))]);
    });
    const { names, remarks: told } = kinetlib.notes.others(tables, used);
    remarks.push(...told);
    const [runs, short] = [[], []];
    let last;
    for (const table of tables) {
      try {
        const one = kinetlib.runs.readRun(table, roles, names);
        runs.push(one.run);
        remarks.push(...one.remarks);
      } catch (error) {
        if (tables.length === 1 || !error.tooShort) throw error;
        short.push(table.name);
        last = error;
      }
    }
    if (!runs.length) throw last;
    if (short.length) {
      const text = `Left out, with fewer than ${MIN_POINTS} rows of values.`;
      remarks.push(remark(text, "", short));
    }
    return runs;
  }

  /** Tell whether the catalyst's column says no more than its first number. */
  function isIdle(table, column) {
    const values = table.seen(column).filter(known);
    const range = Math.max(...values) - Math.min(...values);
    return values.length < 2 || range <= 1e-9 * Math.abs(values[0]);
  }

  /** Return what brings the times of each run to one unit. */
  function inOneUnit(file, runs, remarks) {
    const told = new Map();
    for (const run of runs) if (run.unit && !told.has(run.unit)) told.set(run.unit, run.name);
    if (!told.size) return runs.map(() => 1);
    const [[unit]] = told;
    if (told.size > 1 && [...told.keys()].some((one) => !(one in titles.SECONDS))) {
      const each = [...told].map(([one, run]) => `${quoted(one)} in ${run}`).join(", ");
      refuse(`${file}: the runs differ in their unit of time (${each}); use one.`);
    }
    return runs.map((run) => {
      if (run.unit === unit) return 1;
      if (!run.unit) {
        const text = `Without a unit of time, and taken to be in ${unit}.`;
        remarks.push(remark(text, "--unit", [run.name]));
        return 1;
      }
      remarks.push(remark(`Times converted from ${run.unit} to ${unit}.`, "", [run.name]));
      return titles.SECONDS[run.unit] / titles.SECONDS[unit];
    });
  }

  function standardRun(runs, catalysts) {
    const names = runs.map((run) => folded(run.name.trim()));
    if (names.includes("standard")) return runs[names.indexOf("standard")];
    const named = runs.find((_, i) => names[i].includes("standard"));
    return named ?? runs.find((_, i) => catalysts[i] > 0) ?? runs[0];
  }

  /** Relate the concentrations of a run to the standard run's initial substrate. */
  function relative(run, amount, factor, reference, remarks) {
    let ratio = 1;
    if (run.base.text && reference.base.text && run.base.text !== reference.base.text) {
      if (!titles.converts(run.base, reference.base)) {
        refuse(
          `${run.table.label}: in ${run.base.text}, and the standard run in ` +
            `${reference.base.text}: different units; bring them to one.`,
        );
      }
      ratio = run.base.factor / reference.base.factor;
      const text = `Converted to ${reference.base.text}, the standard run's unit.`;
      remarks.push(remark(text, "", [run.name]));
    }
    const scale = reference.substrate_0 / ratio;
    const empty = run.time.map(() => NaN);
    const scaled = (column) => column.map((value) => value / scale);
    return {
      name: run.name,
      time: run.time.map((moment) => moment * factor),
      substrate: run.substrate ? scaled(run.substrate) : empty,
      product: run.product ? scaled(run.product) : empty,
      loading: amount / scale,
      substrate_0: run.substrate_0 / scale,
      product_0: run.product_0 / scale,
      others: Object.fromEntries(Object.entries(run.others).map(([n, c]) => [n, scaled(c)])),
    };
  }

  function checkNegative(file, runs) {
    for (const run of runs) {
      for (const species of ["substrate", "product"]) {
        const i = run[species].findIndex((value) => value < -NEGATIVE_TOLERANCE);
        if (i < 0) continue;
        refuse(
          `${file}, run ${quoted(run.name)}: the ${species} at time ${general(run.time[i])} is ` +
            `${general(run[species][i], 3)} times the standard run's initial substrate; expected ` +
            `no less than -${general(NEGATIVE_TOLERANCE)}. Check the columns, or the baseline.`,
        );
      }
    }
  }

  /** Answer by the network alone, with the keys of `kinetlib classify --quick --json`. */
  async function answer(reaction) {
    const { places, ...asked } = await kinetlib.trust.classify(reaction.runs);
    const names = reaction.runs.map((run) => run.name);
    const aside = names.filter((_, i) => !places.includes(i));
    const warnings = [...reaction.warnings];
    if (aside.length) {
      warnings.push(
        `The network reads ${names.length - aside.length} of ${names.length} runs; it leaves ` +
          `aside ${aside.join(", ")}.`,
      );
    }
    return { ...asked, model: "runset", runs: names, runs_left_aside: aside, warnings };
  }

  kinetlib.reaction = { answer, open, read };
})((globalThis.kinetlib ??= {}));
