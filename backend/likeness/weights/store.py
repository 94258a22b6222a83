"""The weights store: official files go in, checked tensors come out.

What is installed lies in one file per entry, `weights/NAME.safetensors` under `home()`. Its metadata is the manifest:
where the numbers are from (SHA-256 of every source), under which licences, which conversion made them, and a SHA-256 of
each tensor. It is written beside and renamed, under a lock, so that clients see all of an entry or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from likeness import __version__
from likeness.errors import WeightsError
from likeness.progress import Progress, Received, quiet, unheard
from likeness.weights import catalog, leftovers
from likeness.weights.catalog import Entry
from likeness.weights.lock import locked
from likeness.weights.place import home

if TYPE_CHECKING:
    from likeness.weights.gather import Gathered

__all__ = [
    "Builder",
    "Weights",
    "describe",
    "home",
    "install",
    "installed",
    "open_weights",
    "path",
    "remove",
    "stamp",
    "verify",
]

Array = NDArray[Any]
Builder = Callable[[Path | None, Progress], None]

FORMAT = 1
"""Of the manifest."""

builders: dict[str, Builder] = {}
"""Installers of entries that are not a set of official files: likeness.heads.library adds its own."""


def path(name: str) -> Path:
    """Where an entry's tensors lie, installed or not."""
    return home() / "weights" / f"{name}.safetensors"


def installed(name: str) -> bool:
    """Whether an entry is in place; its file is not read."""
    entry = catalog.entry(name)
    if entry.files:
        return path(name).is_file()
    return any(next(home().glob(mark), None) is not None for mark in entry.marks)


def stamp(names: Iterable[str]) -> tuple[tuple[str, float], ...]:
    """Where entries lie and when they were last written: while it stays the same, what was loaded need not be again."""
    files = [path(name) for name in names]
    return tuple((str(file), file.stat().st_mtime if file.is_file() else 0.0) for file in files)


def install(
    name: str,
    source: Path | str | None = None,
    progress: Progress = quiet,
    *,
    accept_licence: bool = False,
    received: Received = unheard,
    again: bool = True,
) -> Path | None:
    """Put an entry in place, whole or not at all; what was installed under the name is replaced.

    Args:
        name: of the catalogue.
        source: a file, folder or archive with the official files, or an address of one; None to have them fetched.
        progress: may raise to stop; a download goes on where it stopped at the next call.
        accept_licence: the user agrees to terms that are not free; needed only where something is fetched.
        received: is told how many bytes of a download have arrived.
        again: False leaves alone what is installed, also what another process installs just now.

    Returns:
        The installed file, or None for what a builder keeps in places of its own.

    Raises:
        WeightsError: the name is unknown, the files are missing, damaged, refused or of another edition, the network
            fails, or the folder cannot be written.
    """
    entry = catalog.entry(name)
    if name in builders:
        if isinstance(source, str):
            raise WeightsError(f"{entry.title} is not installed from an address: {entry.how}.")
        builders[name](source, progress)
        return None
    from likeness.weights.gather import gather  # with what it needs of the network and of archives

    target = path(name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_suffix(".lock"), waiting=_waiting(entry, progress)):
            if target.is_file() and not again:
                return target
            leftovers.clear(target.parent, name)
            with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{name}.", ignore_cleanup_errors=True) as work:
                kept = leftovers.downloads(target.parent, name)
                found = gather(entry, source, Path(work), kept, accept_licence, progress, received)
                _convert(entry, found, Path(work) / target.name, progress)
                (Path(work) / target.name).replace(target)
                shutil.rmtree(kept, ignore_errors=True)
    except OSError as error:
        raise WeightsError(
            f"{entry.title} cannot be stored in {target.parent} ({error.strerror or error}); "
            "free some space, or set LIKENESS_HOME to a folder you can write."
        ) from error
    for note in found.notes:
        progress("note", 1.0, f"{entry.title}: {note}")
    progress("weights", 1.0, f"{entry.title} is installed")
    return target


def remove(name: str) -> bool:
    """Delete an entry's files; False where there were none. Raises WeightsError."""
    entry = catalog.entry(name)
    gone = False
    try:
        if not entry.files:
            for mark in (*entry.marks, *entry.leftovers):
                for file in list(home().glob(mark)):
                    file.unlink()
                    gone = True
            return gone
        target = path(name)
        if not target.parent.is_dir():
            return False
        with locked(target.with_suffix(".lock")):
            shutil.rmtree(leftovers.downloads(target.parent, name), ignore_errors=True)
            gone = target.exists()
            target.unlink(missing_ok=True)
    except OSError as error:
        raise WeightsError(f"{entry.title} cannot be removed ({error.strerror or error}); is it in use?") from error
    return gone


def verify(name: str) -> list[str]:
    """What is wrong with an installed entry, as sentences; empty when every tensor is as it was installed.

    Raises:
        WeightsError: it is not installed, or its file cannot be read at all.
    """
    entry = catalog.entry(name)
    if not entry.files:
        return [] if installed(name) else [f"{entry.title} is not installed"]
    weights = open_weights(name)
    sums = weights.manifest["tensors"]
    wrong = [f"{tensor} is missing" for tensor in sums if tensor not in weights.names()]
    return wrong + [
        f"{tensor} is not as it was installed"
        for tensor in weights.names()
        if _sum(weights.tensor(tensor)) != sums.get(tensor)
    ]


