"""What DECA and RingNet share: FLAME's coefficients and a camera without perspective become a head in a photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import IBUG68
from likeness.heads.expressions import clipped
from likeness.heads.flame import Flame
from likeness.heads.flame_head import expression_name, origin_of
from likeness.heads.skinning import axis_angle_to_matrix
from likeness.methods.base import View

__all__ = [
    "Coefficients",
    "Placement",
    "Standing",
    "average",
    "landmarks68",
    "neutral",
    "posed_in",
    "rounded",
    "standing_in",
]

Floats = NDArray[np.float32]

AWAY = 2.0
"""Metres between the camera's plane and the head's middle; of no effect on a picture without perspective."""


@dataclass(frozen=True, eq=False)
class Coefficients:
    """FLAME's, for one photo, float32: shape (100,), expression (50,), pose (6,) axis-angle of global and jaw."""

    shape: Floats
    expression: Floats
    pose: Floats


@dataclass(frozen=True)
class Placement:
    """Where FLAME lands in a photo: pixel = scale * (x + shift) + centre, y turned over where `upright`.

    Attributes:
        scale: photo pixels per metre.
        centre: x, y in pixels of the photo (first pixel's centre 0.5) where x + shift = 0 lands.
        shift: tx, ty in metres, in the frame of the vertices.
        upright: the vertices have +Y up (DECA); otherwise y is down and z into the picture (RingNet).
    """

    scale: float
    centre: tuple[float, float]
    shift: tuple[float, float]
    upright: bool


@dataclass(frozen=True, eq=False)
class Standing:
    """A photo's view, and whatever of it the head's own rig cannot show: metres of the worst vertex."""

    view: View
    rig_error: float


def landmarks68(face: Face) -> NDArray[np.float64]:
    """(68, 2) pixels of the photo, the first pixel's centre at 0, as the originals count."""
    points: NDArray[np.float64] = face.landmarks[list(IBUG68), :2] - 0.5
    return points


def average(codes: Sequence[Floats]) -> Floats:
    """One person's coefficients from those of several photos."""
    mean: Floats = np.mean(np.stack(codes), axis=0, dtype=np.float64).astype(np.float32)
    return mean


def neutral(flame: Flame, head: HeadModel, shape: Floats) -> tuple[Floats, Floats, Floats]:
    """The person at rest in the head's frame: vertices (V, 3), joints (J, 3) metres, identity (N,)."""
    identity = np.zeros(len(head.identity), np.float32)
    identity[: len(shape)] = shape
    coefficients = torch.from_numpy(identity)[None]
    still = torch.zeros(1, 1)
    vertices = (flame.shaped(coefficients, still)[0] - origin_of(flame)).numpy()
    return vertices, head.joints_of(coefficients)[0].numpy(), identity


def posed_in(head: HeadModel, vertices: Floats, joints: Floats, view: View) -> torch.Tensor:
    """(V, 3) metres in the head's frame: neutral vertices and joints with a view's expression and pose."""
    expressed = torch.from_numpy(vertices) + torch.einsum(
        "m,mvc->vc", torch.from_numpy(view.expression), head.expression
    )
    return head.pose(expressed[None], torch.from_numpy(joints)[None], torch.from_numpy(view.pose)[None])[0]


def standing_in(
    face: Face, flame: Flame, head: HeadModel, person: Floats, given: Coefficients, placed: Placement
) -> Standing:
    """How the head stands in a photo.

    FLAME's global rotation turns about its root, which the expression moves a little; it becomes the camera's.

    Args:
        person: (100,) shape coefficients of the head that is shown, which may be the mean over several photos.
    """
    shape, expression, pose = (torch.from_numpy(v)[None] for v in (person, given.expression, given.pose))
    root = flame.joints_of(flame.shaped(shape, expression))[0, 0].double().numpy()
    turn = axis_angle_to_matrix(pose[0, :3].double()).numpy()
    flip = np.diag([1.0, -1.0, -1.0]) if placed.upright else np.eye(3)
    origin = origin_of(flame).double().numpy()
    moved = root + turn @ (origin - root) + (*placed.shift, 0.0)
    photo = face.photo
    camera = Camera(
        photo.width,
        photo.height,
        placed.scale,
        placed.scale,
        *placed.centre,
        flip @ turn,
        flip @ moved * (1, 1, 0) + (0, 0, AWAY),
        "orthographic",
    )
    weights = np.zeros(len(head.expression_names), np.float32)
    for number, value in enumerate(given.expression):
        name = expression_name(number)
        weights[head.expression_names.index(name)] = clipped(name, float(value))
    joints = np.zeros((len(head.joint_names), 3), np.float32)
    joints[head.joint_names.index("jaw")] = given.pose[3:]
    view = View(face, camera, weights, joints)
    return Standing(view, _rig_error(flame, head, shape, expression, pose, view))


def _rig_error(
    flame: Flame, head: HeadModel, shape: torch.Tensor, expression: torch.Tensor, pose: torch.Tensor, view: View
) -> float:
    """Metres between FLAME's own vertices and the rigged head's, global rotation aside."""
    still = torch.cat([torch.zeros_like(pose[:, :3]), pose[:, 3:]], 1)
    exact = flame.forward(shape, expression, still).vertices - origin_of(flame)
    identity = torch.zeros(1, len(head.identity))
    identity[:, : shape.shape[1]] = shape
    rigged = head.forward(identity, torch.from_numpy(view.expression)[None], torch.from_numpy(view.pose)[None])
    return float((exact - rigged).norm(dim=2).max())


def rounded(values: Any) -> Any:
    """Numbers as they are worth keeping in the provenance: six digits after the point."""
    array = np.asarray(values, np.float64)
    return np.round(array, 6).tolist()
