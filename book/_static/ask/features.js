"use strict";
// What the network sees of runs: kinetlib.runs.runs.averaged, kinetlib.fusion.features and .rates.
// Features are of single precision in Python, so each operation is rounded here as there.
(function (kinetlib) {
  const MOST_POINTS = 24; // of a run; of more, neighbours are averaged
  const MOST_READ = 16; // runs
  const f = Math.fround;
  const SPREAD = f(0.002); // of a run's length: earlier times are as good as zero
  const TINY = 1.1754943508222875e-38; // the smallest normal number of single precision
  const LOG_LOADING = f(Math.log(0.04));
  const LEAST = 2e-3; // a concentration, below which it is as good as zero
  const LEAST_BOUND = 5e-3; // the same of bound substrate relative to all catalyst
  const LEAST_STEP = 1e-4; // of time, relative to the mean length of the sample's runs

  const known = Number.isFinite;

  /**
   * Choose the runs that a network reads, and thin them out, as `from_dataset` does.
   *
   * Each run has arrays time, substrate, product (NaN where there is no value), and optionally
   * completed; loading, substrate_0, product_0; and optionally comparable.
   */
  function chosen(runs) {
    let found = runs.map((run, place) => ({ run, place, points: pointsOf(run) })).filter(
      ({ run, points }) =>
        points.length >= 2 &&
        [run.loading, run.substrate_0, run.product_0].every(known) &&
        run.comparable !== false,
    );
    if (!found.length) {
      const marked = runs.some((run) => run.comparable !== undefined);
      if (marked && !runs.some((run) => run.loading > 0)) {
        throw new Error(
          "sample 0: no run has a catalyst, and the mechanisms told apart are catalytic; give " +
            "its column (--catalyst) or its loading (--loading), or find the reactions of a " +
            "reaction without one by kinetlib discover",
        );
      }
      throw new Error(
        "sample 0: no run has at least two points and known initial conditions; " +
          "expected one or more",
      );
    }
    if (found.length > MOST_READ) found = spreadOut(found, MOST_READ);
    return {
      places: found.map(({ place }) => place),
      runs: found.map(({ run, points }) => averaged(run, points)),
    };
  }

  function pointsOf(run) {
    const places = run.time.map((_, i) => i);
    const there = places.filter(
      (i) =>
        known(run.time[i]) &&
        (known(run.substrate[i]) || known(run.product[i])) &&
        !(run.completed && run.completed[i]),
    );
    return there.sort((a, b) => run.time[a] - run.time[b] || a - b);
  }

  /** Choose the runs that start most differently, the one nearest to the middle first. */
  function spreadOut(found, most) {
    const log = (value, base) => Math.log(Math.max(value, 1e-9)) / Math.log(base);
    const at = found.map(({ run }) => [
      log(run.loading, 20),
      log(run.substrate_0, 8),
      run.product_0,
    ]);
    const middle = [0, 1, 2].map((axis) => median(at.map((place) => place[axis])));
    const away = at.map((place) => place.reduce((sum, x, k) => sum + Math.abs(x - middle[k]), 0));
    let next = away.indexOf(Math.min(...away));
    const taken = new Set();
    const nearest = at.map(() => Infinity);
    while (taken.size < most) {
      taken.add(next);
      let farthest = -Infinity;
      const from = at[next];
      at.forEach((place, i) => {
        const squared = place.reduce((sum, x, k) => sum + (x - from[k]) ** 2, 0);
        nearest[i] = Math.min(nearest[i], squared);
        if (!taken.has(i) && nearest[i] > farthest) [farthest, next] = [nearest[i], i];
      });
    }
    return found.filter((_, i) => taken.has(i));
  }

  /** Reduce a run to at most 24 points: means of neighbours, replicates counted as one point. */
  function averaged(run, points) {
    const times = points.map((i) => run.time[i]);
    const count = new Set(times).size;
    const parts = Math.min(count, MOST_POINTS);
    const each = Math.floor(count / parts);
    const larger = count % parts;
    const border = larger * (each + 1); // points in the larger parts, which come first
    const members = Array.from({ length: parts }, () => []);
    let rank = -1;
    points.forEach((i, k) => {
      if (k === 0 || times[k] > times[k - 1]) rank += 1;
      const part =
        rank < border ? Math.floor(rank / (each + 1)) : larger + Math.floor((rank - border) / each);
      members[part].push(i);
    });
    const mean = (values) => members.map((own) => f(meanOf(own.map((i) => values[i]).filter(known))));
    return {
      time: mean(run.time),
      substrate: mean(run.substrate),
      product: mean(run.product),
      readings: members.map((own) => own.length),
      loading: f(run.loading),
      substrate_0: f(run.substrate_0),
      product_0: f(run.product_0),
    };
  }

  function meanOf(values) {
    return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;
  }

  function median(values) {
    const sorted = [...values].sort((a, b) => a - b);
    const half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  /** Return what the network takes of each run: points (T, 21), the run (5). */
  function inputs(runs) {
    const logarithms = runs.map((run) => f(Math.log(Math.max(lengthOf(run), TINY))));
    const mean = logarithms.reduce((sum, value) => f(sum + value), 0) / runs.length;
    return runs.map((run, k) => {
      const relative = f(Math.min(Math.max(logarithms[k] - mean, -8), 8));
      const loading = f(f(f(Math.log(run.loading)) - LOG_LOADING) / f(1.2));
      const starts = [loading, f(run.substrate_0 - 1), run.product_0];
      const points = pointChannels(run, relative, starts);
      const length = f(f(f(Math.log(f(run.time.length + 1))) / 2) - 1);
      return { points: withRates(points), described: [...starts, f(relative / 2), length] };
    });
  }

  const lengthOf = (run) => Math.max(...run.time);

  function pointChannels(run, relative, starts) {
    const { loading, substrate_0: s0, product_0: p0 } = run;
    const length = lengthOf(run);
    const fast = f(f(f(Math.exp(relative)) * loading) / f(0.04));
    return run.time.map((moment, i) => {
      const time = f(moment / length);
      const [s, p] = [run.substrate[i], run.product[i]];
      const [knowsS, knowsP] = [known(s), known(p)];
      const residual = knowsS && knowsP ? f(f(f(s0 + p0) - s) - p) : 0;
      return [
        time,
        f(f(f(f(Math.log(f(time + SPREAD))) + relative) / 3) + 0.5),
        knowsS ? f(s - 0.5) : 0,
        knowsP ? f(p - 0.5) : 0,
        knowsS ? f(f(s / s0) - 0.5) : 0,
        Math.min(Math.max(f(10 * residual), -3), 3),
        f(Math.tanh(f(residual / loading))),
        f(Math.tanh(f(f(time * fast) / 2))),
        Number(knowsS),
        Number(knowsP),
        f(f(Math.log(run.readings[i])) / 2),
        ...starts,
      ];
    });
  }

  /** Add rates and logarithms of concentrations to the channels of a run's points. */
  function withRates(points) {
    let before;
    return points.map((shown) => {
      const [time, logTime, s, p, , , , , knowsS, knowsP, , load, moreS, p0] = shown;
      const substrate = knowsS * (s + 0.5);
      const product = knowsP * (p + 0.5);
      const loading = Math.exp(1.2 * load); // relative to 4 %
      const relative = 3 * (logTime - 0.5) - Math.log(time + SPREAD);
      const now = {
        substrate,
        product,
        knowsS,
        knowsP,
        time: time * Math.exp(relative),
        logarithm: Math.log(Math.max(substrate, 0) + LEAST),
      };
      const last = before ?? { ...now, knowsS: 0, knowsP: 0 };
      const step = Math.max(now.time - last.time, LEAST_STEP);
      const passed = step * loading;
      const missing = moreS + 1 + p0 - substrate - product;
      const bound = Math.log(Math.max(missing / (0.04 * loading), 0) + LEAST_BOUND);
      const added = [
        (knowsS * now.logarithm) / 3,
        (knowsP * Math.log(Math.max(product, 0) + LEAST)) / 3,
        (knowsS * knowsP * bound) / 3,
        (knowsS * last.knowsS * Math.asinh((-50 * (substrate - last.substrate)) / passed)) / 5,
        (knowsP * last.knowsP * Math.asinh((50 * (product - last.product)) / passed)) / 5,
        before ? Math.log(step) / 3 + 0.5 : 0,
        (knowsS * last.knowsS * Math.asinh((-20 * (now.logarithm - last.logarithm)) / passed)) / 5,
      ];
      before = now;
      return [...shown, ...added];
    });
  }

  kinetlib.features = { chosen, inputs, median };
})((globalThis.kinetlib ??= {}));
