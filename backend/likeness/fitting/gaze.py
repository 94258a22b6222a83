"""Eyes that look where they look in the photo: the looks' own weights, solved against irises between the corners.

The fit of the whole face knows an iris as two points of hundreds, whose error it shares with lids that it has not quite
in place. Where an iris stands between the corners of its own eye tells the gaze whatever those errors are, and a gaze
that is off by five degrees is seen by everyone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from likeness.faces.face import Face
from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.openings import eye_share
from likeness.fitting.pose import Pose
from likeness.heads.embedding_points import EYE_CORNERS

__all__ = ["gaze_as_seen"]

Floats = NDArray[np.float64]

ACROSS, UPRIGHT = 0.0004, 0.0008
"""Metres: noise of an iris's place along the line of the eye's corners, and across it, where lids cover its rim."""
SPREAD = 0.35
"""Standard deviation of a look's weight about the whole face's fit."""
PAIR = 0.08
"""The same of the difference between both eyes' turns: people's eyes turn together."""
EYES = tuple((iris, *corners) for iris, corners in zip((468, 473), EYE_CORNERS, strict=True))
"""Iris and corners of the right and of the left eye."""
LOOKS = ("In", "Out", "Up", "Down")


def gaze_as_seen(
    model: LandmarkModel, names: tuple[str, ...], neutral: Floats, expression: Floats, pose: Pose, face: Face
) -> Floats:
    """The expression (M,) with its looks changed so that the irises stand in the eyes as in the photo.

    Args:
        model: the head's landmarks; names: of its M expressions.
        neutral: (K, 3) metres, the landmarks of the person's neutral head as the network would see them.
        expression: (M,) weights as fitted to the whole face.
        pose: the photo's camera.
        face: as the network sees it.
    """
    at = {int(point): k for k, point in enumerate(model.index)}
    wanted = {point for eye in EYES for point in eye}
    looks = [f"eyeLook{way}{side}" for side in ("Right", "Left") for way in LOOKS]
    if not set(looks) <= set(names) or not wanted <= at.keys():
        return expression
    chosen = [names.index(name) for name in looks]
    points = neutral + np.tensordot(expression, model.expression, 1)
    seen = points @ pose.rotation.T + pose.translation
    moves = (model.expression[chosen] @ pose.rotation.T)[..., :2]
    widths = [float(np.linalg.norm(face.landmarks[a, :2] - face.landmarks[b, :2])) for _, a, b in EYES]
    rows, gaps = [], []
    for eye, (iris, a, b) in enumerate(EYES):
        middle, width, axes = _frame(face.landmarks[a, :2], face.landmarks[b, :2])
        photo = axes @ (face.landmarks[iris, :2] - middle) / width
        ours, left, right = (seen[at[p], :2] * (pose.focal / seen[at[p], 2]) for p in (iris, a, b))
        middle, width, axes = _frame(left, right)
        there = axes @ (ours - middle) / width
        metres = width * seen[at[iris], 2] / pose.focal
        shift = (moves[:, at[iris]] - moves[:, [at[a], at[b]]].mean(1)) @ axes.T
        weight = np.array([1 / ACROSS, 1 / UPRIGHT]) * eye_share(widths, eye)
        rows.append((shift * weight).T)
        gaps.append(weight * (photo - there) * metres)
    own = expression[chosen]
    count, half = len(chosen), len(LOOKS)
    rows.append(np.eye(count) / SPREAD)
    gaps.append(np.zeros(count))
    # What the right eye turns inwards the left one turns outwards.
    pair = np.zeros((2, count))
    pair[0, [0, 1, half, half + 1]] = 1, -1, 1, -1
    pair[1, [2, 3, half + 2, half + 3]] = 1, -1, -1, 1
    rows.append(pair / PAIR)
    gaps.append(-(pair @ own) / PAIR)
    step = lsq_linear(np.concatenate(rows), np.concatenate(gaps), (-own - 1e-9, 1 - own + 1e-9)).x
    result = expression.copy()
    result[chosen] = _one_way(np.clip(own + step, 0, 1))
    return result


def _frame(left: Floats, right: Floats) -> tuple[Floats, float, Floats]:
    """Where an eye is: the middle of its corners (2,), their distance, and unit vectors (2, 2) along and across it."""
    along = right - left
    width = max(float(np.linalg.norm(along)), 1e-9)
    along = along / width
    return (left + right) / 2, width, np.stack([along, [-along[1], along[0]]])


def _one_way(weights: Floats) -> Floats:
    """An eye looks in or out, up or down: what both have in common is nothing."""
    both = weights.reshape(-1, 2, 2)
    result: Floats = (both - both.min(2, keepdims=True)).reshape(-1)
    return result
