"""Several methods on the same photos: their heads side by side, and how far they are from one of them.

The distances are measured by the add-on (`blender_addon/scene/compare.py`), as the NoW benchmark does: heads at rest,
aligned with scale, over the face of the reference.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from likeness import package, pipeline
from likeness.blend import run_job
from likeness.errors import FaceError, LikenessError, MethodError, PhotoError
from likeness.methods.base import Settings
from likeness.methods.registry import find_method, list_methods, missing, status
from likeness.photos import Photo, load_photos
from likeness.progress import Progress, quiet
from likeness.rig import rig

__all__ = ["Entry", "Skipped", "compare", "compare_in_blender", "ready_methods", "run_methods"]

HEIGHT = 900
"""Of the sheet, pixels."""
REFERENCE = "reference"


@dataclass(frozen=True)
class Entry:
    """A head of a comparison: its name, the method that made it, and its package."""

    title: str
    method: str
    package: Path


@dataclass(frozen=True)
class Skipped:
    """A method that made no head, and why: a sentence."""

    method: str
    reason: str


def ready_methods() -> list[str]:
    """The methods that lack nothing, in the order they are shown."""
    return [method.name for method in list_methods() if not missing(method)]


def compare(
    sources: Sequence[Path],
    folder: Path,
    methods: Sequence[str] = (),
    settings: Settings | None = None,
    *,
    reference: str | Path | None = None,
    face: int | None = None,
    samples: int = 48,
    blender: Path | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Run methods on photos of one person, and write what became of it into a folder.

    Args:
        sources: the photos.
        folder: gets METHOD.likeness for each, compare.blend, compare.png and compare.json; must not exist, and
            appears once everything is complete.
        methods: by name; all that are ready when empty. What lacks weights is skipped, and named.
        settings: head model, texture size, seed.
        reference: the method whose head the others are measured against, or a mesh of the person's face, which is
            rigged first; the first that made a head when left out.
        face: which face of each photo, counted from the largest.
        samples: of Cycles for the sheet.
        blender: the program; see `likeness.blend.blend`.
        progress: hears of every stage and may raise `Cancelled`.

    Returns:
        What compare.json holds.

    Raises:
        LikenessError: a sentence that says what to do; also where fewer than two heads are left to compare.
    """
    settings = settings or Settings()
    names = list(dict.fromkeys(methods or ready_methods()))
    for name in names:
        find_method(name)  # a name that is none is told before any work
    if isinstance(reference, str) and reference not in names:
        raise MethodError(f"The reference {reference!r} is not among the methods that are compared; add it to them.")
    photos = load_photos(sources)
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        entries, skipped = run_methods(photos, names, settings, room, face=face, progress=progress)
        place = 0
        if isinstance(reference, Path):
            entries.insert(0, _rigged(reference, settings, room, progress))
        elif reference is not None:
            titles = [entry.title for entry in entries]
            if reference not in titles:
                why = next(s.reason for s in skipped if s.method == reference)
                raise MethodError(f"The reference {reference} made no head: {why}")
            place = titles.index(reference)
        told = compare_in_blender(entries, place, room, samples=samples, blender=blender, progress=progress)
        told |= {
            "photos": [photo.path.name for photo in photos],
            "skipped": [{"method": s.method, "reason": s.reason} for s in skipped],
        }
        (room / "compare.json").write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        room.chmod(0o755)
        room.replace(folder)
    finally:
        shutil.rmtree(room, ignore_errors=True)
    return told


def run_methods(
    photos: Sequence[Photo],
    names: Sequence[str],
    settings: Settings,
    folder: Path,
    *,
    face: int | None = None,
    progress: Progress = quiet,
) -> tuple[list[Entry], list[Skipped]]:
    """The packages of those methods that made a head, in the order given, and why the others made none."""
    entries: list[Entry] = []
    skipped: list[Skipped] = []
    stem = photos[0].path.stem
    for name in names:
        method = find_method(name)
        why = "" if not missing(method) else f"It {status(method)}."
        if not why:
            progress("compare", 0.0, f"{name}: {method.title}")
            try:
                one = photos[:1] if method.inputs == "one photo" else photos
                avatar = pipeline.reconstruct(one, name, settings, name=f"{stem} {name}", face=face, progress=progress)
            except (FaceError, PhotoError):
                raise
            except LikenessError as error:
                why = str(error)
        if why:
            skipped.append(Skipped(name, why))
            progress("note", 0.0, f"{name} is left out: {why}")
            continue
        entries.append(Entry(name, name, package.save(avatar, folder / f"{name}.likeness")))
    return entries, skipped


def _rigged(mesh: Path, settings: Settings, folder: Path, progress: Progress) -> Entry:
    """The mesh of a face as the head that others are measured against."""
    avatar = rig(mesh, settings, name=f"{mesh.stem} {REFERENCE}", neutral=True, progress=progress)
    avatar = replace(avatar, views=())
    return Entry(mesh.stem, "rig", package.save(avatar, folder / f"{REFERENCE}.likeness"))


def compare_in_blender(
    entries: Sequence[Entry],
    reference: int,
    folder: Path,
    *,
    samples: int = 48,
    blender: Path | None = None,
    progress: Progress = quiet,
) -> dict[str, Any]:
    """Measure heads against one of them; writes compare.blend and compare.png into a folder.

    Returns:
        {"reference", "colours_end_mm", "heads": [{"title", "method", "package", "head", "licences", and the distances
        in mm: median_mm, mean_mm, std_mm, p90_mm, and the scale it was enlarged by; none for the reference}]}

    Raises:
        MethodError: fewer than two heads; PackageError, OutputError: as `likeness.blend.blend`.
    """
    if len(entries) < 2:
        sentence = "Fewer than two methods made a head, so there is nothing to compare; likeness methods says what they"
        raise MethodError(f"{sentence} need.")
    result = folder / ".result.json"
    job = {
        "packages": [str(entry.package.absolute()) for entry in entries],
        "titles": [entry.title for entry in entries],
        "reference": reference,
        "result": str(result.absolute()),
        "blend": str((folder / "compare.blend").absolute()),
        "sheet": str((folder / "compare.png").absolute()),
        "height": HEIGHT,
        "samples": samples,
    }
    run_job({"compare": job}, blender=blender, progress=progress)
    measured = json.loads(result.read_text(encoding="utf-8"))
    result.unlink()
    heads = []
    for entry, numbers in zip(entries, measured["heads"], strict=True):
        avatar = package.load(entry.package)
        about = {"title": entry.title, "method": entry.method, "package": entry.package.name, "head": avatar.head}
        heads.append(about | {"licences": avatar.provenance["licences"]} | (numbers or {}))
    return {
        "reference": entries[reference].title,
        "aligned": "similarity with the smallest sum of squared distances over the reference's face; heads at rest",
        "colours_end_mm": measured["colours_end_mm"],
        "heads": heads,
    }
