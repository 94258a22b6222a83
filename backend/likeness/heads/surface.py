"""Triangle meshes as arithmetic: normals, areas, closest points, and what bending them costs."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

__all__ = [
    "Nearest",
    "Surface",
    "areas",
    "assembled",
    "bending",
    "beside",
    "crosses",
    "normals",
    "parts",
    "rows_of",
    "similarity",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

CANDIDATES = 32
"""Triangles by their middles among which the closest one is sought."""
MOTION = 0.3
"""What a difference in motion counts, as a share of one in place."""


def crosses(vertices: Floats, triangles: Ints) -> Floats:
    """(T, 3) along the triangles' normals, as long as twice their areas."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    result: Floats = np.cross(b - a, c - a)
    return result


def normals(vertices: Floats, triangles: Ints) -> Floats:
    """(V, 3) unit, weighted by the triangles' areas; 0 where there is no triangle."""
    across, corners = crosses(vertices, triangles), triangles.T.ravel()
    total = np.stack([np.bincount(corners, np.tile(across[:, k], 3), len(vertices)) for k in range(3)], 1)
    unit: Floats = total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-20)
    return unit


def areas(vertices: Floats, triangles: Ints) -> Floats:
    """(V,) a third of the triangles around each vertex."""
    each = np.linalg.norm(crosses(vertices, triangles), axis=1) / 6
    total: Floats = np.bincount(triangles.ravel(), np.repeat(each, 3), len(vertices)).astype(np.float64)
    return total


def parts(triangles: Ints, count: int) -> Ints:
    """(count,) the connected part that each vertex belongs to, -1 for those without a triangle."""
    edges = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    label = connected_components(graph, directed=False)[1].astype(np.int64)
    used = np.zeros(count, bool)
    used[triangles] = True
    return np.where(used, label, -1)


def beside(triangles: Ints, count: int) -> sparse.csr_matrix:
    """(V, V) float32, not 0 where two vertices share a triangle, or are the same."""
    return assembled(np.ones((len(triangles), 3, 3), np.float32), triangles, count)


def assembled(each: NDArray[np.floating[Any]], triangles: Ints, count: int) -> sparse.csr_matrix:
    """(V, V) sums of what each triangle has between its corners, (T, 3, 3)."""
    row, column = np.repeat(triangles, 3, 1).ravel(), np.tile(triangles, (1, 3)).ravel()
    return sparse.coo_matrix((each.ravel(), (row, column)), (count, count)).tocsr()


def rows_of(columns: Ints, values: Floats, width: int) -> sparse.csr_matrix:
    """A sparse matrix with values (R, K) at columns (R, K)."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    return sparse.coo_matrix((values.ravel(), (rows, columns.ravel())), (len(columns), width)).tocsr()


def similarity(source: Floats, target: Floats, weights: Floats | None = None) -> tuple[float, Floats, Floats]:
    """Least-squares similarity (Umeyama, PAMI 1991), never a reflection.

    Args:
        source, target: (N, 3); weights: (N,).

    Returns:
        scale, rotation (3, 3) and shift (3,): ``target ~ scale * source @ rotation.T + shift``.
    """
    share = np.full(len(source), 1 / len(source)) if weights is None else weights / weights.sum()
    a, b = share @ source, share @ target
    u, s, vt = np.linalg.svd((target - b).T @ ((source - a) * share[:, None]))
    sign = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: Floats = u * sign @ vt
    scale = float(s @ sign / (share @ ((source - a) ** 2).sum(1)))
    return scale, rotation, b - scale * rotation @ a


def bending(vertices: Floats, triangles: Ints) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Bending energy of a displacement, the integral of its squared Laplacian, and a plain Laplacian (V, V).

    The Laplacian weighs edges by the inverse of their lengths: robust on any mesh, and near enough to the real one.
    """
    count = len(vertices)
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(sides, 1), axis=0)
    length = np.maximum(np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1), 5e-4)
    weight = sparse.coo_matrix((1 / length, (pairs[:, 0], pairs[:, 1])), (count, count))
    weight = (weight + weight.T).tocsr()
    degree = np.asarray(weight.sum(1)).ravel()
    plain = (sparse.diags(degree) - weight).tocsr()
    spacing = np.bincount(pairs.ravel(), minlength=count) / np.maximum(degree, 1e-12)
    root = sparse.diags(np.sqrt(areas(vertices, triangles)) / np.maximum(spacing**2 * degree, 1e-12)) @ plain
    return (root.T @ root).tocsr(), plain


class Nearest:
    """Closest points on a surface: triangle (P,), barycentric (P, 3), place (P, 3), facing (P,) cosine of the normals.

    Facing is 1 where no normals were asked for.
    """

    def __init__(self, triangle: Ints, barycentric: Floats, place: Floats, facing: Floats) -> None:
        self.triangle, self.barycentric, self.place, self.facing = triangle, barycentric, place, facing


