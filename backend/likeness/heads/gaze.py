"""How far and which way the eyeballs turn in ARKit's eyeLook expressions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LOOK", "look"]

Floats = NDArray[np.float64]

LOOK = {"In": 28.0, "Out": 28.0, "Up": 20.0, "Down": 25.0}  # degrees at weight 1


def look(arms: Floats, name: str, side: str) -> Floats:
    """Displacement (V, 3) of an eyeball in one expression, zero in all that are not its own.

    Args:
        arms: (V, 3) from the eye's centre, in any unit.
        name: of ARKit; side: "L" or "R".
    """
    sided = {"L": "Left", "R": "Right"}[side]
    direction = name.removeprefix("eyeLook").removesuffix(sided)
    if name != f"eyeLook{direction}{sided}" or direction not in LOOK:
        return np.zeros_like(arms)
    angle = np.radians(LOOK[direction])
    if direction in ("Up", "Down"):
        c, s = np.cos(angle), np.sin(angle) * (-1 if direction == "Up" else 1)
        turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    else:
        outward = (direction == "Out") == (side == "L")
        c, s = np.cos(angle), np.sin(angle) * (1 if outward else -1)
        turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    moved: Floats = arms @ turn.T - arms
    return moved
