"""A mesh's motion said in a head's own expressions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from likeness.heads.base import HeadModel

__all__ = ["expression_weights"]

RIDGE = 0.0003
"""Metres: as much motion of every vertex as a weight of 1 must explain to be worth it."""
MOST = 900
"""Vertices that are asked."""
STILL = ("eyeLook", "tongue")
"""Beginnings of names of expressions that no face mesh without eyes and mouth shows."""


def expression_weights(
    head: HeadModel, motion: NDArray[np.floating[Any]], known: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """The weights (M,) float32 in 0..1 of a head's expressions that come closest to a motion.

    Args:
        motion: (V, 3) metres, in the head's frame and size.
        known: (V,) bool, where the motion is known.
    """
    rows = np.flatnonzero(known)
    rows = rows[:: max(len(rows) // MOST, 1)]
    used = [i for i, name in enumerate(head.expression_names) if not name.startswith(STILL)]
    result = np.zeros(len(head.expression_names), np.float32)
    if not len(rows) or not used:
        return result
    basis = head.expression[used][:, rows].double().numpy().reshape(len(used), -1).T
    weight = RIDGE * np.sqrt(len(rows)) * np.eye(len(used))
    target = np.concatenate([np.asarray(motion, np.float64)[rows].ravel(), np.zeros(len(used))])
    solved = lsq_linear(np.concatenate([basis, weight]), target, (0.0, 1.0))
    result[used] = solved.x
    result[result < 0.01] = 0
    return result
