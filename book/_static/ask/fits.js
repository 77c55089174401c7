"use strict";
// Fits of the mechanisms in the set, the most probable first, in a worker that can be stopped.
(function (kinetlib) {
  const LEAST_NOISE = 0.003; // relative, which no fit is held to exceed
  const UNTOLD_NOISE = 0.02;
  const MOST_ROWS = 200; // of a run; of more, every second, third and so on is fitted
  const Z = 1.959963984540054; // of a central 95 %

  let running = null;

  /** Make the worker from the page's own scripts: from disk no file could be loaded into it. */
  function workerOf() {
    const code = kinetlib.sources.map((install) => `(${install})((globalThis.kinetlib ??= {}));`);
    const text = [...code, "globalThis.kinetlib.fit.serve(globalThis);"].join("\n");
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const worker = new Worker(address);
    URL.revokeObjectURL(address);
    return worker;
  }

  function stop() {
    running?.worker.terminate();
    running?.stopped();
    running = null;
  }

  function asked(worker, given) {
    return new Promise((resolve, reject) => {
      running = { worker, stopped: () => resolve(null) };
      worker.onmessage = ({ data }) => (data.fit ? resolve(data.fit) : reject(new Error(data.failed)));
      worker.onerror = (event) => reject(new Error(event.message));
      worker.postMessage(given);
    });
  }

  /**
   * Fit mechanisms one after the other; `told` is called before each, `shown` after.
   *
   * Returns whether all were fitted, and not stopped.
   */
  async function run(ids, reaction, noise, told, shown) {
    stop();
    const worker = workerOf();
    const runs = reaction.runs.filter((one) => one.comparable).map(thinned);
    const error = Math.max(noise ?? UNTOLD_NOISE, LEAST_NOISE);
    for (const [i, id] of ids.entries()) {
      told(id, i);
      const { module, ...mechanism } = kinetlib.data.kernels.mechanisms[id];
      const bytes = await kinetlib.unpack.bytesOf(module);
      const fit = await asked(worker, { module: bytes, mechanism, runs, noise: error });
      if (fit === null) return false;
      shown(id, { ...fit, runs, rows: rowsOf(mechanism, fit, reaction) });
    }
    stop();
    return true;
  }

  /** What a fit needs of a run, with at most so many rows. */
  function thinned({ name, time, substrate, product, loading, substrate_0, product_0 }) {
    const step = Math.ceil(time.length / MOST_ROWS);
    const [t, s, p] = [time, substrate, product].map((all) => all.filter((_, i) => i % step === 0));
    return { name, time: t, substrate: s, product: p, loading, substrate_0, product_0 };
  }

  /** Bring constants to the units of the file, with 95 % ranges where they are determined. */
  function rowsOf(mechanism, fit, reaction) {
    return mechanism.constants.map((name, i) => {
      const order = mechanism.orders[i];
      const value = fit.constants[i] / (fit.horizon * reaction.scale ** (order - 1));
      const wide = Math.exp(Z * fit.errors[i]);
      const determined = Number.isFinite(fit.errors[i]);
      return {
        name,
        value,
        low: determined ? value / wide : null,
        high: determined ? value * wide : null,
        unit: unitOf(order, reaction.unit || "c", reaction.timeUnit || "t"),
      };
    });
  }

  function unitOf(order, concentration, time) {
    const powers = { 1: "", 2: `${concentration}-1 `, 3: `${concentration}-2 ` };
    return `${powers[order]}${time}-1`;
  }

  kinetlib.fits = { run, stop };
})((globalThis.kinetlib ??= {}));
