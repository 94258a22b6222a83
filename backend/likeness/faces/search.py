"""Finds the faces of a photo: from the quick look to the thorough one, until a face is there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from likeness.errors import FaceError
from likeness.faces.crop import Window
from likeness.faces.detect import Candidate, Detector, detect, merged, whole
from likeness.faces.drawn import DRAWN, flat_share
from likeness.faces.face import Face
from likeness.faces.mesh import landmarks_in
from likeness.faces.pose import head_angles
from likeness.photos import Photo

__all__ = ["find", "find_all", "warm"]

PRESENCE = 0.5
"""Score of the landmark network below which it sees no face."""

SURE = 1 - 1e-7
"""Score from which no further look is needed: 1 - 1e-8 or more the right way up, 1 - 1e-6 at most upside down."""

SMALLEST = 48
"""Pixels that a face must be high or wide for a head to be made of it."""

DOUBTFUL = 0.75
"""Score of a detector from which something is a face, even when the landmark network sees none."""

_CLOSE: Detector = "short_range"
_FULL: Detector = "full_range"
_VISIBLE = 0.1  # share of a window that a face fills at least for the full-range detector to see it well


def find(photo: Photo, index: int | None = None) -> Face:
    """The face of a photo: the largest, or the one asked for.

    Args:
        photo: as loaded.
        index: place among the photo's faces, 0 is the largest.

    Raises:
        FaceError: no face, too small, turned too far away, drawn, or fewer faces than asked for.
        WeightsError: the networks cannot be fetched or read.
    """
    name = photo.path.name
    faces = _every(photo) if index is not None else []
    if not faces:
        faces, doubtful = _first(photo)
    if not faces and doubtful:
        raise FaceError(
            f"The face in {name} is turned away too far or covered; use a picture where both eyes can be seen."
        )
    if not faces:
        raise FaceError(f"No face was found in {name}; use a photo that shows one from the front.")
    if index is not None and not 0 <= index < len(faces):
        known = "one face" if len(faces) == 1 else f"{len(faces)} faces"
        raise FaceError(f"{name} shows {known}, so choose a number from 0 (the largest) to {len(faces) - 1}.")
    face = faces[index or 0]
    if _size(face) < SMALLEST:
        raise FaceError(
            f"The face in {name} is only {_size(face):.0f} pixels high; "
            f"use a picture where it has at least {SMALLEST}, better 300."
        )
    if flat_share(photo.pixels, face.landmarks) > DRAWN:
        raise FaceError(
            f"The face in {name} seems to be drawn: its skin is of one flat colour; use a photo of a person."
        )
    return face


def find_all(photo: Photo) -> list[Face]:
    """Every face of a photo, largest first; an empty list when there is none.

    Raises:
        WeightsError: the networks cannot be fetched or read.
    """
    return _every(photo) or _first(photo)[0]


def warm() -> None:
    """Load the networks and run each once, so that the next photo need not wait for it.

    Raises:
        WeightsError: the networks cannot be fetched or read.
    """
    blank = np.zeros((64, 64, 3), np.uint8)
    window = whole(64, 64, 0)
    for detector in (_CLOSE, _FULL):
        detect(blank, window, detector, 0.5)
    landmarks_in(blank, window)


def _size(face: Face) -> float:
    return float((face.box[2:] - face.box[:2]).max())


def _every(photo: Photo) -> list[Face]:
    """All faces that stand about upright and are big enough to be used."""
    looks = [*_whole(photo, 0), *((tile, _FULL) for tile in _tiles(photo, max(photo.width, photo.height) / 5))]
    candidates = [c for window, detector in looks for c in detect(photo.pixels, window, detector, 0.5)]
    return [f for f in _faces(photo, candidates) if _size(f) >= SMALLEST]


def _first(photo: Photo) -> tuple[list[Face], bool]:
    """The faces of the first look that is sure of one, else of the surest; and whether there was almost one.

    Upside down a face can pass for another one; the right way up the landmark network is much surer.
    """
    surest: list[Face] = []
    doubtful = False
    for window, detector in _looks(photo):
        candidates = detect(photo.pixels, window, detector, 0.5)
        faces = _faces(photo, candidates)
        if faces and faces[0].score >= SURE:
            return faces, False
        surest = max(surest, faces, key=lambda some: some[0].score if some else 0.0)
        doubtful |= any(c.score >= DOUBTFUL for c in candidates)
    return surest, doubtful


def _looks(photo: Photo) -> Iterator[tuple[Window, Detector]]:
    """From the likely and quick to the rest: upright, lying, upside down, small."""
    for turns in (0, 1, 3, 2):
        yield from _whole(photo, turns)
    smallest = max(SMALLEST / _VISIBLE, max(photo.width, photo.height) / 7)  # else a big photo takes half a minute
    yield from ((tile, _FULL) for tile in _tiles(photo, smallest))


def _whole(photo: Photo, quarter_turns: int) -> Iterator[tuple[Window, Detector]]:
    window = whole(photo.width, photo.height, quarter_turns)
    yield window, _CLOSE
    yield window, _FULL


def _tiles(photo: Photo, smallest: float) -> Iterator[Window]:
    """Overlapping windows, down to a side in pixels, for faces that are small in a big photo."""
    side = max(photo.width, photo.height) / 2
    while side > smallest:
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
