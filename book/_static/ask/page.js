"use strict";
// The page itself: a file in, the answer of the network out. Text of a file becomes text of the
// page and never markup; nothing is sent anywhere, and the page's policy forbids it.
(function (kinetlib) {
  const ROLES = ["substrate", "product", "catalyst"];
  const place = (id) => document.getElementById(id);
  const page = place("ask");
  const select = (role) => page.querySelector(`select[name=${role}]`);
  let opened = null; // the file that was read last
  let answered = null; // the last answer
  let fitted = {}; // the fits of it, by mechanism
  let turn = 0; // counts what was asked, so that an answer that comes late is not shown

  /** Make an element with text. */
  function element(name, text, attributes = {}) {
    const made = document.createElement(name);
    made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function become(state, sentence) {
    page.dataset.state = state;
    place("ask-said").textContent = sentence;
    const told = state === "answered" || state === "fitted";
    place("ask-found").hidden = !told;
    if (!told) {
      kinetlib.fits.stop();
      answered = null;
      fitted = {};
      place("ask-fits").hidden = true;
      place("answer").textContent = "null";
    }
  }

  /** Let the browser draw what was said before work goes on. */
  const drawn = () => new Promise((resolve) => setTimeout(resolve, 0));

  /** Do some work of one turn, and show why where it is refused. */
  async function attempt(work) {
    turn += 1;
    const mine = turn;
    try {
      await work(() => mine === turn);
    } catch (error) {
      if (mine !== turn) return;
      const known = error instanceof kinetlib.words.Refusal || /^sample 0: /.test(error.message);
      const text = error.message.replace(/^sample 0: /, "");
      become("refused", known ? text : `The page failed at this file: ${text}`);
    }
  }

  function take(file) {
    return attempt(async (current) => {
      place("ask-columns").hidden = true;
      place("ask-remarks").hidden = true;
      become("reading", `Reading ${file.name}.`);
      await drawn();
      const found = await kinetlib.reaction.open(file);
      if (!current()) return;
      opened = found;
      offer(found);
      await ask(current);
    });
  }

  /** Offer the columns of a file for each role, the guessed ones chosen. */
  function offer({ columns, guess }) {
    for (const role of ROLES) {
      const none = element("option", "not measured", { value: "" });
      const options = columns.map((name) => element("option", name, { value: name }));
      select(role).replaceChildren(none, ...options);
      select(role).value = guess[role];
    }
    place("ask-columns").hidden = false;
  }

  async function ask(current) {
    become("reading", `Asking the network about ${opened.file}.`);
    place("ask-remarks").hidden = true;
    await drawn();
    const roles = Object.fromEntries(ROLES.map((role) => [role, select(role).value]));
    const reaction = kinetlib.reaction.read(opened, roles);
    remarksOn(reaction.warnings);
    const answer = await kinetlib.reaction.answer(reaction);
    if (!current()) return;
    show(answer);
    await fit(reaction, answer, current);
  }

  /** Fit the mechanisms of the set, and show each as it is done. */
  async function fit(reaction, answer, current) {
    const ids = ordered(answer).map(([id]) => id).filter((id) => answer.set.includes(id));
    const progress = place("ask-progress");
    place("ask-fitted").replaceChildren();
    place("ask-fits").hidden = false;
    place("ask-stop").hidden = false;
    const told = (id, i) => {
      progress.textContent = `Fitting ${id}, ${i + 1} of ${ids.length}.`;
    };
    const shown = (id, found) => {
      if (!current()) return;
      fitted[id] = found;
      place("ask-fitted").append(kinetlib.fitted.section(id, found, reaction, save));
    };
    let whole = false;
    try {
      whole = await kinetlib.fits.run(ids, reaction, answer.noise, told, shown);
    } catch (error) {
      kinetlib.fits.stop();
      if (current()) progress.textContent = `The fits ended: ${error.message}.`;
      return;
    } finally {
      if (current()) place("ask-stop").hidden = true;
    }
    if (!current()) return;
    const done = Object.keys(fitted).length;
    const stopped = `Stopped after ${done} of ${ids.length}.`;
    progress.textContent = whole ? `Fitted: ${ids.join(", ")}.` : stopped;
    if (whole) page.dataset.state = "fitted";
  }

  function remarksOn(warnings) {
    place("ask-remarks").hidden = !warnings.length;
    place("ask-remarks").querySelector("ul").replaceChildren(
      ...warnings.map((text) => element("li", text)),
    );
  }

  const percent = (share, digits) => `${(100 * share).toFixed(digits)}%`;

  /** Name the mechanisms, the most probable first. */
  const ordered = (answer) =>
    Object.entries(answer.probabilities).sort(([, one], [, other]) => other - one);

  function show(answer) {
    remarksOn(answer.warnings);
    answered = answer;
    place("answer").textContent = JSON.stringify(answer);
    const [[first, probability]] = ordered(answer);
    const { mechanisms } = kinetlib.data.catalogue;
    place("ask-rows").replaceChildren(...ordered(answer).map(([id, p]) => row(id, p, answer)));
    const noise = answer.noise === null ? "not told by these runs" : percent(answer.noise, 1);
    place("ask-trust").textContent =
      `Noise: ${noise}. Strangeness: ${percent(answer.strangeness, 0)} of known reactions look ` +
      "more like what the network was trained on; above 95 %, do not believe the table.";
    const runs = answer.runs.length === 1 ? "1 run" : `${answer.runs.length} runs`;
    become(
      "answered",
      `${opened.file}, ${runs}: the network proposes ${first}, ${mechanisms[first].name} ` +
        `(${percent(probability, 0)}). The 95 % set: ${answer.set.join(", ")}.`,
    );
  }

  function row(id, probability, answer) {
    const { name, family } = kinetlib.data.catalogue.mechanisms[id];
    const made = document.createElement("tr");
    const share = element("td", percent(probability, 1), { class: "ask-share" });
    share.style.setProperty("--share", percent(probability, 1));
    const member = answer.set.includes(id);
    made.append(
      element("th", id, { scope: "row" }),
      share,
      element("td", member ? "yes" : "no"),
      element("td", name),
      element("td", family),
    );
    if (member) made.className = "ask-member";
    return made;
  }

  function save(name, type, text) {
    const link = element("a", name, { download: name });
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function asCsv(answer) {
    const { mechanisms } = kinetlib.data.catalogue;
    const cell = (value) => (/[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);
    const rows = ordered(answer).map(([id, p]) => [
      id, String(p), answer.set.includes(id) ? "yes" : "no", mechanisms[id].name,
      mechanisms[id].family,
    ]);
    const head = ["mechanism", "probability", "in 95 % set", "name", "family"];
    return [head, ...rows].map((cells) => `${cells.map(cell).join(",")}\n`).join("");
  }

  function example() {
    const { name, base64 } = kinetlib.data.catalogue.example;
    return new File([Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0))], name);
  }

  place("file").addEventListener("change", ({ target }) => {
    const [file] = target.files;
    if (file) take(file);
    target.value = ""; // so that the same file can be chosen again after a change
  });
  place("ask-example").addEventListener("click", () => take(example()));
  for (const role of ROLES) select(role).addEventListener("change", () => attempt(ask));
  place("ask-json").addEventListener("click", () =>
    save("answer.json", "application/json", `${JSON.stringify(answered)}\n`));
  place("ask-csv").addEventListener("click", () => save("answer.csv", "text/csv", asCsv(answered)));
  place("ask-stop").addEventListener("click", () => kinetlib.fits.stop());
  place("ask-constants").addEventListener("click", () =>
    save("constants.csv", "text/csv", kinetlib.fitted.asCsv(fitted)));
  const drop = place("ask-drop");
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("ask-over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("ask-over"));
  // A file that misses the area must not replace the page.
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.preventDefault());
  }
  drop.addEventListener("drop", (event) => {
    drop.classList.remove("ask-over");
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
  place("ask-controls").hidden = false;
})((globalThis.kinetlib ??= {}));
