"""The frame of glasses, told by its bridge: a dark line across the nose between the eyes."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["frame_of"]

Floats = NDArray[np.float32]

DARK = -0.65
"""Log luminance against lit skin below which something may be a frame."""
ACROSS = 0.9
"""Share of the middle between the eyes that a bridge spans."""
THICK = 0.6
"""Share of the eyes' height that a bridge takes at its thinnest, at most: what is thicker is shade."""
RIM = 0.0018  # metres around a dark frame that its blur reaches
TOUCHED, BEYOND = 0.12, 0.005
"""Share of a brow's area behind the frame from which on nobody can tell the one from the other, and metres around that
brow where hinges and shades of the frame are."""


def frame_of(residual: Floats, areas: dict[str, Floats], weight: Floats, texel: float) -> Floats:
    """(L, L) 1 where a frame is, or a brow that it hides, 0 elsewhere and where there are no glasses.

    Args:
        residual: (L, L) log luminance against lit skin; weight: (L, L) 0..1 how well the photo shows it.
        areas: see `likeness.maps.places.draw_areas`; texel: metres per texel.
    """
    none = np.zeros_like(residual)
    eyes = (areas["lids"] > 0.5) & (areas["brows"] < 0.3)
    half = residual.shape[1] // 2
    left, right = (np.flatnonzero(part.any(0)) for part in (eyes[:, :half], eyes[:, half:]))
    rows = np.flatnonzero(eyes.any(1))
    if not len(left) or not len(right) or len(rows) < 4:
        return none
    first, last = left[-1] + 1, half + right[0]
    inwards = (last - first) // 5
    gap = np.s_[rows[0] : rows[-1] + 1, first + inwards : last - inwards]
    dark = (residual < DARK) & (weight > 0.2)
    bridge = dark & (areas["brows"] < 0.3)
    tall = bridge[gap].mean(0)
    if not tall.size or (tall > 0).mean() < ACROSS or tall.min() > THICK:
        return none
    # All that is dark and hangs together with the bridge, but for the eyes.
    _, parts = cv2.connectedComponents((dark & (areas["eyes"] < 0.3)).astype(np.uint8), connectivity=8)
    found = np.isin(parts, np.setdiff1d(np.unique(parts[gap][bridge[gap]]), [0]))
    reach = 2 * max(round(RIM / texel), 1) + 1
    columns = np.flatnonzero(found.any(0))
    if columns[0] >= first - inwards or columns[-1] < last + inwards:
        return none
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    frame: Floats = cv2.dilate(found.astype(np.float32), around)
    reach = 2 * max(round(BEYOND / texel), 1) + 1
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach))
    for part in (np.s_[:, :half], np.s_[:, half:]):
        brow = areas["brows"][part]
        if (brow * frame[part]).sum() > TOUCHED * max(float(brow.sum()), 1e-6):
            frame[part] = np.maximum(frame[part], cv2.dilate((brow > 0.2).astype(np.float32), around))
    return frame
