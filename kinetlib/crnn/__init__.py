"""Discovering reactions from curves: chemical reaction neural networks, made exact.

A chemical reaction neural network (Ji, Deng, J. Phys. Chem. A 125, 1082, 2021) is mass action with
orders and stoichiometry as weights. Here no weight is rounded: what the data determine is fitted
first, and near that fit the few reactions, in whole numbers, that explain the curves are chosen out
of all there are that keep what must be kept.
"""

from kinetlib.crnn.constraints import Constraints
from kinetlib.crnn.discovery import Discovery, discover
from kinetlib.crnn.hidden import with_hidden

__all__ = ["Constraints", "Discovery", "discover", "with_hidden"]
