"use strict";
// A fit as a part of the page: how well it lies, the constants in a table, the curves beside it.
(function (kinetlib) {
  const { general } = kinetlib.words;

  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  const range = ({ low, high }) =>
    low === null ? "not determined by these runs" : `${general(low, 3)} to ${general(high, 3)}`;

  /** Show the fit of a mechanism; `save` offers a file to the reader. */
  function section(id, found, reaction, save) {
    const { name } = kinetlib.data.catalogue.mechanisms[id];
    const made = element("section", "", { "aria-label": `Fit of ${id}`, class: "ask-fit" });
    const svg = kinetlib.figure.drawn(`${id}, ${name}`, found.runs, found.curves, reaction);
    const button = element("button", `Save the figure of ${id} as SVG`, { type: "button" });
    button.addEventListener("click", () =>
      save(`${id}.svg`, "image/svg+xml", new XMLSerializer().serializeToString(svg)));
    const misfit =
      `What is left is ${general(found.misfit, 2)} times the noise. Filled circles and solid ` +
      "curves are the substrate, open squares and dashed curves the product.";
    const scroll = element("div", "", {
      class: "ask-table", tabindex: "0", role: "region", "aria-label": `Constants of ${id}`,
    });
    scroll.append(tableOf(found.rows));
    made.append(element("h2", `${id}: ${name}`), element("p", misfit), svg, scroll, button);
    return made;
  }

  function tableOf(rows) {
    const table = document.createElement("table");
    const head = table.createTHead().insertRow();
    for (const title of ["constant", "value", "95 % range", "unit"]) {
      head.append(element("th", title, { scope: "col" }));
    }
    const body = table.createTBody();
    for (const row of rows) {
      const line = body.insertRow();
      line.append(element("th", row.name, { scope: "row" }));
      line.append(
        element("td", general(row.value, 3), { class: "ask-whole" }),
        element("td", range(row)),
        element("td", row.unit, { class: "ask-whole" }),
      );
    }
    return table;
  }

  /** Write the constants of all fits as CSV. */
  function asCsv(fits) {
    const lines = Object.entries(fits).flatMap(([id, { rows, misfit }]) =>
      rows.map((row) =>
        [id, row.name, row.value, row.low ?? "", row.high ?? "", row.unit, misfit].join(",")));
    return ["mechanism,constant,value,low,high,unit,misfit", ...lines, ""].join("\n");
  }

  kinetlib.fitted = { asCsv, section };
})((globalThis.kinetlib ??= {}));
