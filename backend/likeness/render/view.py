"""From the head's frame to the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from likeness.camera import Camera

__all__ = ["project", "vertex_normals"]


def project(camera: Camera, vertices: Tensor) -> Tensor:
    """Vertices (V, 3) metres to (V, 3): x, y in pixels, z depth in metres, as `rasterise` takes them.

    An orthographic camera's depths are shifted so that the nearest vertex lies one metre away.
    """
    rotation = torch.as_tensor(camera.rotation, dtype=vertices.dtype, device=vertices.device)
    translation = torch.as_tensor(camera.translation, dtype=vertices.dtype, device=vertices.device)
    seen = vertices @ rotation.T + translation
    x, y, z = seen.unbind(-1)
    if camera.kind == "perspective":
        return torch.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy, z], -1)
    return torch.stack([camera.fx * x + camera.cx, camera.fy * y + camera.cy, z - z.min() + 1], -1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals (V, 3), weighted by the triangles' areas; 0 where a vertex has no triangle."""
    a, b, c = vertices[triangles].unbind(-2)
    flat = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(0, triangles[:, corner], flat)
    return torch.nn.functional.normalize(total, dim=-1, eps=1e-20)
