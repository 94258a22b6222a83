"""Parts with their motion joined into one mesh, field by field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.anny_parts import Part

__all__ = ["Assembly"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Assembly:
    """The growing mesh: one part after the other, in the order in which they are added.

    Attributes:
        vertices: (V, 3) metres; weights: (V, J); identity: (N, V, 3); expression: (M, V, 3).
        polygons, polygons_uv: (F, 4), -1 last for triangles; uv: (T, 2); regions: (F,) str.
        mirror: (V,) each vertex's partner on the other side.
    """

    def __init__(self, joints: int, modes: int, expressions: int) -> None:
        self.vertices, self.weights = np.zeros((0, 3)), np.zeros((0, joints))
        self.polygons, self.polygons_uv = np.zeros((0, 4), np.int64), np.zeros((0, 4), np.int64)
        self.uv = np.zeros((0, 2))
        self.regions = np.zeros(0, dtype="<U8")
        self.identity: Floats = np.zeros((modes, 0, 3))
        self.expression: Floats = np.zeros((expressions, 0, 3))
        self.mirror: Ints = np.zeros(0, np.int64)

    def add(
        self,
        part: Part,
        regions: NDArray[np.str_],
        weights: Floats,
        identity: Floats,
        expression: Floats,
        mirror: Ints | None = None,
    ) -> None:
        """Append a part that is its own mirror image.

        Args:
            regions: (F,); weights: (V, J); identity: (N, V, 3); expression: (M, V, 3), of the part.
            mirror: (V,), or None to find each vertex's partner by its place.
        """
        shift, shift_uv = len(self.vertices), len(self.uv)
        self.polygons = np.concatenate([self.polygons, np.where(part.polygons < 0, -1, part.polygons + shift)])
        moved_uv = np.where(part.polygons_uv < 0, -1, part.polygons_uv + shift_uv)
        self.polygons_uv = np.concatenate([self.polygons_uv, moved_uv])
        self.vertices = np.concatenate([self.vertices, part.vertices])
        self.uv = np.concatenate([self.uv, part.uv])
        self.regions = np.concatenate([self.regions, regions])
        self.weights = np.concatenate([self.weights, weights])
        self.identity = np.concatenate([self.identity, identity], 1)
        self.expression = np.concatenate([self.expression, expression], 1)
        if mirror is None:
            mirror = cKDTree(part.vertices).query(part.vertices * (-1, 1, 1))[1]
        self.mirror = np.concatenate([self.mirror, mirror + shift])
