"""How often evidence and network name the mechanism; see ``study``."""
