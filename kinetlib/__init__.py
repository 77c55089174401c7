"""Catalytic mechanisms from concentration-time curves: simulate, infer, design, learn, classify.

A room may import from the rooms above it in this list, never the other way:

- `kinetlib.records`: whole files, provenance, resumable pieces, which code made a result.
- `kinetlib.kinetics`: text of a mechanism to a network, its trajectories and their slopes; the
  catalogue; SBML and Antimony.
- `kinetlib.evaluate`: measures, intervals, calibration, novelty: numbers in, numbers out.
- `kinetlib.design`: choosing from a pool before any label is known.
- `kinetlib.plot`: one look for every figure.
- `kinetlib.runs`: what was or may be measured: runs, noise, plans, designs, datasets.
- `kinetlib.crnn`: reactions discovered in the curves of all species.
- `kinetlib.lab`: a chemist's file in, checked runs out.
- `kinetlib.inference`: prior, likelihood, evidence, posterior, estimates of rate constants; orders.
- `kinetlib.fusion`: the networks, their training, the calibrated answer.
- `kinetlib.experiments`: the runs worth doing, and the next one.
- `kinetlib.petab`: problems in PEtab, the exchange format of systems biology, out and in.
- `kinetlib.chapters`: parameters, profiles, executed notebooks, the rebuild, the book.
- `kinetlib.answers`: evidence of every mechanism, the open catalogue, the answer in words.
- `kinetlib.cli`: the command ``kinetlib``.
"""

from kinetlib.kinetics.reading import mechanism
from kinetlib.kinetics.simulate import simulate

__version__ = "0.1.0"
__all__ = ["answer", "classify", "fit", "mechanism", "orders", "simulate"]


def __getattr__(name: str):
    # What takes long to import is imported when it is asked for.
    if name == "classify":
        from kinetlib.fusion.classify import classify

        return classify
    if name == "answer":
        from kinetlib.answers import answer

        return answer
    if name == "fit":
        from kinetlib.inference.fitting import fit

        return fit
    if name == "orders":
        from kinetlib.inference.reaction_orders import orders

        return orders
    raise AttributeError(f"module 'kinetlib' has no attribute {name!r}")
