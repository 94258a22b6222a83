"""Lays a face mesh out in the plane, one sheet without overlaps: for models whose files bring no UVs.

The rim goes onto a circle, every other vertex to a mean of its neighbours with positive weights, so no triangle flips
(Tutte, "How to draw a graph", 1963); the weights are mean value coordinates, which keep shapes (Floater, "Mean value
coordinates", CAGD 2003).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, identity
from scipy.sparse.linalg import splu

from likeness.heads.surface import parts
from likeness.heads.uv import boundary_loops

__all__ = ["unwrap"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MARGIN = 0.01
LEAST = 1e-6
"""Share of the mesh's size that an edge is taken to be long at least."""


def unwrap(vertices: NDArray[np.floating[Any]], triangles: Ints) -> NDArray[np.float32]:
    """UVs of a face with a rim.

    Args:
        vertices: (V, 3), +Y up, the face towards +Z; triangles: (T, 3) anticlockwise seen from outside.

    Returns:
        (V, 2) float32 within [0, 1], origin lower left, up being up; of parts that do not hang together the largest
        is laid out, all other vertices lie in the middle.
    """
    points = np.asarray(vertices, np.float64)
    label = parts(triangles, len(points))
    largest = np.bincount(label[label >= 0]).argmax()
    used = np.unique(triangles[label[triangles[:, 0]] == largest])
    faces = np.unique(np.searchsorted(used, triangles[label[triangles[:, 0]] == largest]), axis=0)
    places = points[used]
    loops = boundary_loops(np.concatenate([faces, np.full((len(faces), 1), -1)], 1))
    rim, holes = loops[0], loops[1:]
    # Mouth and the like are closed for the while, each around a vertex in its middle.
    fans = []
    for hole in holes:
        middle = np.full(len(hole), len(places))
        fans.append(np.stack([np.roll(hole, -1), hole, middle], 1))
        places = np.concatenate([places, places[hole].mean(0)[None]])
    whole = np.concatenate([faces, *fans])
    flat = _embedded(places, whole, rim)
    uv = np.full((len(points), 2), 0.5)
    uv[used] = flat[: len(used)]
    return uv.astype(np.float32)


def _embedded(places: Floats, triangles: Ints, rim: Ints) -> Floats:
    count = len(places)
    sides = np.linalg.norm(places[np.roll(rim, -1)] - places[rim], axis=1)
    way = np.concatenate([[0], np.cumsum(sides)[:-1]]) / sides.sum()
    angle = 2 * np.pi * way
    flat = np.full((count, 2), 0.5)
    flat[rim] += (0.5 - MARGIN) * np.stack([np.cos(angle), np.sin(angle)], 1)
    weights = _mean_values(places, triangles)
    weights = (weights + 1e-9 * (weights > 0)).tocsr()
    total = np.maximum(np.asarray(weights.sum(1)).ravel(), 1e-300)
    rows = weights.multiply(1 / total[:, None]).tocsr()
    free = np.setdiff1d(np.arange(count), rim)
    solver = splu((identity(len(free), format="csr") - rows[free][:, free]).tocsc())
    flat[free] = solver.solve(rows[free][:, rim] @ flat[rim])
    # Turned as the face stands.
    there, here = (places[:, :2] - places[:, :2].mean(0)) @ (1, 1j), (flat - 0.5) @ (1, 1j)
    turned = here * np.exp(1j * np.angle(here.conj() @ there))
    placed: Floats = np.stack([turned.real, turned.imag], 1) + 0.5
    return placed


def _mean_values(places: Floats, triangles: Ints) -> coo_matrix:
    """(V, V) weight of each neighbour: (tan(a/2) + tan(b/2)) over the edge's length, a and b the angles beside it."""
    least = LEAST * float(np.ptp(places, axis=0).max())
    rows, columns, values = [], [], []
    for k in range(3):
        here, one, other = (triangles[:, (k + i) % 3] for i in range(3))
        a, b = places[one] - places[here], places[other] - places[here]
        long_a, long_b = (np.maximum(np.linalg.norm(v, axis=1), least) for v in (a, b))
        # tan(t / 2) = sin t / (1 + cos t), kept finite.
        sine = np.linalg.norm(np.cross(a, b), axis=1) / (long_a * long_b)
        cosine = np.clip((a * b).sum(1) / (long_a * long_b), -1, 1)
        half = np.clip(sine / np.maximum(1 + cosine, 1e-3), 1e-4, 1e3)
        rows += [here, here]
        columns += [one, other]
        values += [half / long_a, half / long_b]
    shape = (len(places), len(places))
    return coo_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape)
