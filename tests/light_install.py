"""What a chemist installs, tried without anything else: ``python tests/light_install.py``.

Run it with a Python that has the package without extras, on any system. It integrates the whole
catalogue and compares the bits with those of every other machine, and asks for the mechanism of a
reaction through the command. Where there is no compiler, that is WebAssembly.
"""

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from kinetlib.kinetics import catalogue, integrate, sensitivities, simulate

#: Of all values, tangents and numbers of steps below, on every machine and in every home.
BITS = "2dbe3a16fe8997c1a967221e58599042fc409dd9fc16cdd4fc32aa007eb324b6"
TIMES = np.arange(33) / 4.0
RUNS = {"standard": 0.05, "less": 0.02, "more": 0.1}


def bits() -> str:
    """Integrate every mechanism over nine decades of constants; a digest of all that comes out."""
    digest = hashlib.sha256()
    for mechanism in catalogue().values():
        network, rng = mechanism.network, np.random.default_rng(16)
        n = (64, len(network.constants))
        # No power and no logarithm: those differ from one mathematical library to another.
        constants = np.ldexp(1.0 + rng.random(n), rng.integers(-15, 15, n))
        initial = rng.random((64, len(network.species)))
        values = integrate(network, constants, initial, TIMES, threads=2)
        tangents = sensitivities(network, constants[:8], initial[:8], TIMES)
        for array in (*vars(values).values(), tangents.log_constants):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def answer(folder: Path) -> dict:
    """Write runs of M1 as a file, and ask the command for their mechanism."""
    lines = ["run,time,S,P,cat"]
    constants = {"k1": 50, "k-1": 1, "k2": 20, "k-2": 0.1}
    for name, loading in RUNS.items():
        times = TIMES * (0.01 / loading)  # to some nine tenths of the conversion
        found = simulate("M1", constants, {"S": 1, "cat": loading}, times)
        curves = found.concentration.squeeze(drop=True)
        for time, s, p in zip(
            times, curves.sel(species="S").values, curves.sel(species="P").values, strict=True
        ):
            lines.append(f"{name},{time:.6f},{s:.6f},{p:.6f},{loading}")
    file = folder / "runs of M1.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    columns = ["--substrate", "S", "--product", "P", "--catalyst", "cat", "--json"]
    command = [sys.executable, "-m", "kinetlib.cli", "classify", str(file), "--quick", *columns]
    done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    return json.loads(done.stdout)


def main() -> None:
    """Check both."""
    found = bits()
    assert found == BITS, f"other bits than elsewhere: {found}"
    with tempfile.TemporaryDirectory(prefix="a folder with spaces ") as folder:
        said = answer(Path(folder))
    probabilities = said["probabilities"]
    assert max(probabilities, key=probabilities.get) == "M1", probabilities
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib"} & set(sys.modules)
    assert not heavy, f"loaded {heavy}"
    print(f"same bits as everywhere, M1 named with {100 * probabilities['M1']:.1f} %")


if __name__ == "__main__":
    main()
