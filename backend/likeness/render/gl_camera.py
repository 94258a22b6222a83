"""Cameras as OpenGL's helpers make them; matrices act on columns, clip = perspective look_at (x, y, z, 1)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

__all__ = ["euler_matrices", "look_at", "perspective", "transform_homogeneous"]

_LEAST = 1e-6


def perspective(aspect_ratio: float, fov_y: Tensor, near_clip: Tensor, far_clip: Tensor) -> Tensor:
    """gluPerspective: from eye space (right-handed, looking down -z) to clip space (x right, y up, z away).

    Args:
        aspect_ratio: width over height of the picture.
        fov_y: (B,) whole vertical angle of view in degrees.
        near_clip, far_clip: (B,) distances, > 0.

    Returns:
        (B, 4, 4).
    """
    focal = 1 / torch.tan(fov_y * (math.pi / 360))
    depth = far_clip - near_clip
    matrix = focal.new_zeros((len(focal), 4, 4))
    # In place on a fresh tensor: autograd follows it.
    matrix[:, 0, 0] = focal / aspect_ratio
    matrix[:, 1, 1] = focal
    matrix[:, 2, 2] = -(far_clip + near_clip) / depth
    matrix[:, 2, 3] = -2 * (far_clip * near_clip / depth)
    matrix[:, 3, 2] = -1
    return matrix


def look_at(eye: Tensor, center: Tensor, world_up: Tensor) -> Tensor:
    """gluLookAt: from the world to eye space.

    Args:
        eye, center: (B, 3) where the camera stands and what it looks at.
        world_up: (B, 3) direction that shows upright.

    Returns:
        (B, 4, 4).

    Raises:
        ValueError: the camera stands where it looks at, or looks straight up or down.
    """
    forward = center - eye
    distance = forward.norm(dim=1, keepdim=True)
    if bool((distance <= _LEAST).any()):
        raise ValueError("a camera cannot stand at the point that it looks at")
    forward = forward / distance
    side = torch.linalg.cross(forward, world_up)
    length = side.norm(dim=1, keepdim=True)
    if bool((length <= _LEAST).any()):
        raise ValueError("a camera cannot look along its own up direction")
    side = side / length
    up = torch.linalg.cross(side, forward)
    rotation = torch.stack([side, up, -forward], 1)
    last = eye.new_tensor([0, 0, 0, 1]).expand(len(eye), 1, 4)
    return torch.cat([torch.cat([rotation, -rotation @ eye[..., None]], 2), last], 1)


def euler_matrices(angles: Tensor) -> Tensor:
    """Rotations Rz Ry Rx, (B, 4, 4), of angles about x, y and z, (B, 3) in radians."""
    (sx, sy, sz), (cx, cy, cz) = angles.sin().unbind(1), angles.cos().unbind(1)
    zero, one = torch.zeros_like(sx), torch.ones_like(sx)
    rows = [
        (cz * cy, cz * sy * sx - cx * sz, sz * sx + cz * cx * sy, zero),
        (cy * sz, cz * cx + sz * sy * sx, cx * sz * sy - cz * sx, zero),
        (-sy, cy * sx, cy * cx, zero),
        (zero, zero, zero, one),
    ]
    return torch.stack([torch.stack(row, 1) for row in rows], 1)


def transform_homogeneous(matrices: Tensor, vertices: Tensor) -> Tensor:
    """Vertices (B, V, 3) with a 1 added, through matrices (B, 4, 4): (B, V, 4)."""
    whole = torch.cat([vertices, torch.ones_like(vertices[..., :1])], -1)
    return whole @ matrices.transpose(1, 2)
