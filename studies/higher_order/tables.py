"""Rows and sentences that the book makes of stand-ins, of trainings and of the record."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kinetlib.evaluate import text
from studies.discovery.published_recipe import START, Trained
from studies.higher_order.exact import EXACT
from studies.higher_order.fit import Fitted, Slope
from studies.higher_order.search import Candidate
from studies.higher_order.stand_ins import STAND_INS, TRUTHS, Errors

CUBIC, AUTOCATALYTIC = "3 A -> B", "A + 2 B -> 3 B"
CONSUMED = "3 A, consumed"
Rows = dict[Any, dict[str, Any]]


def percent(share: Mapping[str, float]) -> str:
    """Write how many of how many, with the interval in percent."""
    low, high = 100 * share["low"], 100 * share["high"]
    return f"{share['hits']} of {share['n']} ({low:.0f} to {high:.0f} %)"


def stand_ins() -> Rows:
    """Write the networks of second order, with the constants and horizons of their reactions."""
    return {
        name: {
            "kappa": TRUTHS[one.truth].constant,
            "horizon": TRUTHS[one.truth].horizon,
            "network": _in_a_line(one.network),
        }
        for name, one in STAND_INS.items()
    }


def reactions(trained: Trained) -> list[dict[str, str]]:
    """Write orders, stoichiometry and constant of each reaction of a trained network."""
    return [
        {
            **{f"order in {s}": f"{o:.3f}" for s, o in zip("AB", orders, strict=True)},
            **{f"makes of {s}": f"{n:.3f}" for s, n in zip("AB", net, strict=True)},
            "constant": f"{np.exp(log_constant):.3g}",
        }
        for orders, net, log_constant in zip(
            trained.w_in, trained.w_out, trained.log_constants, strict=True
        )
    ]


def cubic(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the trainings of the record on 3 A -> B without a third species."""
    return [r for r in record["failure"] if r["truth"] == CUBIC and r["z"] == "absent"]


def variation(trainings: Sequence[Mapping[str, Any]]) -> float:
    """Return the coefficient of variation of the sums of constants, in percent."""
    rates = [r["rate"] for r in trainings]
    return float(100 * np.std(rates, ddof=1) / np.mean(rates))


def failures(record: Mapping[str, Any]) -> tuple[str, str]:
    """Say what trainings on 3 A -> B came to, without and with room for a hidden species."""
    seen, hidden = cubic(record), [r for r in record["failure"] if r["z"] == "hidden"]
    each = np.concatenate([np.exp(r["log_constants"]) * -np.array(r["w_out"])[:, 0] for r in seen])
    return (
        f"In the record, {len(seen)} networks of two, three and four reactions: orders "
        f"{_span(seen, 'order', '.3f')}, mean errors {_span(seen, 'mean', '.2e')}. Single "
        f"constants spread over a factor of {each.max() / each.min():.0f}; their sum, each times "
        f"what its reaction takes of A, is {np.mean([r['rate'] for r in seen]):.4f} in all of "
        f"them, with a coefficient of variation of {variation(seen):.2f} %.",
        f"With room for a hidden Z, of which nothing is measured but that it starts at zero, "
        f"{len(hidden)} networks of three reactions do no better: mean errors "
        f"{_span(hidden, 'mean', '.2e')}, and the highest order in Z of any reaction is "
        f"{max(np.max(np.array(r['w_in'])[:, 2]) for r in hidden):.2f}.",
    )


def other_failures(record: Mapping[str, Any]) -> tuple[str, str]:
    """Say what trainings on A + 2 B -> 3 B came to, and those with a species of zeros."""
    other = [r for r in record["failure"] if r["truth"] != CUBIC]
    moved = np.array([r["log_constants"] for r in record["failure"] if r["z"] == "silent"]) - START
    return (
        f"{AUTOCATALYTIC}, three reactions: A is taken and B made one to one, at an order of "
        f"{_span(other, 'order', '.2f')} in A and none in B, with a mean error of "
        f"{np.mean([r['mean'] for r in other]):.2e}.",
        "Given a third species that is measured as zero throughout, as an intermediate might be, "
        f"the recipe hardly moves: of {moved.size} logarithms of constants of {CUBIC} trained so, "
        f"{int((np.abs(moved) < 0.6).sum())} end within 0.6 of -10, where all begin.",
    )


