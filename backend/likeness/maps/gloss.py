"""How skin mirrors: roughness and specular level by region, broken up by its relief."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.places import HeadFrame, smoothstep

__all__ = ["HAIR", "cavity", "gloss_fields"]

Floats = NDArray[np.float32]

ROUGHNESS = {"skin": 0.50, "oily": 0.42, "lips": 0.34}
SPECULAR = {"skin": 0.38, "oily": 0.46, "lips": 0.50}
USUAL = 0.46
"""Roughness of the face on average, where highlights are."""
BROADER = (0.85, 1.15)
"""Bounds of a person's roughness over the usual."""
HAIR = (0.78, 0.12)
"""Roughness and specular level of cropped hair."""


HOLLOW, DEEP = 0.0006, 0.0001
"""Metres around a place against which it is hollow, and the depth from which on it is so fully."""
HIDDEN = 0.5
"""Share of what mirrors that a hollow hides."""


def cavity(height: Floats, texel: float) -> Floats:
    """(S, S) float32 in `HIDDEN`..1: how much of its gloss skin keeps whose pores and lines lie in the shade of others.

    Args:
        height: (S, S) metres; texel: metres per texel.
    """
    depth = cv2.GaussianBlur(height, (0, 0), max(HOLLOW / texel, 0.5))
    depth -= height
    depth *= HIDDEN / DEEP
    np.clip(depth, 0, HIDDEN, out=depth)
    kept: Floats = np.subtract(np.float32(1), depth, dtype=np.float32)
    return kept


def gloss_fields(frame: HeadFrame, lips: Floats, gain: float = 1.0, roughness: float = USUAL) -> Floats:
    """(V, 2) float32: roughness and Specular IOR Level of skin.

    Args:
        lips: (V,) in 0..1, where they are.
        gain, roughness: how strongly a person's face mirrors over the usual, and its roughness on average.
    """
    x, y, z = frame.points.T
    front = smoothstep(-0.9, -0.4, z)
    # Nose, the middle of the forehead and of the chin are oily; the rest of the face less and less outwards.
    nose = np.exp(-((x / 0.25) ** 2)) * smoothstep(-0.95, -0.75, y) * smoothstep(0.15, -0.05, y)
    forehead = np.exp(-((x / 0.6) ** 2)) * smoothstep(0.3, 0.5, y) * smoothstep(1.3, 1.0, y)
    chin = np.exp(-((x / 0.3) ** 2 + ((y + 1.55) / 0.25) ** 2))
    oily = np.clip(nose + 0.8 * forehead + 0.6 * chin, 0, 1) * front
    fields = []
    for level in (ROUGHNESS, SPECULAR):
        value = level["skin"] + (level["oily"] - level["skin"]) * oily
        fields.append(value + (level["lips"] - value) * lips)
    own = np.array([np.clip(roughness / USUAL, *BROADER), gain])
    result: Floats = (np.stack(fields, 1) * own).astype(np.float32)
    return result
