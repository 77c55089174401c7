"""``kinetlib run``: execute chapters, or list what they can be told; ``kinetlib book``: render."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from kinetlib.cli import _options

if TYPE_CHECKING:
    from kinetlib.chapters.profiles import Profile, Run


@click.command()
@click.argument("chapter", required=False)
@_options.profile
@_options.overrides
@click.option("--variant", help="Run only this variant of a chapter that has several.")
@click.option("--all", "everything", is_flag=True, help="Run all chapters, one after the other.")
@click.option("--list", "listing", is_flag=True, help="Show the chapters and their parameters.")
def run(
    chapter: str | None,
    profile: str,
    overrides: dict[str, str],
    variant: str | None,
    everything: bool,
    listing: bool,
) -> None:
    """Execute CHAPTER (such as 03) with the parameters of a profile.

    Results lie under results/PROFILE; the executed notebook under results/PROFILE/chapters. To keep
    them apart from the book's, give another folder: -p results=results/mine.
    """
    from kinetlib.chapters import execute
    from kinetlib.chapters.profiles import load

    if listing + everything + (chapter is not None) != 1 and not (listing and chapter):
        raise click.UsageError("give one of CHAPTER, --all or --list")
    if everything and (overrides or variant):
        raise click.UsageError("-p and --variant belong to one CHAPTER, not to --all")
    values = load(profile)
    if listing:
        _show(values, chapter)
        return
    planned = values.runs() if everything else execute.runs(chapter, values, overrides, variant)
    for execution in planned:
        values.parameters(execution, overrides)
    for execution in planned:
        _run(execution, values, overrides)


def _run(execution: Run, profile: Profile, overrides: dict[str, Any]) -> None:
    """Execute one notebook and say where it lies."""
    from kinetlib.chapters import execute
    from kinetlib.records import repository

    click.echo(f"{execution.name} ...", err=True)
    begin = time.perf_counter()
    path = execute.run(execution.chapter, profile, overrides, execution.variant)
    seconds = time.perf_counter() - begin
    click.echo(f"{execution.name}: {seconds:.0f} s, {repository.relative(path)}")


def _show(profile: Profile, chapter: str | None) -> None:
    """Print one table a chapter: parameters, types, values in the profile, help."""
    from rich.console import Console
    from rich.table import Table

    from kinetlib.chapters.parameters import expected, type_name
    from kinetlib.chapters.profiles import find_chapter

    console = Console()
    for execution in profile.runs(find_chapter(chapter) if chapter else None):
        parameters = profile.parameters(execution)
        table = Table(title=execution.name, title_justify="left", title_style="bold", expand=True)
        table.add_column("parameter", no_wrap=True)
        table.add_column("type", no_wrap=True)
        table.add_column(f"value in {profile.name}", ratio=2)
        table.add_column("help", ratio=3)
        for name, field in type(parameters).model_fields.items():
            value = str(getattr(parameters, name))
            table.add_row(name, type_name(field), value, f"{field.description} ({expected(field)})")
        console.print(table)
        console.print()


@click.command()
@click.option("--profile", default="laptop", show_default=True, help="Whose results to render.")
def book(profile: str) -> None:
    """Assemble the executed chapters of a profile into the book and render it."""
    from kinetlib.chapters.book import build
    from kinetlib.chapters.profiles import load
    from kinetlib.records import repository

    home = repository.root()
    page = build(home / load(profile).results, home)
    click.echo(f"book: {repository.relative(page)}")
