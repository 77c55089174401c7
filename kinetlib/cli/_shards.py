"""``kinetlib shards``: some shards of the dataset, for a machine that makes only these."""

from __future__ import annotations

import click

from kinetlib.cli import _options

CHAPTER = "03_dataset_generation"


@click.command("shards")
@_options.profile
@_options.overrides
@click.option("--split", required=True, help="train, validation or test.")
@click.option("--first", type=int, default=0, show_default=True, help="Number of the first shard.")
@click.option("--count", type=int, help="How many shards; all from the first on if not given.")
@click.option("--threads", type=click.IntRange(1), help="Threads; one a processor if not given.")
def command(
    profile: str,
    overrides: dict[str, str],
    split: str,
    first: int,
    count: int | None,
    threads: int | None,
) -> None:
    """Make some shards of chapter 03's dataset, and nothing else.

    They are the files that `kinetlib run 03` makes with the same profile and the same -p, which
    then finds them made. Shards that are there already are left alone.
    """
    from rich.console import Console

    from kinetlib.chapters.profiles import Run, load
    from kinetlib.records import repository

    parameters = load(profile).parameters(Run(CHAPTER), overrides)
    numbers = _numbers(parameters.shards, split, first, count)

    from kinetlib.runs import shards  # takes a second to import, which no mistake should wait for

    console = Console(stderr=True, highlight=False)
    place = shards.make(
        repository.root() / parameters.results / "dataset",
        parameters.plans()[split],
        numbers,
        threads=threads,
        progress=lambda done, total: console.print(f"{split}: shard {done} of {total}"),
    )
    click.echo(f"{split}: shards {numbers[0]} to {numbers[-1]}, {repository.relative(place)}")


def _numbers(available: dict[str, int], split: str, first: int, count: int | None) -> range:
    """Return the numbers asked for, all of them within the split."""
    if split not in available:
        raise ValueError(f"unknown split {split!r}: expected one of {', '.join(available)}")
    n = available[split]
    end = n if count is None else first + count
    if not 0 <= first < end <= n:
        raise ValueError(
            f"{split} has shards 0 to {n - 1} ({split}_shards is {n}), got --first {first}"
            + ("" if count is None else f" --count {count}")
        )
    return range(first, end)
