"use strict";
// Heads of columns and units as chemists write them: kinetlib.lab.titles and kinetlib.lab.units.
(function (kinetlib) {
  const { key, printable } = kinetlib.words;
  const TIMES = {
    ms: [1e-3, "ms msec millisecond milliseconds"],
    s: [1, "s sec secs second seconds sekunde sekunden seconde secondes segundos"],
    min: [60, "min mins minute minutes minuten minutos"],
    h: [3600, "h hr hrs hour hours std stunde stunden heure heures hora horas"],
    d: [86400, "d day days tag tage jour jours dia dias"],
  };
  const SECONDS = Object.fromEntries(Object.entries(TIMES).map(([unit, [s]]) => [unit, s]));
  const TIME_NAMES = new Map(
    Object.entries(TIMES).flatMap(([unit, [, names]]) => names.split(" ").map((n) => [n, unit])),
  );
  const CLOCK = /^(h+:m+:s+(\.\w+)?|h+:m+|m+:s+(\.\w+)?)$/;
  const PREFIXES = { k: 1e3, "": 1, m: 1e-3, u: 1e-6, n: 1e-9, p: 1e-12 };
  const MOLAR = /^(?:([munp]?)M|([mun]?)molar)$/;
  const PER_VOLUME =
    /^([kmunp]?)mol(?:es?)?\s*(?:\/\s*|per\s+|\s+)(?:(mL|ml|cm3|L|l|liter|litre|dm3|m3)|(mL|ml|cm|L|l|dm|m)-([13]))$/;
  const LITRES = { ml: 1e-3, cm3: 1e-3, cm: 1e-3, m3: 1e3, m: 1e3 };
  const SHARES = new Map(
    [
      [1e-2, "%|mol%|mol-%|%mol|percent|percent|pct|prozent"],
      [1e-6, "ppm|molppm|ppmmol"],
      [1e-9, "ppb"],
      [1, "equiv|equiv.|eq|eq.|eqiv|equivalent|equivalents"],
    ].flatMap(([factor, names]) => names.split("|").map((name) => [name, factor])),
  );

  /** Write a unit in plain letters: no superscripts, no dots between, one micro. */
  function plain(text) {
    const one = text.trim().normalize("NFKC").replace(/[\u2212\u2013]/g, "-");
    const letters = one.replaceAll("\u03bc", "u").replaceAll("^", "");
    const apart = letters.replace(/[\u00b7\u22c5*]|(?<=l)\.(?=[lLdm])/g, " ");
    return apart.split(/\s+/).filter(Boolean).join(" ");
  }

  /** Understand a unit of concentration: its kind is molar, share or other. */
  function concentration(text) {
    const unit = plain(text);
    let match = MOLAR.exec(unit);
    if (match) return { text, kind: "molar", factor: PREFIXES[match[1] || match[2] || ""] };
    match = PER_VOLUME.exec(unit);
    if (match && (match[4] || "1") === (["cm", "dm", "m"].includes(match[3]) ? "3" : "1")) {
      const volume = LITRES[(match[2] || match[3]).toLowerCase()] ?? 1;
      return { text, kind: "molar", factor: PREFIXES[match[1]] / volume };
    }
    const share = SHARES.get(unit.toLowerCase().replaceAll(" ", ""));
    return share === undefined
      ? { text, kind: "other", factor: 1 }
      : { text, kind: "share", factor: share };
  }

  const converts = (one, other) =>
    one.kind === other.kind &&
    (one.kind !== "other" || one.text.toLowerCase() === other.text.toLowerCase());
  const timeUnit = (text) => TIME_NAMES.get(plain(text).toLowerCase().replace(/\.+$/, "")) ?? "";
  const isClock = (text) => CLOCK.test(plain(text).toLowerCase());
  const isUnit = (text) =>
    Boolean(timeUnit(text)) || isClock(text) || concentration(text).kind !== "other";

  const UNIT =
    /^(?<name>.*?)\s*(?:\[\s*(?<square>[^[\]]+?)\s*\]?|\(\s*(?<round>[^()]+?)\s*\)?|(?<sign>[/,_])\s*(?<behind>[^,()[\]]+?)|(?<![\p{L}\p{N}_])in\s+(?<told>\S+)|\s(?<word>\S+))\s*$/u;
  const TIME_WORDS = new Set(
    ("time elapsed reaction rxn run zeit reaktionszeit uhrzeit temps tiempo tempo tijd clock date " +
      "datetime timestamp timepoint date/time date_time total relative since rel stamp point and"
    ).split(" "),
  );
  const CERTAIN = new Set(
    ("time zeit reaktionszeit uhrzeit temps tiempo tempo tijd datetime timestamp date/time " +
      "date_time timepoint elapsed date").split(" "),
  );
  const RUNS = new Set(
    ("run|runs|run id|run_id|runid|run name|run no|run no.|run number|run #|experiment|experiments|" +
      "experiment id|experiment_id|experiment name|experiment no|experiment no.|exp|exp.|expt|" +
      "exp no|exp no.|exp. no.|reaction id|series|trial|batch|condition|condition id|" +
      "simulationconditionid|conditionid|versuch|lauf|entry").split("|"),
  );
  const SPECIES = new Set(
    ("species|compound|analyte|component|variable|observable|observableid|substance|molecule|" +
      "species name|compound name|analyte name|name|stoff|verbindung").split("|"),
  );
  const VALUES = new Set(
    ("value|values|measurement|concentration|conc|conc.|c|amount|signal|wert|konzentration|result|" +
      "measured").split("|"),
  );
  const STANDARDS =
    /^(?:.*\b(int(ernal|\.)?[\s_-]*(std|standard)\w*|istd?|i\.s\.|is)(\b.*|$)|(std|standard)\.?|(mesitylene|1,3,5-trimethoxybenzene|trimethoxybenzene|tmb|biphenyl|n-?dodecane|dodecane|n-?hexadecane|hexadecane|n-?decane|durene|tetralin|hexamethylbenzene|dibromomethane|ch2br2|tms|ferrocene|fluorobenzene|phf|adamantane|tridecane|tetradecane|undecane))$/i;
  const COUNTERS =
    /^(?:(sample|scan|point|row|vial|injection|spectrum|time\s?step|index|cycle|aliquot|replicate|rep)[\s_]*(no|nr|number|id|#|index)?\.?|(no|nr|number|#|index|id)\.?|timestep)$/i;
  const REMARKS = /^(comment|remark|note|bemerkung|operator|file\s?name|filename)s?\b/i;
  const words = (text) => text.toLowerCase().split(/\s+/).filter(Boolean);

  /** Read the cell above a column: its text, its name without a unit, and the unit. */
  function titleOf(cell) {
    if (cell === null) return titled("", "", "", "");
    const text = printable(kinetlib.words.said(cell));
    const match = UNIT.exec(text);
    if (!match || !match.groups.name) return titled(text, text);
    const { name, square, round, behind, told, word, sign } = match.groups;
    const unit = square ?? round ?? behind ?? told ?? word;
    const first = words(name)[0];
    const ofTime = CERTAIN.has(first) || first === "t";
    if (word === undefined && told === undefined && sign !== "_") {
      // A comma without a space stands within a name: N,N-dimethyl.
      const at = text.lastIndexOf(behind ?? "");
      const apart = sign !== "," || /\s/.test(text[at - 1]);
      if (isUnit(unit) || (ofTime && apart)) return titled(text, name, unit);
      return titled(text, text, apart ? unit : "", apart ? name : "");
    }
    // One letter behind an underscore is an index: A_M.
    const known = ofTime
      ? Boolean(timeUnit(unit)) || isClock(unit)
      : concentration(unit).kind !== "other" && (unit.length > 1 || unit === "%");
    return known ? titled(text, name, unit) : titled(text, text);
  }

  const titled = (text, name, unit = "", stem = "") => ({ text, name, unit, stem });

  function isCalled(title, name) {
    const names = [title.text, title.name, title.stem].map(key).filter(Boolean);
    return names.includes(key(name));
  }

  function isTime(title) {
    if (!title.name) return false;
    const parts = words(title.name.replaceAll("-", " "));
    const all = parts.every((word) => TIME_WORDS.has(word));
    if (parts.length && CERTAIN.has(parts[0]) && all) return true;
    if (parts.some((word) => CERTAIN.has(word))) {
      return Boolean(timeUnit(title.unit)) || isClock(title.unit) || all;
    }
    // One capital letter is a species: S is no second, T no time.
    const alone = title.name.trim();
    return alone === "t" || (Boolean(timeUnit(alone)) && (alone.length > 1 || "sh".includes(alone)));
  }

  const unitOfTime = (title) => title.unit || (timeUnit(title.name) ? title.name : "");
  const isRun = (title) => RUNS.has(key(title.text));
  const isSpecies = (title) => SPECIES.has(key(title.text));
  const isValue = (title) => VALUES.has(key(title.name));
  const isTemperature = (title) =>
    ["temperature", "temp", "temp.", "temperatur", "t / k", "t_k"].includes(
      key(title.text.split(/[/([,]/)[0]),
    );

  /** Say what a column is if it is no species by its name, "" where it may be one. */
  function noSpecies(title) {
    if (STANDARDS.test(title.name.trim())) return "an internal standard";
    if (COUNTERS.test(title.name.trim())) return "a number of samples";
    return REMARKS.test(title.name) ? "a comment" : "";
  }

  kinetlib.titles = {
    SECONDS, concentration, converts, isCalled, isClock, isRun, isSpecies, isTemperature, isTime,
    isUnit, isValue, noSpecies, timeUnit, titleOf, unitOfTime,
  };
})((globalThis.kinetlib ??= {}));
