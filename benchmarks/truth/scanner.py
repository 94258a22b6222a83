"""What a scanner would see of a head: points spread evenly over the skin that is open to the outside."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from now import Surface
from truth.body import Body

__all__ = ["scan_points"]

Floats = NDArray[np.float64]
COUNT, DIRECTIONS, OPEN, SEED = 40000, 96, 0.12, 7


def scan_points(body: Body, vertices: Floats) -> Floats:
    """(P, 3) metres on vertices (V, 3): the same places of the skin for every head of a topology."""
    corners, weights = _places(body)
    return np.einsum("pk,pkc->pc", weights, vertices[corners])


@cache
def _places(body: Body) -> tuple[NDArray[np.int64], Floats]:
    """Corners (P, 3) and barycentric weights (P, 3), the insides of nose, lips and lids left out."""
    rng = np.random.default_rng(SEED)
    skin = body.skin
    edges = body.template[skin]
    cross = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
    area = np.linalg.norm(cross, axis=1)
    pick = rng.choice(len(skin), COUNT, p=area / area.sum())
    weights = rng.dirichlet((1, 1, 1), COUNT)
    normals = cross[pick] / area[pick, None]
    points = np.einsum("pk,pkc->pc", weights, edges[pick]) + 1e-4 * normals
    # A Fibonacci sphere of directions; a place is open when enough of its own half of the sky is free.
    k = np.arange(DIRECTIONS) + 0.5
    height, turn = 1 - 2 * k / DIRECTIONS, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    sky = np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], 1)
    solid = Surface(body.template, body.solid)
    free = np.zeros(COUNT)
    for direction in sky:
        faces = normals @ direction > 0
        free += faces & ~solid.blocked(points, direction)
    keep = free / (DIRECTIONS / 2) > OPEN
    return skin[pick][keep], weights[keep]
