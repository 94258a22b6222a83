"""Tells drawn faces from photographed ones.

The networks read a cartoon as gladly as a person (the presence score of both is 1), so this looks at the skin: light on
a real face never leaves one flat colour, flat colour is how cartoons are made. It does not catch painted or rendered
faces with shading; those are made into a head like a photo.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.faces.crop import fitted

__all__ = ["DRAWN", "flat_share"]

DRAWN = 0.4
"""Share of one flat colour from which a face counts as drawn: photos reach 0.25, cartoons start at 0.45."""

_SIZE = 48
_NEAR = 3.0  # CIE 1976 colour difference, for a face whose lightness spans _SPAN
_SPAN = 45.0


def flat_share(pixels: NDArray[np.uint8], landmarks: NDArray[np.float64]) -> float:
    """Share (0..1) of a face that has nearly one and the same colour.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        landmarks: (478, 3) of `Face`.

    Over- and underexposed pixels are left out; 0 when little is left.
    """
    mesh = landmarks[:468, :2]
    dx, dy = mesh[263] - mesh[33]
    window = fitted(mesh, math.atan2(dy, dx), 1.0)
    cut = cv2.medianBlur(window.cut(pixels, _SIZE), 3)
    inside = np.zeros((_SIZE, _SIZE), np.uint8)
    hull = cv2.convexHull(window.from_photo(mesh, _SIZE).astype(np.float32))
    cv2.fillConvexPoly(inside, np.rint(hull).astype(np.int32), 1)
    clipped = (np.sort(cut, axis=2)[..., 1] >= 250) | (cut.max(axis=2) <= 5)
    used = (inside > 0) & ~clipped
    if used.sum() < 0.3 * inside.sum():
        return 0.0
    colours = cv2.cvtColor(cut.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[used]
    span = float(np.ptp(np.percentile(colours[:, 0], (5, 95))))
    near = _NEAR * min(1.0, span / _SPAN)
    colours -= colours.mean(axis=0)
    square = (colours**2).sum(axis=1)
    close = square[:, None] + square - 2 * colours @ colours.T < near**2
    return float(close.mean(axis=1).max())
