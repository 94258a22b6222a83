"""What an install that was broken off leaves: half-made files to be removed, and downloads to go on with.

Costs nothing to import: the service asks as well.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path

from likeness.errors import WeightsError
from likeness.weights.lock import locked

__all__ = ["clear", "downloads", "kept", "sweep"]


def downloads(folder: Path, name: str) -> Path:
    """Where what was fetched for an entry is kept until it is installed; ``folder`` is the store's."""
    return folder / ".downloads" / name


def kept(folder: Path, name: str) -> int:
    """Bytes that were fetched for an entry and wait for the rest, 0 where there are none."""
    total = 0
    with suppress(OSError):  # it may be installed at this very moment
        for file in downloads(folder, name).iterdir():
            total += 0 if file.suffix == ".json" else file.stat().st_size
    return total


def clear(folder: Path, name: str) -> None:
    """Remove what a process that was killed had begun to make of an entry; its lock must be held."""
    for left in folder.glob(f".{name}.*"):
        shutil.rmtree(left, ignore_errors=True)


def sweep(folder: Path) -> None:
    """The same for all entries that nobody is busy with."""
    with suppress(OSError):
        for name in {path.name.split(".")[1] for path in folder.glob(".*.*") if path.is_dir()}:
            with suppress(WeightsError), locked(folder / f"{name}.lock", patience=0.0):
                clear(folder, name)
