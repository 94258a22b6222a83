"""Triangles, areas, normals, Laplacians and loops of polygon meshes."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

__all__ = [
    "areas", "barycentric", "bending", "edge_set", "grow", "longest_loop", "neighbours", "normals", "triangles",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Edge = tuple[int, int]


def triangles(polygons: Ints) -> Ints:
    """(T, 3) from polygons (F, 4) with -1 last for triangles."""
    quads = polygons[polygons[:, 3] >= 0]
    return np.concatenate([polygons[:, :3], quads[:, [0, 2, 3]]])


def _crosses(vertices: Floats, corners: Ints) -> Floats:
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    crosses: Floats = np.cross(b - a, c - a)
    return crosses


def normals(vertices: Floats, corners: Ints) -> Floats:
    """(V, 3) unit, weighted by the triangles' areas."""
    total = np.zeros_like(vertices)
    for k in range(3):
        np.add.at(total, corners[:, k], _crosses(vertices, corners))
    unit: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)
    return unit


def areas(vertices: Floats, corners: Ints) -> Floats:
    """(V,) a third of the triangles around each vertex."""
    total = np.zeros(len(vertices))
    for k in range(3):
        np.add.at(total, corners[:, k], np.linalg.norm(_crosses(vertices, corners), axis=1) / 6)
    return total


def barycentric(points: Floats, corners: Floats) -> Floats:
    """(P, 3) coordinates of points (P, 3) on triangles (P, 3, 3)."""
    u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
    uu, uv, vv, wu, wv = ((a * b).sum(1) for a, b in ((u, u), (u, v), (v, v), (w, u), (w, v)))
    area = np.maximum(uu * vv - uv**2, 1e-24)
    b, c = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    clipped = np.clip(np.stack([1 - b - c, b, c], 1), 0, 1)
    whole: Floats = clipped / clipped.sum(1, keepdims=True)
    return whole


def edge_set(polygons: Ints) -> set[Edge]:
    """Edges (lower, higher) of polygons (F, 4)."""
    found: set[Edge] = set()
    for row in polygons.tolist():
        corners = [v for v in row if v >= 0]
        found |= {(min(e), max(e)) for e in zip(corners, corners[1:] + corners[:1], strict=True)}
    return found


def neighbours(edges: Iterable[Edge]) -> dict[int, list[int]]:
    """Vertex -> the vertices it shares an edge with."""
    beside: dict[int, list[int]] = {}
    for a, b in sorted(edges):
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    return beside


def grow(start: Iterable[int], beside: dict[int, list[int]], rings: int) -> dict[int, int]:
    """Vertex -> number of edges to the nearest start, up to so many rings, nearest first."""
    ring = {int(v): 0 for v in start}
    front = list(ring)
    for k in range(1, rings + 1):
        front = [w for v in front for w in beside.get(v, ()) if w not in ring and not ring.__setitem__(w, k)]
    return ring


def longest_loop(among: set[int], beside: dict[int, list[int]]) -> list[int]:
    """The longest path along edges between these vertices, walked greedily."""
    best: list[int] = []
    left = set(among)
    while left:
        path = [min(left)]
        left.discard(path[0])
        while onward := [v for v in beside[path[-1]] if v in left]:
            path.append(onward[0])
            left.discard(path[-1])
        best = max(best, path, key=len)
    return best


def bending(vertices: Floats, corners: Ints) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Bending energy of a displacement, the integral of its squared Laplacian, and a plain Laplacian (V, V).

    The Laplacian weighs edges by the inverse of their lengths: robust on any quads, and near enough to the real one.
    """
    count = len(vertices)
    pairs = np.unique(np.sort(np.concatenate([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [2, 0]]]), 1), axis=0)
    length = np.maximum(np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1), 5e-4)
    weight = sparse.coo_matrix((1 / length, (pairs[:, 0], pairs[:, 1])), (count, count))
    weight = (weight + weight.T).tocsr()
    degree = np.asarray(weight.sum(1)).ravel()
    plain = (sparse.diags(degree) - weight).tocsr()
    spacing = np.bincount(pairs.ravel(), minlength=count) / degree
    root = sparse.diags(np.sqrt(areas(vertices, corners)) / (spacing**2 * degree)) @ plain
    return (root.T @ root).tocsr(), plain
