"""What the landmark network adds to the true landmarks: a bias, errors that neighbours share, and grain.

Neighbouring landmarks err together (the network moves a whole cheek, not a point), so that 478 points are worth a few
dozen independent ones. Taken as independent, they drag the shape away from the truth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.fitting.landmarks import LandmarkModel

__all__ = ["Noise", "smooth_noise"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Noise:
    """Error of K landmarks in the head's frame, metres: ``bias + sum_r z_r shared_r + grain``, z ~ N(0, 1).

    Attributes:
        bias: (K, 3).
        shared: (R, K, 3).
        grain: (K, 3) standard deviations, independent.
    """

    bias: Floats
    shared: Floats
    grain: Floats


def smooth_noise(model: LandmarkModel, *, size: float = 0.0025, reach: float = 0.025, grain: float = 0.0015) -> Noise:
    """A guess for a head that has not been calibrated: errors alike within `reach` metres, `size` metres large.

    Depth (z of the landmark network) is trusted a third as much as the picture plane.
    """
    gap = np.linalg.norm(model.mean[:, None] - model.mean[None], axis=-1)
    values, vectors = np.linalg.eigh(np.exp(-((gap / reach) ** 2) / 2))
    keep = np.argsort(values)[::-1][:16]
    fields = (vectors[:, keep] * np.sqrt(np.maximum(values[keep], 0))).T * size
    trust = np.array([1.0, 1.0, 3.0])
    shared = (fields[:, None, :, None] * np.diag(trust)[None, :, None, :]).reshape(-1, len(model.mean), 3)
    return Noise(np.zeros_like(model.mean), shared, np.tile(grain * trust, (len(model.mean), 1)))
