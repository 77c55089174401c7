"""Rate constants and mechanisms given runs: prior, likelihood, evidence, posterior, estimate."""

from kinetlib.inference.estimate import Estimates, most_probable
from kinetlib.inference.evidence import Evidence, compare, evidence_of, probabilities
from kinetlib.inference.fitting import fit
from kinetlib.inference.observations import Observations
from kinetlib.inference.outcome import Comparison, Fit, compared
from kinetlib.inference.posterior import Plausible, fitted, plausible
from kinetlib.inference.prior import Prior, UnanchoredPrior, draw_prior
from kinetlib.inference.reaction_orders import Order, Orders, orders
from kinetlib.inference.target import RESOLUTION, Target

__all__ = [
    "RESOLUTION",
    "Comparison",
    "Estimates",
    "Evidence",
    "Fit",
    "Observations",
    "Order",
    "Orders",
    "Plausible",
    "Prior",
    "Target",
    "UnanchoredPrior",
    "compare",
    "compared",
    "draw_prior",
    "evidence_of",
    "fit",
    "fitted",
    "most_probable",
    "orders",
    "plausible",
    "probabilities",
]
