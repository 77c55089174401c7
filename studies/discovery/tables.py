"""Rows of the tables that the book makes of answers and of the benchmark's record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from kinetlib.crnn import Discovery
from kinetlib.evaluate import formatted, text
from studies.discovery import scores
from studies.discovery.cases import Case

#: Settings by what they are called in the book, those of the table first.
TITLES = {
    "B1": "case 1",
    "B1many": "case 1, many",
    "B1few": "case 1, few",
    "B2": "biodiesel",
    "B2m": "biodiesel, DG hidden",
    "B3": "MAPK cascade",
    "B4": "reversible",
}
_NOISE = "B1noise-"  # begins the names of settings that are case 1 at another noise

#: Methods that find reactions in whole numbers; of others only the right terms can be asked.
IN_WHOLE_NUMBERS = ("discover", "discover, compiling", "oracle", "published recipe")


def found(method: str, made: Mapping[str, Any]) -> dict[str, float]:
    """Return how often a method is right, with interval: reactions, or terms if it has none."""
    return made["exact" if method in IN_WHOLE_NUMBERS else "same_terms"]


def percent(measure: Mapping[str, float]) -> str:
    """Write a share with its interval in percent."""
    return text(measure, percent=True, digits=0)


def percents(methods: Mapping[str, Any], names: Iterable[str]) -> dict[str, str]:
    """Write how often methods are right in one setting; empty for those not asked."""
    return {name: percent(found(name, methods[name])) if name in methods else "" for name in names}


def row(method: str, made: Mapping[str, Any]) -> dict[str, str]:
    """Write what the record says of a method in one setting."""
    errors, over = made.get("errors"), made["held_out_over_oracle"]
    used = made["processor_seconds"]
    energies, lost = made.get("activation_errors"), made["not_simulated"]
    return {
        "seeds": f"{made['seeds']}",
        "found / %": percent(found(method, made)),
        "error of k, median; largest / %": _both(errors) if errors else "",
        "error of E, largest / %": f"{100 * energies['largest']:.2f}" if energies else "",
        "held-out error over oracle's, median": f"{over['median']:.3f}" if over else "",
        "not to be simulated": f"{lost}" if lost else "",
        "seconds; of processors": f"{made['seconds']['median']:.2g}"
        + (f"; {used['median']:.2g}" if used else ""),
    }


def _both(shares: Mapping[str, float]) -> str:
    """Write median and largest in percent."""
    return f"{100 * shares['median']:.2f}; {100 * shares['largest']:.2f}"


def equivalent_row(made: Mapping[str, Any]) -> dict[str, str]:
    """Write what the record says of a method where any network with equal curves counts."""
    over = made["held_out_over_oracle"]
    return {
        "seeds": f"{made['seeds']}",
        "equal curves / %": percent(made["equivalent"]),
        "right terms / %": percent(made["same_terms"]),
        "held-out error over oracle's, median": f"{over['median']:.3f}" if over else "",
        "largest": f"{over['largest']:.3f}" if over else "",
        "seconds, median": f"{made['seconds']['median']:.2g}",
    }


def beside_oracle(
    ours: Mapping[str, Any], oracle: Mapping[str, Any], limit: ArrayLike
) -> dict[str, str]:
    """Write one answer beside the oracle's and the Cramér-Rao limit, as `answers.judged` has them.

    Errors are root mean squares over the constants.
    """
    size = np.sqrt(np.mean(np.square(ours["log_errors"]))) if ours["exact"] else None
    held_out = ours.get("held_out")
    return {
        "true reactions": "yes" if ours["exact"] else "no",
        "error of k / %": "" if size is None else f"{100 * size:.2f}",
        "limit / %": f"{100 * np.sqrt(np.mean(np.square(limit))):.2f}",
        "held-out error over oracle's": ""
        if held_out is None
        else f"{held_out / oracle['held_out']:.4f}",
        "seconds": f"{ours['seconds']:.1f}",
    }


def by_noise(settings: Mapping[str, Any]) -> dict[float, Mapping[str, Any]]:
    """Return the methods of case 1 by noise, in percent of the value, rising."""
    made = {
        100 * one["noise"]: one
        for name, one in settings.items()
        if name == "B1" or name.startswith(_NOISE)
    }
    return dict(sorted(made.items()))


def courses(
    levels: Mapping[float, Any], names: Iterable[str]
) -> dict[str, dict[float, Mapping[str, float]]]:
    """Return how often methods are right by level of noise, as `by_noise` has them."""
    shares = {
        name: {
            level: found(name, one["methods"][name])
            for level, one in levels.items()
            if name in one["methods"]
        }
        for name in names
    }
    return {name: course for name, course in shares.items() if course}


def beside_truth(found: Discovery, case: Case) -> dict[str, dict[str, str]]:
    """Write the true constants of a case and those found, one row a true reaction."""
    truth = scores.reactions(case.network, case.constants)
    own = scores.reactions(found.to_network(), found.rate_constants)
    errors = dict(zip(own, found.standard_errors, strict=True))
    return {
        reaction.equation: {
            "true k": f"{value:g}",
            "found k": f"{own[key]:.4f}" if key in own else "not found",
            "standard error / %": f"{100 * errors[key]:.2f}" if key in own else "",
            "error / %": f"{100 * (own[key] / value - 1):+.2f}" if key in own else "",
        }
        for reaction, (key, value) in zip(case.network.reactions, truth.items(), strict=True)
    }


def earlier(published: pd.DataFrame, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Write earlier results on the cases, ours beside them."""
    labels = {
        "constant_error": "error of k / %",
        "stoichiometry_error": "of stoichiometry / %",
        "loss": "loss",
        "noise_floor": "noise floor",
    }
    theirs = published.set_index(["setting", "source"])[list(labels)].rename(columns=labels)
    ours = {}
    for name in published.setting.unique():
        methods = settings.get(name, {}).get("methods", {})
        if methods.get("discover", {}).get("held_out"):
            kind = "held_out_log" if name == "B3" else "held_out"
            made = methods["discover"]
            errors = [100 * made["errors"]["median"], 0.0] if "errors" in made else [np.nan] * 2
            medians = [methods[method][kind]["median"] for method in ("discover", "oracle")]
            ours[name, "ours, median"] = [*errors, *medians]
    table = pd.concat([theirs, pd.DataFrame(ours, index=theirs.columns).T]).sort_index()
    return table.map(lambda value: "" if np.isnan(value) else f"{value:.3g}")


