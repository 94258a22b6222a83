"""Smooth values on the head's surface: what few vertices know spreads to all, with no seam anywhere."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, diags
from scipy.sparse.linalg import splu

__all__ = ["Surface"]

Floats = NDArray[np.float32]
SMALLEST = 1e-8
"""Square metres of data weight that every vertex has, so that islands without data stay solvable."""


class Surface:
    """A triangle mesh on which fields are smoothed.

    Attributes:
        area: (V,) float64 square metres around each vertex, 0 off the surface.
        stiffness: (V, V) sparse Laplacian of cotangents.
    """

    def __init__(self, vertices: Floats, triangles: torch.Tensor) -> None:
        """Surface of vertices (V, 3) metres and its triangles (T, 3)."""
        corners = triangles.numpy()
        p = vertices.astype(np.float64)[corners]
        count = len(vertices)
        surface = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1) / 2
        self.area = np.bincount(corners.ravel(), np.repeat(surface / 3, 3), count)
        rows, columns, values = [], [], []
        for k in range(3):
            i, j = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3]
            u, v = p[:, (k + 1) % 3] - p[:, k], p[:, (k + 2) % 3] - p[:, k]
            # Slivers and obtuse corners would give weights that are huge or negative.
            cotangent = np.clip((u * v).sum(1) / np.maximum(2 * surface, 1e-12), 0.02, 5.0) / 2
            rows += [i, j]
            columns += [j, i]
            values += [cotangent, cotangent]
        links = csc_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (count, count))
        self.stiffness = (diags(np.asarray(links.sum(1)).ravel()) - links).tocsc()
        self._used = np.flatnonzero(self.area > 0)

    def spread(self, values: Floats, weight: Floats, length: float, prior: Floats | float = 0.0) -> Floats:
        """The smoothest field near the values.

        Args:
            values: (V,) or (V, C), meaningful where weight is not 0.
            weight: (V,) square metres of evidence (1 per square metre where everything was seen once).
            length: metres below which detail is smoothed away.
            prior: value, or (V,) or (V, C) values, of vertices that nothing reaches.

        Returns:
            The field, like values; prior off the surface.
        """
        used = self._used
        whole = np.broadcast_to(np.asarray(prior, np.float64), values.shape).copy()
        pull = SMALLEST * self.area[used] / max(float(self.area.mean()), 1e-12) * 1e-2
        w = np.asarray(weight, np.float64)[used]
        system = diags(w + pull) + length**2 * self.stiffness[used][:, used]
        shape = (len(used), -1)
        known = np.asarray(values, np.float64)[used].reshape(shape)
        goal = w[:, None] * known + pull[:, None] * whole[used].reshape(shape)
        solved = splu(system.tocsc(), permc_spec="MMD_AT_PLUS_A", options={"SymmetricMode": True}).solve(goal)
        whole[used] = solved.reshape(values[used].shape)
        return whole.astype(np.float32)
