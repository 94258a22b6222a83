"""Flattens a surface without seams, overlaps or flips, giving chosen parts more room than others.

A Tutte embedding into the square is free of flips and overlaps; from there the symmetric Dirichlet energy, which
grows without bound as a triangle collapses, is lowered by reweighted least squares (Rabinovich et al., Scalable
Locally Injective Mappings, ACM TOG 36, 2017, section 4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix, diags, identity
from scipy.sparse.linalg import splu

__all__ = ["boundary_loops", "diagonals", "planar", "relax", "signed_areas", "tutte"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def boundary_loops(polygons: Ints) -> list[Ints]:
    """The borders of a surface as closed loops of vertex indices, in the polygons' sense of rotation, longest first.

    Args:
        polygons: (F, 4) int64, -1 last for triangles.
    """
    edges = set()
    for row in polygons.tolist():
        ring = [v for v in row if v >= 0]
        edges |= set(zip(ring, ring[1:] + ring[:1], strict=True))
    following = {a: b for a, b in edges if (b, a) not in edges}
    loops = []
    while following:
        start = min(following)
        loop = [start]
        while (nxt := following.pop(loop[-1])) != start:
            loop.append(nxt)
        loops.append(np.array(loop, dtype=np.int64))
    return sorted(loops, key=len, reverse=True)


def diagonals(polygons: Ints) -> tuple[Ints, Floats]:
    """Each quad split along both diagonals, which keeps it convex and its mirror image equal.

    Returns:
        triangles (T, 3) int64 and weights (T,): 1/2 for those of quads, 1 for triangles.
    """
    quads, triangles = polygons[polygons[:, 3] >= 0], polygons[polygons[:, 3] < 0][:, :3]
    splits = [quads[:, [i, (i + 1) % 4, (i + 2) % 4]] for i in range(4)]
    weights = np.concatenate([np.full(4 * len(quads), 0.5), np.ones(len(triangles))])
    return np.concatenate([*splits, triangles]), weights


def tutte(polygons: Ints, count: int, fixed: Ints, places: Floats) -> Floats:
    """Embed with every free vertex at the mean of its neighbours, (count, 2); unused vertices stay at 0.

    With the border on a convex outline, no polygon of a well-connected disk flips (Tutte, How to draw a graph, 1963).

    Args:
        polygons: (F, 4) int64, -1 last for triangles; fixed: (n,) border vertices; places: (n, 2) where they lie.
    """
    ahead = np.roll(polygons, -1, 1)
    ahead[:, 2:] = np.where(polygons[:, 3:] < 0, polygons[:, [0, 3]], ahead[:, 2:])
    i, j = polygons[polygons >= 0], ahead[polygons >= 0]
    links = coo_matrix((np.ones(2 * len(i)), (np.r_[i, j], np.r_[j, i])), (count, count)).tocsr()
    links.data[:] = 1
    laplace = diags(np.asarray(links.sum(1)).ravel()) - links
    free = np.setdiff1d(np.unique(i), fixed)
    uv = np.zeros((count, 2))
    uv[fixed] = places
    uv[free] = splu(laplace[free][:, free].tocsc()).solve(-laplace[free][:, fixed] @ places)
    return uv


def signed_areas(uv: Floats, triangles: Ints) -> Floats:
    """(T,) area of each triangle in uv (V, 2), positive when anticlockwise."""
    a, b, c = (uv[triangles[:, k]] for k in range(3))
    area: Floats = ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])) / 2
    return area


def planar(corners: Floats) -> Floats:
    """Triangles (T, 3, 3) laid flat with their shapes kept, (T, 3, 2); collapsed ones get the least of a height."""
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    length = np.maximum(np.linalg.norm(a, axis=1), 1e-7)
    along = (a * b).sum(1) / length
    height = np.maximum(np.linalg.norm(np.cross(a, b), axis=1) / length, 1e-7)
    zero = np.zeros_like(length)
    flat: Floats = np.stack([zero, zero, length, zero, along, height], 1).reshape(-1, 3, 2)
    return flat


def relax(
    uv: Floats, triangles: Ints, weights: Floats, reference: Floats, held: NDArray[np.bool_], rounds: int
) -> Floats:
    """Lower the symmetric Dirichlet energy without ever flipping a triangle.

    Args:
        uv: (V, 2) a flip-free start.
        triangles: (T, 3) int64; weights: (T,) how much each counts.
        reference: (T, 3, 2) the wanted shape of each triangle, in the plane.
        held: (V, 2) coordinates that must stay.
        rounds: reweighted steps.
    """
    count = len(uv)
    edges = reference[:, 1:] - reference[:, :1]
    inverse = np.linalg.inv(edges.transpose(0, 2, 1))
    # Jacobian of a triangle = sum over its corners of uv_corner x gradient.
    gradient = np.stack([-inverse.sum(1), inverse[:, 0], inverse[:, 1]], 1)
    rows = np.arange(len(triangles))
    free = np.flatnonzero(~held.T.ravel())
    uv = uv.copy()
    for _ in range(rounds):
        jacobian = np.einsum("tci,tcj->tij", uv[triangles], gradient)
        u, s, vt = np.linalg.svd(jacobian)
        ratio = (s - s**-3) / np.where(np.abs(s - 1) < 1e-6, 1.0, s - 1)
        stretch = np.sqrt(np.clip(np.where(np.abs(s - 1) < 1e-6, 4.0, ratio), 1e-8, 1e12))
        pull = u @ (stretch[:, :, None] * u.transpose(0, 2, 1))
        wanted = pull @ u @ vt
        root = np.sqrt(weights)
        data, row, column = [], [], []
        for i in range(2):
            for j in range(2):
                for corner in range(3):
                    for k in range(2):
                        data.append(root * pull[:, i, k] * gradient[:, corner, j])
                        row.append(rows * 4 + 2 * i + j)
                        column.append(triangles[:, corner] + k * count)
        shape = (4 * len(triangles), 2 * count)
        system = csr_matrix((np.concatenate(data), (np.concatenate(row), np.concatenate(column))), shape)
        goal = (root[:, None, None] * wanted).reshape(-1)
        now = uv.T.ravel()
        part = system[:, free]
        normal = (part.T @ part).tocsc()
        normal += 1e-9 * normal.diagonal().mean() * identity(len(free), format="csc")
        step = np.zeros(2 * count)
        step[free] = splu(normal).solve(part.T @ (goal - system @ now))
        uv, moved = _search(uv, step.reshape(2, count).T, triangles, weights, gradient)
        if moved < 1e-6:
            break
    return uv


def _energy(uv: Floats, triangles: Ints, weights: Floats, gradient: Floats) -> float:
    """Weighted sum of |J|^2 + |J^-1|^2, infinite as soon as a triangle flips."""
    jacobian = np.einsum("tci,tcj->tij", uv[triangles], gradient)
    det = jacobian[:, 0, 0] * jacobian[:, 1, 1] - jacobian[:, 0, 1] * jacobian[:, 1, 0]
    if det.min() <= 0:
        return float("inf")
    square = (jacobian**2).sum((1, 2))
    return float((weights * (square + square / det**2)).sum())


def _search(uv: Floats, step: Floats, triangles: Ints, weights: Floats, gradient: Floats) -> tuple[Floats, float]:
    """Go along the step (V, 2) as far as the energy falls; the new uv and the longest way a vertex went."""
    best, share = _energy(uv, triangles, weights, gradient), 1.0
    for _ in range(40):
        moved = uv + share * step
        if _energy(moved, triangles, weights, gradient) < best:
            return moved, float(np.abs(share * step).max())
        share *= 0.6
    return uv, 0.0
