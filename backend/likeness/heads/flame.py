"""FLAME: a head of 5,023 vertices with shape, expression, pose correctives and four turning joints.

Source: Li, Bolkart, Black, Li and Romero, "Learning a model of facial shape and expression from 4D scans", ACM ToG
(SIGGRAPH Asia) 2017. The model's files are the user's own; nothing of them is here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.errors import HeadError
from likeness.heads.skinning import axis_angle_to_matrix, linear_blend_skinning, pose_correctives

__all__ = ["EXPRESSIONS", "JOINTS", "PARENTS", "SHAPES", "Flame", "Posed"]

SHAPES, EXPRESSIONS = 300, 100
"""Columns of ``shapedirs``: identity first, then expression; more identity columns are not published."""
JOINTS = 5
PARENTS = (-1, 0, 1, 1, 1)
"""Root at the base of the neck, neck at the skull's base, jaw, two eyes."""


@dataclass(frozen=True, eq=False)
class Posed:
    """FLAME's output: vertices (B, V, 3), posed joints (B, 5, 3), the root's and neck's rotation (B, 3, 3)."""

    vertices: Tensor
    joints: Tensor
    head_rotation: Tensor


@dataclass(frozen=True, eq=False)
class Flame:
    """The model's arrays. Metres, +Y up, the face looks along +Z; the origin is the model's own.

    Attributes:
        template: (V, 3) float32.
        shapes: (300, V, 3) and expressions: (100, V, 3) float32, displacement per unit of a coefficient.
        correctives: (36, V, 3) float32, displacement per unit of an entry of R - I, row by row, joints 1 to 4.
        regressor: (5, V) float32, joints from a mesh.
        weights: (V, 5) float32, rows sum to 1.
        triangles: (F, 3) int64.
    """

    template: Tensor
    shapes: Tensor
    expressions: Tensor
    correctives: Tensor
    regressor: Tensor
    weights: Tensor
    triangles: Tensor

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: str = "FLAME's file") -> Flame:
        """From the arrays of ``generic_model.pkl`` by their own names, chumpy and sparse matrices made plain.

        Raises:
            HeadError: an array is missing, of a shape that does not go with the others, or not finite.
        """
        count = np.shape(_taken(arrays, "v_template", source))[0]
        shapedirs = _shaped(arrays, "shapedirs", (count, 3, SHAPES + EXPRESSIONS), source)
        posedirs = _shaped(arrays, "posedirs", (count, 3, 9 * (JOINTS - 1)), source)
        weights = _shaped(arrays, "weights", (count, JOINTS), source)
        tree = np.asarray(_taken(arrays, "kintree_table", source)).astype(np.int64)
        # The root's parent is -1 as an unsigned number.
        parents = np.where(tree[0] >= JOINTS, -1, tree[0]) if tree.shape == (2, JOINTS) else tree
        if tuple(parents.ravel().tolist()) != PARENTS:
            raise HeadError(f"{source} has other joints than FLAME's five; use an edition with neck, jaw and eyes.")
        faces = np.asarray(_taken(arrays, "f", source))
        whole = faces.dtype.kind in "iu" and faces.ndim == 2 and faces.shape[1] == 3 and len(faces) > 0
        if not whole or int(faces.max()) >= count or int(faces.min()) < 0:
            raise HeadError(f"{source} has triangles that do not fit its vertices; download it again.")
        basis = torch.from_numpy(np.ascontiguousarray(shapedirs.transpose(2, 0, 1)))
        return cls(
            template=torch.from_numpy(_shaped(arrays, "v_template", (count, 3), source)),
            shapes=basis[:SHAPES],
            expressions=basis[SHAPES:],
            correctives=torch.from_numpy(np.ascontiguousarray(posedirs.transpose(2, 0, 1))),
            regressor=torch.from_numpy(_shaped(arrays, "J_regressor", (JOINTS, count), source)),
            weights=torch.from_numpy(weights),
            triangles=torch.from_numpy(faces.astype(np.int64)),
        )

    def shaped(self, shape: Tensor, expression: Tensor) -> Tensor:
        """Unposed vertices (B, V, 3) metres from identity (B, up to 300) and expression (B, up to 100)."""
        batch, count = len(shape), len(self.template)
        moved = shape @ self.shapes[: shape.shape[1]].flatten(1) + expression @ self.expressions[
            : expression.shape[1]
        ].flatten(1)
        return self.template + moved.reshape(batch, count, 3)

    def joints_of(self, vertices: Tensor) -> Tensor:
        """Rest joints (B, 5, 3) of unposed vertices (B, V, 3)."""
        return torch.einsum("jv,bvc->bjc", self.regressor, vertices)

    def forward(self, shape: Tensor, expression: Tensor, pose: Tensor) -> Posed:
        """Pose the head. All tensors of one dtype and on one device.

        Args:
            shape: (B, up to 300) identity; missing coefficients are zero.
            expression: (B, up to 100).
            pose: (B, 15) axis-angle radians: global, neck, jaw, eyes; or (B, 6): global, jaw.
        """
        rotations = full_pose(pose)
        unposed = self.shaped(shape, expression)
        joints = self.joints_of(unposed)
        bent = unposed + pose_correctives(rotations[:, 1:], self.correctives)
        posed = linear_blend_skinning(bent, joints, rotations, PARENTS, self.weights)
        local = axis_angle_to_matrix(rotations[:, :2])
        turned = [joints[:, :1]]
        neck = turned[0] + ((joints[:, 1:2] - joints[:, :1]) @ local[:, 0].transpose(1, 2))
        head = local[:, 0] @ local[:, 1]
        turned += [neck, neck + (joints[:, 2:] - joints[:, 1:2]) @ head.transpose(1, 2)]
        return Posed(posed, torch.cat(turned, 1), head)


def full_pose(pose: Tensor) -> Tensor:
    """(B, 5, 3) from (B, 15), or from global and jaw (B, 6) with neck and eyes at rest."""
    if pose.shape[1] == 6:
        still = torch.zeros_like(pose[:, :3])
        pose = torch.cat([pose[:, :3], still, pose[:, 3:], still, still], 1)
    return pose.reshape(-1, JOINTS, 3)


def _taken(arrays: Mapping[str, NDArray[Any]], name: str, source: str) -> NDArray[Any]:
    if name not in arrays:
        raise HeadError(f"{source} lacks the array {name}; it is not a FLAME model.")
    return np.asarray(arrays[name])


def _shaped(arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], source: str) -> NDArray[np.float32]:
    array = _taken(arrays, name, source)
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise HeadError(f"{source} has the array {name} in the shape {array.shape}, not {shape}; use another edition.")
    if not np.isfinite(array).all():
        raise HeadError(f"{source} holds numbers that are not finite in {name}; download it again.")
    return np.ascontiguousarray(array, np.float32)
