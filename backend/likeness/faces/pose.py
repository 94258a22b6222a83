"""Rough head angles from landmarks."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["head_angles"]


def head_angles(landmarks: NDArray[np.float64]) -> tuple[float, float, float]:
    """Yaw, pitch, roll in degrees of landmarks (478, 3), signs as in `Face`.

    The head's own axes: across from pairs of points at the eyes, cheeks and mouth, up from forehead to chin.
    """
    across = np.sum(landmarks[[263, 454, 291, 356]] - landmarks[[33, 234, 61, 127]], axis=0)
    down = np.sum(landmarks[[152, 175]] - landmarks[[10, 151]], axis=0)
    across /= np.linalg.norm(across)
    down -= across * (down @ across)
    down /= np.linalg.norm(down)
    inwards = np.cross(across, down)  # into the picture for a face that looks at the camera
    yaw = math.degrees(math.atan2(-inwards[0], inwards[2]))
    pitch = math.degrees(math.asin(max(-1.0, min(1.0, inwards[1]))))
    roll = math.degrees(math.atan2(across[1], across[0]))
    return yaw, pitch, roll
