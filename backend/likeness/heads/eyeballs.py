"""Where an eyeball sits once the lids around it have moved: as far behind them as before, open and shut."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.base import HeadModel
from likeness.heads.lids import blink_scale

__all__ = ["seat"]

Floats = NDArray[np.float64]

NEAR = 0.005
"""Metres from the ball within which skin is its lid."""
STEPS = 6
STAY = 0.05
"""Weight of staying where the skin around took the eye, against the lids' distances."""
MOST = 0.006
"""Metres that the lids may move it from there."""
CLEAR, DEEPEST = 0.0002, 0.003
"""Metres between ball and lids, and how far back a ball may go for them."""


def seat(head: HeadModel, eye: str, before: Floats, after: Floats, start: Floats) -> Floats:
    """The shift (3,) of an eyeball in metres.

    Args:
        eye: "eye.L" or "eye.R".
        before, after: (V, 3) metres, neutral; the skin's vertices were moved, the eye's were not.
        start: (3,) shift by the skin around it.
    """
    ball = np.unique(head.triangles.numpy()[head.region(eye).numpy()])
    skin = np.unique(head.triangles.numpy()[head.region("skin").numpy()])
    middle = (before[ball].min(0) + before[ball].max(0)) / 2
    radius = float(np.linalg.norm(before[ball] - middle, axis=1).max())
    shut = _shut(head, eye)
    scale = float(_blink(head, eye, after))
    lids = np.concatenate([before[skin], before[skin] + shut[skin]])
    moved = np.concatenate([after[skin], after[skin] + scale * shut[skin]])
    away = np.linalg.norm(lids - middle, axis=1)
    use = away < radius + NEAR
    if use.sum() < 8:
        return start
    away, placed = away[use], moved[use]
    shift = start.copy()
    for _ in range(STEPS):
        arms = placed - middle - shift
        length = np.linalg.norm(arms, axis=1)
        way = -arms / length[:, None]
        gap = length - away
        stay = STAY * len(gap)
        shift += np.linalg.solve(way.T @ way + stay * np.eye(3), -way.T @ gap - stay * (shift - start))
    far = float(np.linalg.norm(shift - start))
    shift = start + (shift - start) * min(1.0, MOST / max(far, 1e-12))
    passing = np.concatenate([after[skin] + share * scale * shut[skin] for share in (0.25, 0.5, 0.75, 1.0)])
    return shift - (0, 0, _through(before[ball] + shift, middle + shift, passing))


def _shut(head: HeadModel, eye: str) -> Floats:
    """Displacement (V, 3) that shuts an eye."""
    name = f"eyeBlink{'Left' if eye.endswith('L') else 'Right'}"
    if name not in head.expression_names:
        return np.zeros(tuple(head.template.shape))
    moved: Floats = head.expression[head.expression_names.index(name)].double().numpy()
    return moved


def _blink(head: HeadModel, eye: str, vertices: Floats) -> float:
    """How far the lids of these vertices travel when they shut, against the head's own."""
    name = f"eyeBlink{'Left' if eye.endswith('L') else 'Right'}"
    if name not in head.expression_names:
        return 1.0
    factors = blink_scale(head, torch.from_numpy(vertices).float())
    return float(factors[head.expression_names.index(name)])


def _through(ball: Floats, middle: Floats, lids: Floats) -> float:
    """How far a ball (B, 3) must go back, metres, for lids (K, 3) in all their places to pass before it."""
    arms = ball - middle
    length = np.linalg.norm(arms, axis=1)
    tree = cKDTree(arms / length[:, None])
    back, step = 0.0, 0.00025
    front = lids[(lids[:, 2] > middle[2]) & (np.linalg.norm(lids[:, :2] - middle[:2], axis=1) < length.max())]
    while back < DEEPEST:
        towards = front - middle + (0, 0, back)
        far = np.linalg.norm(towards, axis=1)
        apart, near = tree.query(towards / far[:, None])
        if not (far[apart < 0.3] < length[near[apart < 0.3]] + CLEAR).any():
            break
        back += step
    return back
