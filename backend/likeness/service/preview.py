"""Small squares of photos around faces, for lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Avatar

__all__ = ["face_picture", "write_preview"]

SIDE = 256
"""Pixels."""

WIDTH = 0.28
"""Metres at the eyes that the square shows; a head is about 0.24 high."""

BELOW = 0.02
"""Metres from the eyes down to the middle of the square."""


FACE_SIDE = 128
"""Pixels of the picture of one face of several."""

FACE_MARGIN = 0.65
"""Half of its side, as a share of the larger side of the face's box."""


def write_preview(avatar: Avatar, path: Path) -> None:
    """Write a PNG of 256 x 256 pixels, beside it and renamed; raises ValueError where the face is out of the photo."""
    if not avatar.views:
        raise ValueError("nobody is to be seen in any photo")
    view = avatar.views[0]
    names = list(avatar.joint_names)
    eyes = avatar.joints[[names.index("eye.L"), names.index("eye.R")]].mean(axis=0)
    up = np.array([0.0, 1.0, 0.0])
    middle, above = view.camera.project(np.stack([eyes - BELOW * up, eyes + (WIDTH / 2 - BELOW) * up]))
    half = max(float(np.linalg.norm(middle - above)), 16.0)
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(_square(view.photo, middle, half, SIDE))
    aside.replace(path)


def face_picture(pixels: NDArray[np.uint8], box: NDArray[np.floating[Any]]) -> bytes:
    """A PNG of 128 x 128 pixels of the face in a ``box`` (left, top, right, bottom) of ``pixels`` (H, W, 3)."""
    half = max(float(max(box[2] - box[0], box[3] - box[1])) * FACE_MARGIN, 4.0)
    return _square(pixels, np.array([box[0] + box[2], box[1] + box[3]]) / 2, half, FACE_SIDE)


def _square(pixels: NDArray[np.uint8], middle: NDArray[np.floating[Any]], half: float, side: int) -> bytes:
    height, width = pixels.shape[:2]
    size = min(round(2 * half), 2 * max(height, width))
    left, top = (round(float(v) - size / 2) for v in middle)
    columns = np.clip(np.arange(left, left + size), 0, width - 1)  # beyond the photo, its edge goes on
    rows = np.clip(np.arange(top, top + size), 0, height - 1)
    way = cv2.INTER_AREA if size > side else cv2.INTER_CUBIC
    picture = cv2.resize(pixels[rows[:, None], columns], (side, side), interpolation=way)
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("the picture cannot be encoded")
    return data.tobytes()
