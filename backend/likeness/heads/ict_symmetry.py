"""Which vertex of ICT-FaceKit is whose partner on the other side, found along the mesh."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.errors import HeadError

__all__ = ["partners"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def partners(vertices: Floats, polygons: Ints) -> Ints:
    """(V,) partner of each vertex (V, 3) under x -> -x.

    Places alone do not tell vertices apart where surfaces touch (lashes, nostrils), so pairs that are sure are
    followed from polygon to polygon.

    Args:
        polygons: (F, 4) int64, -1 last for triangles, wound the same way everywhere.

    Raises:
        HeadError: the mesh is not symmetric.
    """
    rings = [[v for v in row if v >= 0] for row in polygons.tolist()]
    after = {(a, b): ring for ring in rings for a, b in zip(ring, ring[1:] + ring[:1], strict=True)}
    distance, nearest = cKDTree(vertices).query(vertices * (-1, 1, 1), k=2)
    sure = (distance[:, 0] < 1e-3) & (distance[:, 1] > 10 * distance[:, 0] + 1e-3)
    sure &= nearest[nearest[:, 0], 0] == np.arange(len(vertices))
    partner = np.full(len(vertices), -1, dtype=np.int64)
    done: set[tuple[int, int]] = set()
    for a, b in list(after):
        if partner[a] >= 0 or not (sure[a] and sure[b]):
            continue
        other = (int(nearest[b, 0]), int(nearest[a, 0]))
        if other not in after:
            continue
        queue = deque([((a, b), other)])
        while queue:
            here, there = queue.popleft()
            if here in done or here not in after or there not in after:
                continue
            mine, yours = _from(after[here], here[0]), _from(after[there], there[1])[::-1]
            yours = yours[-1:] + yours[:-1]
            if len(mine) != len(yours):
                raise HeadError("The mesh is not symmetric.")
            partner[mine] = yours
            for i in range(len(mine)):
                edge = (mine[i], mine[(i + 1) % len(mine)])
                image = (yours[(i + 1) % len(mine)], yours[i])
                done.add(edge)
                queue.append(((edge[1], edge[0]), (image[1], image[0])))
    if (partner < 0).any() or (partner[partner] != np.arange(len(vertices))).any():
        raise HeadError("The mesh is not symmetric.")
    return partner


def _from(ring: list[int], start: int) -> list[int]:
    at = ring.index(start)
    return ring[at:] + ring[:at]
