"""ICT-FaceKit's mean and modes become displacements of the whole base mesh.

A field here is an array (19158, C): the columns are the x, y, z of the offset of the mean, then of each mode.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import splu

from likeness.heads.prior import Prior
from prior.features import Rim, rim
from prior.heads import SIDES, Base, Ict, Sphere
from prior.inside import Eye, fill_inside
from prior.mesh import bending, edge_set, neighbours, triangles
from prior.register import Registration

__all__ = ["carry"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SMOOTH = 0.004  # metres: unevenness of the modes below this length is ironed out
LIP_RINGS, LID_RINGS = 6, 7  # how far the closing of the lips and the sliding of the lids reach
CORNER = 0.001  # metres from the mouth's corners where lips begin to meet; from twice that on they do


def carry(base: Base, ict: Ict, fit: Registration) -> Prior:
    """The prior, symmetric, with modes independent and strongest first."""
    skin = fit.vertices
    weight = base.area[skin] * base.reach[skin] * fit.known
    rotation, shift = _frame(fit.fitted, base.mean[skin], weight)
    place = fit.fitted @ rotation.T + shift
    modes = np.einsum("vk,nvkc->nvc", fit.weights, ict.modes[:, fit.triangles]) @ rotation.T
    spheres = {s: Sphere(ball.centre @ rotation.T + shift, ball.radius) for s, (ball, _) in ict.eyes.items()}
    follow = {s: motion @ rotation.T for s, (_, motion) in ict.eyes.items()}
    turns = _head_motion(place, modes, weight)
    modes = modes - turns(place)
    eyes = {s: Eye(spheres[s], follow[s] - turns(spheres[s].centre[None])[:, 0]) for s in SIDES}

    field = _fill(base, fit, np.concatenate([place[None] - base.mean[skin], modes]))
    _close_lips(base, field)
    for side, eye in eyes.items():
        _slide_lids(base, field, eye, SIDES[side])
    fill_inside(base, field, eyes)
    return _independent(base, field, eyes["L"].sphere.radius)


def _frame(points: Floats, onto: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """The motion (pitch, y and z alone) from ICT's frame to the base mesh's: rotation (3, 3), shift (3,)."""
    share = weight[:, None] / weight.sum()
    a, b = (share * points).sum(0), (share * onto).sum(0)
    cross, dot = np.cross(points[:, 1:] - a[1:], onto[:, 1:] - b[1:]), ((points - a) * (onto - b))[:, 1:].sum(1)
    angle = np.arctan2((weight * cross).sum(), (weight * dot).sum())
    c, s = np.cos(angle), np.sin(angle)
    rotation = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    shift = b - rotation @ a
    return rotation, shift * (0, 1, 1)


class _Motions:
    """Rigid motions, one per mode, to first order."""

    def __init__(self, centre: Floats, parameters: Floats) -> None:
        self.centre, self.parameters = centre, parameters

    def __call__(self, points: Floats) -> Floats:
        """Displacements (N, V, 3) of points (V, 3)."""
        moved: Floats = self.parameters[:, None, :3] + np.cross(self.parameters[:, None, 3:], points - self.centre)
        return moved


def _head_motion(points: Floats, modes: Floats, weight: Floats) -> _Motions:
    """The rigid motion in modes (N, V, 3): posture, not identity. Growth is left in."""
    centre = (weight[:, None] * points).sum(0) / weight.sum()
    basis = _Motions(centre, np.eye(6))(points)
    weighted = (basis * weight[:, None]).reshape(6, -1)
    flat = modes.reshape(len(modes), -1)
    return _Motions(centre, np.linalg.solve(weighted @ basis.reshape(6, -1).T, weighted @ flat.T).T)


def _fill(base: Base, fit: Registration, fields: Floats) -> Floats:
    """Displacements (1 + N, n, 3) of the fitted skin as a field: smoothed, gaps filled, faded along the neck."""
    skin = fit.vertices
    local = np.full(len(base.mean), -1)
    local[skin] = np.arange(len(skin))
    values = fields.transpose(1, 0, 2).reshape(len(skin), -1)
    stiff, _ = bending(fit.fitted, local[triangles(base.skin)])
    area, reach = base.area[skin], base.reach[skin]
    trust = area * fit.known
    anchored = 1e-4 * area * (reach < 0.02)
    smooth = splu((sparse.diags(trust + anchored) + SMOOTH**4 * stiff).tocsc()).solve(trust[:, None] * values)
    # The mean keeps what the registration found; its own stiffness has smoothed it.
    smooth[fit.known, :3] = values[fit.known, :3]
    field = np.zeros((len(base.mean), values.shape[1]))
    field[skin] = smooth * reach[:, None]
    return field


def _close_lips(base: Base, field: Floats) -> None:
    """Make the lips meet in the mean and stay together in every mode: both take the middle of the two."""
    shape = base.mean + field[:, :3]
    lips = rim(shape, base.skin, base.mouth)
    pairs = [_opposite(shape, lips.chains[k], lips.chains[1 - k]) for k in (0, 1)]
    values = {k: np.concatenate([shape[c], field[c, 3:]], 1) for k, c in enumerate(lips.chains)}
    before = {k: v.copy() for k, v in values.items()}
    for _ in range(20):  # the points of one lip fall between those of the other, so it takes a few turns
        values = {k: (values[k] + pairs[k] @ values[1 - k]) / 2 for k in (0, 1)}
    change = {}
    for k, chain in enumerate(lips.chains):
        # The base mesh's lips curl up and down at the corners, which must stay so for the mouth to open.
        along = np.clip((np.minimum(*np.abs(shape[chain, :1] - shape[chain[[0, -1]], 0]).T) - CORNER) / CORNER, 0, 1)
        step = (values[k] - before[k]) * (along**2 * (3 - 2 * along))[:, None]
        change |= dict(zip(chain.tolist(), step, strict=True))
    _spread(base, field, change, lips, LIP_RINGS)


def _opposite(shape: Floats, chain: Ints, other: Ints) -> sparse.csr_matrix:
    """(len(chain), len(other)): the point of the other chain across, as a mixture of its vertices."""
    places = shape * (1, 0.2, 0.2)  # across is up and down, so mind x
    a, b = places[other[:-1]], places[other[1:]]
    reach = b - a
    along = np.clip(((places[chain][:, None] - a) * reach).sum(2) / np.maximum((reach**2).sum(1), 1e-12), 0, 1)
    distance = np.linalg.norm(a + along[..., None] * reach - places[chain][:, None], axis=2)
    segment = np.argmin(distance, 1)
    share = along[np.arange(len(chain)), segment]
    rows = np.arange(len(chain))
    return sparse.coo_matrix(
        (np.concatenate([1 - share, share]), (np.tile(rows, 2), np.concatenate([segment, segment + 1]))),
        (len(chain), len(other)),
    ).tocsr()


def _spread(base: Base, field: Floats, change: dict[int, Floats], hole: Rim, rings: int) -> None:
    """Add changes at a hole's edge to the field, dying away over so many rings of skin."""
    beside = neighbours(edge_set(base.skin))
    for vertex, ring in hole.rings.items():  # nearest first
        if ring >= rings:
            continue
        if ring > 0:
            inward = [change[w] for w in beside[vertex] if hole.rings.get(w) == ring - 1]
            change[vertex] = np.mean(inward, 0)
        field[vertex] += change[vertex] * (1 - ring / rings) ** 2


