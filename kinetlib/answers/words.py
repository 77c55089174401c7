"""An answer in sentences: what a chemist is told first."""

from __future__ import annotations

from collections.abc import Sequence

from kinetlib.answers.asking import Answer, Possible
from kinetlib.inference.verdicts import DETERMINED

_SURE, _OPEN = 0.9, 0.1  # probability from which a feature is said to be, and below which not to
_SHOWN = 3  # mechanisms and constants that are named

_IS = {
    "deactivation": "the catalyst dies",
    "activation": "the catalyst wakes up during the reaction",
    "dimer": "a dimer of the catalyst takes part",
    "product inhibition": "the product holds the catalyst",
    "substrate inhibition": "the substrate holds the catalyst",
    "background": "there is an uncatalysed path",
    "second reactant": "a second reactant enters",
}


def sentences(answer: Answer) -> list[str]:
    """Say first whether anything explains the runs, then what is in it, then which it is."""
    best = answer.mechanisms[0]
    said = []
    if answer.explains is False and best.fit:
        more = ", composed ones among them," if answer.was_opened else ""
        said.append(
            f"None of the mechanisms weighed{more} explains these runs, and what follows is only "
            f"of those that come nearest. {best.fit.misfit.sentence(best.name)}"
        )
    said += [_features(answer), _which(answer)]
    determined = _determined(best)
    if determined and answer.explains:
        said.append(f"{best.name}: {'; '.join(determined)}.")
    if answer.explains:
        said.append("These runs are explained: what is left looks like noise.")
    if answer.network and _disagree(answer):
        network = max(answer.network.probabilities, key=answer.network.probabilities.__getitem__)
        said.append(
            f"The network had proposed {network} "
            f"({answer.network.probabilities[network]:.0%}); the evidence overrules it."
        )
    return said


def _features(answer: Answer) -> str:
    """Say which features are there, which may be, and that the others are not."""
    sure = {name: p for name, p in answer.features.items() if p >= _SURE}
    may = {name: p for name, p in answer.features.items() if _OPEN <= p < _SURE}
    parts = [f"{_IS[name]} ({_percent(p)})" for name, p in sure.items()]
    nearest = "" if answer.explains else "in the nearest of them "
    text = _sentence(nearest + " and ".join(parts)) if parts else ""
    if may:
        open_ones = ", ".join(f"{_IS[name]} ({_percent(p)})" for name, p in may.items())
        text += f"{' ' if text else ''}Not decided: {open_ones}."
    nothing = "Nothing" if answer.explains else "In the nearest of them nothing"
    return text or (
        f"{nothing} beside the catalytic cycle shows: the catalyst neither dies "
        f"({_percent(answer.features['deactivation'])}) nor wakes up "
        f"({_percent(answer.features['activation'])})."
    )


def _which(answer: Answer) -> str:
    """Name the mechanisms that are left."""
    by_name = {one.name: one for one in answer.mechanisms}
    members = [by_name[name] for name in answer.members]
    listed = [
        f"{one.name} ({_percent(one.probability)}, {_lower(one)})" for one in members[:_SHOWN]
    ]
    if len(members) == 1:
        return f"{'It is' if answer.explains else 'Nearest is'} {listed[0]}."
    more = f" and {len(members) - _SHOWN} more" if len(members) > _SHOWN else ""
    what = "these runs do not tell them apart" if answer.explains else "nearest, and not told apart"
    return f"{', '.join(listed)}{more}: {what}."


def _lower(one: Possible) -> str:
    name = one.weighed.composed.mechanism.name
    return name[:1].lower() + name[1:]


def _determined(best: Possible) -> Sequence[str]:
    """Write the constants that are determined, with their intervals."""
    constants = best.fit.constants if best.fit else {}
    return [
        f"{name} = {constant.value:.3g} {constant.unit} ({constant.low:.3g} to {constant.high:.3g})"
        for name, constant in constants.items()
        if constant.verdict == DETERMINED
    ][:_SHOWN]


def _disagree(answer: Answer) -> bool:
    proposed = answer.network.probabilities if answer.network else {}
    return bool(proposed) and max(proposed, key=proposed.__getitem__) not in answer.members


def _percent(p: float) -> str:
    if p > 0.995:
        return "over 99 %"
    return "under 1 %" if p < 0.005 else f"{100 * p:.0f} %"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
