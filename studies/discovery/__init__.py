"""Chapter 9: reactions discovered in many sets of curves, ours beside others."""
