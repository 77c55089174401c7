"""The text of a mechanism to a network, its trajectories and their slopes; the catalogue; SBML."""

from kinetlib.kinetics.integrate import Solution, Status, integrate
from kinetlib.kinetics.mechanisms import Mechanism, catalogue, get, load
from kinetlib.kinetics.network import Network, Reaction, parse
from kinetlib.kinetics.reading import mechanism
from kinetlib.kinetics.sensitivity import Sensitivities, sensitivities
from kinetlib.kinetics.simulate import simulate

__all__ = [
    "Mechanism",
    "Network",
    "Reaction",
    "Sensitivities",
    "Solution",
    "Status",
    "catalogue",
    "get",
    "integrate",
    "load",
    "mechanism",
    "parse",
    "sensitivities",
    "simulate",
]
