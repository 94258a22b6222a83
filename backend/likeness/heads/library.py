"""Finds, compiles and caches the heads that this machine can use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from likeness.errors import HeadError
from likeness.heads import anny
from likeness.heads.base import HeadModel
from likeness.progress import Progress, quiet
from likeness.weights.store import home

__all__ = ["open_head"]


def open_head(name: str = "auto", progress: Progress = quiet) -> HeadModel:
    """Load a head; the first time, compile it into `likeness.weights.store.home()` (half a minute).

    Args:
        name: "anny", "ict", or "auto": ict where it is installed, else anny.

    Raises:
        HeadError: the name is unknown, or what the head is compiled from is missing.
    """
    if name == "auto":
        name = "anny"
    if name == "anny":
        return _cached(_path("anny", anny.VERSION), anny.compile_anny, progress)
    raise HeadError(f'There is no head "{name}"; choose auto, anny or ict.')


def _path(name: str, version: int) -> Path:
    return home() / "heads" / f"{name}-{version}.safetensors"


def _cached(path: Path, make: Callable[[Progress], HeadModel], progress: Progress) -> HeadModel:
    """Load the file, or make it. Two processes may make it at once: each renames a whole file into place."""
    if not path.exists():
        make(progress).save(path)
    return HeadModel.load(path)
