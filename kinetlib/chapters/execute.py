"""Run a chapter: validated parameters in, one executed notebook out.

The work is papermill's. Added here are the check of the parameters before anything starts, an
executed notebook that appears whole or not at all, what the page shows of the parameters, and a
record of the run in the notebook's metadata.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinetlib.chapters.failed import ChapterFailed
from kinetlib.chapters.profiles import Profile, Run, find_chapter, load
from kinetlib.records import provenance, quiet, repository

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config

# Cells that papermill puts into the executed notebook.
_ADDED = {"injected-parameters", "papermill-error-cell-tag"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


def run(
    chapter: str,
    profile: Profile | str | Path = "laptop",
    overrides: Mapping[str, Any] | None = None,
    variant: str | None = None,
) -> Path:
    """Execute one chapter.

    Parameters
    ----------
    chapter : str
        Name of the chapter or its beginning, such as ``03``.
    profile : Profile, str or path
        Where values come from that `overrides` does not give.
    overrides : mapping of str to object, optional
        Values for this run, text or typed; ``results`` moves all that the run reads and writes.
    variant : str, optional
        Which variant, for a chapter that has several.

    Returns
    -------
    Path
        The executed notebook, ``<results>/chapters/<chapter>[-<variant>].ipynb``.

    Raises
    ------
    ValueError
        For an unknown chapter, variant or parameter, or a wrong value, before anything runs.
    ChapterFailed
        If a cell raises; what ran is kept as ``<chapter>[-<variant>].failed.ipynb``.
    """
    if not isinstance(profile, Profile):
        profile = load(profile)
    execution = Run(find_chapter(chapter), variant)
    parameters = profile.parameters(execution, overrides).model_dump()
    home = repository.root()
    notebook = home / "notebooks" / f"{execution.chapter}.ipynb"
    if not notebook.is_file():
        raise ValueError(f"there is no notebook {repository.relative(notebook)}")

    results = home / parameters["results"]
    target = results / "chapters" / f"{execution.name}.ipynb"
    partial, failed = (target.with_suffix(f".{end}.ipynb") for end in ("partial", "failed"))
    target.parent.mkdir(parents=True, exist_ok=True)
    record = {
        "chapter": execution.chapter,
        "variant": variant,
        "profile": profile.name,
        "parameters": parameters,
        "commit": repository.commit(),
        "versions": provenance.versions(),
    }
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    try:
        with _log_to(results / "logs" / f"{execution.name}.log"):
            seconds = _execute(notebook, partial, parameters, home)
        _finish(partial, notebook, target, {**record, "seconds": seconds})
        os.replace(partial, target)
    except (PapermillExecutionError, DeadKernelError) as error:
        _finish(partial, notebook, failed, record)
        os.replace(partial, failed)
        raise ChapterFailed(_failure(execution, failed)) from error
    finally:
        partial.unlink(missing_ok=True)
    failed.unlink(missing_ok=True)
    return target


def runs(
    chapter: str,
    profile: Profile,
    overrides: Mapping[str, Any] | None = None,
    variant: str | None = None,
) -> list[Run]:
    """List what ``kinetlib run CHAPTER`` executes: all variants, unless the call picks one.

    An override of the parameter that tells variants apart (``network``) picks the variant that has
    this value.

    Raises
    ------
    ValueError
        If there is no such chapter, or no variant with the value asked for.
    """
    chapter = find_chapter(chapter)
    if variant is not None:
        return [Run(chapter, variant)]
    chosen = (overrides or {}).get("network")
    variants = profile.variants(chapter)
    if chosen is None or not variants:
        return profile.runs(chapter)
    fitting = [Run(chapter, name) for name, own in variants.items() if own.network == chosen]
    if not fitting:
        raise ValueError(
            f"profile {profile.name}: no variant of {chapter} has network {chosen!r}; valid: "
            + ", ".join(own.network for own in variants.values())
        )
    return fitting


def _execute(notebook: Path, output: Path, parameters: Mapping[str, Any], home: Path) -> float:
    """Run a notebook with papermill from the repository root; returns the seconds it took."""
    import papermill

    quiet.set_environment()
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="kinetlib-") as sockets:
        papermill.execute_notebook(
            notebook,
            output,
            parameters=parameters,
            kernel_name="python3",
            cwd=home,
            progress_bar=False,
            log_output=True,
            config=_kernel_config(Path(sockets)),
            # The kernel app reports the interrupt that ends every kernel as an error.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    return round(time.perf_counter() - begin, 1)


def _kernel_config(folder: Path) -> Config:
    """Let kernel and runner talk through files: no open port, no race for port numbers."""
    from traitlets.config import Config

    config = Config()
    config.KernelManager.transport = "ipc"
    config.KernelManager.ip = str(folder / "kernel")
    config.KernelManager.connection_file = str(folder / "kernel.json")
    return config


@contextmanager
def _log_to(path: Path) -> Iterator[None]:
    """Write what papermill logs, and with it what cells print, to one file and nowhere else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    logger = logging.getLogger("papermill")
    level, propagate = logger.level, logger.propagate
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
        handler.close()


def _finish(path: Path, source: Path, target: Path, record: Mapping[str, Any]) -> None:
    """Turn papermill's output at `path` into the page-ready notebook of the book."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    measured = _measured(notebook)
    notebook.metadata["kinetlib"] = {**record, "peak_memory_mb": measured.get("peak_memory_mb")}
    # papermill notes where files lay on this machine, which is nobody else's concern.
    notebook.metadata.papermill["input_path"] = repository.relative(source)
    notebook.metadata.papermill["output_path"] = repository.relative(target)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            cell["id"] = "parameters-of-this-run"
            _fold(cell, "Parameters of this run")
        elif "parameters" in tags:
            _fold(cell, "Parameters: defaults and meaning")
    nbformat.write(notebook, path)


def _fold(cell: NotebookNode, prompt: str) -> None:
    """Show a cell as one line that unfolds, on the page and in Jupyter."""
    tags = cell.metadata.setdefault("tags", [])
    if "hide-input" not in tags:
        tags.append("hide-input")
    cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
    cell.metadata["jupyter"] = {"source_hidden": True}


def _measured(notebook: NotebookNode) -> Mapping[str, Any]:
    """Return what the notebook's own last cell recorded, nothing if it did not get there."""
    for cell in reversed(notebook.cells):
        for output in cell.get("outputs", []):
            if provenance.RECORD_KEY in output.get("metadata", {}):
                return output.metadata[provenance.RECORD_KEY]
    return {}


def _failure(execution: Run, path: Path) -> str:
    """Say which chapter failed, in which cell of its source, how, and where to look."""
    import nbformat

    cells = [
        cell
        for cell in nbformat.read(path, as_version=4).cells
        if not _ADDED.intersection(cell.metadata.get("tags", []))
    ]
    number = max(
        index for index, cell in enumerate(cells) if cell.metadata.papermill.get("start_time")
    )
    lines = [line for line in cells[number].source.splitlines() if line.strip()]
    errors = [out for out in cells[number].get("outputs", []) if out.output_type == "error"]
    reason = "the kernel died, perhaps for want of memory"
    if errors:
        reason = _ESCAPES.sub("", f"{errors[-1].ename}: {errors[-1].evalue}").strip(": ")
    return (
        f"chapter {execution.name} failed in cell {number + 1} of "
        f"notebooks/{execution.chapter}.ipynb, which begins `{lines[0] if lines else ''}`\n"
        f"  {reason}\n"
        f"  executed notebook: {repository.relative(path)}"
    )
