"""The twenty mechanisms typed a second time, and a plain solver: shares no code with kinetlib.

A reaction is (reactants, products, constant), a species that takes part twice stands twice.
"""

import numpy as np
from scipy.integrate import solve_ivp

CORE = [
    ("S cat", "catS", "k1"),
    ("catS", "S cat", "k-1"),
    ("catS", "P cat", "k2"),
    ("P cat", "catS", "k-2"),
]
MECHANISMS = {
    "M1": CORE,
    "M2": [*CORE, ("cat cat", "cat2", "k3"), ("cat2", "cat cat", "k-3")],
    "M3": [
        ("cat cat", "cat2", "k3"),
        ("cat2", "cat cat", "k-3"),
        ("S cat2", "cat2S", "k1"),
        ("cat2S", "S cat2", "k-1"),
        ("cat2S", "P cat2", "k2"),
        ("P cat2", "cat2S", "k-2"),
    ],
    "M4": [
        ("S cat", "catS X", "k1"),
        ("catS X", "S cat", "k-1"),
        ("catS X", "P cat", "k2"),
        ("P cat", "catS X", "k-2"),
    ],
    "M5": [
        ("S cat", "catS", "k1"),
        ("catS", "S cat", "k-1"),
        ("catS cat", "catP cat", "k2"),
        ("catP cat", "catS cat", "k-2"),
        ("catP", "P cat", "k3"),
        ("P cat", "catP", "k-3"),
    ],
    "M6": [
        ("cat", "cat*", "k3"),
        ("S cat*", "cat*S", "k1"),
        ("cat*S", "S cat*", "k-1"),
        ("cat*S", "P cat*", "k2"),
        ("P cat*", "cat*S", "k-2"),
    ],
    "M7": [
        ("cat S", "catS", "k3"),
        ("catS", "cat S", "k-3"),
        ("catS S", "catS2", "k1"),
        ("catS2", "catS S", "k-1"),
        ("catS2", "P catS", "k2"),
        ("P catS", "catS2", "k-2"),
    ],
    "M8": [
        ("cat", "cat* L", "k3"),
        ("cat* L", "cat", "k-3"),
        ("S cat*", "cat*S", "k1"),
        ("cat*S", "S cat*", "k-1"),
        ("cat*S", "P cat*", "k2"),
        ("P cat*", "cat*S", "k-2"),
    ],
    "M9": [*CORE, ("cat", "dead", "k3")],
    "M10": [*CORE, ("cat I", "dead", "k3")],
    "M11": [*CORE, ("cat S", "dead", "k3")],
    "M12": [*CORE, ("cat P", "dead", "k3")],
    "M13": [*CORE, ("cat cat", "dead", "k3")],
    "M14": [*CORE, ("catS", "dead", "k3")],
    "M15": [*CORE, ("catS I", "dead", "k3")],
    "M16": [*CORE, ("catS S", "dead", "k3")],
    "M17": [*CORE, ("catS P", "dead", "k3")],
    "M18": [*CORE, ("catS catS", "dead", "k3")],
    "M19": [*CORE, ("cat catS", "dead", "k3")],
    "M20": [*CORE, ("cat", "dead", "k3"), ("catS", "dead'", "k4")],
}
FAMILIES = {
    "core": ["M1"],
    "bicatalytic": ["M2", "M3", "M4", "M5"],
    "activation": ["M6", "M7", "M8"],
    "deactivation": [f"M{number}" for number in range(9, 21)],
}

# What a molecule is made of, from its chemistry: catalyst atoms where it is not 0 or 1 by its name,
# and substrate atoms (a product came from one substrate).
_CATALYST_ATOMS = {"S": 0, "P": 0, "X": 0, "L": 0, "I": 0, "cat2": 2, "cat2S": 2}
_DEAD_CATALYST = {"M13": 2, "M18": 2, "M19": 2}
_SUBSTRATE_ATOMS = {"S": 1, "P": 1, "catS": 1, "catP": 1, "cat2S": 1, "cat*S": 1, "catS2": 2}
_DEAD_SUBSTRATE = {"M11": 1, "M12": 1, "M14": 1, "M15": 1, "M16": 2, "M17": 2, "M18": 2, "M19": 1}


def catalyst_atoms(mechanism, species):
    """Catalyst atoms in a molecule."""
    if species == "dead":
        return _DEAD_CATALYST.get(mechanism, 1)
    return _CATALYST_ATOMS.get(species, 1)


def substrate_atoms(mechanism, species):
    """Substrate atoms in a molecule; the dead' of M20 was catS."""
    if species == "dead":
        return _DEAD_SUBSTRATE.get(mechanism, 0)
    if species == "dead'":
        return 1
    return _SUBSTRATE_ATOMS.get(species, 0)


def rhs(reactions, constants, concentrations):
    """Time derivatives by species; complex concentrations are welcome."""
    slope = dict.fromkeys(concentrations, 0.0)
    for reactants, products, constant in reactions:
        rate = constants[constant]
        for species in reactants.split():
            rate = rate * concentrations[species]
        for species in reactants.split():
            slope[species] = slope[species] - rate
        for species in products.split():
            slope[species] = slope[species] + rate
    return slope


def jacobian(reactions, constants, concentrations, step=1e-30):
    """Derivative of `rhs` by complex steps, exact to rounding: rows by equation."""
    columns = []
    for species in concentrations:
        moved = concentrations | {species: concentrations[species] + 1j * step}
        columns.append(
            [x.imag / step for x in map(complex, rhs(reactions, constants, moved).values())]
        )
    return np.array(columns).T


def solve(reactions, constants, initial, times):
    """Solve by SciPy's Radau at 1e-10: shape (T, S), species in the order of `initial`."""
    names = list(initial)

    def named(state):
        return dict(zip(names, state, strict=True))

    solution = solve_ivp(
        lambda t, state: list(rhs(reactions, constants, named(state)).values()),
        (0.0, times[-1]),
        list(initial.values()),
        method="Radau",
        t_eval=times,
        rtol=1e-10,
        atol=1e-13,
        jac=lambda t, state: jacobian(reactions, constants, named(state)),
    )
    if not solution.success:
        raise RuntimeError(solution.message)
    return solution.y.T
