"use strict";
// What sets measured runs apart from those the network was trained on, and what no mechanism knows:
// kinetlib.lab.notes, .completion and the part of .columns that finds further species.
(function (kinetlib) {
  const { general, key, quoted, refuse, remark } = kinetlib.words;
  const titles = kinetlib.titles;
  const { known } = kinetlib.runs;
  const ROUNDING = 0.05; // weighed-in amounts stray by some percent
  const WEIGHED = 0.1; // a species that stays as it is may differ so much from run to run
  const NOTHING = 0.02; // of the standard run's initial substrate: what a baseline may show
  const LAST_DIGIT = 1e-9;
  const MORE = 0.15; // by which substrate and product may exceed what there was at the start
  const FAR_MORE = 2; // times what there was at the start: columns of different units
  const KELVIN = 1;
  const COMPLETE = 0.95; // share of the turnover from which a run is over
  const TAIL = 0.6; // of a run's time: one that has its own end earlier stays there long enough
  const LEAST = 4; // rows that are read in any case
  const TURNED = 0.1; // of the substrate: a run that turns over less has no end of its own
  const STEADY = 0.2; // of its mean that an internal standard may stray within a run
  const range = (values) => Math.max(...values) - Math.min(...values);
  const mean = (values) => values.reduce((sum, x) => sum + x, 0) / values.length;

  function spread(values) {
    const size = Math.abs(mean(values));
    if (size > 0) return range(values) / size;
    return range(values) ? Infinity : 0;
  }

  const isConstant = (values) => {
    const numbers = values.filter(known);
    return !numbers.length || spread(numbers) < 1e-3;
  };

  /** Find the columns in no role that may be species: {names, remarks}. */
  function others(tables, used) {
    const found = new Map();
    tables.forEach((table, k) => {
      table.titles.forEach((title, i) => {
        if (!title.text || used[k].has(i) || i === table.time) return;
        if (titles.isRun(title) || titles.isTemperature(title)) return;
        const id = key(title.text);
        if (!found.has(id)) found.set(id, []);
        found.get(id).push([table, i]);
      });
    });
    const [names, remarks] = [[], []];
    for (const places of found.values()) {
      const [table, i] = places[0];
      const { text } = table.titles[i];
      const reason = whyNoSpecies(places);
      if (reason === null) names.push(text);
      else if (reason) {
        const what = `Column ${quoted(text)} is ignored: ${reason}.`;
        remarks.push(remark(what, `--observe '${text}'`));
      }
    }
    return { names, remarks };
  }

  /** Say why a column is no species, "" where it holds nothing, null where it may be one. */
  function whyNoSpecies(places) {
    const [table, i] = places[0];
    const title = table.titles[i];
    const columns = places.map(([own, k]) => own.seen(k).filter(known)).filter((v) => v.length);
    if (!columns.length) {
      return table.rows.some(([, cells]) => cells[i] !== null) ? "it holds no numbers" : "";
    }
    if (titles.isTime(title)) return "it is another time";
    const byName = titles.noSpecies(title);
    if (byName === "an internal standard" && columns.every((values) => spread(values) < STEADY)) {
      return (
        "it is called like an internal standard and steady; --internal-standard " +
        `'${title.text}' relates all concentrations to it`
      );
    }
    if (byName === "a number of samples" || columns.every(counts)) return "it numbers samples";
    return byName === "a comment" ? "it is a comment by its name" : null;
  }

  /** Tell whether values number the rows: whole, rising by the same step of 1 or more. */
  function counts(values) {
    const steps = values.slice(1).map((value, i) => value - values[i]);
    const same = steps.every((step) => step === steps[0]);
    return values.length > 3 && values.every(Number.isInteger) && same && steps[0] >= 1;
  }

  /** Tell which rows of a run come after its end. */
  function afterCompletion(run) {
    const { time, substrate_0: start } = run;
    const none = time.map(() => false);
    const measured = run.substrate.some(known);
    const all = measured
      ? run.substrate.map((value) => start - value)
      : run.product.map((value) => value - run.product_0);
    const places = all.map((_, i) => i).filter((i) => known(all[i]));
    if (places.length <= LEAST || !(start > 0)) return none;
    const [turned, at] = [places.map((i) => all[i]), places.map((i) => time[i])];
    const first = (level) => at[turned.findIndex((value) => value >= level)] ?? Infinity;
    // The mean, against noise; the last, where the run is still going on.
    const n = Math.max(3, Math.floor(turned.length / 5));
    const last = Math.max(mean(turned.slice(-n)), turned.at(-1));
    let end = first(COMPLETE * start);
    if (last > TURNED * start) {
      const own = first(COMPLETE * last);
      if (own <= TAIL * at.at(-1)) end = Math.min(end, own);
    }
    const after = time.map((moment) => moment > end);
    return after.filter((late) => !late).length >= LEAST ? after : none;
  }

  const firstKnown = (run, name) => (run.others[name] ?? []).find(known) ?? NaN;

  /** Tell whether starts differ: by a share of the reference, or by more than nothing. */
  function differs(value, reference, relative, zero = 0) {
    if (Number.isNaN(value) || Number.isNaN(reference)) return false;
    return Math.abs(value - reference) > (reference ? relative * Math.abs(reference) : zero);
  }

  /** Find the runs that differ from the standard run in nothing but what mechanisms know. */
  function comparable(runs, reference, productMeasured, roles) {
    const leftOut = new Set(runs.filter((run) => !(run.loading > 0)).map((run) => run.name));
    const remarks = [];
    for (const species of Object.keys(reference.others)) {
      const value = firstKnown(reference, species);
      const isCatalyst = roles.catalyst && titles.isCalled(titles.titleOf(species), roles.catalyst);
      if (isCatalyst || (Math.abs(value) <= NOTHING && !productMeasured)) continue;
      const steady = runs.every((run) => isConstant(run.others[species] ?? []));
      // A baseline shows a little of what is not there; what stays as it is was weighed in.
      const close = steady ? [WEIGHED, 0] : [ROUNDING, NOTHING];
      const apart = runs.filter((run) => differs(firstKnown(run, species), value, ...close));
      if (!apart.length) continue;
      const names = apart.map((run) => run.name);
      names.forEach((name) => leftOut.add(name));
      const text =
        `Kept, but not read by networks, since ${species}, which no ` +
        "mechanism knows, starts differently from the standard run.";
      remarks.push(remark(text, `--ignore '${species}'`, names));
    }
    return { kept: new Set(runs.map((run) => run.name).filter((n) => !leftOut.has(n))), remarks };
  }

  /** Name the runs that repeat the standard run. */
  function repeats(runs, reference) {
    const starts = (run) => ({
      ...Object.fromEntries(Object.keys(run.others).map((name) => [`of ${name}`, firstKnown(run, name)])),
      loading: run.loading,
      substrate: run.substrate_0,
      product: run.product_0,
    });
    const wanted = starts(reference);
    const same = runs.filter((run) => {
      const own = Object.entries(starts(run));
      return run !== reference && !own.some(([k, x]) => differs(x, wanted[k] ?? NaN, LAST_DIGIT));
    });
    const text = `Starts as ${quoted(reference.name)} does, and is read as a repeat of it.`;
    return same.length ? [remark(text, "", same.map((run) => run.name))] : [];
  }

  /** Say where mass appears from nowhere; refuse where it is more than twice the start. */
  function doubts(runs) {
    const more = [];
    for (const run of runs) {
      const value = (x) => (known(x) ? x : 0);
      const there = run.substrate_0 + run.product_0;
      const totals = run.time
        .map((_, i) => [run.substrate[i], run.product[i]])
        .filter((pair) => pair.some(known))
        .map(([s, p]) => value(s) + value(p));
      if (!totals.length || !(there > 0)) continue;
      const largest = Math.max(...totals);
      if (largest > (1 + FAR_MORE) * there) {
        refuse(
          `run ${quoted(run.name)}: substrate and product come to ${general(largest / there, 3)} ` +
            "times what there was at the start; if they are in different units, say so by --unit, " +
            "and where the product is in percent, start at --substrate-0 100.",
        );
      }
      if (largest > (1 + MORE) * there) {
        more.push(`${run.name} (${(largest / there).toFixed(2)} times)`);
      }
    }
    const text =
      "Mass appears from nowhere: substrate and product come to more than there was at the " +
      "start; check columns, units and calibration.";
    return more.length ? [remark(text, "--unit", more)] : [];
  }

  /** Read the temperature of each run in kelvin; null unless all have such a column. */
  function temperatures(tables, names) {
    const found = new Map();
    for (const table of tables) {
      const column = table.titles.findIndex(titles.isTemperature);
      if (column < 0 || !names.includes(table.name)) continue;
      const numbers = [...new Set(table.numbers(column).filter(known))];
      if (numbers.length !== 1) {
        refuse(
          `${table.label}: expected one temperature in kelvin, got ${numbers.length} of them; ` +
            "a run has one",
        );
      }
      found.set(table.name, numbers[0] + (table.titles[column].unit.includes("C") ? 273.15 : 0));
    }
    return names.every((name) => found.has(name)) ? found : null;
  }

  function atOtherTemperatures(found, standard) {
    const apart = [...found].filter(([, t]) => Math.abs(t - found.get(standard)) > KELVIN);
    const names = apart.map(([name]) => name);
    const text =
      "Kept, but not read by networks, since the temperature is not the standard run's.";
    return { apart: names, remarks: names.length ? [remark(text, "--standard", names)] : [] };
  }

  /** Plain sentences on whatever the network has not met in training. */
  function notes(runs, productMeasured) {
    const found = [];
    if (!productMeasured) {
      found.push(
        "Product not measured, and taken to be absent at the start: substrate on the catalyst " +
          "is not seen.",
      );
    } else if (runs.every(isCalculated)) {
      found.push(
        "Product equals the substrate consumed to the last digit, so it was calculated, not " +
          "measured: leave it out, or the runs look free of noise and of substrate on the catalyst.",
      );
    }
    const { loading, substrate, product, stopped } = kinetlib.data.catalogue.trainedOn;
    const within = (value, [low, high]) =>
      value >= low * (1 - ROUNDING) && value <= high * (1 + ROUNDING);
    const span = ([low, high]) => `${general(low)} to ${general(high)}`;
    const say = (sentence, value, applies) => {
      const names = runs.filter(applies).map((run) => `${run.name} (${general(value(run), 3)})`);
      if (names.length) found.push(`${sentence}: ${names.join(", ")}.`);
    };
    say(`Catalyst loading outside of the ${span(loading)} trained on`, (run) => run.loading,
      (run) => !within(run.loading, loading));
    say(`Initial substrate outside of the ${span(substrate)} times the standard run trained on`,
      (run) => run.substrate_0, (run) => !within(run.substrate_0, substrate));
    say(`Initial product outside of the ${span(product)} times the standard run trained on`,
      (run) => run.product_0,
      (run) => !(run.product_0 >= product[0] - ROUNDING && run.product_0 <= product[1] + ROUNDING));
    const least = `${(100 * stopped[0]).toFixed(0)}%`;
    say(`Stopped below ${least} conversion, where mechanisms look alike`, conversion,
      (run) => conversion(run) < stopped[0]);
    say("First row not at time 0, yet taken as the start", (run) => run.time[0],
      (run) => run.time[0] > 0);
    return found;
  }

  function isCalculated(run) {
    const total = run.substrate.map((value, i) => value + run.product[i]).filter(known);
    return total.length > 1 && range(total) < LAST_DIGIT;
  }

  function conversion(run) {
    const measured = run.substrate.filter(known);
    if (measured.length) return run.substrate_0 > 0 ? 1 - measured.at(-1) / run.substrate_0 : NaN;
    const made = run.product.filter(known);
    return made.length ? (made.at(-1) - run.product_0) / run.substrate_0 : NaN;
  }

  kinetlib.notes = {
    COMPLETE, afterCompletion, atOtherTemperatures, comparable, doubts, notes, others, repeats,
    temperatures,
  };
})((globalThis.kinetlib ??= {}));
