"""Discovering reactions from curves: chemical reaction neural networks, made exact.

A chemical reaction neural network (Ji, Deng, J. Phys. Chem. A 125, 1082, 2021) is mass action with
orders and stoichiometry as weights. Here the weights that the data determine are found first, by
linear algebra and fits of whole trajectories, and whole numbers are read off them.
"""

from kinetlib.crnn.discovery import Discovery, discover
from kinetlib.crnn.hidden import with_hidden

__all__ = ["Discovery", "discover", "with_hidden"]
