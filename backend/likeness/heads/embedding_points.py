"""What the numbers of the 478 face-mesh points mean: sides, rims of lids and lips, irises, the 68 iBUG points.

The numbering is MediaPipe's (canonical face model of the Face Mesh, irises appended). Left and right are the person's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CORNERS",
    "COUNT",
    "EYE_CORNERS",
    "IBUG68",
    "IRISES",
    "LOWER_LIDS",
    "LOWER_LIP",
    "MIRROR",
    "OVAL",
    "UPPER_LIDS",
    "UPPER_LIP",
]

COUNT = 478

MIDLINE = (0, 1, 2, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19,
           94, 151, 152, 164, 168, 175, 195, 197, 199, 200)  # fmt: skip

IRISES = {"eye.R": (468, 469, 470, 471, 472), "eye.L": (473, 474, 475, 476, 477)}
"""Centre, then the rim towards the person's left, up, the person's right, down."""

# Rims of the lids without the corners of the eyes, and of the lips inside, without the corners of the mouth.
UPPER_LIDS = (246, 161, 160, 159, 158, 157, 173, 466, 388, 387, 386, 385, 384, 398)
LOWER_LIDS = (7, 163, 144, 145, 153, 154, 155, 249, 390, 373, 374, 380, 381, 382)
UPPER_LIP = (191, 80, 81, 82, 13, 312, 311, 310, 415)
LOWER_LIP = (95, 88, 178, 87, 14, 317, 402, 318, 324)
OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
    148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
"""Round the face, from the middle of the forehead towards the person's left."""
CORNERS = {"eyes": (33, 133, 263, 362), "mouth": (78, 308)}
EYE_CORNERS = ((33, 133), (362, 263))
"""From the picture's left to its right, of the right eye and of the left one, in whose order the lids are listed."""


def _mirror() -> NDArray[np.int64]:
    # The right half was numbered first, the left half in the same order after it.
    partner = np.arange(COUNT)
    right = np.setdiff1d(np.arange(248), MIDLINE)
    left = np.arange(248, 468)
    partner[right], partner[left] = left, right
    for a, b in zip((468, 469, 470, 471, 472), (473, 476, 475, 474, 477), strict=True):
        partner[a], partner[b] = b, a
    return partner


MIRROR = _mirror()
"""(478,) the point's partner on the other side, itself on the midline."""

IBUG68 = (
    127, 234, 93, 132, 58, 136, 150, 176, 152, 400, 379, 365, 288, 361, 323, 454, 356,
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,
    168, 197, 5, 4, 64, 97, 2, 326, 294,
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,
    61, 40, 37, 0, 267, 270, 291, 321, 314, 17, 84, 91, 78, 81, 13, 311, 308, 402, 14, 178,
)  # fmt: skip
"""(68,) the face-mesh point nearest to each iBUG point (jaw from the person's right ear, brows, nose, eyes, lips);
eyes and lips agree within the networks' noise, the jaw line is a matter of taste."""
