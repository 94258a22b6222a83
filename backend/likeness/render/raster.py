"""Which triangle each pixel shows, and where on it: a depth-buffered rasteriser on CPU and CUDA.

NVIDIA Warp decides visibility (integers, no gradients); the barycentric coordinates that follow from it are plain
functions of the points, so PyTorch differentiates them (`barycentric_at`).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import warp as wp
from torch import Tensor

from likeness.render import kernels

__all__ = ["Raster", "barycentric_at", "interpolate", "rasterise", "rasterise_uv"]

NEAR = 1e-6
"""Triangles with a corner nearer than this are left out whole: a face in a photo is never that close."""
EMPTY = 0x7FFFFFFFFFFFFFFF


@dataclass(frozen=True, eq=False)
class Raster:
    """A rasterised mesh.

    Attributes:
        triangle: (H, W) int64, -1 where there is nothing.
        barycentric: (H, W, 3) float32, perspective-correct, 0 where there is nothing.
        depth: (H, W) float32 in the unit of the points' z, inf where there is nothing.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        """(H, W) bool: where there is something."""
        return self.triangle >= 0


@cache
def start() -> None:
    """Start Warp; its C library must not tell every user without a GPU that there is none."""
    try:
        kept = None if torch.cuda.is_available() else os.dup(2)
    except OSError:  # no standard error at all
        kept = None
    if kept is None:
        wp.init()
        return
    try:
        with open(os.devnull, "w") as nothing:  # noqa: PTH123 - needs a descriptor
            os.dup2(nothing.fileno(), 2)
        wp.init()
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def rasterise(points: Tensor, triangles: Tensor, width: int, height: int, *, cull: bool = False) -> Raster:
    """Rasterise triangles with a depth buffer.

    Args:
        points: (V, 3) float32; x right and y down in pixels (the first pixel's centre is 0.5, 0.5), z depth > 0.
        triangles: (T, 3) integers, anticlockwise seen from outside.
        width, height: of the picture in pixels.
        cull: leave out triangles seen from inside.

    Returns:
        The raster, on the points' device; where two triangles are equally near, the first one shows.
    """
    start()
    device = str(points.device) if points.device.type == "cuda" else "cpu"
    corners = wp.from_torch(points.detach().float().contiguous(), dtype=wp.vec3)
    faces = wp.from_torch(triangles.to(points.device, torch.int32).contiguous())
    key = torch.full((height, width), EMPTY, dtype=torch.int64, device=points.device)
    triangle = torch.empty((height, width), dtype=torch.int64, device=points.device)
    barycentric = torch.zeros((height, width, 3), dtype=torch.float32, device=points.device)
    depth = torch.empty((height, width), dtype=torch.float32, device=points.device)
    keys = wp.from_torch(key)
    # y points down, so what turns anticlockwise outside has negative area here.
    facing = -1.0 if cull else 0.0
    wp.launch(kernels.cover, len(triangles), [corners, faces, facing, width, height, NEAR], [keys], device=device)
    outputs: list[Any] = [wp.from_torch(triangle), wp.from_torch(barycentric, dtype=wp.vec3), wp.from_torch(depth)]
    wp.launch(kernels.place, (height, width), [corners, faces, keys, wp.int64(EMPTY)], outputs, device=device)
    return Raster(triangle, barycentric, depth)


def rasterise_uv(uv: Tensor, triangles_uv: Tensor, size: int) -> Raster:
    """Rasterise a UV layout: which triangle each texel belongs to.

    Args:
        uv: (T, 2) float32 in [0, 1], origin lower left.
        triangles_uv: (F, 3) indices into uv.
        size: side of the square map in texels.

    Returns:
        (size, size) raster whose row 0 is v = 1; its depth is 1 wherever there is a triangle.
    """
    places = torch.stack([uv[:, 0] * size, (1 - uv[:, 1]) * size, torch.ones_like(uv[:, 0])], 1)
    return rasterise(places, triangles_uv, size, size)


def interpolate(values: Tensor, triangles: Tensor, raster: Raster, barycentric: Tensor | None = None) -> Tensor:
    """Vertex values at every pixel.

    Args:
        values: (V, C) float; gradients flow back to them.
        triangles: (T, 3) indices into values, in the order of those rasterised.
        raster: what is where.
        barycentric: (H, W, 3) from `barycentric_at`, to have gradients with respect to the points too.

    Returns:
        (H, W, C), 0 where there is nothing.
    """
    covered = raster.covered
    weights = (raster.barycentric if barycentric is None else barycentric)[covered]
    corners = values[triangles[raster.triangle[covered]]]
    picture = values.new_zeros((*covered.shape, values.shape[1]))
    # In place on a fresh tensor: autograd follows it.
    picture[covered] = (corners * weights[..., None].to(values.dtype)).sum(1)
    return picture


def barycentric_at(points: Tensor, triangles: Tensor, raster: Raster) -> Tensor:
    """The raster's barycentric coordinates as a differentiable function of the points.

    Visibility is held fixed, so what changes at silhouettes has no gradient.

    Args:
        points: (V, 3) pixels and depth, as rasterised.
        triangles: (T, 3) as rasterised.

    Returns:
        (H, W, 3) perspective-correct, 0 where there is nothing.
    """
    covered = raster.covered
    rows, columns = torch.nonzero(covered, as_tuple=True)
    x, y = columns.to(points.dtype) + 0.5, rows.to(points.dtype) + 0.5
    a, b, c = points[triangles[raster.triangle[covered]]].unbind(1)

    def edge(p: Tensor, q: Tensor, x: Tensor, y: Tensor) -> Tensor:
        return (q[:, 0] - p[:, 0]) * (y - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x - p[:, 0])

    area = edge(a, b, c[:, 0], c[:, 1])
    flat = torch.stack([edge(b, c, x, y), edge(c, a, x, y), edge(a, b, x, y)], 1) / area[:, None]
    near = flat / torch.stack([a[:, 2], b[:, 2], c[:, 2]], 1)
    whole = points.new_zeros((*covered.shape, 3))
    whole[covered] = near / near.sum(1, keepdim=True)
    return whole
