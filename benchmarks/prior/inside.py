"""What the skin hides follows it: mouth bag, tongue, teeth, sockets, eyes, lashes, joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu
from scipy.spatial import KDTree

from prior.features import rim
from prior.heads import SIDES, Base, Sphere, fit_sphere
from prior.mesh import bending, triangles

__all__ = ["Eye", "fill_inside"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

KERNEL = (0.006, 0.025)  # metres: near the skin follow the skin beside, deep inside the whole face
MOUTH_PARTS = (
    "helper-tongue", "helper-upper-teeth", "helper-lower-teeth", "joint-head", "joint-head-2", "joint-jaw",
    "joint-mouth", "joint-tongue-1", "joint-tongue-2", "joint-tongue-3", "joint-tongue-4",
)  # fmt: skip
SOCKET_ROOM = 1.03  # the socket is so much wider than the eyeball


@dataclass(frozen=True, eq=False)
class Eye:
    """Where an eye is in the mean head, and how it moves (N, 3) with each mode."""

    sphere: Sphere
    modes: Floats


def fill_inside(base: Base, field: Floats, eyes: dict[str, Eye]) -> None:
    """Complete a field (19158, C) that is known on the skin."""
    parts = base.part(*MOUTH_PARTS)
    field[parts] = _kernel(base, field, base.mean[parts])
    skin = np.unique(base.skin)
    bag = np.setdiff1d(np.unique(base.mouth), skin)
    edge = np.intersect1d(np.unique(base.mouth), skin)
    field[bag] = _kernel(base, field, base.mean[bag])
    _join(base, field, base.mouth, bag, edge, field[edge] - _kernel(base, field, base.mean[edge]))
    for side, eye in eyes.items():
        _eye(base, field, eye, side)


def _kernel(base: Base, field: Floats, points: Floats) -> Floats:
    """The field at points (P, 3): an affine map fitted to the head's skin nearby, point by point."""
    skin = np.flatnonzero(base.area * (base.reach > 0.5))
    places, values = base.mean[skin], field[skin]
    width = np.clip(KDTree(places).query(points)[0], *KERNEL)
    found = np.empty((len(points), field.shape[1]))
    for i, point in enumerate(points):
        arm = places - point
        weight = base.area[skin] * np.exp(-(arm**2).sum(1) / (2 * width[i] ** 2))
        weight /= weight.sum()
        system = np.concatenate([np.ones((len(arm), 1)), arm / 0.03], 1)
        # A little damping of the slopes: skin that is nearly flat says nothing of the direction across it.
        normal = (system * weight[:, None]).T @ system + np.diag([0, 0.03, 0.03, 0.03])
        found[i] = np.linalg.solve(normal, (system * weight[:, None]).T @ values)[0]
    return found


def _join(base: Base, field: Floats, polygons: Ints, free: Ints, edge: Ints, step: Floats) -> None:
    """Take away the step (E, C) between the field at a hole's edge and the free vertices behind, dying away inwards."""
    every = np.concatenate([free, edge])
    local = np.full(len(base.mean), -1)
    local[every] = np.arange(len(every))
    kept = polygons[(local[polygons] >= 0).all(1)]
    _, plain = bending(base.mean[every], local[triangles(kept)])
    inner, border = plain[: len(free), : len(free)], plain[: len(free), len(free) :]
    system = (inner + sparse.diags(0.02 * inner.diagonal() + 1e-9)).tocsc()
    field[free] += splu(system).solve(-(border @ step))


def _eye(base: Base, field: Floats, eye: Eye, side: str) -> None:
    """Eyeball, socket, lashes and joints of one eye."""
    letter = side.lower()
    ball = base.part(f"helper-{letter}-eye")
    own = fit_sphere(base.mean[ball])
    rigid = np.concatenate([eye.sphere.centre - own.centre, eye.modes.ravel()])
    field[ball] = rigid
    field[ball, :3] += (base.mean[ball] - own.centre) * (eye.sphere.radius / own.radius - 1)
    field[base.part(f"joint-{letter}-eye", f"joint-{letter}-eye-target")] = rigid

    sign = SIDES[side]
    skin = np.unique(base.skin)
    socket = np.unique(base.socket)
    socket = socket[base.mean[socket, 0] * sign > 0]
    edge, free = np.intersect1d(socket, skin), np.setdiff1d(socket, skin)

    def around(vertices: Ints) -> Floats:
        moved = np.tile(rigid, (len(vertices), 1))
        grow = SOCKET_ROOM * max(eye.sphere.radius / own.radius, 1) - 1
        moved[:, :3] += (base.mean[vertices] - own.centre) * grow
        return moved

    field[free] = around(free)
    _join(base, field, base.socket, free, edge, field[edge] - around(edge))
    lids = rim(base.mean, base.skin, base.socket, side=sign).rings
    lid = np.array([v for v, ring in lids.items() if ring <= 4])
    lashes = base.part(f"helper-{letter}-eyelashes-1", f"helper-{letter}-eyelashes-2")
    distance, nearest = KDTree(base.mean[lid]).query(base.mean[lashes], k=4)
    weight = 1 / (distance + 5e-4) ** 2
    field[lashes] = (field[lid[nearest]] * (weight / weight.sum(1, keepdims=True))[..., None]).sum(1)
