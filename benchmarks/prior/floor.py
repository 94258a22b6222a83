"""What the default head cannot express: the error that is left when ICT's own random heads are fitted outright."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.heads.prior import Prior
from now import IBUG7, Scan, Surface, distances
from prior.heads import Base, Ict
from prior.mesh import barycentric, triangles
from prior.register import Registration

__all__ = ["Floor", "floor"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Floor:
    """Millimetres, over random heads: the NoW protocol's median and mean distance of the best fit and of the mean head,
    and the RMS distance between corresponding points of the head's skin, of all that identity moves there."""

    median: float
    mean: float
    mean_head_median: float
    mean_head_mean: float
    rms: float
    rms_of_identity: float


def floor(base: Base, ict: Ict, fit: Registration, prior: Prior, heads: int = 20, seed: int = 5) -> Floor:
    """Draw heads from ICT at one sigma and fit the prior to them by least squares at corresponding points."""
    rng = np.random.default_rng(seed)
    skin = fit.vertices
    # Where the neck fades into the shoulders, which do not vary, there is nothing to be found.
    weight = base.area[skin] * (base.reach[skin] > 0.99) * fit.known
    root = np.sqrt(weight / weight.sum())[:, None]
    corners = triangles(base.skin)
    mean = base.mean + prior.mean_offset
    faces, shares = _landmarks(ict, fit, base)
    # Posture of the head is free, as it is in the fitting of photos.
    place = mean[skin]
    motion = np.concatenate([np.cross(np.eye(3)[:, None], place), np.repeat(np.eye(3)[:, None], len(place), 1)])
    basis = np.concatenate([prior.modes[:, skin], motion])
    system = (basis * root).reshape(len(basis), -1).T
    found = []
    for _ in range(heads):
        truth = ict.mean + np.tensordot(rng.normal(size=len(ict.modes)), ict.modes, 1)
        goal = np.einsum("vk,vkc->vc", fit.weights, truth[fit.triangles])
        goal = _upright(goal, place, weight)
        step = goal - place
        coefficients = np.linalg.lstsq(system, (step * root).ravel(), rcond=None)[0]
        left = step - np.tensordot(coefficients, basis, 1)
        moved = step - np.tensordot(np.linalg.lstsq(system[:, -6:], (step * root).ravel(), rcond=None)[0], motion, 1)
        scan = Scan(_visible(truth, triangles(ict.skin)), truth[ict.points68[list(IBUG7)]])
        best = mean + np.tensordot(coefficients[:-6], prior.modes.astype(np.float64), 1)
        errors = [distances(scan, v, corners, np.einsum("lk,lkc->lc", shares, v[faces])) * 1e3 for v in (best, mean)]
        rms = [1e3 * np.sqrt(((field * root) ** 2).sum()) for field in (left, moved)]
        found.append([np.median(errors[0]), errors[0].mean(), np.median(errors[1]), errors[1].mean(), *rms])
    return Floor(*np.mean(found, 0).tolist())


def _upright(points: Floats, onto: Floats, weight: Floats) -> Floats:
    """Points moved rigidly onto others (Kabsch)."""
    share = weight[:, None] / weight.sum()
    a, b = points - (share * points).sum(0), onto - (share * onto).sum(0)
    u, _, vt = np.linalg.svd((b * share).T @ a)
    turn = u @ np.diag([1, 1, np.sign(np.linalg.det(u @ vt))]) @ vt
    moved: Floats = a @ turn.T + (share * onto).sum(0)
    return moved


def _landmarks(ict: Ict, fit: Registration, base: Base) -> tuple[NDArray[np.int64], Floats]:
    """NoW's seven landmarks on the base mesh's skin, triangles (7, 3) of vertices and shares (7, 3)."""
    laid = fit.laid.copy()
    laid[fit.vertices] = fit.fitted
    corners = triangles(base.skin)
    closest, faces = Surface(laid, corners).closest(ict.mean[ict.points68[list(IBUG7)]])
    return corners[faces], barycentric(closest, laid[corners[faces]])


def _visible(vertices: Floats, corners: NDArray[np.int64], count: int = 20000) -> Floats:
    """Points (P, 3) spread evenly over what can be seen of triangles from the front half of the compass."""
    rng = np.random.default_rng(0)
    a, b, c = (vertices[corners[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    area = np.linalg.norm(cross, axis=1)
    chosen = rng.choice(len(corners), count, p=area / area.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    points: Floats = a[chosen] + u * (b - a)[chosen] + v * (c - a)[chosen]
    surface, out = Surface(vertices, corners), cross[chosen] / area[chosen, None]
    seen = np.zeros(count, dtype=bool)
    for yaw in np.radians((-75, -35, 0, 35, 75)):
        direction = np.array([np.sin(yaw), 0, np.cos(yaw)])
        seen |= (out @ direction > 0.1) & ~surface.blocked(points + 1e-5 * out, direction)
    return points[seen]
