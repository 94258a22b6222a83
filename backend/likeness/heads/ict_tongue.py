"""The expression tongueOut, which ICT-FaceKit lacks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.ict_source import POLYGONS, IctFiles

__all__ = ["tongue_out"]

Floats = NDArray[np.float64]

# Centimetres: how far the tip comes forward, and how far it then hangs over the lip.
REACH, DROP = 3.2, 1.0


def tongue_out(files: IctFiles) -> Floats:
    """(26719, 3) centimetres: the tongue lengthens from its root on, gets thinner and bends over the lower lip."""
    polygons = files.polygons[POLYGONS["tongue"]]
    tongue = np.unique(polygons[polygons >= 0])
    place = files.vertices[tongue]
    z = place[:, 2]
    share = np.clip((z - z.min()) / np.ptp(z), 0, 1) ** 1.5
    middle = place[:, 1].mean()
    out = np.zeros_like(files.vertices)
    out[tongue, 2] = REACH * share
    out[tongue, 1] = 0.5 * share - (DROP + 0.5) * np.clip((share - 0.55) / 0.45, 0, 1) ** 2
    out[tongue, 1] -= 0.35 * share * (place[:, 1] - middle)
    out[tongue, 0] = -0.15 * share * place[:, 0]
    return out
