"""The released network: its training, and what is measured of it."""
