"""Landmarks through a video as 3DDFA_V2 tracks them: each frame looks where the last one found the face.

Source: 3DDFA_V2's ``demo_video.py`` and ``demo_video_smooth.py`` as specified.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from likeness.methods.tddfa_crops import Roi, roi_from_box, roi_from_points
from likeness.methods.tddfa_model import Tddfa

__all__ = ["Tracked", "smoothed", "track"]

Floats = NDArray[np.float32]
Picture = NDArray[np.uint8]

LOST = 2020.0
"""Square pixels below which a face is looked for anew."""
WIDEST = 4.0
"""Times the frame's longer side above which it is, too; the original has no such bound, and may run away."""


@dataclass(frozen=True, eq=False)
class Tracked:
    """One frame: points (3, n) in pixels, 62 parameters, where it looked, and whether the detector was asked."""

    points: Floats
    parameters: Floats
    roi: Roi
    detected: bool


def track(
    frames: Iterable[Picture], model: Tddfa, find: Callable[[Picture], Floats], *, dense: bool = False
) -> Iterator[Tracked | None]:
    """Follow the best face of a video.

    Args:
        frames: (H, W, 3) uint8 BGR, in order.
        model: with its shape model.
        find: boxes (n, 5) of a frame, the best first.
        dense: all vertices rather than the 68 landmarks; the regions differ slightly between the two.

    Yields:
        Per frame what was found; None while there is no face, which is then looked for in every frame.
    """
    place = model.dense if dense else model.sparse
    before: Floats | None = None
    for frame in frames:
        fresh = before is None
        roi: Roi | None = roi_from_points(before) if before is not None else None
        if roi is None or not _usable(roi, frame):
            boxes = find(frame)
            if not len(boxes):
                before = None
                yield None
                continue
            roi = roi_from_box(boxes[0])
            detected = True
        else:
            detected = False
        parameters = model.regressor.parameters(frame, roi)
        before = place(parameters, roi)
        if fresh:  # once more, around the landmarks rather than the box
            roi = roi_from_points(before)
            parameters = model.regressor.parameters(frame, roi)
            before = place(parameters, roi)
        yield Tracked(before, parameters, roi, detected)


def _usable(roi: Roi, frame: Picture) -> bool:
    """Whether a face may be followed there: not too small, not far larger than the frame, not beside it."""
    left, top, right, bottom = roi
    height, width = frame.shape[:2]
    big_enough = abs(right - left) * abs(bottom - top) >= LOST
    return (
        big_enough
        and right - left <= WIDEST * max(height, width)
        and right > 0 < bottom
        and left < width
        and top < height
    )


def smoothed(points: Iterable[Floats], before: int = 1, after: int = 1) -> Iterator[Floats]:
    """The mean of each frame's points (3, n) and its neighbours'; the first and last stand in for those that lack."""

    def padded() -> Iterator[Floats]:
        last: Floats | None = None
        for current in points:
            if last is None:
                yield from repeat(current, before)
            last = current
            yield current
        if last is not None:
            yield from repeat(last, after)

    window: deque[Floats] = deque(maxlen=before + 1 + after)
    for current in padded():
        window.append(current)
        if len(window) == window.maxlen:
            mean: Floats = np.mean(np.stack(list(window)), axis=0)
            yield mean
