"""Where lashes leave their lid: some heads' strips begin in it, others on it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_parts import UPPER_LASHES
from likeness.heads.base import HeadModel
from likeness.heads.surface import Surface

__all__ = ["lash_roots"]

Floats = NDArray[np.float64]

NEAR = 0.025  # metres around the middle of an eyeball in which its lids are
CLEAR = 0.0002
"""Metres off the skin from which on a lash is seen; the skin is rounder than its polygons by as much."""
MOST = 0.45
STEP = 0.05


def lash_roots(head: HeadModel, vertices: NDArray[np.float32]) -> float:
    """The share of the upper lashes' length, 0..0.45, that lies in the lids.

    Args:
        vertices: (V, 3) metres, neutral.
    """
    lashes, skin = head.region("lashes").numpy(), head.region("skin").numpy()
    places, triangles = np.asarray(vertices, np.float64), head.triangles.numpy()
    balls = [triangles[head.region(name).numpy()] for name in ("eye.L", "eye.R")]
    if not lashes.any() or not all(len(ball) for ball in balls):
        return 0.0
    eyes = np.stack([places[ball].mean((0, 1)) for ball in balls])
    lids = triangles[skin]
    lids = lids[np.linalg.norm(places[lids].mean(1)[:, None] - eyes, axis=2).min(1) < NEAR]
    if not len(lids):
        return 0.0
    corners, coordinates = triangles[lashes].ravel(), head.uv.numpy()[head.triangles_uv.numpy()[lashes].ravel()]
    along = (coordinates[:, 1] - UPPER_LASHES[0]) / (UPPER_LASHES[1] - UPPER_LASHES[0])
    upper = along >= -1e-6
    if not upper.any():
        return 0.0
    found, one = np.unique(corners[upper], return_index=True)
    along = along[upper][one]
    near = Surface(places, lids).closest(places[found])
    across = np.cross(*(places[lids[near.triangle][:, k]] - places[lids[near.triangle][:, 0]] for k in (1, 2)))
    off = ((places[found] - near.place) * across).sum(1) / np.maximum(np.linalg.norm(across, axis=1), 1e-12)
    shares = np.arange(0, MOST + STEP / 2, STEP)
    for share in shares:
        here = np.abs(along - share) <= 0.1
        if here.any() and np.median(off[here]) > CLEAR:
            return float(share)
    return MOST
