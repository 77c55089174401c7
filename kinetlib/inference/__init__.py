"""Rate constants and mechanisms given runs: prior, likelihood, evidence, posterior, estimate."""
