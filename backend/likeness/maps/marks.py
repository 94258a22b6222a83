"""Moles, spots and small scars: one side of a face has them, and the other does not."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["marks_in"]

Floats = NDArray[np.float32]

INNER, OUTER = 0.0008, 0.004
"""Metres: deviations of the two blurs whose difference shows marks and leaves out both grain and patches."""
DARKER = 0.1
"""Log luminance that a mark is off its surroundings."""
LARGEST = 0.009
"""Metres across; what is longer is a fold, a brow or a strand of hair."""
REACH = 0.0012
"""Metres around a mark that belong to its edge."""


def marks_in(log: Floats, bare: Floats, texel: float) -> Floats:
    """(L, L) float32 in 0..1 where marks are, soft at the edges.

    Args:
        log: (L, L) log luminance on top of the smooth skin; bare: (L, L) 0..1 skin that was seen, without features.
        texel: metres per texel.
    """

    def blurred(size: float) -> Floats:
        sigma = max(size / texel, 0.5)
        total: Floats = cv2.GaussianBlur(log * bare, (0, 0), sigma) / np.maximum(
            cv2.GaussianBlur(bare, (0, 0), sigma), 0.1
        )
        return total

    spots = (abs(blurred(INNER) - blurred(OUTER)) > DARKER) & (bare > 0.5)
    _, parts, stats, _ = cv2.connectedComponentsWithStats(spots.astype(np.uint8), connectivity=8)
    small = (stats[:, 2:4].max(1) * texel < LARGEST) & (np.arange(len(stats)) > 0)
    # Marks lie in the skin; the rim of a feature or of what was seen does not.
    free = cv2.erode((bare > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    whole = np.bincount(parts.ravel(), (~free).ravel(), len(stats)) == 0
    found = (small & whole)[parts].astype(np.uint8)
    reach = max(round(REACH / texel), 1)
    grown = cv2.dilate(found, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    result: Floats = cv2.GaussianBlur(grown.astype(np.float32), (0, 0), 0.5 * reach)
    return result
