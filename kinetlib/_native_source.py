"""C++ source of the integrator for one network: straight code, trajectories in lock step."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from string import Template

import numpy as np

from kinetlib.network import Network


def source(network: Network) -> str:
    """Write the C++ source of the integrator for a network.

    The rate law, its Jacobian and the LU factorisation are unrolled; what is zero is not computed.
    Everything else is the template ``_native.cpp`` beside this file.
    """
    n = len(network.species)
    pivots, entries = _elimination(network)
    parts = {
        "n_species": n,
        "n_reactions": len(network.reactions),
        "rhs": "\n".join(_rhs(network)),
        "matrix": "\n".join(_matrix(network, entries)),
        "factorise": "\n".join(_factorise(pivots, entries)),
        "solve": "\n".join(_solve(pivots, entries)),
        "n_entries": len(entries),
    }
    template = (resources.files("kinetlib") / "_native.cpp").read_text(encoding="utf-8")
    return Template(template).substitute({name: str(part) for name, part in parts.items()})


def _elimination(network: Network) -> tuple[list[int], dict[tuple[int, int], int]]:
    """Choose an order of elimination with little fill; number the entries of L and U."""
    n = len(network.species)
    uses, net = network.orders > 0, network.stoichiometry != 0
    filled = {(i, j) for i in range(n) for j in range(n) if np.any(net[:, i] & uses[:, j])}
    filled |= {(i, i) for i in range(n)}
    order: list[int] = []
    while len(order) < n:
        left = set(range(n)) - set(order)
        rows = {p: [i for i in left - {p} if (i, p) in filled] for p in left}
        columns = {p: [j for j in left - {p} if (p, j) in filled] for p in left}
        # Markowitz: the pivot whose elimination touches fewest entries.
        _, pivot = min((len(rows[p]) * len(columns[p]), p) for p in left)
        filled |= {(i, j) for i in rows[pivot] for j in columns[pivot]}
        order.append(pivot)
    return order, {entry: number for number, entry in enumerate(sorted(filled))}


def _rhs(network: Network) -> list[str]:
    lines = []
    for r, reaction in enumerate(network.reactions):
        names = [network.index(s) for s, count in reaction.reactants.items() for _ in range(count)]
        lines.append(f"const vec r{r} = {_signed(f'k[{r}]', names)};")
    for i in range(len(network.species)):
        terms = _terms(
            network.stoichiometry[:, i], [f"r{r}" for r in range(len(network.reactions))]
        )
        lines.append(f"f[{i}] = {terms};")
    return lines


def _signed(factor: str, names: list[int]) -> str:
    """Product of a factor and concentrations; negative if one of these is, whatever the others."""
    if len(names) == 0:
        return factor
    if len(names) == 1:
        return f"{factor} * y[{names[0]}]"
    magnitude = " * ".join([factor, *(f"size(y[{j}])" for j in names)])
    lacking = " | ".join(f"sign(y[{j}])" for j in dict.fromkeys(names))
    return f"with_sign({magnitude}, {lacking})"


def _slope(factor: str, names: list[int], by: int) -> str:
    """Differentiate `_signed` by the species in one slot, given the species in the others."""
    if not names:
        return factor
    magnitude = " * ".join([factor, *(f"size(y[{j}])" for j in names)])
    lacking = " | ".join(f"sign(y[{j}])" for j in dict.fromkeys(names))
    return f"with_sign({magnitude}, ({lacking}) & ~sign(y[{by}]))"


def _terms(weights: np.ndarray, names: list[str]) -> str:
    parts = []
    for weight, name in zip(weights, names, strict=True):
        if weight:
            factor = "" if abs(weight) == 1 else f"{abs(weight)}.0 * "
            parts.append(f"{'-' if weight < 0 else '+'} {factor}{name}")
    return " ".join(parts).removeprefix("+ ") or "all(0.0)"


def _matrix(network: Network, entries: dict[tuple[int, int], int]) -> list[str]:
    lines, into = [], {entry: [] for entry in entries}
    for r, reaction in enumerate(network.reactions):
        names = [network.index(s) for s, count in reaction.reactants.items() for _ in range(count)]
        for j, count in Counter(names).items():
            others = list(names)
            others.remove(j)
            lines.append(f"const vec s{r}_{j} = {_slope(f'k[{r}]', others, j)};")
            for i in np.flatnonzero(network.stoichiometry[r]):
                into[int(i), j].append((-int(network.stoichiometry[r, i]) * count, f"s{r}_{j}"))
    for (i, j), number in entries.items():
        weights = np.array([weight for weight, _ in into[i, j]], dtype=int)
        terms = _terms(weights, [name for _, name in into[i, j]])
        if i == j:
            terms = "diagonal" if terms == "all(0.0)" else f"diagonal + ({terms})"
        lines.append(f"w[{number}] = {terms};")
    return lines


def _factorise(order: list[int], entries: dict[tuple[int, int], int]) -> list[str]:
    lines = []
    for step, p in enumerate(order):
        later = order[step + 1 :]
        at = entries[p, p]
        lines.append(f"w[{at}] = 1.0 / w[{at}];")
        for i in (i for i in later if (i, p) in entries):
            lines.append(f"w[{entries[i, p]}] *= w[{at}];")
            for j in (j for j in later if (p, j) in entries):
                target, factor, row = entries[i, j], entries[i, p], entries[p, j]
                lines.append(f"w[{target}] -= w[{factor}] * w[{row}];")
    return lines


def _solve(order: list[int], entries: dict[tuple[int, int], int]) -> list[str]:
    lines = []
    for step, p in enumerate(order):
        for i in (i for i in order[step + 1 :] if (i, p) in entries):
            lines.append(f"b[{i}] -= w[{entries[i, p]}] * b[{p}];")
    for step in range(len(order) - 1, -1, -1):
        p = order[step]
        for j in (j for j in order[step + 1 :] if (p, j) in entries):
            lines.append(f"b[{p}] -= w[{entries[p, j]}] * b[{j}];")
        lines.append(f"b[{p}] *= w[{entries[p, p]}];")
    return lines
