"""A rasteriser of clip-space triangles with the conventions and gradients of Genova et al.'s tf_mesh_renderer.

Beside `raster`, which cameras of photos use, this one takes homogeneous vertices, so triangles may cross the camera's
plane; counts pixels on an edge as inside; draws both sides; of equal depths shows the last triangle; and numbers rows
from the bottom up. Source: Genova et al., "Unsupervised Training for 3D Morphable Model Regression", CVPR 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import warp as wp
from torch import Tensor

from likeness.render import clip_kernels
from likeness.render.raster import EMPTY, start

__all__ = ["ClipRaster", "interpolate_clip", "rasterise_clip"]


@dataclass(frozen=True, eq=False)
class ClipRaster:
    """Rasterised pictures of one mesh; row 0 is the lowest (y = -1).

    Attributes:
        triangle: (B, H, W) int64; 0 where there is nothing as well as where triangle 0 is: see `covered`.
        barycentric: (B, H, W, 3) float32, perspective-correct; 0 where there is nothing. Differentiable.
        depth: (B, H, W) float32, normalised device z in -1..1; 1 where there is nothing.
    """

    triangle: Tensor
    barycentric: Tensor
    depth: Tensor

    @property
    def covered(self) -> Tensor:
        """(B, H, W) bool: where there is something."""
        return self.barycentric.detach().sum(-1) > 0


def rasterise_clip(vertices: Tensor, triangles: Tensor, width: int, height: int) -> ClipRaster:
    """Rasterise triangles given in clip space.

    Args:
        vertices: (B, V, 4) float32: x, y, z, w; visible is -w <= x, y, z <= w, x to the right, y up, z away.
        triangles: (T, 3) integers; both windings are drawn, those without area never are.
        width, height: of the pictures in pixels.

    Returns:
        The raster on the vertices' device. Gradients of the barycentrics reach x, y and w, never z: what is hidden, and
        where a silhouette lies, is held fixed. They can be taken once, not twice.

    Raises:
        ValueError: shapes or types other than these.
    """
    if vertices.ndim != 3 or vertices.shape[2] != 4 or vertices.dtype != torch.float32:
        raise ValueError(f"vertices are (B, V, 4) float32, not {tuple(vertices.shape)} {vertices.dtype}")
    if triangles.ndim != 2 or triangles.shape[1] != 3 or triangles.is_floating_point():
        raise ValueError(f"triangles are (T, 3) whole numbers, not {tuple(triangles.shape)} {triangles.dtype}")
    corners = triangles.to(vertices.device, torch.int32).contiguous()
    barycentric, triangle, depth = _Rasterise.apply(vertices, corners, width, height)  # type: ignore[no-untyped-call]
    return ClipRaster(triangle, barycentric, depth)


def interpolate_clip(
    attributes: Tensor, triangles: Tensor, raster: ClipRaster
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Vertex attributes at the pixels that show something.

    Args:
        attributes: (B, V, K) float; gradients flow back to them.
        triangles: (T, 3) as rasterised.

    Returns:
        (P, K), and the pixels' places: picture, row (from the bottom), column, each (P,) int64.
    """
    picture, row, column = torch.nonzero(raster.covered, as_tuple=True)
    corners = triangles.to(attributes.device, torch.int64)[raster.triangle[picture, row, column]]
    weights = raster.barycentric[picture, row, column]
    return (attributes[picture[:, None], corners] * weights[..., None]).sum(1), (picture, row, column)


class _Rasterise(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, vertices: Tensor, triangles: Tensor, width: int, height: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        start()
        vertices = vertices.detach().contiguous()
        shape, device = (len(vertices), height, width), vertices.device
        key = torch.full(shape, EMPTY, dtype=torch.int64, device=device)
        triangle = torch.zeros(shape, dtype=torch.int64, device=device)
        barycentric = torch.zeros((*shape, 3), dtype=torch.float32, device=device)
        depth = torch.empty(shape, dtype=torch.float32, device=device)
        points, faces, keys = wp.from_torch(vertices, dtype=wp.vec4), wp.from_torch(triangles), wp.from_torch(key)
        where = str(device) if device.type == "cuda" else "cpu"
        count = (len(vertices), len(triangles))
        wp.launch(clip_kernels.cover_clip, count, [points, faces, width, height], [keys], device=where)
        outputs = [wp.from_torch(triangle), wp.from_torch(barycentric, dtype=wp.vec3), wp.from_torch(depth)]
        inputs = [points, faces, keys, wp.int64(EMPTY), width, height]
        wp.launch(clip_kernels.place_clip, shape, inputs, outputs, device=where)
        context.save_for_backward(vertices, triangles, triangle, barycentric)
        context.mark_non_differentiable(triangle, depth)
        return barycentric, triangle, depth

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(context: Any, upstream: Tensor, *_: Any) -> tuple[Tensor, None, None, None]:
        # Warp asks for the gradients of what it is given, which PyTorch warns of where a tensor is no leaf.
        vertices, triangles, triangle, barycentric = (saved.detach() for saved in context.saved_tensors)
        gradient = torch.zeros_like(vertices)
        height, width = triangle.shape[1:]
        inputs = [
            wp.from_torch(vertices, dtype=wp.vec4),
            wp.from_torch(triangles),
            wp.from_torch(triangle),
            wp.from_torch(barycentric, dtype=wp.vec3),
            wp.from_torch(upstream.detach().contiguous(), dtype=wp.vec3),
            width,
            height,
        ]
        where = str(vertices.device) if vertices.device.type == "cuda" else "cpu"
        outputs = [wp.from_torch(gradient, dtype=wp.vec4)]
        wp.launch(clip_kernels.pull_back, tuple(triangle.shape), inputs, outputs, device=where)
        return gradient, None, None, None
