"""Rows of the tables that the book makes of answers and of the benchmark's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

#: Methods that find reactions in whole numbers; of others only the right terms can be asked.
IN_WHOLE_NUMBERS = ("discover", "discover, compiling", "oracle", "published recipe")


def found(method: str, made: Mapping[str, Any]) -> dict[str, float]:
    """Return how often a method is right, with interval: reactions, or terms if it has none."""
    return made["exact" if method in IN_WHOLE_NUMBERS else "same_terms"]


def percent(measure: Mapping[str, float]) -> str:
    """Write a share with its interval in percent."""
    return "{value:.0f} ({low:.0f} to {high:.0f})".format(
        **{key: 100 * measure[key] for key in ("value", "low", "high")}
    )


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