def _slide_lids(base: Base, field: Floats, eye: Eye, side: float) -> None:
    """Let lids slide over the eyeball in every mode, and neither lift off nor sink in: the ball keeps its radius."""
    shape = base.mean + field[:, :3]
    rings = rim(shape, base.skin, base.socket, side=side).rings
    vertices, ring = np.array(list(rings)), np.array(list(rings.values()))
    hold = np.clip((LID_RINGS - ring) / 4, 0, 1)
    hold = hold**2 * (3 - 2 * hold)
    out = shape[vertices] - eye.sphere.centre
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    modes = field[vertices, 3:].reshape(len(vertices), -1, 3)
    lift = ((modes - eye.modes) * out[:, None]).sum(2, keepdims=True) * out[:, None]
    field[vertices, 3:] = (modes - hold[:, None, None] * lift).reshape(len(vertices), -1)


def _independent(base: Base, field: Floats, eye_radius: float) -> Prior:
    """Principal components of the modes, weighted by the head's skin; symmetric and antisymmetric ones apart.

    ICT's modes are symmetric or antisymmetric themselves, so that the two kinds are independent.
    """
    flip = np.array([-1.0, 1, 1])
    mean = (field[:, :3] + field[base.mirror, :3] * flip) / 2
    modes = field[:, 3:].reshape(len(field), -1, 3).transpose(1, 0, 2)
    turned = modes[:, base.mirror] * flip
    parity = np.sign((modes * turned).sum((1, 2)))
    modes = (modes + parity[:, None, None] * turned) / 2
    root = np.sqrt(base.area * base.reach / (base.area * base.reach).sum())
    found, kinds = [], []
    for kind in (1, -1):
        chosen = modes[parity == kind]
        mixture = np.linalg.svd((chosen * root[:, None]).reshape(len(chosen), -1), full_matrices=False)[0]
        found.append(np.tensordot(mixture.T, chosen, 1))
        kinds.append(np.full(len(chosen), kind))
    every, kind = np.concatenate(found), np.concatenate(kinds)
    order = np.argsort(-((every * root[:, None]) ** 2).sum((1, 2)))
    return Prior(mean.astype(np.float32), every[order].astype(np.float32), kind[order].astype(np.int8), eye_radius)
