"""Rate constants and mechanisms given runs: prior, likelihood, evidence, posterior, estimate."""

from kinetlib.inference.estimate import Estimates, most_probable
from kinetlib.inference.evidence import Evidence, compare, evidence_of, probabilities
from kinetlib.inference.posterior import Plausible, fitted, plausible
from kinetlib.inference.prior import Prior, UnanchoredPrior, draw_prior
from kinetlib.inference.target import RESOLUTION, Target

__all__ = [
    "RESOLUTION",
    "Estimates",
    "Evidence",
    "Plausible",
    "Prior",
    "Target",
    "UnanchoredPrior",
    "compare",
    "draw_prior",
    "evidence_of",
    "fitted",
    "most_probable",
    "plausible",
    "probabilities",
]
