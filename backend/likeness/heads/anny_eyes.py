"""Eyeballs behind the lids of the base mesh, lids that never let the ball through, and lashes on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_groups import rings
from likeness.heads.anny_parts import LOWER_LASHES, UPPER_LASHES, Part, eye_profile
from likeness.heads.anny_source import Package
from likeness.heads.anny_topology import Topology
from likeness.heads.uv import boundary_loops

__all__ = ["ball_centre", "clear_lids", "eye_loop", "lashes", "near"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLEARANCE = 0.0005  # metres between ball and skin: as much as one level of subdivision takes away
REACH = 1.6  # in radii of the ball: skin farther from its middle is left alone
SAMPLES = 22  # sections of a row of lashes
STEPS = (0.0, 0.25, 0.5, 0.75, 1.0)
FIRST, LAST = 0.15, 0.95  # shares of the lid, from the inner corner, between which lashes grow
ROOT = 0.25  # roots lie between the front edge of the lid's margin (0) and its back edge (1)
# Length in metres; the direction at the root as shares of outwards from the ball, upwards and sideways; the curl.
UPPER = (0.0075, (0.95, -0.55, 0.30), 0.95)
LOWER = (0.0026, (0.85, -0.25, 0.25), -0.30)


def ball_centre(package: Package, shape: Floats, side: str) -> Floats:
    """(3,) metres: the middle of the sphere that the base mesh's eye lies on in the shape (19158, 3)."""
    shell = shape[np.unique(package.polygons[package.part == f"helper-{side.lower()}-eye"])]
    system = np.concatenate([2 * shell, np.ones((len(shell), 1))], 1)
    centre: Floats = np.linalg.lstsq(system, (shell**2).sum(1), rcond=None)[0][:3]
    return centre


def near(vertices: Floats, centre: Floats) -> Floats:
    """(V,) weights of the vertices around an eye, sum 1: the ball follows their mean under identity."""
    weight = np.exp(-(((vertices - centre) ** 2).sum(1)) / (2 * 0.016**2))
    share: Floats = weight / weight.sum()
    return share


def eye_loop(topology: Topology, shape: Floats, side: str) -> Ints:
    """(n,) border between lid and socket, in the skin's sense of rotation."""
    sign = 1 if side == "L" else -1
    loops = boundary_loops(topology.polygons[topology.region == "skin"])[2:]
    return next(loop for loop in loops if sign * shape[loop, 0].mean() > 0)


def clear_lids(
    topology: Topology, shape: Floats, expression: Floats, centre: Floats, radius: float, loop: Ints
) -> tuple[Floats, Floats]:
    """Push the skin out of the ball, at rest and all the way to each expression.

    The lid's back edge, the loop itself, stays inside the ball and closes the gap to it.

    Args:
        shape: (V, 3) metres; expression: (M, V, 3); centre: (3,); radius: of the ball.

    Returns:
        shape and expression, corrected.
    """
    skin = topology.polygons[topology.region == "skin"]
    ring = rings(skin, loop, len(shape))
    lid = np.flatnonzero((ring >= 1) & (ring < 12) & (np.linalg.norm(shape - centre, axis=1) < REACH * radius))
    shape, expression = shape.copy(), expression.copy()
    shape[lid] += _push(shape[lid] - centre, radius)
    for moved in expression:
        if not np.abs(moved[lid]).max() > 1e-5:
            continue
        for weight in (1.0, 0.75, 0.5, 0.25):
            push = _push(shape[lid] + weight * moved[lid] - centre, radius)
            moved[lid] += push / weight
    return shape, expression


def _push(arms: Floats, radius: float) -> Floats:
    """(n, 3) by which points at arms (n, 3) from the ball's middle have to move to lie clear of it."""
    length = np.linalg.norm(arms, axis=1)
    missing = np.maximum(eye_profile(arms[:, 2] / length, radius) + CLEARANCE - length, 0)
    push: Floats = arms / length[:, None] * missing[:, None]
    return push


