"""The integrator beside its peers, and what each step of it is worth."""
