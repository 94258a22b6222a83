"""Finds the faces of a photo: from the quick look to the thorough one, until a face is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from likeness.errors import FaceError
from likeness.faces.crop import Window
from likeness.faces.detect import Candidate, Detector, detect, merged, whole
from likeness.faces.face import Face
from likeness.faces.mesh import landmarks_in
from likeness.faces.pose import head_angles
from likeness.photos import Photo

__all__ = ["find", "find_all"]

PRESENCE = 0.5
"""Score of the landmark network below which it sees no face."""

SMALLEST = 48
"""Pixels that a face must be high or wide for a head to be made of it."""


def find(photo: Photo, index: int | None = None) -> Face:
    """The face of a photo: the largest, or the one asked for.

    Args:
        photo: as loaded.
        index: place among the photo's faces, 0 is the largest.

    Raises:
        FaceError: no face, too small, turned too far away, or fewer faces than asked for.
        WeightsError: the networks cannot be fetched or read.
    """
    faces = find_all(photo) if index is not None else _first(photo)
    name = photo.path.name
    if not faces:
        raise FaceError(_nothing(photo, name))
    if index is not None and not 0 <= index < len(faces):
        known = "one face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceError(f"{name} shows {known}, so choose a number from 0 (the largest) to {len(faces) - 1}.")
    face = faces[index or 0]
    width, height = face.box[2:] - face.box[:2]
    if max(width, height) < SMALLEST:
        raise FaceError(
            f"The face in {name} is only {max(width, height):.0f} pixels high; "
            f"use a picture where it has at least {SMALLEST}, better 300."
        )
    return face


def find_all(photo: Photo) -> list[Face]:
    """Every face of a photo, largest first; an empty list when there is none.

    Raises:
        WeightsError: the networks cannot be fetched or read.
    """
    candidates = [c for window, detector in _upright(photo) for c in detect(photo.pixels, window, detector, 0.5)]
    return _faces(photo, candidates) or _first(photo)


def _first(photo: Photo) -> list[Face]:
    """The faces of the first look that shows any."""
    for window, detector in _looks(photo):
        faces = _faces(photo, detect(photo.pixels, window, detector, 0.5))
        if faces:
            return faces
    return []


def _upright(photo: Photo) -> Iterator[tuple[Window, Detector]]:
    window = whole(photo.width, photo.height)
    yield window, "short_range"
    yield window, "full_range"
    yield from ((tile, "full_range") for tile in _tiles(photo))


def _looks(photo: Photo) -> Iterator[tuple[Window, Detector]]:
    yield from _upright(photo)
    for turns in (1, 3, 2):
        window = whole(photo.width, photo.height, turns)
        yield window, "short_range"
        yield window, "full_range"


def _tiles(photo: Photo) -> Iterator[Window]:
    """Overlapping windows for faces that are small in a big photo."""
    side = max(photo.width, photo.height) / 2
    while side > 480:
        counts = [int(np.ceil(2 * n / side - 1e-6)) - 1 if n > side else 1 for n in (photo.width, photo.height)]
        for y in _spread(photo.height, side, counts[1]):
            for x in _spread(photo.width, side, counts[0]):
                yield Window(x, y, side, 0.0)
        side /= 2


def _spread(length: float, side: float, count: int) -> list[float]:
    """Centres of `count` windows that cover a length."""
    if count <= 1:
        return [length / 2]
    return [side / 2 + i * (length - side) / (count - 1) for i in range(count)]


def _faces(photo: Photo, candidates: list[Candidate]) -> list[Face]:
    if not candidates:
        return []
    kept = merged(np.array([c.box for c in candidates]), np.array([c.score for c in candidates]))
    found: list[tuple[NDArray[np.float64], float]] = []
    for i in kept:
        landmarks, score = landmarks_in(photo.pixels, candidates[i].window())
        if score >= PRESENCE:
            found.append((landmarks, score))
    if not found:
        return []
    boxes = np.array([np.concatenate([p[:468, :2].min(axis=0), p[:468, :2].max(axis=0)]) for p, _ in found])
    kept = merged(boxes, np.array([s for _, s in found]))
    kept.sort(key=lambda i: -float(np.prod(boxes[i, 2:] - boxes[i, :2])))
    return [
        Face(photo, place, boxes[i], found[i][0], found[i][1], *head_angles(found[i][0]))
        for place, i in enumerate(kept)
    ]


def _nothing(photo: Photo, name: str) -> str:
    seen = any(detect(photo.pixels, window, detector, 0.6) for window, detector in _looks(photo))
    if seen:
        return f"The face in {name} is turned away too far or covered; use a picture where both eyes can be seen."
    return f"No face was found in {name}; use a photo that shows one from the front."
