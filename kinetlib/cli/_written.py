"""Files that `kinetlib fit` and `kinetlib classify` write beside their answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from kinetlib.answers import Answer
    from kinetlib.inference import Comparison, Fit

_ENDS = {
    "figure": (".svg", ".png", ".pdf"),
    "report": (".html", ".htm"),
    "sbml": (".xml", ".sbml"),
}
_FIGURE = click.option(
    "--figure",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture of the runs and the best fit: .svg, .png, .pdf",
)
_REPORT = click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all of the answer, with figures, as one HTML file.",
)
_SBML = click.option(
    "--sbml",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the fitted model, as the first run starts, as SBML: .xml, .sbml",
)
_PETAB = click.option(
    "--petab",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Write model, runs and parameters as a problem in PEtab.",
)


@dataclass(frozen=True)
class Wanted:
    """Files that were asked for, None where one was not."""

    figure: Path | None = None
    report: Path | None = None
    sbml: Path | None = None
    petab: Path | None = None

    def check(self) -> None:
        """Refuse what cannot be written before anything is computed."""
        from kinetlib.records.files import refuse_unwritable

        for name, path in vars(self).items():
            if path is not None:
                # Of a folder, what is to stand in it.
                refuse_unwritable(path / "model.xml" if name == "petab" else path, f"--{name}")
            ends = _ENDS.get(name)
            if path is not None and ends and path.suffix not in ends:
                listed = f"{', '.join(ends[:-1])} or {ends[-1]}"
                raise ValueError(f"--{name} {path}: expected a name that ends in {listed}")
        if self.figure or self.report:
            import matplotlib  # noqa: F401  # where it is missing, at once


def options(command: Callable) -> Callable:
    """Give a command ``wanted``, the files that it is to write."""
    return _asked((_FIGURE, _REPORT, _SBML, _PETAB), command)


def report_option(command: Callable) -> Callable:
    """Give a command ``wanted``, of which only a report may be."""
    return _asked((_REPORT,), command)


def _asked(chosen: tuple[Callable, ...], command: Callable) -> Callable:
    names = list(Wanted.__dataclass_fields__)

    @wraps(command)
    def checking(**given: Any) -> Any:
        wanted = Wanted(**{name: given.pop(name) for name in names if name in given})
        wanted.check()
        return command(wanted=wanted, **given)

    for option in reversed(chosen):
        checking = option(checking)
    return checking


def write(wanted: Wanted, found: Comparison, answer: dict[str, Any], *, title: str) -> list[str]:
    """Write what was asked for of fits; return what is to be said of it.

    Parameters
    ----------
    wanted
        The files.
    found, answer
        The fits, and what ``--json`` prints of them.
    title
        Of the report.
    """
    best, remarks = found.fits[0], []
    if wanted.sbml or wanted.petab:
        _write_model(wanted, best)
    if wanted.figure:
        from kinetlib.cli import _drawn

        remarks.append(_drawn.figure(best, wanted.figure))
    if wanted.report:
        remarks.append(_report_of_fits(wanted.report, found, answer, title))
    return [remark for remark in remarks if remark]


def _write_model(wanted: Wanted, best: Fit) -> None:
    from kinetlib.petab import writing
    from kinetlib.records.files import write_text

    if wanted.sbml:
        write_text(wanted.sbml, writing.sbml(best))
    if wanted.petab:
        writing.write(wanted.petab, best)


def _report_of_fits(path: Path, found: Comparison, answer: dict[str, Any], title: str) -> str:
    from kinetlib.cli import _report as report
    from kinetlib.records.files import write_text

    best = found.fits[0]
    drawn, left_out = _figures(best, answer["runs"])
    shown = [one for one in answer["mechanisms"] if one["mechanism"] in found.alike]
    parts = [
        report.first([best.misfit.sentence(best.mechanism), found.sentence()]),
        *(_mechanism(one) for one in shown),
        *drawn,
        report.section("Noise", report.noise(answer["noise"], best.data.concentration_unit)),
        report.section("Criteria", report.criteria(answer["mechanisms"])),
        _remarks([*answer["remarks"], left_out]),
    ]
    write_text(path, report.page(title, parts))
    return left_out


def write_answer(path: Path, found: Answer, answer: dict[str, Any], *, title: str) -> str:
    """Write the report of a classification; return what is to be said of it.

    Parameters
    ----------
    path
        Of the file.
    found, answer
        What was found, and what ``--json`` prints of it.
    title
        Of the report.
    """
    from kinetlib.answers import sentences
    from kinetlib.cli import _report as report
    from kinetlib.records.files import write_text

    best = found.mechanisms[0].fit
    drawn, left_out = _figures(best, answer["runs"]) if best else ([], "")
    unit = best.data.concentration_unit if best else ""
    parts = [
        report.first(sentences(found)),
        report.section("Mechanisms", report.weighed(answer)),
        _mechanism(answer["mechanisms"][0]),
        *drawn,
        report.section("Noise", report.noise(answer["noise"], unit)),
        report.section("Criteria", report.criteria(answer["mechanisms"])),
        _remarks([*answer["remarks"], left_out]),
    ]
    write_text(path, report.page(title, parts))
    return left_out


def _figures(best: Fit, runs: list[str]) -> tuple[list[str], str]:
    """Draw the runs and the profiles of a fit; say what was left out."""
    from kinetlib.cli import _drawn
    from kinetlib.cli import _report as report

    drawn, left_out = _drawn.runs_as_svg(best)
    sections = [
        report.section(
            f"Runs, as {best.mechanism} fits them",
            report.paragraph(
                f"Runs: {', '.join(runs)}. Points are readings, lines the best fit; in the band "
                "95 % of readings are expected. Below, what the fit leaves, in standard deviations "
                "of the noise."
            ),
            report.figures(drawn),
        ),
        report.section(
            f"Profiles of {best.mechanism}",
            report.paragraph(
                "How much worse the best fit becomes where one quantity is held. Below the dashed "
                "line lies its 95 % interval by the likelihood alone."
            ),
            report.figures(_drawn.profiles_as_svg(best)),
        ),
    ]
    return sections, left_out


def _remarks(lines: list[str]) -> str:
    from kinetlib.cli import _report as report

    return report.section("What was read and assumed", report.listed([x for x in lines if x]))


def _mechanism(one: dict[str, Any]) -> str:
    """Lay out the reactions and constants of a mechanism, as ``--json`` prints them."""
    from kinetlib.cli import _report as report

    return report.section(
        f"Mechanism {one['mechanism']}",
        report.written("\n".join(one["reactions"])),
        report.constants("Rate constants", one["constants"], one["combinations"]),
        report.constants("Also fitted", one["others"]),
    )
