"use strict";
// Curves over measured points as SVG: one panel a run, with a text for who does not see it.
(function (kinetlib) {
  const { general } = kinetlib.words;
  const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM, ACROSS] = [300, 210, 44, 28, 38, 2];
  const known = Number.isFinite;

  function element(name, attributes, text) {
    // The page holds an empty drawing, whose namespace saves writing an address here.
    const made = document.createElementNS(document.getElementById("ask-pen").namespaceURI, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  }

  /** Draw runs and their curves, concentrations times `scale` in `unit`, times in `timeUnit`. */
  function drawn(title, runs, curves, { scale, unit, timeUnit }) {
    const columns = Math.min(ACROSS, runs.length);
    const [width, height] = [columns * WIDTH, Math.ceil(runs.length / columns) * HEIGHT];
    const text =
      `${title}: substrate (filled circles, solid curve) and product (open squares, dashed curve) ` +
      `against time, a panel for each of ${runs.length} runs.`;
    const svg = element("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text,
      "font-family": "sans-serif", "font-size": 12, fill: "currentColor",
    });
    svg.append(element("title", {}, text));
    runs.forEach((run, i) => {
      const at = `translate(${(i % columns) * WIDTH} ${Math.floor(i / columns) * HEIGHT})`;
      const panel = element("g", { transform: at });
      panel.append(...panelOf(run, curves[i], scale, unit, timeUnit));
      svg.append(panel);
    });
    return svg;
  }

  function panelOf(run, curve, scale, unit, timeUnit) {
    const shown = [...run.substrate, ...run.product, ...curve.substrate, ...curve.product];
    const most = Math.max(...shown.filter(known), 1e-9);
    const longest = Math.max(...run.time);
    const x = (time) => LEFT + (time / longest) * (WIDTH - LEFT - 14);
    const y = (value) => HEIGHT - BOTTOM - (Math.max(value, 0) / most) * (HEIGHT - TOP - BOTTOM);
    const point = (t, value) => `${x(t).toFixed(1)},${y(value).toFixed(1)}`;
    const line = (values) => curve.time.map((t, i) => point(t, values[i])).join(" ");
    const stroke = { fill: "none", stroke: "currentColor", "stroke-width": 1.5 };
    const made = [
      element("text", { x: LEFT, y: 18, "font-weight": "bold" }, run.name),
      element("path", { ...stroke, d: `M${LEFT} ${TOP}V${HEIGHT - BOTTOM}H${WIDTH - 14}` }),
      element("polyline", { points: line(curve.substrate), ...stroke }),
      element("polyline", { points: line(curve.product), ...stroke, "stroke-dasharray": "5 4" }),
      element("text", { x: WIDTH - 14, y: HEIGHT - 6, "text-anchor": "end" },
        `time${timeUnit ? ` / ${timeUnit}` : ""}`),
      element("text", { x: LEFT - 6, y: y(0) + 4, "text-anchor": "end" }, "0"),
      element("text", { x: LEFT - 6, y: y(most) + 4, "text-anchor": "end" }, general(most * scale, 2)),
      element("text", { x: x(longest), y: HEIGHT - 22, "text-anchor": "end" }, general(longest, 3)),
      element("text", { x: LEFT, y: HEIGHT - 22 }, "0"),
    ];
    if (unit) made.push(element("text", { x: LEFT + 6, y: TOP + 8, "font-size": 10 }, unit));
    run.time.forEach((time, i) => {
      if (known(run.substrate[i])) {
        made.push(element("circle", { cx: x(time), cy: y(run.substrate[i]), r: 3 }));
      }
      if (!known(run.product[i])) return;
      const corner = { x: x(time) - 3, y: y(run.product[i]) - 3, width: 6, height: 6 };
      made.push(element("rect", { ...corner, fill: "none", stroke: "currentColor" }));
    });
    return made;
  }

  kinetlib.figure = { drawn };
})((globalThis.kinetlib ??= {}));
