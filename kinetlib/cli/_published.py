"""``kinetlib published``: datasets of others in, ours out, in the layout of the published data."""

from __future__ import annotations

from pathlib import Path

import click


@click.group()
def published() -> None:
    """Exchange datasets in the layout of Burés and Larrosa (2023): nine pickles of arrays."""


@published.command()
@click.argument("source", type=click.Path(exists=True))
@click.option("--to", "folder", required=True, help="Folder of the dataset to make.")
@click.option("--points", default=6, show_default=True, help="Test set: points beside t = 0.")
@click.option("--noise", default=0.0, show_default=True, help="Test set: noise in percent.")
@click.option("--stem", help="Last part of the files' names, if there are several.")
def read(source: str, folder: str, points: int, noise: float, stem: str | None) -> None:
    """Write the splits in SOURCE, a folder or a file, as shards that the chapters read.

    Nothing in the files is run: only arrays are taken from them, one mechanism at a time.
    """
    from kinetlib.runs import published

    splits = published.read(source, stem=stem)
    chosen = {"test": {"points": points, "noise": noise}}
    # What would stop the last split is said before the first is converted.
    for name, split in splits.items():
        split.variant(**chosen.get(name, {}))
        if (Path(folder) / name).exists():
            raise ValueError(f"{Path(folder) / name} is there already: give another folder")
    for name, split in splits.items():
        place = published.to_shards(
            split,
            folder,
            **chosen.get(name, {}),
            progress=lambda done, total, name=name: click.echo(
                f"{name}: {done} of {total} mechanisms", err=True
            ),
        )
        click.echo(f"{name}: {len(split):,} samples, {place}")


@published.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False))
@click.option("--to", "folder", required=True, help="Folder for the files.")
@click.option(
    "--points", multiple=True, type=int, help="Test set: points beside t = 0 [default: all]"
)
@click.option(
    "--noise",
    multiple=True,
    type=float,
    default=(0, 1, 5),
    show_default=True,
    help="Test set: noise in percent.",
)
@click.option("--seed", default=0, show_default=True, help="Of the test set's points and noise.")
@click.option("--single", is_flag=True, help="Single precision, half the size.")
def write(
    source: str,
    folder: str,
    points: tuple[int, ...],
    noise: tuple[float, ...],
    seed: int,
    single: bool,
) -> None:
    """Write the dataset in SOURCE (such as results/laptop/dataset) as pickles for others' code.

    --points and --noise can be given several times; every combination is written.
    """
    from kinetlib.runs import dataset, published

    found = [
        name for name in ("train", "validation", "test") if dataset.shards(Path(source) / name)
    ]
    if not found:
        raise ValueError(
            f"{source}: no shards in train, validation or test; give the folder of a dataset, "
            "such as results/laptop/dataset"
        )
    files = published.write(
        folder,
        **{name: dataset.open_shards(Path(source) / name) for name in found},
        points=points or None,
        noise=noise,
        seed=seed,
        dtype="float32" if single else "float64",
    )
    for path in files:
        click.echo(f"{path.stat().st_size / 1e6:,.1f} MB  {path}")
