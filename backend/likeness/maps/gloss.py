"""How skin mirrors: roughness and specular level by region, broken up by its relief."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.maps.places import HeadFrame, smoothstep

__all__ = ["HAIR", "gloss_fields"]

Floats = NDArray[np.float32]

ROUGHNESS = {"skin": 0.50, "oily": 0.42, "lips": 0.34}
SPECULAR = {"skin": 0.38, "oily": 0.46, "lips": 0.50}
HAIR = (0.78, 0.12)
"""Roughness and specular level of cropped hair."""


def gloss_fields(frame: HeadFrame, lips: Floats) -> Floats:
    """(V, 2) float32: roughness and Specular IOR Level of skin; lips (V,) in 0..1 says where they are."""
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
    result: Floats = np.stack(fields, 1).astype(np.float32)
    return result
