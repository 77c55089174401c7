"""The whole answer of ``kinetlib classify``: sentences, a table, one JSON object."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli._fit import constants_table, estimates
from kinetlib.cli._plain import plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kinetlib.answers import Answer, Possible
    from kinetlib.answers.weighing import Progress

_SHOWN = 8  # mechanisms in the table
_WORTH = 0.001  # probability from which a mechanism is among them
_NOTHING = {"constants": {}, "others": {}, "combinations": [], "reactions": []}


@contextmanager
def progress() -> Iterator[Progress]:
    """Show on standard error, where it is a terminal, what is being done and how far it is."""
    from rich.console import Console
    from rich.progress import Progress as Bars

    with Bars(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)

        def told(done: int, total: int, said: str) -> None:
            bars.update(task, completed=done, total=total, description=said)

        yield told


def values(answer: Answer) -> dict[str, Any]:
    """Put an answer into plain values."""
    network = answer.network
    best = answer.mechanisms[0].fit
    return {
        "mechanisms": [_mechanism(one) for one in answer.mechanisms],
        "probabilities": answer.probabilities,
        "features": answer.features,
        "set": list(answer.members),
        "explains": answer.explains,
        "opened": answer.was_opened,
        "network": network
        and {
            "probabilities": network.probabilities,
            "set": list(network.members),
            "noise": plain(network.noise),
            "strangeness": plain(network.strangeness),
        },
        "noise": {name: vars(level) for name, level in best.noise.items()} if best else {},
        "runs": list(answer.runs),
        "remarks": list(answer.remarks),
        # Under the names that --quick gives them, for programs that read either.
        "strangeness": network and plain(network.strangeness),
        "warnings": list(answer.remarks),
    }


def _mechanism(one: Possible) -> dict[str, Any]:
    fit = one.fit
    return {
        "mechanism": one.name,
        "name": one.weighed.composed.mechanism.name,
        "probability": one.probability,
        "log_evidence": plain(one.weighed.log_evidence),
        "aicc": plain(fit.aicc) if fit else None,
        "bic": plain(fit.bic) if fit else None,
        "chi_squared": plain(fit.chi_squared) if fit else None,
        "explains": bool(fit.explains) if fit else None,
        **(estimates(fit) if fit else _NOTHING),
    }


def show(answer: Answer) -> None:
    """Print the sentences, the mechanisms, the constants of the best, and what to do next."""
    from rich.console import Console
    from rich.table import Table

    from kinetlib.answers import sentences

    console = Console()
    for line in sentences(answer):
        console.print(line)
    table = Table("mechanism", "probability", "network", "ln evidence", "explains", "name")
    for column in table.columns[1:4]:
        column.justify = "right"
    proposed = answer.network.probabilities if answer.network else {}
    rows = [one for one in answer.mechanisms if one.probability >= _WORTH][:_SHOWN]
    for one in rows:
        evidence = one.weighed.log_evidence
        table.add_row(
            one.name,
            f"{one.probability:.1%}",
            f"{proposed[one.name]:.1%}" if one.name in proposed else "",
            f"{evidence:.1f}" if math.isfinite(evidence) else "",
            "" if one.fit is None else "yes" if one.fit.explains else "no",
            one.weighed.composed.mechanism.name,
        )
    console.print(table)
    if answer.mechanisms[0].fit:
        console.print(constants_table(answer.mechanisms[0].fit))
    if len(answer.members) > 1:
        console.print("`kinetlib design next` proposes the run that tells the most probable apart.")


def tell(remarks: Sequence[str]) -> None:
    """Print what was assumed, left out or not done, on standard error."""
    for line in remarks:
        click.echo(f"remark: {line}", err=True)
