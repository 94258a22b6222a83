"""What the head model cannot say: a smooth, small displacement that brings the features to where the photo has them.

The displacement is a field in space, a sum of wide bumps, in pairs that are mirror images: neighbouring lids, lips and
what lies behind them move together and cannot cross, the ears and the back of the head stay, and what only one side
shows mostly happens to the other side too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.fitting.pose import Pose
from likeness.heads.base import HeadModel

__all__ = ["Pull", "Residual", "displaced", "free_form"]

Floats = NDArray[np.float64]

REACH = 0.018  # metres: standard deviation of a bump
SPACING = 0.012  # metres between the bumps' centres
ALIKE, APART = 0.0025, 0.0012  # metres: standard deviations of the symmetric and the asymmetric part
CAP = 0.004  # metres: no point moves farther
GRAIN = 0.002  # metres: noise of one landmark
NEIGHBOURS = 20.0  # landmarks that err together and count as one
FACING = 0.25  # cosine to the viewer below which a landmark is taken to be hidden


@dataclass(frozen=True, eq=False)
class Pull:
    """What one photo asks for.

    Attributes:
        pose: its camera; points: (K, 3) metres, landmarks as fitted (with expression and the network's bias).
        wanted: (K, 2) pixels where the network sees them; trust: (K,) 0..1.
        normals: (K, 3) unit, of the skin there, in the head's frame.
    """

    pose: Pose
    points: Floats
    wanted: Floats
    trust: Floats
    normals: Floats


@dataclass(frozen=True, eq=False)
class Residual:
    """The displacement: bumps at centres (C, 3) metres with amplitudes (C, 3) metres."""

    centres: Floats
    amplitudes: Floats

    def at(self, points: NDArray[np.floating[Any]]) -> Floats:
        """Displacement (..., 3) metres of points (..., 3) metres on the neutral head; never longer than `CAP`."""
        flat = np.asarray(points, np.float64).reshape(-1, 3)
        moved = _bumps(flat, self.centres) @ self.amplitudes
        length = np.linalg.norm(moved, axis=1, keepdims=True)
        moved = moved * (CAP * np.tanh(length / CAP) / np.maximum(length, 1e-12))
        return np.asarray(moved.reshape(np.shape(points)))


def free_form(places: Floats, pulls: list[Pull]) -> Residual:
    """The smallest smooth displacement that explains the landmarks of all photos.

    Args:
        places: (K, 3) metres, the landmarks on the neutral head, symmetric about x = 0 as far as the head is.
        pulls: one per photo.
    """
    centres = _spread(places)
    mirrored = centres * (-1, 1, 1)
    here, there = _bumps(places, centres), _bumps(places, mirrored)
    unit = np.sqrt((here**2 + there**2).sum(1).mean())
    size = len(centres)
    # Unknowns: symmetric then asymmetric amplitudes, (2, C, 3).
    flip = np.array([-1.0, 1.0, 1.0])
    rows, targets = [], []
    for pull in pulls:
        seen = pull.points @ pull.pose.rotation.T + pull.pose.translation
        scale = pull.pose.focal / seen[:, 2]
        gap = (pull.wanted - (pull.pose.focal * seen[:, :2] / seen[:, 2:] + pull.pose.centre)) / scale[:, None]
        view = -(seen / np.linalg.norm(seen, axis=1, keepdims=True)) @ pull.pose.rotation
        shown = np.clip(((pull.normals * view).sum(1) + 0.1) / (FACING + 0.1), 0.02, 1)
        weight = np.sqrt(pull.trust * shown) / GRAIN / len(pulls)  # the network errs alike in all photos
        for axis in range(2):
            across = pull.pose.rotation[axis]  # this axis of the picture in the head's frame
            first = here[:, :, None] * across
            second = there[:, :, None] * (across * flip)
            both = np.stack([first + second, first - second], 1).reshape(len(places), -1)
            rows.append(both * weight[:, None])
            targets.append(gap[:, axis] * weight)
    matrix, target = np.concatenate(rows), np.concatenate(targets)
    spread = np.repeat([ALIKE, APART], size * 3) / unit
    scaled = matrix * spread
    scaled, target = scaled / np.sqrt(NEIGHBOURS), target / np.sqrt(NEIGHBOURS)
    solved = spread * np.linalg.solve(scaled.T @ scaled + np.eye(scaled.shape[1]), scaled.T @ target)
    alike, apart = solved.reshape(2, size, 3)
    return Residual(np.concatenate([centres, mirrored]), np.concatenate([alike + apart, (alike - apart) * flip]))


def displaced(
    head: HeadModel, vertices: NDArray[np.float32], joints: NDArray[np.float32], residual: Residual
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Vertices (V, 3) and joints (J, 3) moved; eyeballs stay round and take their joints along.

    Args:
        vertices, joints: of the neutral head, metres.
    """
    moved, moved_joints = vertices + residual.at(vertices), joints.copy()
    for name in ("eye.L", "eye.R"):
        ball = np.unique(head.triangles[head.region(name)].numpy())
        if len(ball) and name in head.joint_names:
            shift = residual.at(vertices[ball]).mean(0)
            moved[ball] = vertices[ball] + shift
            moved_joints[head.joint_names.index(name)] += shift.astype(np.float32)
    return moved.astype(np.float32), moved_joints


def _bumps(points: Floats, centres: Floats) -> Floats:
    """(P, C) values of the bumps."""
    square = ((points[:, None] - centres[None]) ** 2).sum(-1)
    bumps: Floats = np.exp(-square / (2 * REACH**2))
    return bumps


def _spread(places: Floats) -> Floats:
    """Centres (C, 3) on the left half, at least `SPACING` apart."""
    chosen: list[Floats] = []
    for place in places[places[:, 0] >= -1e-3]:
        if all(np.linalg.norm(place - other) >= SPACING for other in chosen):
            chosen.append(place)
    return np.array(chosen)
