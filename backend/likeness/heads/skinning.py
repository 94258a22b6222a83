"""Linear blend skinning."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["axis_angle_to_matrix", "linear_blend_skinning", "pose_correctives"]


def axis_angle_to_matrix(rotation: Tensor) -> Tensor:
    """Rodrigues' formula: axis-angle (..., 3) radians to rotation matrices (..., 3, 3); smooth at zero."""
    zero = torch.zeros_like(rotation[..., 0])
    x, y, z = rotation.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*rotation.shape[:-1], 3, 3)
    matrix: Tensor = torch.linalg.matrix_exp(skew)
    return matrix


def pose_correctives(rotations: Tensor, correctives: Tensor) -> Tensor:
    """What bent joints add to the rest vertices before skinning, (B, V, 3) metres.

    Args:
        rotations: (B, K, 3) axis-angle radians of the joints that have correctives.
        correctives: (9 K, V, 3) metres per unit of an entry of R - I, row by row.

    Source: SMPL (Loper et al. 2015), section 3.2; FLAME (Li et al. 2017), section 3.
    """
    bent = axis_angle_to_matrix(rotations) - torch.eye(3, dtype=rotations.dtype, device=rotations.device)
    return torch.einsum("bk,kvc->bvc", bent.flatten(1), correctives)


def linear_blend_skinning(
    vertices: Tensor, joints: Tensor, pose: Tensor, parents: tuple[int, ...], weights: Tensor
) -> Tensor:
    """Pose vertices by their joints.

    Args:
        vertices: (B, V, 3) rest vertices, metres.
        joints: (B, J, 3) rest joints, metres, same frame.
        pose: (B, J, 3) axis-angle radians, each joint relative to its parent.
        parents: J parent indices, each before its children, -1 for a root.
        weights: (V, J), rows sum to 1.

    Returns:
        (B, V, 3) posed vertices, metres.
    """
    local = axis_angle_to_matrix(pose)
    rotations: list[Tensor] = []
    offsets: list[Tensor] = []
    for j, parent in enumerate(parents):
        joint = joints[:, j]
        if parent < 0:
            rotation, position = local[:, j], joint
        else:
            rotation = rotations[parent] @ local[:, j]
            position = offsets[parent] + (rotations[parent] @ joint[..., None])[..., 0]
        rotations.append(rotation)
        # What is added after rotating a rest point: posed joint minus the rotated rest joint.
        offsets.append(position - (rotation @ joint[..., None])[..., 0])
    blended = torch.einsum("vj,bjxy->bvxy", weights, torch.stack(rotations, 1))
    moved = torch.einsum("vj,bjx->bvx", weights, torch.stack(offsets, 1))
    return (blended @ vertices[..., None])[..., 0] + moved
