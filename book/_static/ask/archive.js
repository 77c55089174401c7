"use strict";
// The parts of a workbook, which is a zip archive: none is unpacked before its size is known.
(function (kinetlib) {
  const MOST_UNPACKED = 160 * 2 ** 20; // bytes
  const MOST_PARTS = 10_000;
  const END = 0x06054b50; // signatures of zip
  const ENTRY = 0x02014b50;

  /** List the parts of an archive: {name, size, packed, method, at}; null where it is none. */
  function partsOf(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let end = bytes.length - 22;
    const lowest = Math.max(0, end - 65_535);
    while (end >= lowest && view.getUint32(end, true) !== END) end -= 1;
    if (end < lowest) return null;
    const count = view.getUint16(end + 10, true);
    let at = view.getUint32(end + 16, true);
    const parts = [];
    for (let i = 0; i < count; i += 1) {
      if (at + 46 > bytes.length || view.getUint32(at, true) !== ENTRY) return null;
      const [name, extra, comment] = [28, 30, 32].map((k) => view.getUint16(at + k, true));
      parts.push({
        name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + name)),
        method: view.getUint16(at + 10, true),
        packed: view.getUint32(at + 20, true),
        size: view.getUint32(at + 24, true),
        at: view.getUint32(at + 42, true),
      });
      at += 46 + name + extra + comment;
    }
    return parts;
  }

  const tooLarge = (parts) =>
    parts.length > MOST_PARTS || parts.reduce((sum, part) => sum + part.size, 0) > MOST_UNPACKED;

  /** Unpack a part, and stop where it is larger than it says. */
  async function unpacked(bytes, part) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const start = part.at + 30 + view.getUint16(part.at + 26, true) + view.getUint16(part.at + 28, true);
    const content = bytes.subarray(start, start + part.packed);
    if (part.method === 0 && part.packed === part.size) return content;
    if (part.method !== 8) throw new Error(`method ${part.method}`);
    const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
    const reader = stream.getReader();
    const whole = new Uint8Array(part.size);
    let filled = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length > part.size) {
        reader.cancel().catch(() => {}); // its end is not waited for: there may be no end
        throw new Error("a part is larger than it says");
      }
      whole.set(value, filled);
      filled += value.length;
    }
    if (filled !== part.size) throw new Error("a part is smaller than it says");
    return whole;
  }

  kinetlib.archive = { partsOf, tooLarge, unpacked };
})((globalThis.kinetlib ??= {}));
