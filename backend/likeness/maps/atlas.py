"""A material's UV square as arithmetic: vertex values to texels, texels back to vertices, and to the other side."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from likeness.heads.base import REGION_MATERIALS, HeadModel, triangulate
from likeness.render.raster import rasterise_uv

__all__ = ["Atlas", "atlas_of", "enlarge", "joined", "material_triangles"]

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

GUTTER = 8 / 2048
"""Width of the border around each chart that repeats its edge, as a share of the square."""
CUT = 0.03
"""Share of the square beside its edges over which noise changes to the other side's."""
KEPT = 6
"""Atlases kept in memory; one is about 25 bytes a texel and vertex share."""


@dataclass(frozen=True, eq=False)
class Atlas:
    """The texels of one material's square, row 0 at v = 1.

    Attributes:
        size: side in texels.
        inside: (size, size) bool, texels that show the material, a gutter around each chart included.
        weights: (N, V) sparse float32, the N texels `inside` in row order as weighted sums of three vertices.
        area: (size, size) float32, square metres of the template that a texel shows, 0 outside.
        mirror: (size, size, 2) float32, column and row (first texel's centre 0) of the texel's place on the other
            side of the head; -1 where there is none.
    """

    size: int
    inside: Bools
    weights: Any
    area: Floats
    mirror: Floats

    @cached_property
    def texel(self) -> float:
        """Metres along a usual texel."""
        return float(np.sqrt(np.median(self.area[self.area > 0])))

    def texels(self, values: Floats) -> Floats:
        """Vertex values (V,) or (V, C) as a picture (size, size) or (size, size, C) float32, 0 outside."""
        picture = np.zeros((self.size, self.size, *values.shape[1:]), np.float32)
        picture[self.inside] = self.weights @ np.ascontiguousarray(values, np.float32)
        return picture

    def vertices(self, picture: Floats) -> Floats:
        """Sums over the texels around each vertex: (size, size[, C]) to (V[, C]) float32."""
        total: Floats = self.weights.T @ picture[self.inside]
        return total

    def flipped(self, picture: Floats, border: float = 0.0) -> Floats:
        """The picture (size, size[, C]) as the other side of the head shows it."""
        turned: Floats = cv2.remap(
            picture,
            self.mirror[..., 0],
            self.mirror[..., 1],
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(border,) * 4,
        )
        return turned


def enlarge(picture: Floats, small: Atlas, full: Atlas) -> Floats:
    """A smooth picture (l, l[, C]) of a small atlas in a larger one's square; outside the charts it is its mean."""
    if small is full:
        return picture
    filled = picture.copy()
    filled[~small.inside] = picture[small.inside].mean(0)
    grown: Floats = cv2.resize(filled, (full.size, full.size), interpolation=cv2.INTER_LINEAR)
    return grown