def errors_of_constants(setting: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Return the limit and root mean square errors in percent, (R, 3), no intervals."""
    errors = {"Cramér-Rao limit": setting["cramer_rao"]} | {
        name: setting["methods"][name]["errors"]["rms"]
        for name in ("discover", "oracle", "published recipe")
        if "errors" in setting["methods"].get(name, {})
    }
    none = np.full(len(setting["cramer_rao"]), np.nan)
    return {name: np.stack([none, 100 * np.array(rms), none], 1) for name, rms in errors.items()}


def over_limit(made: Mapping[str, Any], limit: ArrayLike) -> list[str]:
    """Write root mean square errors over the limit, with intervals that take errors as normal."""
    if "errors" not in made:
        return [""] * len(limit)
    n = round(made["exact"]["value"] * made["seeds"])
    low, high = np.sqrt(n / chi2.ppf([0.975, 0.025], n))
    ratios = np.divide(made["errors"]["rms"], limit)
    return [formatted(ratio, low * ratio, high * ratio, digits=2) for ratio in ratios]


def fails(settings: Mapping[str, Any]) -> str:
    """List the settings in which the true reactions were missed, and those not tried."""
    titles = TITLES | {
        f"{_NOISE}{level:g}": f"case 1, {100 * level:g} % noise"
        for level in (0.0, 0.01, 0.1, 0.2, 0.5)
    }
    asked = {
        title: settings[name]["methods"]["discover"]
        for name, title in titles.items()
        if "discover" in settings.get(name, {}).get("methods", {})
    }
    lines = [line for line in (missed(*item) for item in asked.items()) if line]
    drawn = settings.get("drawn", {}).get("methods", {}).get("discover")
    if drawn:
        wrong = round((1 - drawn["equivalent"]["value"]) * drawn["seeds"])
        lines += [f"networks drawn at random: in {wrong} of {drawn['seeds']}"] if wrong else []
    told = "\n".join(f"- {line}." for line in lines) or "- none."
    absent = [title for title in titles.values() if title not in asked]
    return (
        f"Settings in which `discover` missed the true reactions, of "
        f"{len(asked) + bool(drawn)}:\n\n{told}"
        + (f"\n\nNot tried: {', '.join(absent)}." if absent else "")
    )


def missed(title: str, made: Mapping[str, Any]) -> str:
    """Say in how many seeds the true reactions were missed; empty where in none."""
    seeds = made["seeds"]
    wrong = round((1 - made["exact"]["value"]) * seeds)
    if not wrong:
        return ""
    equal = round((made["equivalent"]["value"] - made["exact"]["value"]) * seeds)
    refused = f", {made['refused']} of them a refusal" if made["refused"] else ""
    same = f", {equal} of them reactions with equal curves" if equal else ""
    return f"{title}: in {wrong} of {seeds} seeds{same}{refused}"
