"use strict";
// Rate constants by least squares: Levenberg-Marquardt in logarithms, from several starts.
(function install(kinetlib) {
  const FLOOR = 1e-3; // what an instrument cannot tell from nothing, of the standard run's substrate
  const LOW = Math.log(1e-5); // of a constant in units of the longest run and the standard run
  const HIGH = Math.log(1e8);
  const STARTS = 16;
  const [SCOUTING, WHOLE] = [6, 40]; // steps from every start, and from the best
  const KEPT = 4;
  const DETERMINED = 1; // standard error of a logarithm up to which a constant is determined

  /** Numbers between 0 and 1 that are the same in every browser (mulberry32). */
  function drawing(seed) {
    let state = seed;
    return () => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
    };
  }

  /** Build the residuals of a mechanism: parameters are ln k, then ln of a start that is not known. */
  function problemOf(integrate, mechanism, runs, noise) {
    const unknown = mechanism.drawn; // {species, low, high} or null
    const R = mechanism.constants.length;
    const S = mechanism.species.length;
    const horizon = Math.max(...runs.flatMap((run) => run.time));
    const times = runs.map((run) => run.time.map((t) => t / horizon));
    const length = Math.max(...times.map((own) => own.length));
    const filled = times.map((own) => [...own, ...Array(length - own.length).fill(own.at(-1))]);
    const data = [];
    runs.forEach((run, r) => run.time.forEach((moment, t) => {
      for (const role of ["substrate", "product"]) {
        const [species, values] = [mechanism[role], run[role]];
        // What was weighed in, at time 0, is no measurement.
        if (!(moment > 0) || !Number.isFinite(values[t])) continue;
        const deviation = Math.hypot(noise * values[t], FLOOR);
        data.push({ at: (r * length + t) * S + species, value: values[t], deviation });
      }
    }));
    const bounds = mechanism.constants.map(() => [LOW, HIGH]);
    if (unknown) bounds.push([Math.log(unknown.low), Math.log(unknown.high)]);
    const last = unknown ? R + S : R;

    function evaluate(x) {
      const start = runs.map((run) => {
        const own = Array(S).fill(0);
        own[mechanism.substrate] = run.substrate_0;
        own[mechanism.product] = run.product_0;
        own[mechanism.catalyst] = run.loading;
        if (unknown) own[unknown.species] = Math.exp(x[R]);
        return own;
      });
      const constants = runs.map(() => x.slice(0, R).map(Math.exp));
      const found = integrate({
        constants, initial: start, times: filled, first: 0, last, tested: false, rtol: 1e-6, atol: 1e-9,
      });
      if (found.status.some(Boolean)) return null;
      const { concentration } = found;
      const residuals = data.map(({ at, value, deviation }) => (concentration[at] - value) / deviation);
      const slopes = data.map(({ at, deviation }) => {
        const row = Array.from(found.tangents.subarray(at * last, at * last + R));
        if (unknown) row.push(found.tangents[at * last + R + unknown.species] * Math.exp(x[R]));
        return row.map((slope) => slope / deviation);
      });
      const sum = residuals.reduce((total, value) => total + value * value, 0);
      return Number.isFinite(sum) ? { x, residuals, slopes, sum } : null;
    }
    return { evaluate, bounds, horizon, n: data.length };
  }

  /** J^T J and J^T r of what was evaluated. */
  function normal({ residuals, slopes }) {
    const n = slopes[0].length;
    const matrix = Array.from({ length: n }, () => Array(n).fill(0));
    const gradient = Array(n).fill(0);
    slopes.forEach((row, i) => {
      for (let a = 0; a < n; a += 1) {
        gradient[a] += row[a] * residuals[i];
        for (let b = 0; b < n; b += 1) matrix[a][b] += row[a] * row[b];
      }
    });
    return { matrix, gradient };
  }

  /** Solve a positive definite system by Cholesky factors; null where it is none. */
  function solved(matrix, right) {
    const n = right.length;
    const lower = matrix.map((row) => [...row]);
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j <= i; j += 1) {
        let sum = matrix[i][j];
        for (let k = 0; k < j; k += 1) sum -= lower[i][k] * lower[j][k];
        if (i === j && !(sum > 0)) return null;
        lower[i][j] = i === j ? Math.sqrt(sum) : sum / lower[j][j];
      }
    }
    const x = [...right];
    for (let i = 0; i < n; i += 1) {
      for (let k = 0; k < i; k += 1) x[i] -= lower[i][k] * x[k];
      x[i] /= lower[i][i];
    }
    for (let i = n - 1; i >= 0; i -= 1) {
      for (let k = i + 1; k < n; k += 1) x[i] -= lower[k][i] * x[k];
      x[i] /= lower[i][i];
    }
    return x;
  }

  /** Go downhill for so many steps, or until the sum of squares no longer falls. */
  function descended(problem, here, steps) {
    let best = here;
    let damping = 1e-2;
    for (let step = 0; step < steps; step += 1) {
      const { matrix, gradient } = normal(best);
      let next = null;
      while (!next && damping < 1e8) {
        const damped = matrix.map((row, i) =>
          row.map((value, j) => (i === j ? value * (1 + damping) + damping * 1e-3 : value)));
        const change = solved(damped, gradient.map((value) => -value));
        const x = change && best.x.map((value, i) => {
          const [low, high] = problem.bounds[i];
          return Math.min(Math.max(value + Math.min(Math.max(change[i], -3), 3), low), high);
        });
        const found = x && problem.evaluate(x);
        if (found && found.sum < best.sum) next = found;
        else damping *= 4;
      }
      if (!next) break;
      const gain = best.sum - next.sum;
      best = next;
      damping = Math.max(damping / 5, 1e-9);
      if (gain < 1e-7 * best.sum) break;
    }
    return best;
  }

  /**
   * Fit a mechanism to runs whose concentrations are relative to the standard run's substrate.
   *
   * Returns logarithms x, their standard errors (Infinity where the runs do not determine one),
   * the sum of squared residuals in deviations of the noise, and curves through the runs.
   */
  function fitted(integrate, mechanism, runs, noise) {
    const problem = problemOf(integrate, mechanism, runs, noise);
    const random = drawing(2026);
    const starts = [];
    for (let k = 0; k < STARTS; k += 1) {
      const x = problem.bounds.map(([low, high], i) => {
        const isConstant = i < mechanism.constants.length;
        return isConstant ? Math.log(10) * (4 * random() - 1.5) : low + random() * (high - low);
      });
      const found = problem.evaluate(x);
      if (found) starts.push(descended(problem, found, SCOUTING));
    }
    starts.sort((one, other) => one.sum - other.sum);
    const ends = starts.slice(0, KEPT).map((one) => descended(problem, one, WHOLE));
    ends.sort((one, other) => one.sum - other.sum);
    if (!ends.length) throw new Error("no start could be integrated");
    const [best] = ends;
    const free = Math.max(problem.n - best.x.length, 1);
    const R = mechanism.constants.length;
    return {
      constants: best.x.slice(0, R).map((x) => Math.exp(x)),
      errors: errorsOf(best, Math.max(best.sum / free, 1)).slice(0, R),
      horizon: problem.horizon,
      misfit: Math.sqrt(best.sum / free),
      curves: curvesOf(integrate, mechanism, runs, best.x, problem.horizon),
    };
  }

  /** Standard errors of the logarithms, in the linear approximation. */
  function errorsOf(best, scale) {
    const { matrix } = normal(best);
    return matrix.map((_, i) => {
      const ridged = matrix.map((row, a) => row.map((value, b) => (a === b ? value + 1e-6 : value)));
      const column = solved(ridged, matrix.map((__, k) => Number(k === i)));
      const error = column ? Math.sqrt(column[i] * scale) : Infinity;
      return error <= DETERMINED ? error : Infinity;
    });
  }

  /** Substrate and product of each run at even times. */
  function curvesOf(integrate, mechanism, runs, x, horizon) {
    const R = mechanism.constants.length;
    return runs.map((run) => {
      const initial = Array(mechanism.species.length).fill(0);
      initial[mechanism.substrate] = run.substrate_0;
      initial[mechanism.product] = run.product_0;
      initial[mechanism.catalyst] = run.loading;
      if (mechanism.drawn) initial[mechanism.drawn.species] = Math.exp(x[R]);
      const time = Array.from({ length: 61 }, (_, i) => (Math.max(...run.time) * i) / 60);
      const found = integrate({
        constants: [x.slice(0, R).map(Math.exp)], initial: [initial],
        times: [time.map((t) => t / horizon)], first: 0, last: 1, tested: false, rtol: 1e-6, atol: 1e-9,
      });
      const of = (species) => time.map((_, i) => found.concentration[i * initial.length + species]);
      return { time, substrate: of(mechanism.substrate), product: of(mechanism.product) };
    });
  }

  /** Answer what a worker is sent: one fit. */
  function serve(scope) {
    scope.onmessage = async ({ data: { module, mechanism, runs, noise } }) => {
      try {
        const integrate = await kinetlib.kernel.integratorOf(module);
        scope.postMessage({ fit: fitted(integrate, mechanism, runs, noise) });
      } catch (error) {
        scope.postMessage({ failed: error.message });
      }
    };
  }

  kinetlib.fit = { fitted, serve };
  (kinetlib.sources ??= []).push(install);
})((globalThis.kinetlib ??= {}));
