"""A head from another side, in another mood and light: what looks right from one view alone does not last there."""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator

from likeness.fitting.appearance import ANCHORS, Portrait, Sitter, Stand
from likeness.fitting.pose import rotation_of
from likeness.render.light import sh_basis

__all__ = ["even_light", "lit_from", "other_side"]

YAW, PITCH = 30.0, 10.0
"""Degrees: uniform up to the first, deviation of the second."""
AWAY = 1.0  # metres
SPAN = 0.33
"""Distance of the outer eye corners as a share of the picture: what the face network sees them at."""
MOODS = (("mouthSmile", 0.5), ("jawOpen", 0.2), ("browInnerUp", 0.5), ("browDown", 0.4), ("mouthPucker", 0.4))
"""Expressions by the beginnings of their names, and their most."""


def even_light(level: float) -> torch.Tensor:
    """(9, 3) white light from everywhere under which white skin is as bright as the level."""
    light = torch.zeros(9, 3)
    light[0] = level / 0.282095
    return light


def lit_from(direction: torch.Tensor, level: float, share: float) -> torch.Tensor:
    """(9, 3) white light, a share of it from a direction (3,), of the same level where that is faced."""
    lobes = torch.tensor([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])
    lamp = sh_basis(direction) / lobes
    lamp = lamp * (level / float(sh_basis(direction) @ lamp))
    return (1 - share) * even_light(level) + share * lamp[:, None].expand(9, 3)


def other_side(sitter: Sitter, side: int, rng: Generator) -> tuple[Portrait, Stand]:
    """A grey picture (S, S), and how the head stands in it by chance."""
    yaw, pitch = np.radians([rng.uniform(-YAW, YAW), np.clip(rng.normal(0, PITCH), -20, 20)])
    turned = rotation_of(np.array([-pitch, 0, 0])) @ rotation_of(np.array([0, yaw, 0]))
    rotation = torch.from_numpy(np.diag([1.0, -1.0, -1.0]) @ turned).float()
    five = sitter.five.on(sitter.vertices, sitter.mesh)
    # Below the eyes' middle, where a face has its own.
    middle = five[[0, 2, 4]].mean(0)
    translation = torch.tensor([0.0, 0.0, AWAY]) - rotation @ middle
    focal = SPAN * side * AWAY / float((five[0] - five[2]).norm())
    picture = torch.full((3, side, side), float(rng.uniform(0.2, 0.7)))
    none = torch.zeros(0)
    portrait = Portrait(
        picture, torch.full((2,), focal), torch.full((2,), side / 2), rotation, translation,
        none.reshape(0, 2), none.long(), none.reshape(0, 3), none,
        torch.zeros(len(ANCHORS), 2), torch.zeros(len(ANCHORS), 3),
    )  # fmt: skip
    names = sitter.head.expression_names
    expression = torch.zeros(len(names))
    start, most = MOODS[int(rng.integers(len(MOODS)))]
    for i, name in enumerate(names):
        if name.startswith(start):
            expression[i] = float(rng.uniform(0, most))
    azimuth, height = rng.uniform(-1.2, 1.2), rng.uniform(-0.2, 0.9)
    to = torch.tensor([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)]).float()
    light = lit_from(to, float(rng.uniform(0.6, 0.95)), float(rng.uniform(0.0, 0.6)))
    return portrait, Stand(torch.zeros(3), torch.zeros(3), torch.zeros(()), expression, light)
