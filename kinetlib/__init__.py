"""Catalytic mechanisms from concentration-time curves: simulate, sample, train, classify."""

from kinetlib.kinetics.simulate import simulate

__version__ = "0.1.0"
__all__ = ["classify", "simulate"]


def __getattr__(name: str):
    # Classification pulls in Keras and its backend, which take seconds to import.
    if name == "classify":
        from kinetlib.fusion.classify import classify

        return classify
    raise AttributeError(f"module 'kinetlib' has no attribute {name!r}")
