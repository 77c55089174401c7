"use strict";
// How far an answer can be trusted: kinetlib.fusion.trust and kinetlib.runs.noise.
(function (kinetlib) {
  const POINTS = [6, 11]; // bounds of the number of points a run
  const RUNS = [2, 3, 4, 5, 7]; // bounds of the number of runs, of laboratories
  const COARSE = 0.014; // bound of estimated noise, of laboratories
  const CLIP = 3; // residuals beyond so many noise levels count as that many
  const MEDIAN = 0.6744897501960817; // of the absolute value of a standard normal variable
  const known = Number.isFinite;

  /** Say in which bin a value lies; what is no number lies in the last. */
  const bin = (value, bounds) => bounds.filter((bound) => !(value < bound)).length;

  /** Estimate the relative noise of a point from sums of substrate and product, NaN if untold. */
  function noiseOf(runs) {
    const residuals = runs.flatMap((run) => {
      const both = run.time.map((_, i) => run.substrate[i] + run.product[i]);
      const variance = run.time.map((_, i) => run.substrate[i] ** 2 + run.product[i] ** 2);
      return run.time.slice(3).map((after, i) => {
        const share = (after - run.time[i + 2]) / (after - run.time[i + 1]);
        const residual = both[i + 2] - share * both[i + 1] - (1 - share) * both[i + 3];
        const before = share ** 2 * variance[i + 1];
        const unit = variance[i + 2] + before + (1 - share) ** 2 * variance[i + 3];
        return Math.abs(residual / Math.sqrt(unit));
      });
    });
    const told = residuals.filter(known);
    if (!told.length) return NaN;
    const most = (CLIP * kinetlib.features.median(told)) / MEDIAN;
    const squares = told.map((value) => Math.min(value, most) ** 2);
    return Math.sqrt(squares.reduce((sum, value) => sum + value, 0) / told.length);
  }

  /** Tell whether runs are as the published design has them. */
  function publishedDesign(runs) {
    const standard = (run) => Math.abs(run.substrate_0 - 1) < 0.02 && run.product_0 < 0.02;
    const turned = (run) =>
      Math.abs(run.substrate_0 + run.product_0 - 1) < 0.02 && run.substrate_0 < 0.85;
    return (
      runs.length === 4 &&
      runs.filter(standard).length === 3 &&
      runs.every(
        (run) =>
          (standard(run) || turned(run)) &&
          run.loading > 0.009 &&
          run.loading < 0.11 &&
          run.time[0] === 0 &&
          [...run.substrate, ...run.product].every(known),
      )
    );
  }

  function conditionOf(runs, noise) {
    const points = runs.reduce((sum, run) => sum + run.time.length, 0) / runs.length;
    if (publishedDesign(runs)) {
      const fine = bin(noise, kinetlib.data.trust.noiseBins);
      return `published design: points ${bin(points, POINTS)}, noise ${fine}`;
    }
    const coarse = Number.isNaN(noise) ? 2 : Number(noise >= COARSE);
    return `laboratory: runs ${bin(runs.length, RUNS)}, noise ${coarse}`;
  }

  /** Return a condition that was calibrated: itself, or with the next noisier bin. */
  function calibrated(condition, temperatures) {
    if (condition in temperatures) return condition;
    const stem = condition.slice(0, condition.lastIndexOf(" ") + 1);
    const all = Object.keys(temperatures).sort();
    const alike = all.filter((name) => name.startsWith(stem));
    const noisier = alike.filter((name) => name > condition);
    return noisier[0] ?? (alike.length ? alike : all).at(-1);
  }

  /** Squared distance of a hidden layer to the nearest class. */
  function distance(hidden, { means, precision }) {
    const width = hidden.length;
    let nearest = Infinity;
    for (let start = 0; start < means.values.length; start += width) {
      const away = hidden.map((x, j) => x - means.values[start + j]);
      let sum = 0;
      for (let i = 0; i < width; i += 1) {
        let row = 0;
        for (let j = 0; j < width; j += 1) row += precision.values[i * width + j] * away[j];
        sum += away[i] * row;
      }
      nearest = Math.min(nearest, sum);
    }
    return nearest;
  }

  /** Share of known reactions that lie nearer, between the quantiles that are stored. */
  function share(value, borders) {
    const shares = [...Array(19).keys()].map((i) => (0.9 * i) / 18);
    shares.push(...[...Array(10).keys()].map((i) => 0.91 + (0.09 * i) / 9));
    if (value <= borders[0]) return shares[0];
    const above = borders.findIndex((border) => border > value);
    if (above < 0) return 1;
    const part = (value - borders[above - 1]) / (borders[above] - borders[above - 1]);
    return shares[above - 1] + part * (shares[above] - shares[above - 1]);
  }

  /** Calibrate what the network says of runs: probabilities, set, noise of a reading, strangeness. */
  function answer(trust, runs, said) {
    const noise = noiseOf(runs);
    const condition = calibrated(conditionOf(runs, noise), trust.temperatures);
    const logits = said.probabilities.map(
      (p) => Math.log(Math.max(p, Number.MIN_VALUE * 2 ** 52)) / trust.temperatures[condition],
    );
    const probabilities = kinetlib.network.softmax(logits);
    const largest = probabilities.indexOf(Math.max(...probabilities));
    const least = trust.least[trust.conditions.indexOf(condition)];
    const row = trust.nearerConditions.indexOf(condition);
    const [, n] = trust.nearer.shape;
    const borders = trust.nearer.values.subarray(row * n, (row + 1) * n);
    const readings = runs.flatMap((run) => run.readings);
    const mean = readings.reduce((sum, m) => sum + m, 0) / readings.length;
    return {
      probabilities,
      members: probabilities.map((p, i) => p >= least[i] || i === largest),
      noise: noise * Math.sqrt(mean),
      strangeness: share(distance(said.hidden, trust), borders),
    };
  }

  /** Answer by the released network: what `kinetlib classify --quick --json` says of the runs. */
  async function classify(runs) {
    const released = await kinetlib.unpack.open();
    const chosen = kinetlib.features.chosen(runs);
    const said = kinetlib.network.ask(released.weights, kinetlib.features.inputs(chosen.runs));
    if (!said.probabilities.every(known)) {
      const { refuse } = kinetlib.words;
      refuse("The network finds no numbers in these runs; expected times after the start.");
    }
    const found = answer(released.trust, chosen.runs, said);
    const { classes } = released;
    return {
      probabilities: Object.fromEntries(classes.map((name, i) => [name, found.probabilities[i]])),
      set: classes.filter((_, i) => found.members[i]),
      noise: known(found.noise) ? found.noise : null,
      strangeness: found.strangeness,
      places: chosen.places,
    };
  }

  kinetlib.trust = { classify };
})((globalThis.kinetlib ??= {}));