def fitted(one: Fitted, error: Errors) -> dict[str, str]:
    """Write the constants of a fitted stand-in and its errors in other runs."""
    truth = one.stand_in.truth
    return {
        "L": f"{one.k[1]:g}",
        **{key: f"{value:.4g}" for key, value in zip(("k1", "k-1", "k2"), one.k, strict=True)},
        "kappa over true": f"{one.kappa / TRUTHS[truth].constant:.4f}",
        "mean error over range": f"{error.mean:.1e}",
        "largest": f"{error.largest:.1e}",
        "largest of A, relative": "A vanishes"
        if truth == AUTOCATALYTIC
        else f"{error.relative:.1e}",
    }


def slopes(laws: Mapping[str, Mapping[str, Slope]], errors: Mapping[str, Sequence[Errors]]) -> Rows:
    """Write the exponents with which errors fall, beside what theory says."""
    return {
        name: {
            "theory": "-1" if STAND_INS[name].catalytic else "-1/2",
            **{f"slope, {kind} error": text(vars(line), digits=3) for kind, line in kinds.items()},
            "mean error at largest L": f"{errors[name][-1].mean:.1e}",
        }
        for name, kinds in laws.items()
    }


def exactness(largest: Mapping[str, Mapping[str, float]]) -> Rows:
    """Write the networks that are exact, with the largest errors by how Z was prepared."""
    return {
        name: {
            "network": _in_a_line(EXACT[name].network),
            "largest constant over kappa": max(EXACT[name].multiples),
            **{
                f"largest error, hidden species {kind}": f"{value:.1e}"
                for kind, value in by_kind.items()
            },
        }
        for name, by_kind in largest.items()
    }


def candidates(found: Iterable[Candidate]) -> Rows:
    """Write networks that a search lists, the best first."""
    return {
        place: {
            "network": "; ".join(candidate.equations),
            "constants": ", ".join(f"{k:.3g}" for k in candidate.constants),
            "root mean square error over range": f"{candidate.cost**0.5:.2e}",
        }
        for place, candidate in enumerate(found, start=1)
    }


