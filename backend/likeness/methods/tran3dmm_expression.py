"""The expression of the Basel model in a photo, for a person whose neutral face 3dmm_cnn has found.

The original's second program fits pose and expression to landmarks; here the camera is known, and what is left of the
landmarks is explained by likely expressions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from likeness.heads.bfm_tran import TranBfm

__all__ = ["expression_seen"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

INNER = slice(17, 68)
"""Of the 68 points those inside the face: the contour is no vertex's."""
NOISE = 0.03
"""Of a landmark, as a share of the distance of the outer eye corners."""
STEPS = 4


def expression_seen(
    face_model: TranBfm, rest: Floats, points: Doubles, project: Callable[[Doubles], Doubles]
) -> Floats:
    """Coefficients (E,) of the model's expression, most likely given the landmarks; empty where it has none.

    Args:
        rest: (V, 3) metres, the person's neutral face.
        points: (68, 2) iBUG landmarks in pixels of the photo.
        project: points (..., 3) of the model's frame in metres to pixels (..., 2).
    """
    model, marks = face_model.model, face_model.model.keypoints[INNER]
    moves = model.unit * model.expression[:, marks].astype(np.float64)
    spread = face_model.expression_spread.astype(np.float64)
    start = rest[marks].astype(np.float64) + model.unit * face_model.expression_mean[marks]
    noise = NOISE * float(np.linalg.norm(points[36] - points[45]))
    weights = np.zeros(len(moves))
    if not len(moves):
        return weights.astype(np.float32)
    for _ in range(STEPS):
        here = start + np.tensordot(weights, moves, 1)
        flat = project(here)
        slopes = (project(here + moves * spread[:, None, None]) - flat) / spread[:, None, None]
        slopes = slopes.reshape(len(moves), -1) / noise
        gap = (points[INNER] - flat).ravel() / noise
        prior = np.diag(spread**-2)
        weights += np.linalg.solve(slopes @ slopes.T + prior, slopes @ gap - prior @ weights)
    return weights.astype(np.float32)
