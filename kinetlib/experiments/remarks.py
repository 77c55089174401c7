"""What an advised run rests on, in sentences for whoever will do it."""

from __future__ import annotations

from kinetlib.experiments.next_run import LEAST_NOISE, Advice, Wanted
from kinetlib.runs.laboratory import Campaign

_FEW_DRAWS = 20


def limits(advice: Advice, wanted: Wanted, noise: float, *, assumed: bool = False) -> list[str]:
    """Say in sentences what the advice rests on.

    Parameters
    ----------
    advice, wanted
        The advice, and what was asked for.
    noise
        Relative noise that `advise` was given.
    assumed
        Whether that was not told by the runs.
    """
    listed = ", ".join(f"{name} {found.effective:.0f}" for name, found in advice.draws.items())
    found = [
        "Only mechanisms of the catalogue are considered, and of these only the "
        f"{len(advice.mechanisms)} most probable; the others have {advice.left_out:.1%} together.",
        f"Effective draws of rate constants: {listed}.",
    ]
    if len(advice.mechanisms) == 1:
        found.append(
            f"Only {advice.mechanisms[0]} is in question, so no run is better than another."
        )
    wide = [name for name, drawn in advice.draws.items() if drawn.widening > 1]
    if wide:
        found.append(
            f"Rate constants of {', '.join(wide)} count as known less well than the runs tell: "
            "the noise had to be taken for "
            f"{max(drawn.widening for drawn in advice.draws.values()):g} times as much to find "
            "enough draws."
        )
    poor = [name for name, drawn in advice.draws.items() if drawn.effective < _FEW_DRAWS]
    if poor:
        found.append(
            f"Of {', '.join(poor)} fewer than {_FEW_DRAWS} effective draws were found even so: "
            "what it would make of a run is known worse than the numbers say."
        )
    found.append(
        f"The network is expected to learn {advice.gain.information:.2f} nat from the run; Bayes' "
        f"rule could learn {advice.ideal.information:.2f} nat, if the draws were all that is "
        "possible."
    )
    source = "assumed, as the runs do not tell" if assumed else "as estimated or given"
    if advice.noise > 1.01 * max(noise, LEAST_NOISE):
        source = (
            f"more than the {noise:.1%} {source}: no mechanism fits better, so errors other than "
            "noise, or a mechanism from outside, are taken for noise"
        )
    found.append(f"Noise reckoned with: {advice.noise:.1%} of the value, {source}.")
    low, high = Campaign().loading
    if not low <= wanted.loading[0] <= wanted.loading[1] <= high:
        found.append(f"Loadings outside of {low:g} to {high:g}: the network has not seen such.")
    return found
