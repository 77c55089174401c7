"""``kinetlib book``: render the executed chapters."""

from __future__ import annotations

import click


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