class Surface:
    """Triangles that can be asked for the points closest to others."""

    def __init__(self, vertices: Floats, triangles: Ints) -> None:
        """Take vertices (V, 3) metres and triangles (T, 3)."""
        self.vertices, self.triangles = np.asarray(vertices, np.float64), np.asarray(triangles, np.int64)
        self.normals = normals(self.vertices, self.triangles)
        self._find_middles()
        sides = np.concatenate([self.triangles[:, [0, 1]], self.triangles[:, [1, 2]], self.triangles[:, [2, 0]]])
        pairs, times = np.unique(np.sort(sides, 1), axis=0, return_counts=True)
        rim = np.zeros(len(self.vertices), bool)
        rim[pairs[times == 1]] = True
        self.at_border: Bools = rim[self.triangles].any(1)

    def moved(self, vertices: Floats) -> Surface:
        """The same triangles with their vertices (V, 3) elsewhere."""
        other = copy(self)
        other.vertices = np.asarray(vertices, np.float64)
        other.normals = normals(other.vertices, self.triangles)
        other._find_middles()
        return other

    def _find_middles(self) -> None:
        corners = self.vertices[self.triangles]
        middles = corners.mean(1)
        self._radius: Floats = np.sqrt(((corners - middles[:, None]) ** 2).sum(2).max(1))
        self._tree = cKDTree(middles)

    def closest(
        self,
        points: Floats,
        facing: Floats | None = None,
        motion: tuple[Floats, Floats] | None = None,
        candidates: int = CANDIDATES,
    ) -> Nearest:
        """The closest points to points (P, 3), among those that are alike in other ways, too.

        Args:
            facing: (P, 3) unit normals; a point that faces another way is taken only where it is nearer by more than
                the turn is worth.
            motion: displacements (V, 3) of the surface's vertices and (P, 3) of the points in one and the same
                expression: lips that touch part, so that one is not taken for the other.
            candidates: triangles that are tried, by their middles.
        """
        count = min(candidates, len(self.triangles))
        away, tried = (a.reshape(len(points), count) for a in self._tree.query(points, k=count))
        parts = [self._compared(points, tried[:, 0], facing, motion)]
        # Of the others only those can be better whose middles are near enough for their size.
        hopeful = away - self._radius[tried] < parts[0][0][:, None]
        hopeful[:, 0] = False
        item, which = np.nonzero(hopeful)
        turned = None if facing is None else facing[item]
        parting = None if motion is None else (motion[0], motion[1][item])
        parts.append(self._compared(points[item], tried[item, which], turned, parting))
        cost, row = np.full(tried.shape, np.inf), np.arange(tried.size).reshape(tried.shape)
        cost[:, 0], row[:, 0] = parts[0][0], np.arange(len(points))
        cost[item, which], row[item, which] = parts[1][0], len(points) + np.arange(len(item))
        best = cost.argmin(1)[:, None]
        triangle, row = (np.take_along_axis(a, best, 1)[:, 0] for a in (tried, row))
        weights, places, cosine = (np.concatenate(a)[row] for a in list(zip(*parts, strict=True))[1:])
        return Nearest(triangle, weights, places, cosine)

    def _compared(
        self, points: Floats, tried: Ints, facing: Floats | None, motion: tuple[Floats, Floats] | None
    ) -> tuple[Floats, Floats, Floats, Floats]:
        """What it costs to take triangles (N,) for points (N, 3); weights, places and cosines as of `Nearest`."""
        corners = self.vertices[self.triangles[tried]]
        weights = _closest_weights(points, corners)
        places = (corners * weights[..., None]).sum(1)
        cost, cosine = np.linalg.norm(places - points, axis=1), np.ones(len(points))
        if facing is not None:
            there = (self.normals[self.triangles[tried]] * weights[..., None]).sum(1)
            there /= np.maximum(np.linalg.norm(there, axis=1, keepdims=True), 1e-12)
            cosine = (there * facing).sum(1)
            cost = cost + 0.01 * np.clip(0.3 - cosine, 0, None)  # metres
        if motion is not None:
            moved = (motion[0][self.triangles[tried]] * weights[..., None]).sum(1)
            cost = cost + MOTION * np.linalg.norm(moved - motion[1], axis=1)
        return cost, weights, places, cosine


def _closest_weights(points: Floats, corners: Floats) -> Floats:
    """Barycentric coordinates (N, 3) of the point of triangles (N, 3, 3) closest to points (N, 3)."""
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    u, v, w = b - a, c - a, points - a
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    wu, wv = (w * u).sum(1), (w * v).sum(1)
    area = np.maximum(uu * vv - uv**2, 1e-24)
    beta, gamma = (vv * wu - uv * wv) / area, (uu * wv - uv * wu) / area
    weights = np.stack([1 - beta - gamma, beta, gamma], 1)
    # Outside, the closest point lies on one of the sides.
    outside = np.flatnonzero((weights < 0).any(1))
    points, corners = points[outside], corners[outside]
    nearest = np.full(len(outside), np.inf)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        p, side = corners[:, i], corners[:, j] - corners[:, i]
        t = np.clip(((points - p) * side).sum(1) / np.maximum((side**2).sum(1), 1e-24), 0, 1)
        distance = ((p + t[:, None] * side - points) ** 2).sum(1)
        better = distance < nearest
        nearest[better] = distance[better]
        edge = np.zeros((int(better.sum()), 3))
        edge[:, i], edge[:, j] = 1 - t[better], t[better]
        weights[outside[better]] = edge
    chosen: Floats = weights
    return chosen
