"""A chemist's workbook or CSV in, checked runs of one reaction out.

>>> import kinetlib.lab
>>> runs = kinetlib.lab.read("reaction.xlsx", "Silane", "Silanol", "Catalyst")  # doctest: +SKIP
>>> kinetlib.classify(runs)  # doctest: +SKIP
"""

from kinetlib.lab.reaction import NEGATIVE_TOLERANCE, read
from kinetlib.lab.species import read_species

__all__ = ["NEGATIVE_TOLERANCE", "read", "read_species"]