def searches(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Write how often the networks asked for were found, by reaction and noise."""
    return [
        {
            "curves of": entry["truth"],
            "noise / %": f"{100 * entry['noise']:g}",
            "found": percent(entry["found"]),
            "law of the first is true": percent(entry["right_law"]),
            "places": " and ".join(
                ", ".join(str(place) for place in sorted(set(places), key=str))
                for places in zip(*entry["places"], strict=True)
            ),
            "others": _others(entry["others_off"]),
            "seconds": f"{entry['seconds']:.0f}, at most {entry['longest_seconds']:.0f}",
        }
        for entry in record["search"]
    ]


def wanted(record: Mapping[str, Any]) -> str:
    """Name the networks that the searches were asked for."""
    return "; ".join(
        f"{truth}: " + " or ".join(", ".join(network) for network in networks)
        for truth, networks in record["wanted"].items()
    )


def same_laws(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Write all networks that tend to one law, and how often each came first."""
    first = {
        truth: [e["first"] for e in record["search"] if e["truth"] == truth] for truth in TRUTHS
    }
    return [
        {
            "reaction": truth,
            "network of its law": "; ".join(network),
            "asked for": "yes" if network in record["wanted"][truth] else "no",
            "first in the record": f"{sum(n.get(' ; '.join(network), 0) for n in first[truth])} of "
            f"{sum(sum(n.values()) for n in first[truth])}",
        }
        for truth, networks in record["same_law"].items()
        for network in networks
    ]


def bounds(record: Mapping[str, Any]) -> list[dict[str, str]]:
    """Write the lower bounds on L, by the L that made the curves."""
    return [
        {
            "curves made with L": entry["L"] if entry["L"] != "inf" else "third order",
            "lower bound, median": f"{entry['median']:.3g}",
            "from": f"{min(entry['bounds']):.3g}",
            "to": f"{max(entry['bounds']):.3g}",
            "bound holds": percent(entry["holds"]),
            "open to infinity": percent(entry["open_to_infinity"]),
        }
        for entry in record["bound"]
    ]


def goals(
    record: Mapping[str, Any],
    kappa: float,
    errors: Mapping[str, Errors],
    laws: Mapping[str, Mapping[str, Slope]],
    splits: Mapping[str, Errors],
    exact: float,
) -> list[dict[str, str]]:
    """Judge the goals, by the record and by fits of this run.

    Parameters
    ----------
    record
        Of the study.
    kappa
        Constant of third order that the network for 3 A -> B amounts to.
    errors
        By stand-in, at the L that the goals are about.
    laws
        By stand-in, the exponent of its ``mean`` error.
    splits
        Errors of both ways to 2 A + B, fitted for the largest error.
    exact
        Largest error of the exact networks.
    """
    three, seen = errors[CONSUMED], cubic(record)
    off = {
        catalytic: [
            abs(one["mean"].value - theory)
            for n, one in laws.items()
            if STAND_INS[n].catalytic is catalytic
        ]
        for catalytic, theory in ((False, -0.5), (True, -1.0))
    }
    split = max(errors[name].largest for name in splits)
    found = {
        f"search: {truth} found, share of seeds": [
            entry["found"]["value"] for entry in record["search"] if entry["truth"] == truth
        ]
        for truth in record["wanted"]
    }
    longest = [entry["longest_seconds"] for entry in record["search"]]
    holds = [entry["holds"]["value"] for entry in record["bound"]]
    least, most = "at least", "at most"
    return [
        {
            "goal": goal,
            "asked": f"{side} {bound:g}",
            "found": f"{value:.3g}",
            "met": "reached" if (value <= bound if side == most else value >= bound) else "missed",
        }
        for goal, value, side, bound in [
            (
                "published recipe: least order at the hinge of 2.2",
                min(r["order"] for r in seen),
                least,
                2.15,
            ),
            ("its sum of constants: variation, %", variation(seen), most, 1.0),
            ("3 A: largest relative error of A", three.relative, most, 1e-2),
            ("3 A: mean error", three.mean, most, 1e-3),
            ("3 A: kappa, relative error", abs(kappa / TRUTHS[CUBIC].constant - 1), most, 0.04),
            ("2 A + B, both ways: largest error, least squares", split, most, 1e-2),
            ("the same, fitted for it", max(e.largest for e in splits.values()), most, 1e-2),
            (
                "A + 2 B by a catalyst: largest error",
                errors["A + 2 B, catalyst"].largest,
                most,
                1e-2,
            ),
            ("slope less -1/2, consumed", max(off[False]), most, 0.05),
            ("slope less -1, catalyst", max(off[True]), most, 0.1),
            ("exact networks: largest error", exact, most, 1e-8),
            *((name, min(shares, default=np.nan), least, 0.8) for name, shares in found.items()),
            ("search: longest, s", max(longest, default=np.nan), most, 300.0),
            ("lower bound holds, share", min(holds, default=np.nan), least, 0.9),
        ]
    ]


def _span(rows: Sequence[Mapping[str, float]], key: str, how: str) -> str:
    values = [row[key] for row in rows]
    return f"{min(values):{how}} to {max(values):{how}}"


def _others(ratios: Sequence[float | None]) -> str:
    known = [value for value in ratios if value is not None]
    return f"{np.median(known):.1f}, at least {min(known):.1f}" if known else "none"


def _in_a_line(network: object) -> str:
    return str(network).replace("\n", "; ")
