"""Twenty networks of mass action that nobody here drew: textbooks, model bases, tutorials of peers.

Their structures are public, the sources beside them; constants and starts are others, of the size
of 1, so that within one horizon every reaction matters. Curves are simulated by SciPy, by none of
this project's integrators, with 2 % noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from kinetlib.kinetics.network import Network, parse
from studies.discovery.cases import Case

NAME = "public networks"
_NOISE = 0.02
_RUNS, _HELD_OUT, _TIMES = 10, 5, 40


@dataclass(frozen=True)
class Public:
    """A public network: source, text, constants in its order, horizon, and what starts there."""

    source: str
    text: str
    constants: tuple[float, ...]
    horizon: float
    present: tuple[str, ...]


NETWORKS: dict[str, Public] = {
    "Michaelis and Menten": Public(
        "Catalyst.jl, introduction",
        "S + E <=> SE; SE -> P + E",
        (1.6, 0.4, 0.9),
        8.0,
        ("S", "E"),
    ),
    "infection": Public(
        "Catalyst.jl, SIR model",
        "S + I -> 2 I; I -> R",
        (1.1, 0.4),
        10.0,
        ("S", "I"),
    ),
    "infection with latency": Public(
        "SEIR model, EpiModel and BioModels",
        "S + I -> E + I; E -> I; I -> R",
        (1.3, 0.7, 0.3),
        12.0,
        ("S", "E", "I"),
    ),
    "predator and prey": Public(
        "PySINDy, Lotka and Volterra",
        "X -> 2 X; X + Y -> 2 Y; Y -> 0",
        (0.8, 1.2, 0.7),
        10.0,
        ("X", "Y"),
    ),
    "Robertson": Public(
        "Robertson 1966; here not stiff",
        "A -> B; 2 B -> B + C; B + C -> A + C",
        (0.5, 1.2, 0.8),
        10.0,
        ("A", "B"),
    ),
    "van de Vusse": Public(
        "van de Vusse, Chem. Eng. Sci. 19, 994, 1964",
        "A -> B; B -> C; 2 A -> D",
        (0.6, 0.4, 0.3),
        8.0,
        ("A", "B"),
    ),
    "esterification": Public(
        "textbooks",
        "A + B <=> C + D",
        (0.9, 0.3),
        8.0,
        ("A", "B", "C"),
    ),
    "alpha-pinene": Public(
        "Box et al., Technometrics 15, 33, 1973; COPS",
        "A -> B; A -> C; C -> D; C <=> E",
        (0.5, 0.25, 0.2, 0.5, 0.35),
        10.0,
        ("A", "C"),
    ),
    "methanol to hydrocarbons": Public(
        "Maria, Can. J. Chem. Eng. 67, 825, 1989",
        "A -> B; A + B -> C; B + C -> P; A -> P",
        (0.5, 0.9, 0.7, 0.15),
        8.0,
        ("A", "B"),
    ),
    "covalent switch": Public(
        "Goldbeter, Koshland, PNAS 78, 6840, 1981; BioModels",
        "S + E <=> SE; SE -> P + E; P + F <=> PF; PF -> S + F",
        (1.5, 0.5, 0.8, 1.2, 0.4, 0.6),
        10.0,
        ("S", "E", "F"),
    ),
    "receptor": Public(
        "ligand, receptor and dimers, as in EGF models of BioModels",
        "L + R <=> C; 2 C <=> D",
        (1.4, 0.4, 0.9, 0.3),
        8.0,
        ("L", "R"),
    ),
    "hydrogen bromide": Public(
        "Bodenstein, Lind 1907; constants of one size",
        "X2 <=> 2 X; X + H2 <=> HX + H; H + X2 -> HX + X",
        (0.5, 0.8, 0.9, 0.6, 1.3),
        8.0,
        ("X2", "H2", "X"),
    ),
    "ozone": Public(
        "Chapman 1930, without light",
        "O3 <=> O2 + O; O + O3 -> 2 O2",
        (0.5, 0.4, 0.9),
        6.0,
        ("O3", "O2", "O"),
    ),
    "transesterification": Public(
        "Noureddini, Zhu, JAOCS 74, 1457, 1997",
        "TG + M -> DG + E; DG + M -> MG + E; MG + M -> G + E",
        (0.8, 1.1, 0.6),
        8.0,
        ("TG", "M", "DG"),
    ),
    "competitive inhibition": Public(
        "textbooks; SBML test suite",
        "E + S <=> ES; ES -> E + P; E + I <=> EI",
        (1.5, 0.4, 0.8, 1.1, 0.3),
        8.0,
        ("E", "S", "I"),
    ),
    "oscillator of Wilhelm": Public(
        "Wilhelm, BMC Syst. Biol. 3, 90, 2009; BioModels 233",
        "S + Y -> S + 2 X; 2 X -> X + Y; X + Y -> Y; X -> 0",
        (1.0, 0.7, 0.9, 0.3),
        8.0,
        ("S", "X", "Y"),
    ),
    "mirror images": Public(
        "Frank, Biochim. Biophys. Acta 11, 459, 1953",
        "A + L -> 2 L; A + D -> 2 D; L + D -> P",
        (0.7, 0.7, 0.9),
        8.0,
        ("A", "L", "D"),
    ),
    "photosmog": Public(
        "Seinfeld, Pandis, in sunlight",
        "NO2 -> NO + O; O + O2 -> O3; NO + O3 -> NO2 + O2",
        (0.6, 1.2, 0.9),
        8.0,
        ("NO2", "O2", "NO", "O3"),
    ),
    "virus": Public(
        "Perelson et al., Science 271, 1582, 1996, without supply",
        "T + V -> I; I -> I + V; V -> 0; I -> 0",
        (0.9, 0.8, 0.5, 0.3),
        8.0,
        ("T", "V"),
    ),
    "two sites": Public(
        "phosphorylation of two sites, BioModels",
        "S + K <=> SK; SK -> SP + K; SP + K <=> SPK; SPK -> SPP + K; SPP -> SP; SP -> S",
        (1.4, 0.4, 0.9, 1.2, 0.3, 0.8, 0.35, 0.4),
        10.0,
        ("S", "K", "SP"),
    ),
}


@dataclass(frozen=True)
class ScipyCase(Case):
    """A case whose curves SciPy simulates."""

    def exact(self, initial: NDArray, times: NDArray, temperature: None) -> NDArray[np.float64]:
        """Integrate by Radau's method, shape (n, T, S)."""
        orders, net = self.network.orders, self.network.stoichiometry
        constants = np.asarray(self.constants)
        span = (times[0], times[-1])
        return np.array(
            [
                solve_ivp(
                    lambda _, y: (constants * (y**orders).prod(1)) @ net,
                    span,
                    start,
                    method="Radau",
                    t_eval=times,
                    rtol=1e-9,
                    atol=1e-11,
                ).y.T
                for start in initial
            ]
        )


def case(number: int) -> Case:
    """Return a case by its place in `NETWORKS`."""
    one = list(NETWORKS.values())[number]
    network = parse(one.text)
    return ScipyCase(
        network,
        one.constants,
        partial(_start, network=network, present=one.present),
        horizon=one.horizon,
        n_times=_TIMES,
        n_runs=_RUNS,
        n_held_out=_HELD_OUT,
        noise=_NOISE,
    )


def _start(
    rng: Generator, n: int, network: Network, present: tuple[str, ...]
) -> NDArray[np.float64]:
    there = np.isin(network.species, present)
    return rng.uniform(0.2, 1.5, (n, len(there))) * there
