"""C++ source of the integrator for one network: straight code, trajectories in lock step."""

from __future__ import annotations

from collections import Counter
from importlib import resources
from itertools import combinations
from string import Template

import numpy as np

from kinetlib.kinetics.network import Network


def source(network: Network) -> str:
    """Write the C++ source of the integrator for a network.

    The rate law, its Jacobian and the LU factorisation are unrolled; what is zero is not computed.
    Everything else is the template ``native.cpp`` beside this file.
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
    return _filled("native.cpp", parts)


def tangent_source(network: Network) -> str:
    """Write the C++ source of the integrator that carries derivatives beside the values.

    It is that of `source` and, after it, the template ``native_tangents.cpp``.
    """
    slots = [sorted(_slots(network, r)) for r in range(len(network.reactions))]
    slopes = [(r, j) for r, names in enumerate(slots) for j in dict.fromkeys(names)]
    bends = [(r, j) for r, j in slopes if len(slots[r]) > 1]
    pairs = [(r, *pair) for r in range(len(slots)) for pair in sorted({*combinations(slots[r], 2)})]
    rates, laws = [f"rate[{r}]" for r in range(len(slots))], _laws(network)
    parts = {
        "n_slopes": max(1, len(slopes)),  # C++ has no empty arrays
        "n_bends": max(1, len(bends)),
        "n_curvatures": max(1, len(pairs)),
        "rates": "\n".join(f"rate[{r}] = {law};" for r, law in enumerate(laws)),
        "slopes": "\n".join(_slopes(network, slopes)),
        "curvatures": "\n".join(_curvatures(network, pairs)),
        "bends": "\n".join(_bends(bends, pairs)),
        "along_slopes": "\n".join(_along("slope", "=", slopes, len(rates))),
        "along_bends": "\n".join(_along("bend", "+=", bends, len(rates))),
        "balance": "\n".join(_balance(network, rates)),
    }
    return source(network) + "\n" + _filled("native_tangents.cpp", parts)


def _filled(name: str, parts: dict[str, object]) -> str:
    template = (resources.files("kinetlib.kinetics") / name).read_text(encoding="utf-8")
    return Template(template).substitute({key: str(part) for key, part in parts.items()})


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
    lines = [f"const vec r{r} = {law};" for r, law in enumerate(_laws(network))]
    return lines + _balance(network, [f"r{r}" for r in range(len(network.reactions))])


def _slots(network: Network, r: int) -> list[int]:
    """Species that go into a reaction, one that takes part twice standing twice."""
    reactants = network.reactions[r].reactants.items()
    return [network.index(name) for name, count in reactants for _ in range(count)]


def _laws(network: Network) -> list[str]:
    return [_signed(f"k[{r}]", _slots(network, r)) for r in range(len(network.reactions))]


def _balance(network: Network, rates: list[str]) -> list[str]:
    changes = enumerate(network.stoichiometry.T)
    return [f"f[{i}] = {_terms(weights, rates)};" for i, weights in changes]


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
    for r in range(len(network.reactions)):
        names = _slots(network, r)
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


def _slopes(network: Network, slopes: list[tuple[int, int]]) -> list[str]:
    """Differentiate the rate of each reaction by each of its reactants."""
    lines = []
    for number, (r, j) in enumerate(slopes):
        others = _slots(network, r)
        count = others.count(j)
        others.remove(j)
        lines.append(f"slope[{number}] = {_times(count)}{_slope(f'k[{r}]', others, j)};")
    return lines


def _curvatures(network: Network, pairs: list[tuple[int, int, int]]) -> list[str]:
    """Differentiate the rate of each reaction by each pair of its reactants."""
    lines = []
    for number, (r, i, j) in enumerate(pairs):
        names = _slots(network, r)
        ways = names.count(i) * (names.count(j) - (i == j))
        rest = list(names)
        rest.remove(i)
        rest.remove(j)
        magnitude = " * ".join([f"k[{r}]", *(f"size(y[{m}])" for m in rest)])
        # The rate is minus a product of magnitudes where any is negative, and d|y|/dy is y's sign.
        lacking = " | ".join(f"sign(y[{m}])" for m in dict.fromkeys(names))
        signs = f"({lacking}) ^ sign(y[{i}]) ^ sign(y[{j}])"
        lines.append(f"curvature[{number}] = {_times(ways)}with_sign({magnitude}, {signs});")
    return lines


def _bends(bends: list[tuple[int, int]], pairs: list[tuple[int, int, int]]) -> list[str]:
    """Change of a reaction's slope by one reactant, along x over all its reactants."""
    lines = []
    for number, (r, j) in enumerate(bends):
        terms = [
            f"curvature[{at}] * x[{second if first == j else first}]"
            for at, (q, first, second) in enumerate(pairs)
            if q == r and j in (first, second)
        ]
        lines.append(f"bend[{number}] = {' + '.join(terms)};")
    return lines


def _along(kind: str, sets: str, derivatives: list[tuple[int, int]], n_reactions: int) -> list[str]:
    """Change of each rate along x, given its derivatives; set, or add to what is there."""
    lines = []
    for r in range(n_reactions):
        terms = [f"{kind}[{at}] * x[{j}]" for at, (q, j) in enumerate(derivatives) if q == r]
        if terms or sets == "=":
            lines.append(f"rate[{r}] {sets} {' + '.join(terms) or 'all(0.0)'};")
    return lines


def _times(count: int) -> str:
    return "" if count == 1 else f"{count}.0 * "
