"""The frame that tangent-space normals are told in, texel by texel, and the ways between the spaces of normals.

Tangent space is OpenGL's: x along u, y along v, z out of the surface, of smooth vertex normals, as glTF and MikkTSpace
have it. AvatarMe's "tangent" normals are something else: x and y in the object's own axes, to be added to its normal
(lattas/pytorch3d-me); they are called "added" here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.maps.atlas import GUTTER
from likeness.maps.tiles import dilated
from likeness.render.raster import interpolate, rasterise_uv
from likeness.render.view import vertex_normals

__all__ = ["Frames", "Space", "frames_of", "object_normals", "vertex_tangents"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Space = Literal["added", "object", "tangent"]

FLATTEST = 0.05
"""Smallest z of a normal in tangent space: what looks into the surface cannot be shown."""


@dataclass(frozen=True, eq=False)
class Frames:
    """The smooth surface's frame in UV space, row 0 at v = 1.

    Attributes:
        normal, tangent, bitangent: (S, S, 3) float32 unit vectors in the object's axes; a gutter repeats each chart's
            edge, and beyond it they are the mean.
        inside: (S, S) bool, where the charts are.
    """

    normal: Floats
    tangent: Floats
    bitangent: Floats
    inside: NDArray[np.bool_]

    def rows(self, rows: slice, side: int) -> Frames:
        """Rows of these frames as a picture of that side would have them: (h, side, 3) each, unit vectors."""
        size = len(self.normal)
        step = size / side
        y = ((np.arange(rows.start, rows.stop) + 0.5) * step - 0.5).astype(np.float32)
        x = ((np.arange(side) + 0.5) * step - 0.5).astype(np.float32)
        column, row = np.meshgrid(x, y)

        def grown(field: Floats) -> Floats:
            larger = cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            return _unit(np.asarray(larger, np.float32))

        inside = cv2.remap(
            self.inside.astype(np.uint8), column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE
        )
        return Frames(grown(self.normal), grown(self.tangent), grown(self.bitangent), inside > 0)

    def to_tangent(self, normals: Floats) -> Floats:
        """Normals (S, S, 3) in the object's axes in tangent space: unit, never below the surface."""
        axes = (self.tangent, self.bitangent, self.normal)
        turned = np.stack([np.einsum("hwc,hwc->hw", normals, axis) for axis in axes], -1)
        turned[..., 2] = np.maximum(turned[..., 2], FLATTEST)
        return _unit(turned)


def object_normals(values: Floats, space: Space, frames: Frames) -> Floats:
    """Normals as networks and files tell them, in the object's axes.

    Args:
        values: (S, S, 3) in -1..1: "object" normals as they are, "tangent" ones in the frames, "added" ones whose x
            and y are added to the frames' normal.
        frames: of the same size.

    Returns:
        (S, S, 3) float32 unit vectors.
    """
    if space == "tangent":
        x, y, z = (values[..., k : k + 1] for k in range(3))
        return _unit(x * frames.tangent + y * frames.bitangent + np.maximum(z, FLATTEST) * frames.normal)
    if space == "added":
        moved = frames.normal.copy()
        moved[..., :2] += values[..., :2]
        return _unit(moved)
    return _unit(values)


def vertex_tangents(vertices: Floats, triangles: Ints, uv: Floats, triangles_uv: Ints) -> tuple[Floats, Floats]:
    """Unit normals (V, 3) of the vertices, and tangents (U, 4) of the UVs: along u, and ±1 for v's side of it."""
    normals = vertex_normals(torch.from_numpy(vertices), torch.from_numpy(triangles)).numpy()
    p, q = vertices[triangles].astype(np.float64), uv[triangles_uv].astype(np.float64)
    one, two, a, b = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0], q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
    turn = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
    along = (one * b[:, 1:] - two * a[:, 1:]) * np.sign(turn)[:, None]
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-20)
    area = np.linalg.norm(np.cross(one, two), axis=1)
    sums, side, at = np.zeros((len(uv), 3)), np.zeros(len(uv)), np.zeros(len(uv), np.int64)
    for k in range(3):
        np.add.at(sums, triangles_uv[:, k], along * area[:, None])
        np.add.at(side, triangles_uv[:, k], np.sign(turn) * area)
        at[triangles_uv[:, k]] = triangles[:, k]
    normal = normals[at].astype(np.float64)
    tangent = sums - (sums * normal).sum(1, keepdims=True) * normal
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-20)
    return normals, np.concatenate([tangent, np.where(side < 0, -1.0, 1.0)[:, None]], 1).astype(np.float32)


def frames_of(vertices: Floats, triangles: Ints, uv: Floats, triangles_uv: Ints, size: int) -> Frames:
    """The frames of a mesh in its UV square.

    Args:
        vertices: (V, 3); triangles: (T, 3) of one material; uv: (U, 2), origin lower left; triangles_uv: (T, 3).
        size: side in texels.
    """
    normals, tangents = vertex_tangents(vertices, triangles, uv, triangles_uv)
    raster = rasterise_uv(torch.from_numpy(uv), torch.from_numpy(triangles_uv), size)
    normal = _unit(interpolate(torch.from_numpy(normals), torch.from_numpy(triangles), raster).numpy())
    mixed = interpolate(torch.from_numpy(tangents), torch.from_numpy(triangles_uv), raster).numpy()
    tangent = mixed[..., :3] - np.einsum("hwc,hwc->hw", mixed[..., :3], normal)[..., None] * normal
    tangent = _unit(tangent)
    bitangent = np.cross(normal, tangent) * np.where(mixed[..., 3:] < 0, np.float32(-1), np.float32(1))
    inside: NDArray[np.bool_] = raster.triangle.numpy() >= 0
    reach = max(GUTTER * size, 2.0)
    grown = dilated(np.concatenate([normal, tangent, bitangent], -1).astype(np.float32), inside, reach)
    one, two, three = (_unit(np.asarray(grown[..., 3 * k : 3 * k + 3], np.float32)) for k in range(3))
    return Frames(one, two, three, inside)


def _unit(vectors: Floats) -> Floats:
    length = np.sqrt(np.einsum("...c,...c->...", vectors, vectors))[..., None]
    unit: Floats = (vectors / np.maximum(length, 1e-9)).astype(np.float32)
    return unit
