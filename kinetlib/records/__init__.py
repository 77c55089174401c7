"""Whole files, provenance, quiet libraries, and what makes a result old: nothing of science."""
