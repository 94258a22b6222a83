"""Lips that meet: what a mesh without a slit leaves between them, once its expression is gone, is closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import CORNERS, LOWER_LIP, UPPER_LIP

__all__ = ["lips_met"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FADE = 0.007
"""Metres from the line between the lips over which what they are moved fades."""
MOST = 0.004
"""Metres between lips up to which they are taken to be those of a shut mouth."""


def lips_met(head: HeadModel, skin: Ints, places: Floats) -> Floats:
    """The skin with its lips as far apart as the mean head's, point by point from corner to corner.

    Which lip a vertex belongs to is told by how far jawOpen takes it along; both move half the way, up or down. Lips
    that are farther apart than shut ones can be stay as they are.

    Args:
        skin: (n,) vertices of the head; places: (n, 3) metres in the head's frame, without an expression.
    """
    marks = head.landmarks.get("mediapipe478")
    if marks is None or "jawOpen" not in head.expression_names:
        return places
    local = np.full(len(head.template), -1)
    local[skin] = np.arange(len(skin))
    pairs = np.array([UPPER_LIP, LOWER_LIP])
    corners = head.triangles.numpy()[marks.triangle.numpy()]
    shares = marks.barycentric.double().numpy()[..., None]

    def at(values: Floats, points: Ints) -> Floats:
        read: Floats = (values[local[corners[points]]] * shares[points]).sum(-2)
        return read

    rest = head.template.double().numpy()[skin]
    jaw = head.expression[head.expression_names.index("jawOpen")].double().numpy()[skin]
    ours, usual = at(places, pairs), at(rest, pairs)
    excess = (ours[0] - ours[1])[:, 1] - np.minimum((usual[0] - usual[1])[:, 1], 0.0)
    if np.abs(excess).max() > MOST:
        return places
    ends = at(places, np.array(CORNERS["mouth"]))
    line = np.concatenate([ends[:1], ours.mean(0), ends[1:]])
    along = np.concatenate([[0.0], excess, [0.0]])
    order = np.argsort(line[:, 0])
    line, along = line[order], along[order]
    fine = np.linspace(0, len(line) - 1, 8 * len(line))
    thread = np.stack([np.interp(fine, np.arange(len(line)), line[:, k]) for k in range(3)], 1)
    away = cKDTree(thread).query(places)[0]
    taken = at(jaw, pairs)[..., 1].mean(1)
    lower = np.clip((jaw[:, 1] - taken[0]) / min(float(taken[1] - taken[0]), -1e-4), 0, 1)
    moved = places.copy()
    gap = np.interp(places[:, 0], line[:, 0], along, left=0, right=0)
    moved[:, 1] += gap * (lower - 0.5) * np.exp(-((away / FADE) ** 2))
    return moved
