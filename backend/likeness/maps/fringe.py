"""Hair that hangs over a brow: it is dark and grows together with the brow, but comes from outside."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["fringe_over_brows"]

Floats = NDArray[np.float32]

DARK = -0.6
"""Log luminance against lit skin below which something over the eyes may be hair."""
THICK = 0.003
"""Metres across from which on it is no brow that grows beyond its outline."""
IN = 0.006
"""Metres that hair is followed from the outline of a brow into it: farther in it is the brow."""
RIM = 0.001
"""Metres around hair that its shade reaches."""
BESIDE, SOFT = 0.007, 0.002
"""Metres of a brow beside hair that nobody could tell from it, and over which the rest takes over."""


def fringe_over_brows(residual: Floats, areas: dict[str, Floats], weight: Floats, texel: float) -> Floats:
    """(L, L) 0..1 where hair covers the area of the brows.

    Args:
        residual: (L, L) log luminance against lit skin; weight: (L, L) 0..1 how well the photo shows it.
        areas: see `likeness.maps.places.draw_areas`; texel: metres per texel.
    """
    brows = areas["brows"] > 0.1
    dark = ((residual < DARK) & (areas["eyes"] < 0.1) & (weight > 0.1)).astype(np.uint8)
    beside = dark * ~brows * (areas["lids"] < 0.3)
    hair = cv2.morphologyEx(beside.astype(np.uint8), cv2.MORPH_OPEN, _disc(THICK / 2 / texel))
    step = np.ones((3, 3), np.uint8)
    for _ in range(max(round(IN / texel), 1)):
        hair = cv2.dilate(hair, step) & (dark | hair)
    hair = hair * brows.astype(np.uint8)
    shaded = cv2.dilate(hair, _disc(RIM / texel)).astype(np.float32)
    shaded = cv2.GaussianBlur(shaded, (0, 0), max(RIM / texel, 0.4))
    # A brow cut along the edge of a fringe gets a corner there.
    beside = cv2.dilate(hair, _disc(BESIDE / texel)).astype(np.float32)
    fringe: Floats = np.maximum(shaded, cv2.GaussianBlur(beside, (0, 0), SOFT / texel))
    return fringe


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(round(radius), 1) + 1
    disc: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
    return disc
