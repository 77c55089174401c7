"""Datasets in the layout of Burés and Larrosa (2023): theirs read in, ours written out."""