def lashes(
    topology: Topology, shape: Floats, fields: Floats, centre: Floats, loop: Ints, upper: bool, side: str
) -> tuple[Part, Floats]:
    """One row of lashes as a strip: u along the lid from the inner corner, v from root to tip in the lid's band.

    Args:
        shape: (V, 3) metres; fields: (K, V, 3) displacements that the roots follow, the lashes turning with the lid.

    Returns:
        the strip, and its displacements (K, v, 3).
    """
    sign = 1.0 if side == "L" else -1.0
    first, second, share = _roots(topology, shape, loop, upper, sign)

    def at(points: Floats) -> Floats:
        """Roots (..., SAMPLES, 3) on vertices (..., V, 3)."""
        blend = share[:, None]
        edge = [(1 - blend) * points[..., pair[0], :] + blend * points[..., pair[1], :] for pair in (first, second)]
        placed: Floats = (1 - ROOT) * edge[0] + ROOT * edge[1]
        return placed

    root = at(shape)
    arm = root - centre
    length, (out, up, sideways), curl = UPPER if upper else LOWER
    across = np.linspace(0, 1, SAMPLES)
    outwards = arm / np.linalg.norm(arm, axis=1, keepdims=True)
    start = out * outwards + np.array([0, up, 0])
    start[:, 0] += sign * sideways * (2 * across - 0.7)
    start /= np.linalg.norm(start, axis=1, keepdims=True)
    size = length * (0.4 + 0.6 * np.sin(np.pi * across**1.2) ** 0.7)  # longest beyond the middle
    step = np.array(STEPS)[:, None, None]
    offset = size[:, None] * (step * start + step**2 * np.array([0, curl, 0]))

    moved_root = at(fields)
    turn = _turns(arm, arm + moved_root)
    moved = moved_root[:, None] + np.einsum("ksij,tsj->ktsi", turn, offset) - offset
    rows, columns = len(STEPS), SAMPLES
    grid = np.arange(rows * columns).reshape(rows, columns)
    faces = np.stack([grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]], -1).reshape(-1, 4)
    if (sign > 0) != upper:
        faces = faces[:, ::-1].copy()
    low, high = UPPER_LASHES if upper else LOWER_LASHES
    uv = np.stack(np.meshgrid(across, low + (high - low) * np.array(STEPS)), -1).reshape(-1, 2)
    part = Part((root + offset).reshape(-1, 3), faces, uv, faces.copy())
    return part, moved.reshape(len(fields), -1, 3)


def _roots(topology: Topology, shape: Floats, loop: Ints, upper: bool, sign: float) -> tuple[Ints, Ints, Floats]:
    """Where lashes grow: vertex pairs (2, SAMPLES) of the margin's front and back edge, and the share of the second."""
    skin = topology.polygons[topology.region == "skin"]
    x = sign * shape[loop, 0]
    inner, outer = int(np.argmin(x)), int(np.argmax(x))
    count = len(loop)
    forward = [(inner + k) % count for k in range((outer - inner) % count + 1)]
    backward = [(inner - k) % count for k in range((inner - outer) % count + 1)]
    ways = sorted((forward, backward), key=lambda way: shape[loop[way], 1].mean())
    back = loop[ways[1] if upper else ways[0]]
    on_loop = set(loop.tolist())
    quads = skin[np.isin(skin, back).any(1) & (skin[:, 3] >= 0)]
    edges = np.concatenate([np.stack([quads, np.roll(quads, k, 1)], -1).reshape(-1, 2) for k in (1, -1)])
    beyond = {v: w for v, w in edges.tolist() if v in on_loop and w not in on_loop}
    front = np.array([beyond[v] for v in back.tolist()])
    path = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(shape[front], axis=0), axis=1))])
    along = np.linspace(FIRST, LAST, SAMPLES) * path[-1]
    k = np.clip(np.searchsorted(path, along, side="right") - 1, 0, len(front) - 2)
    share = (along - path[k]) / np.maximum(path[k + 1] - path[k], 1e-9)
    return np.stack([front[k], front[k + 1]]), np.stack([back[k], back[k + 1]]), share


def _turns(rest: Floats, moved: Floats) -> Floats:
    """(K, S, 3, 3) the smallest rotations that take directions rest (S, 3) to moved (K, S, 3)."""
    a = rest / np.linalg.norm(rest, axis=-1, keepdims=True)
    b = moved / np.linalg.norm(moved, axis=-1, keepdims=True)
    axis = np.cross(np.broadcast_to(a, b.shape), b)
    cosine = (a * b).sum(-1)
    skew = np.zeros((*b.shape[:-1], 3, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -axis[..., 2], axis[..., 1], -axis[..., 0]
    skew -= np.swapaxes(skew, -1, -2)
    turns: Floats = np.eye(3) + skew + skew @ skew / (1 + cosine)[..., None, None]
    return turns