def joined(noise: Floats) -> Floats:
    """The noise (S, S), alike on both sides of the cut, which is the square's left, right and upper edge."""
    size = noise.shape[0]
    margin = max(round(CUT * size), 1)
    away = (np.arange(size) + 0.5) / margin
    turn = np.pi / 2 * (1 - np.clip(np.minimum(away[:, None], away[None, ::-1]), 0, 1))
    half = np.s_[:, size // 2 :]
    result = noise.copy()
    # By turning rather than by mixing: the deviation stays.
    result[half] = np.cos(turn[half]) * noise[half] + np.sin(turn[half]) * noise[:, ::-1][half]
    return result


def material_triangles(head: HeadModel, material: str) -> torch.Tensor:
    """(T,) bool: triangles whose region has the material."""
    return head.region(*(r for r, m in REGION_MATERIALS.items() if m == material))


_atlases: OrderedDict[tuple[str, str, int], Atlas] = OrderedDict()
_mirrors: OrderedDict[tuple[str, str], Floats] = OrderedDict()  # the same for all sizes
_lock = Lock()


def atlas_of(head: HeadModel, material: str, size: int) -> Atlas:
    """The atlas of a head's material at a size, from memory where it was made before."""
    layout = hashlib.sha1(head.uv.numpy().tobytes() + head.polygons_uv.numpy().tobytes()).hexdigest()
    key = (f"{head.name} {layout}", material, size)
    with _lock:
        if key not in _atlases:
            if key[:2] not in _mirrors:
                _mirrors[key[:2]] = _mirrored_corners(head, material_triangles(head, material))
            _atlases[key] = _make(head, material, size, _mirrors[key[:2]])
            for kept in (_atlases, _mirrors):
                while len(kept) > KEPT:
                    kept.popitem(last=False)
        _atlases.move_to_end(key)
        return _atlases[key]


def _make(head: HeadModel, material: str, size: int, there: Floats) -> Atlas:
    mine = material_triangles(head, material)
    raster = rasterise_uv(head.uv, head.triangles_uv[mine], size)
    triangle, barycentric = raster.triangle.numpy(), raster.barycentric.numpy()
    covered = triangle >= 0
    # The gutter repeats the nearest texel of its chart.
    away, label = cv2.distanceTransformWithLabels(
        (~covered).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    inside = covered | ((away <= max(GUTTER * size, 2.0)) & covered.any())
    source = np.zeros(int(label.max()) + 1, np.int64)
    source[label[covered]] = np.flatnonzero(covered)
    rows, columns = np.divmod(source[label[inside]], size)
    index, weight = triangle[rows, columns], barycentric[rows, columns]

    corners = head.triangles[mine].numpy()
    count = len(index)
    pointer = np.arange(0, 3 * count + 1, 3, dtype=np.int32)
    shape = (count, len(head.template))
    weights = csr_matrix((weight.ravel(), corners[index].astype(np.int32).ravel(), pointer), shape)

    area = np.zeros((size, size), np.float32)
    area[inside] = _texel_area(head, mine, size)[index]
    area[~covered] = 0
    mirror = np.full((size, size, 2), -1, np.float32)
    corner = (3 * index[:, None] + np.arange(3)).astype(np.int32).ravel()
    blend = csr_matrix((weight.ravel(), corner, pointer), (count, there.size // 2))
    places = blend @ there.reshape(-1, 2)
    mirror[inside] = np.stack([places[:, 0] * size - 0.5, (1 - places[:, 1]) * size - 0.5], 1)
    mirror[~np.isfinite(mirror)] = -1
    return Atlas(size, inside, weights, area, mirror)


def _texel_area(head: HeadModel, mine: torch.Tensor, size: int) -> Floats:
    """Square metres per texel, (T,), at least a little everywhere."""
    a, b, c = head.template[head.triangles[mine]].unbind(1)
    surface = torch.linalg.cross(b - a, c - a).norm(dim=1)
    p, q, r = head.uv[head.triangles_uv[mine]].unbind(1)
    flat = ((q - p)[:, 0] * (r - p)[:, 1] - (q - p)[:, 1] * (r - p)[:, 0]).abs() * size**2
    ratio = (surface / flat.clamp(min=1e-3)).numpy()
    bounded: Floats = np.minimum(ratio, 30 * np.median(ratio)).astype(np.float32)
    return bounded


def _mirrored_corners(head: HeadModel, mine: torch.Tensor) -> Floats:
    """(T, 3, 2) UVs of the triangles' corners on the other side, NaN where no polygon lies there."""
    polygons, polygons_uv = head.polygons.numpy(), head.polygons_uv.numpy()
    parent = triangulate(head.polygons)[1].numpy()
    owned = np.zeros(len(polygons), bool)
    owned[parent[mine.numpy()]] = True
    mirror = np.append(head.mirror.numpy(), -1)
    turned = np.where(polygons >= 0, mirror[polygons], -1)

    # Polygons are told by their corners, whatever the order.
    by_corners = {tuple(sorted(row)): i for i, row in enumerate(polygons.tolist()) if owned[i]}
    partner = np.array([by_corners.get(tuple(sorted(row)), -1) for row in turned.tolist()])
    # Column of the partner's corner that is this corner's mirror image.
    same = polygons[partner][:, None, :] == turned[:, :, None]
    column = same.argmax(2)
    places = head.uv.numpy()[np.take_along_axis(polygons_uv[partner], column, 1)].astype(np.float32)
    places[(partner < 0) | (turned < 0).all(1)] = np.nan
    corner = triangulate(head.polygons)[0].numpy()
    by_triangle: Floats = places[parent[:, None], corner][mine.numpy()]
    return by_triangle
