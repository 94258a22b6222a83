"""What a light solver says of a face, good or bad: the network must not rely on one solver's habits."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

__all__ = ["solved"]

Floats = NDArray[np.float32]

STIFF = np.array([0.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0])
"""What a coefficient of each degree costs."""
ROUNDS = 4
SAMPLES = 1500
LOWEST = 0.05
"""Share of the usual light below which shading is never said to be."""


def solved(log: Floats, weight: Floats, transfer: Floats, true: Floats, rng: Generator) -> Floats:
    """Log shading (S, S, 3) as a solver may find it, 0 on usual skin.

    A ridge regression of even skin under spherical harmonics, as `likeness.maps.light` does it; a random share of the
    truth on top, which better solvers may find; and more or less of all that taken off.

    Args:
        log: (S, S, 3) log light of the photo; weight: (S, S); transfer: (S, S, 9).
        true: (S, S, 3) log of the light that falls on the skin, shadows included.
    """
    rows, columns = np.nonzero(weight > 0.2)
    if len(rows) < 50:
        return np.zeros_like(log)
    pick = rng.integers(len(rows), size=min(SAMPLES, len(rows)))
    rows, columns = rows[pick], columns[pick]
    seen = np.exp(log[rows, columns]).astype(np.float64)
    basis = transfer[rows, columns].astype(np.float64)
    level = np.maximum(np.median(seen, 0), 1e-3)
    made = np.empty_like(log)
    for channel in range(3):
        goal, w = seen[:, channel] / level[channel], weight[rows, columns].astype(np.float64)
        first = w
        x = np.zeros(9)
        for _ in range(ROUNDS):
            normal = (basis * w[:, None]).T @ basis + np.diag(STIFF) * 2e-3 * w.sum()
            x = np.linalg.solve(normal + 1e-9 * np.eye(9), (basis * w[:, None]).T @ goal)
            rest = goal - basis @ x
            spread = max(1.48 * float(np.median(abs(rest))), 0.02)
            w = first / (1 + (rest / (2 * spread)) ** 2)
        made[..., channel] = np.log(np.maximum(transfer @ x.astype(np.float32), LOWEST))
    grey = made.mean(-1, keepdims=True)
    made = grey + rng.uniform(0, 1) * np.clip(made - grey, -0.3, 0.3)
    if rng.random() < 0.4:
        better = cv2.GaussianBlur(true, (0, 0), rng.uniform(0.6, 3))
        better = better - np.median(better[rows, columns], axis=0)
        made += rng.uniform(0, 1) * (better - made)
    made = made * rng.uniform(0.6, 1.05)
    bounded: Floats = np.clip(made, -2.5, 1.5).astype(np.float32)
    return bounded
