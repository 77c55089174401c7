"""Experiments worth doing: what each would tell, bounds on it, the search, the next run."""
