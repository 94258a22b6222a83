"""The error of landmarks by yaw, as AFLW2000-3D is reported.

Source: Zhu et al., "Face Alignment in Full Pose Range: A 3D Total Solution", PAMI 2017: mean distance over the side of
the box of the true landmarks, averaged over three ranges of yaw, then over the ranges.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["RANGES", "by_yaw", "normalised_error"]

Floats = NDArray[np.floating[Any]]

RANGES = ((0, 30), (30, 60), (60, np.inf))
"""Of the absolute yaw in degrees; the upper end belongs to a range, and 0 to the first."""


def normalised_error(found: Floats, true: Floats) -> NDArray[np.float64]:
    """(N,) errors as shares of the box's side, of landmarks (N, 2, K) against true ones (N, 2 or 3, K), in pixels."""
    true = np.asarray(true, np.float64)[:, :2]
    side = np.sqrt(np.prod(true.max(2) - true.min(2), axis=1))
    away: NDArray[np.float64] = np.linalg.norm(np.asarray(found, np.float64) - true, axis=1).mean(1) / side
    return away


def by_yaw(errors: Floats, yaws: Floats) -> list[float]:
    """Means over the ranges, and the mean of those, of errors (N,) and yaws (N,) in degrees."""
    turned = np.abs(yaws)
    means = [float(errors[(turned > low if low else turned >= 0) & (turned <= high)].mean()) for low, high in RANGES]
    return [*means, float(np.mean(means))]
