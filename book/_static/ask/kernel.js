"use strict";
// The shipped integrators, in the page or in a worker: the same code as in Python, the same bits.
(function install(kinetlib) {
  const PAGE = 65_536; // bytes of WebAssembly's memory
  const round = (bytes) => 16 * Math.ceil(bytes / 16);

  /** Make an integrator of a module's bytes. */
  async function integratorOf(bytes) {
    const { instance } = await WebAssembly.instantiate(bytes, {});
    const { memory, sensitivity_block: block, _initialize, __heap_base: base } = instance.exports;
    _initialize();
    return (...given) => integrate(memory, block, round(base.value), ...given);
  }

  /**
   * Integrate trajectories that all have output times of their own.
   *
   * constants (n, R), initial (n, S) and times (n, T) are arrays of rows; first and last say which
   * tangents are wanted: by ln k of the R constants, then by the S initial concentrations.
   * Returns concentration (n, T, S), tangents (n, T, S, last - first), flat, and status (n).
   */
  function integrate(memory, block, base, given) {
    const { constants, initial, times, first, last, tested, rtol, atol } = given;
    const [n, length, species] = [constants.length, times[0].length, initial[0].length];
    const arrays = [constants, initial, times].map((rows) => Float64Array.from(rows.flat()));
    arrays.push(new Float64Array(species).fill(1));
    const values = n * length * species;
    const sizes = [...arrays.map((array) => array.length), values, n, n, values * (last - first)];
    const at = [base];
    for (const size of sizes) at.push(at.at(-1) + round(8 * size));
    const lacking = at.at(-1) - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE));
    arrays.forEach((array, i) => new Float64Array(memory.buffer, at[i], array.length).set(array));
    const wide = [n, length, length, n === 1 ? species : 0].map(BigInt);
    const more = [first, last, Number(tested)].map(BigInt);
    block(...wide, ...at.slice(0, 4), rtol, atol, 100_000n, at[4], at[5], at[6], 0, ...more, at[7]);
    return {
      concentration: new Float64Array(memory.buffer, at[4], values).slice(),
      tangents: new Float64Array(memory.buffer, at[7], values * (last - first)).slice(),
      status: Array.from(new BigInt64Array(memory.buffer, at[5], n), Number),
    };
  }

  kinetlib.kernel = { integratorOf };
  (kinetlib.sources ??= []).push(install);
})((globalThis.kinetlib ??= {}));
