"""Build the integrators that the package ships: ``python -m kinetlib.kinetics.ship``."""

from __future__ import annotations

from pathlib import Path

from kinetlib.kinetics import wasm
from kinetlib.kinetics.mechanisms import catalogue
from kinetlib.kinetics.native_source import tangent_source


def ship(folder: Path) -> list[Path]:
    """Build the modules of the catalogue in a folder, and remove all others there."""
    folder.mkdir(exist_ok=True)
    codes = [tangent_source(mechanism.network) for mechanism in catalogue().values()]
    paths = [folder / wasm.name(code) for code in codes]
    for path, code in zip(paths, codes, strict=True):
        path.write_bytes(wasm.build(code))
    for path in set(folder.glob("*.wasm")) - set(paths):
        path.unlink()
    return paths


if __name__ == "__main__":
    for _path in ship(Path(__file__).with_name(wasm.SHIPPED)):
        print(f"{_path.name}: {_path.stat().st_size / 1000:.0f} kB")
