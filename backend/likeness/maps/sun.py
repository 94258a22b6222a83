"""One lamp beside the soft light: what throws the shadows of nose, brow and chin, which soft light cannot."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas
from likeness.maps.light import STIFF, Light, robust, seen_light
from likeness.maps.transfer import Beams, shadow_from
from likeness.render.light import sh_basis
from likeness.render.view import vertex_normals

__all__ = ["Sun", "find_sun"]

Floats = NDArray[np.float32]

FEWEST = 200
"""Vertices of seen skin from which a lamp can be told."""
UNEXPLAINED = 0.07
"""Share of the usual light that soft light must leave unexplained on average before a lamp is looked for."""
CLEARLY = 0.8
"""Share of it that may still be unexplained with a lamp."""
WEAKEST = 0.25
"""Light of a lamp, over the usual light, that makes no shadow worth taking off."""
SIDE = 512
"""Pixels across the head as the lamp sees it: 1 mm each."""
SOFT = 0.0025
"""Metres over which the edge of a shadow is soft: lamps are no points, and light spreads in skin."""
DOUBT = 0.006
"""Metres around the edge of a shadow that a photo tells less of: the fitted nose is not the true one."""
_LOBES = np.array([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])


@dataclass(frozen=True, eq=False)
class Sun:
    """A lamp far away.

    Attributes:
        direction: (3,) unit, from the head towards it; strength: (3,) linear light of skin that faces it.
        light: the soft light beside it.
        shading: (L, L, 3) linear light of even skin under both, in the atlas's square.
        trust: (L, L) in 0..1: away from the edges of shadows and out of their depth.
    """

    direction: NDArray[np.float64]
    strength: NDArray[np.float64]
    light: Light
    shading: Floats
    trust: Floats

    def coefficients(self) -> NDArray[np.float64]:
        """(9, 3) radiance of soft light and lamp together, as far as second-order harmonics show a lamp."""
        lamp = sh_basis(torch.from_numpy(self.direction)).numpy() / _LOBES
        total: NDArray[np.float64] = self.light.coefficients + np.pi * lamp[:, None] * self.strength
        return total


def find_sun(
    log: Floats, weight: Floats, atlas: Atlas, beams: Beams, light: Light, vertices: Floats, triangles: torch.Tensor
) -> Sun | None:
    """The lamp of a photo, None where soft light explains it about as well.

    Args:
        log: (L, L, 3) the photo, freed of the skin's own changes of colour; weight: (L, L) where it shows bare skin.
        light: what soft light alone explains best.
        vertices: (V, 3) metres, the head as the photo shows it; triangles: (T, 3) of what throws shadows.
    """
    used, total, seen = seen_light(log, weight, atlas)
    if used.sum() < FEWEST:
        return None
    goal = (seen / light.level).mean(1)
    soft = beams.transfer[used].astype(np.float64)
    _, before = robust(soft, goal, total, STIFF)
    if before < UNEXPLAINED:
        return None
    stiff = np.append(STIFF, 0.0)

    def left(reach: Floats) -> float:
        x, rest = robust(np.column_stack([soft, reach[used]]), goal, total, stiff)
        return rest if x[9] > WEAKEST else np.inf

    rests = np.array([left(reach) for reach in beams.reach])
    if not np.isfinite(rests.min()):
        return None
    posed = torch.from_numpy(np.asarray(vertices, np.float32))
    normals = vertex_normals(posed, triangles)

    def reach_of(direction: NDArray[np.float64], side: int) -> Floats:
        to = torch.from_numpy(direction).float()
        reach: Floats = ((normals @ to).clamp(min=0) * shadow_from(posed, triangles, to, posed, side)).numpy()
        return reach

    first = np.argsort(rests)[:3]
    tried = [(rests[k], beams.directions[k].astype(np.float64)) for k in first if np.isfinite(rests[k])]
    for angle in (0.16, 0.08):
        best = min(tried, key=lambda pair: pair[0])[1]
        tried += [(left(reach_of(around, SIDE // 2)), around) for around in _ring(best, angle)]

    after, direction = min(tried, key=lambda pair: pair[0])
    if after > CLEARLY * before:
        return None
    return _lit(log, weight, atlas, beams, light, posed, triangles, normals, direction)


def _lit(
    log: Floats,
    weight: Floats,
    atlas: Atlas,
    beams: Beams,
    light: Light,
    posed: torch.Tensor,
    triangles: torch.Tensor,
    normals: torch.Tensor,
    direction: NDArray[np.float64],
) -> Sun | None:
    """The lamp's strength and its shadows, texel by texel."""
    to = torch.from_numpy(direction).float()
    points = torch.from_numpy(atlas.texels(posed.numpy())[atlas.inside])
    reached = np.zeros(atlas.inside.shape, np.float32)
    reached[atlas.inside] = shadow_from(posed, triangles, to, points, SIDE).numpy()
    texel = atlas.texel
    facing = atlas.texels((normals @ to).clamp(min=0).numpy())
    edge = cv2.GaussianBlur(reached, (0, 0), SOFT / texel)
    reach = facing * edge

    used, total, seen = seen_light(log, weight, atlas)
    share = atlas.vertices(weight * atlas.area)[used]
    at = (atlas.vertices(reach * weight * atlas.area)[used] / share).astype(np.float64)
    basis = np.column_stack([beams.transfer[used].astype(np.float64), at])
    found = np.stack([robust(basis, seen[:, c] / light.level[c], total, np.append(STIFF, 0.0))[0] for c in range(3)], 1)
    # A lamp has one colour, and so has the light beside it.
    grey = found.mean(1, keepdims=True)
    warm = np.clip(found[[0, 9]] / np.maximum(grey[[0, 9]], 1e-6), 0.8, 1.25)
    soft, strength = grey[:9] * warm[0], grey[9] * warm[1]
    if strength.min() <= 0 or grey[0] <= 0:
        return None
    around = Light(soft * light.level, light.level)
    shading = atlas.texels(around.shading(beams.transfer)) + reach[..., None] * (strength * light.level).astype(
        np.float32
    )
    # Where the lamp makes most of the light, the edge of its shadow decides; in the depth of it there is little to see.
    turned = cv2.GaussianBlur(reached * (facing > 0.05), (0, 0), DOUBT / texel)
    unsure = 4 * turned * (1 - turned) * float(np.clip(strength.mean(), 0, 1))
    return Sun(direction, strength * light.level, around, shading, (1 - 0.7 * unsure).astype(np.float32))


def _ring(direction: NDArray[np.float64], angle: float) -> list[NDArray[np.float64]]:
    """Six directions around one, `angle` radians from it."""
    across = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    across /= np.linalg.norm(across)
    up = np.cross(across, direction)
    turns = 2 * np.pi * np.arange(6) / 6
    around = [np.cos(angle) * direction + np.sin(angle) * (np.cos(t) * across + np.sin(t) * up) for t in turns]
    return [d / np.linalg.norm(d) for d in around]
