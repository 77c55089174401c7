"use strict";
// Numbers that Python packed into the data scripts beside this one, see kinetlib.chapters.browser.
(function (kinetlib) {
  /** Unpack base64 of gzip into bytes. */
  async function bytesOf(packed) {
    const raw = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const plain = new Blob([raw]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(plain).arrayBuffer());
  }

  /** Unpack named arrays of single precision: {name: {shape, values}}, values in double precision. */
  async function tensorsOf(packed) {
    const bytes = await bytesOf(packed.packed);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const found = {};
    let at = 0;
    for (const [name, shape] of Object.entries(packed.shapes)) {
      const values = new Float64Array(shape.reduce((product, n) => product * n, 1));
      for (let i = 0; i < values.length; i += 1, at += 4) values[i] = view.getFloat32(at, true);
      found[name] = { shape, values };
    }
    if (at !== bytes.length) throw new Error("The numbers of the network are not whole.");
    return found;
  }

  let opened;

  /** Unpack the released network and its calibration, once. */
  function open() {
    opened ??= (async () => {
      const { network, trust } = kinetlib.data;
      if (network.sha256 !== trust.sha256) {
        throw new Error("The calibration belongs to another network.");
      }
      const [weights, arrays] = await Promise.all([tensorsOf(network), tensorsOf(trust)]);
      return { classes: network.classes, weights, trust: { ...trust, ...arrays } };
    })();
    return opened;
  }

  kinetlib.unpack = { bytesOf, open };
})((globalThis.kinetlib ??= {}));
