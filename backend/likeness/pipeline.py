"""The main path on one page: photos -> faces -> reconstruction -> maps -> avatar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from likeness import faces, maps, package, photos
from likeness.assemble import assemble
from likeness.avatar import Avatar
from likeness.errors import PhotoError
from likeness.methods.base import Settings
from likeness.methods.registry import find_method
from likeness.photos import Photo
from likeness.progress import Progress, quiet

__all__ = ["reconstruct", "write"]


def reconstruct(
    sources: Sequence[Path | str | Photo],
    method: str = "open",
    settings: Settings | None = None,
    *,
    name: str | None = None,
    face: int | Sequence[int] | None = None,
    progress: Progress = quiet,
) -> Avatar:
    """Photos of one person to an avatar.

    Args:
        sources: paths or loaded photos, at least one.
        method: name of the method, see `likeness.list_methods`.
        settings: head model, texture size, seed.
        name: of the avatar; the first photo's file name when left out.
        face: which face, counted from the largest (0), of all photos or of each; the largest when left out.
        progress: hears of every stage and may raise `Cancelled`.

    Raises:
        PhotoError, FaceError, WeightsError, HeadError, MethodError: one sentence that says what to do.
    """
    if not sources:
        raise PhotoError("No photo was given; give at least one.")
    which = [face] * len(sources) if face is None or isinstance(face, int) else list(face)
    if len(which) != len(sources):
        raise PhotoError(
            f"Faces were chosen for {len(which)} photos, but {len(sources)} were given; choose one for each."
        )
    settings = settings or Settings()
    chosen = find_method(method)()

    found = []
    for i, source in enumerate(sources):
        progress("faces", i / len(sources), "Looking for the face")
        photo = source if isinstance(source, Photo) else photos.load(Path(source))
        for note in photo.notes:
            progress("note", 0.0, f"{photo.path.name}: {note}")
        found.append(faces.find(photo, which[i]))
    progress("faces", 1.0, f"Found the face in {len(found)} photo{'s' * (len(found) > 1)}")

    reconstruction = chosen.reconstruct(found, settings, progress)
    made = maps.make(reconstruction, settings, progress)
    return assemble(name or found[0].photo.path.stem, reconstruction, made.materials, made.lights)


def write(avatar: Avatar, path: Path, progress: Progress = quiet, *, called: str | None = None) -> Path:
    """Write an avatar as a package, as `likeness.package.save` does, and tell of it as stage "write".

    Messages name the path, or what it is ``called``.
    """
    progress("write", 0.0, f"Writing {called or path}")
    package.save(avatar, path)
    progress("write", 1.0, f"Wrote {called or path}")
    return path
