"""The mouth at rest: lips that touch, a tongue that leaves room for teeth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_groups import rings
from likeness.heads.anny_topology import Topology
from likeness.heads.uv import boundary_loops

__all__ = ["close_lips", "shrink_tongue"]

Floats = NDArray[np.float64]

OVERLAP = 0.0008  # metres by which closed lips sink into each other: subdivision takes as much away
FADE = 7.0  # rings of polygons over which the closing fades out
TONGUE = np.array([0.86, 0.8, 0.95])  # the base mesh's tongue fills its mouth
TONGUE_MOVED = np.array([0.0, -0.001, -0.003])  # metres


def close_lips(topology: Topology, shape: Floats) -> Floats:
    """Move the lips of a shape (V, 3) metres up and down until they touch along the whole mouth."""
    skin = topology.polygons[topology.region == "skin"]
    loop = boundary_loops(skin)[1]
    right, left = int(np.argmin(shape[loop, 0])), int(np.argmax(shape[loop, 0]))
    turned, corner = np.roll(loop, -right), (left - right) % len(loop)
    lower, upper = sorted((turned[1:corner], turned[corner + 1 :]), key=lambda half: float(shape[half, 1].mean()))
    around = topology.polygons[topology.region != "tongue"]
    steps = {1: rings(around, upper, len(shape)), -1: rings(around, lower, len(shape))}
    on_skin = np.zeros(len(shape), dtype=bool)
    on_skin[np.unique(skin[skin >= 0])] = True
    grid = np.linspace(-1, 1, 121) * np.abs(shape[loop, 0]).max()
    edge = {}
    for sign in (1, -1):
        # The lowest of the upper lip's rows of vertices that may touch the other lip, and the highest of the lower's.
        heights = []
        for k in range(4):
            row = np.flatnonzero((steps[sign] == k) & (steps[-sign] > k) & on_skin)
            row = row[np.argsort(shape[row, 0])]
            heights.append(np.interp(grid, shape[row, 0], sign * shape[row, 1], left=np.inf, right=np.inf))
        edge[sign] = sign * np.min(heights, axis=0)
    gap = np.where(np.isfinite(edge[1]) & np.isfinite(edge[-1]), edge[1] - edge[-1] + OVERLAP, 0.0)
    closed = shape.copy()
    for sign in (1, -1):
        share = np.clip(1 - steps[sign] / FADE, 0, 1)
        share = share * share * (3 - 2 * share) * (steps[sign] < steps[-sign])
        closed[:, 1] -= sign * share * np.interp(shape[:, 0], grid, gap) / 2
    return closed


def shrink_tongue(topology: Topology, shape: Floats, modes: Floats) -> tuple[Floats, Floats]:
    """The shape (V, 3) and modes (N, V, 3) with a smaller tongue, lower and farther back."""
    tongue = np.unique(topology.polygons[topology.region == "tongue"])
    shape, modes = shape.copy(), modes.copy()
    base = np.array([0.0, shape[tongue, 1].min(), shape[tongue, 2].max()])
    shape[tongue] = base + (shape[tongue] - base) * TONGUE + TONGUE_MOVED
    modes[:, tongue] *= TONGUE
    return shape, modes
