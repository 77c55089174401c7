"""Networks for other programs: SBML, and Antimony text, which the antimony library reads."""

from __future__ import annotations

from collections.abc import Mapping

from kinetlib.kinetics.network import Network, Reaction
from kinetlib.kinetics.sbml_writing import identifiers, to_sbml

__all__ = ["antimony_to_sbml", "identifiers", "to_antimony", "to_sbml"]


def to_antimony(
    network: Network,
    rate_constants: Mapping[str, float],
    initial: Mapping[str, float],
    name: str = "mechanism",
) -> str:
    """Write a network with its numbers as an Antimony model.

    Parameters
    ----------
    network
        The network.
    rate_constants
        A value for each of ``network.constants``.
    initial
        Initial concentrations by species; 0 for those that are not named.
    name
        Name of the model: letters, digits, underscores.

    Returns
    -------
    str
        Species in one compartment of volume 1, rate laws of mass action.

    Raises
    ------
    ValueError
        If a constant has no value, or a name is not the network's.
    """
    missing = [constant for constant in network.constants if constant not in rate_constants]
    if missing:
        raise ValueError(f"no value for {', '.join(missing)}")
    for species in initial:
        network.index(species)
    ids = identifiers(network)
    lines = [f"model {name}", "  compartment vessel = 1;"]
    marks = {s: "$" if s in network.held else "" for s in network.species}
    lines += [
        f'  species {marks[s]}{ids[s]} in vessel; {ids[s]} is "{s}";' for s in network.species
    ]
    lines += [f"  {ids[s]} = {float(initial.get(s, 0.0))!r};" for s in network.species]
    lines += [f"  {ids[k]} = {float(rate_constants[k])!r};" for k in network.constants]
    lines += [f'  {ids[k]} is "{k}";' for k in network.constants if ids[k] != k]
    for number, reaction in enumerate(network.reactions, start=1):
        lines.append(f"  r{number}: {_equation(reaction, ids)}; vessel * {_rate(reaction, ids)};")
    return "\n".join([*lines, "end", ""])


def antimony_to_sbml(text: str, name: str | None = None) -> str:
    """Translate Antimony by the antimony library, which the extra ``antimony`` brings.

    Parameters
    ----------
    text
        A model, or several.
    name
        Which; by default the main one.

    Raises
    ------
    ValueError
        Without the library, or where it does not accept the text.
    """
    try:
        import antimony
    except ImportError:
        raise ValueError(
            "Antimony is read by the antimony library, which is not installed: "
            "pip install 'kinetlib[antimony]'"
        ) from None
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyString(text) < 0:
        told = " ".join(antimony.getLastError().split())
        raise ValueError(f"antimony did not accept the model: {told}")
    return antimony.getSBMLString(name or antimony.getMainModuleName())


def _equation(reaction: Reaction, ids: Mapping[str, str]) -> str:
    sides = (
        " + ".join(ids[s] if n == 1 else f"{n} {ids[s]}" for s, n in side.items())
        for side in (reaction.reactants, reaction.products)
    )
    return " -> ".join(sides)


def _rate(reaction: Reaction, ids: Mapping[str, str]) -> str:
    powers = (ids[s] if n == 1 else f"{ids[s]}^{n}" for s, n in reaction.reactants.items())
    return " * ".join([ids[reaction.constant], *powers])
