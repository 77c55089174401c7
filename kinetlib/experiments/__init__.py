"""Experiments worth doing: what each would tell, bounds on it, the search, the next run."""

from kinetlib.experiments.bank import Bank, simulate_bank
from kinetlib.experiments.d_optimal import Plan, plan
from kinetlib.experiments.discrimination import InformationBound, NearestRival, Search
from kinetlib.experiments.next_run import Advice, Wanted, advise
from kinetlib.experiments.remarks import limits

__all__ = [
    "Advice",
    "Bank",
    "InformationBound",
    "NearestRival",
    "Plan",
    "Search",
    "Wanted",
    "advise",
    "limits",
    "plan",
    "simulate_bank",
]
