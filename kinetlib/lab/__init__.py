"""A chemist's file in, checked runs of one reaction out.

>>> import kinetlib.lab
>>> runs = kinetlib.lab.read("reaction.xlsx", "Silane", "Silanol", "Catalyst")  # doctest: +SKIP
>>> kinetlib.classify(runs)  # doctest: +SKIP
"""

from kinetlib.lab.layout import LAYOUTS
from kinetlib.lab.reaction import NEGATIVE_TOLERANCE, read
from kinetlib.lab.reader import How
from kinetlib.lab.species import read_species

__all__ = ["LAYOUTS", "NEGATIVE_TOLERANCE", "How", "read", "read_species"]