class Weights:
    """An installed entry, open; tensors are read when they are asked for.

    Attributes:
        manifest: format, name, title, edition, licences, sources (id, name, sha256), tensors (sha256), notes, …
    """

    def __init__(self, file: Path, manifest: dict[str, Any], names: list[str]) -> None:
        self._file = file
        self.manifest = manifest
        self._names = names

    @property
    def edition(self) -> str:
        """Which release of the weights or model this is."""
        return str(self.manifest["edition"])

    @property
    def sources(self) -> dict[str, str]:
        """SHA-256 of the official files, by their names."""
        return {source["name"]: source["sha256"] for source in self.manifest["sources"]}

    def names(self, beginning: str = "") -> list[str]:
        """Names of the tensors ("model/v_template") that begin so."""
        return [name for name in self._names if name.startswith(beginning)]

    def tensor(self, name: str) -> Array:
        """One tensor; raises WeightsError where there is none of that name."""
        return self._read([name])[name]

    def tensors(self, beginning: str = "") -> dict[str, Array]:
        """All tensors whose names begin so, by the rest of their names."""
        names = self.names(beginning)
        return {name.removeprefix(beginning): value for name, value in self._read(names).items()}

    def _read(self, names: list[str]) -> dict[str, Array]:
        unknown = [name for name in names if name not in self._names]
        if unknown:
            raise WeightsError(
                f"{self.manifest['title']} as installed lacks {unknown[0]}; install it again with the file that has it."
            )
        try:
            with safe_open(self._file, "numpy") as opened:
                return {name: opened.get_tensor(name) for name in names}
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{self._file} is damaged ({error}); install it again.") from error


def open_weights(name: str) -> Weights:
    """An installed entry.

    Raises:
        WeightsError: it is not installed (the sentence says how to), damaged, or of a newer version of the program.
    """
    entry = catalog.entry(name)
    file = path(name)
    if not file.is_file():
        raise WeightsError(
            f"{entry.title} is not installed ({entry.strictest}): {entry.how} (likeness weights install {name}; "
            f"{entry.url})."
        )
    try:
        with safe_open(file, "numpy") as opened:
            manifest = json.loads(opened.metadata()["likeness"])
            names = list(opened.keys())
        if manifest["format"] > FORMAT:
            raise WeightsError(f"{entry.title} was installed by a newer version of Likeness; update, or install again.")
        return Weights(file, manifest, names)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{file} is damaged ({error}); run likeness weights install {name} again.") from error


def describe() -> list[dict[str, Any]]:
    """Every entry of the catalogue as plain data: name, title, installed, licence (strictest first), url, files, …"""
    return [_describe(entry) for entry in catalog.load().values()]


def _describe(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "kind": entry.kind,
        "edition": entry.edition,
        "used_by": list(entry.used_by),
        "installed": installed(entry.name),
        "licence": entry.strictest,
        "licences": {"code": entry.licence.code, "weights": entry.licence.weights, "model": entry.licence.model},
        "consent": entry.consent,
        "url": entry.url,
        "obtain": entry.obtain,
        "how": entry.how,
        "fetchable": entry.fetchable,
        "hosts": entry.hosts,
        "kept": leftovers.kept(path(entry.name).parent, entry.name),
        "files": [
            {"name": file.name, "size": file.size or None, "optional": file.optional, "url": file.url}
            for file in entry.files
        ],
    }


def _waiting(entry: Entry, progress: Progress) -> Callable[[], None]:
    return lambda: progress("weights", 0.0, f"Another process is installing {entry.title}; waiting for it")


def _convert(entry: Entry, found: Gathered, target: Path, progress: Progress) -> None:
    from likeness.weights import convert  # brings all readers along

    tensors: dict[str, Array] = {}
    for file in entry.files:
        if file.id in found.paths and file.format != "beside":
            progress("weights", 0.5, f"Converting {file.name}")
            tensors |= dict(convert.plain_order(convert.convert(found.paths[file.id], file)))
    manifest = {
        "format": FORMAT,
        "conversion": convert.VERSION,
        "likeness": __version__,
        "name": entry.name,
        "title": entry.title,
        "edition": entry.edition,
        "licences": {"code": entry.licence.code, "weights": entry.licence.weights, "model": entry.licence.model},
        "url": entry.url,
        "installed": datetime.now(UTC).isoformat(timespec="seconds"),
        "sources": [
            {"id": file.id, "name": file.name, "sha256": found.hashes[file.id]}
            for file in entry.files
            if file.id in found.hashes
        ],
        "notes": found.notes,
        "tensors": {name: _sum(value) for name, value in tensors.items()},
    }
    save_file(tensors, target, {"likeness": json.dumps(manifest)})
    with target.open("rb+") as written:
        os.fsync(written.fileno())


def _sum(value: Array) -> str:
    head = f"{value.dtype.str}{value.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(value).tobytes()).hexdigest()
