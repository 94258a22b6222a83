"""Parts that the base mesh lacks or has too coarse, modelled here: eyeballs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["IRIS_RADIUS", "IRIS_UV_RADIUS", "LOWER_LASHES", "UPPER_LASHES", "Part", "eye_profile", "eyeball", "join"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

IRIS_RADIUS = 0.0059
"""Metres: half of the horizontal visible iris diameter, 11.7 mm in adults (Rüfer et al., Cornea 24, 2005)."""
IRIS_UV_RADIUS = 0.2
"""Radius of the iris in the eye's UV square, whose middle it shares."""
LOWER_LASHES, UPPER_LASHES = (0.0, 0.25), (0.5, 1.0)
"""From root to tip in v: the bands of the square of lashes that each lid has."""
CORNEA_RADIUS = 0.0078  # metres: Gullstrand's eye
SEGMENTS = 32
RINGS = (0.0009, 0.0018, 0.0030, 0.0042, 0.0052, 0.0059, 0.0066, 0.0076)  # metres from the axis, cornea first
WHITE = (46.0, 58.0, 72.0, 90.0, 110.0, 130.0, 150.0, 168.0)  # degrees from the axis, behind the rings


@dataclass(frozen=True, eq=False)
class Part:
    """A piece of mesh: vertices (V, 3) metres, polygons (F, 4) with -1 last for triangles, uv (T, 2), polygons_uv."""

    vertices: Floats
    polygons: Ints
    uv: Floats
    polygons_uv: Ints


def join(pieces: list[Part]) -> Part:
    """Parts as one, in their order."""
    vertices, polygons, uv, polygons_uv = [], [], [], []
    count = count_uv = 0
    for piece in pieces:
        polygons.append(np.where(piece.polygons < 0, -1, piece.polygons + count))
        polygons_uv.append(np.where(piece.polygons_uv < 0, -1, piece.polygons_uv + count_uv))
        vertices.append(piece.vertices)
        uv.append(piece.uv)
        count, count_uv = count + len(piece.vertices), count_uv + len(piece.uv)
    return Part(np.concatenate(vertices), np.concatenate(polygons), np.concatenate(uv), np.concatenate(polygons_uv))


def eyeball(centre: Floats, radius: float) -> Part:
    """An eye looking along +Z with a bulging cornea.

    The UV square is the eye seen from the front: linear in the distance from the axis over cornea and iris, which
    ends at `IRIS_UV_RADIUS`, and compressed behind. Left and right eye share it, so that one texture fits both.

    Args:
        centre: (3,) metres; radius: of the white, metres.
    """
    rho = list(RINGS) + [radius * float(np.sin(np.radians(a))) for a in WHITE]
    height = [_front(r, radius) for r in RINGS] + [radius * float(np.cos(np.radians(a))) for a in WHITE]
    flat = [IRIS_UV_RADIUS * r / IRIS_RADIUS for r in RINGS]
    # From the last ring of the front on, the rest of the angle fills the rest of the square.
    start = float(np.degrees(np.arcsin(RINGS[-1] / radius)))
    flat += [flat[-1] + (0.5 - flat[-1]) * (a - start) / (180 - start) for a in WHITE]
    angle = 2 * np.pi * np.arange(SEGMENTS) / SEGMENTS
    ring = np.stack([np.cos(angle), np.sin(angle)], 1)
    rows = [np.concatenate([r * ring, np.full((SEGMENTS, 1), h)], 1) for r, h in zip(rho, height, strict=True)]
    vertices = np.concatenate([[[0, 0, _front(0, radius)]], *rows, [[0, 0, -radius]]]) + centre
    back = len(vertices) - 1
    uv = np.concatenate([[[0.5, 0.5]], *[0.5 + r * ring for r in flat], 0.5 + 0.5 * ring])

    here, there = np.arange(SEGMENTS), (np.arange(SEGMENTS) + 1) % SEGMENTS
    none = np.full(SEGMENTS, -1)
    polygons = [np.stack([np.zeros_like(here), 1 + here, 1 + there, none], 1)]
    for k in range(len(rho) - 1):
        a, b = 1 + k * SEGMENTS, 1 + (k + 1) * SEGMENTS
        polygons.append(np.stack([a + here, b + here, b + there, a + there], 1))
    last = 1 + (len(rho) - 1) * SEGMENTS
    polygons.append(np.stack([last + here, np.full(SEGMENTS, back), last + there, none], 1))
    corners = np.concatenate(polygons)
    # The back pole is one vertex but a whole circle in UV.
    corners_uv = corners.copy()
    corners_uv[-SEGMENTS:, 1] = back + here
    return Part(vertices, corners, uv, corners_uv)


def eye_profile(cosine: Floats, radius: float) -> Floats:
    """Distance (n,) of the eye's surface from its middle, metres, in directions with these cosines to its axis."""
    rho = np.linspace(0, RINGS[-1], 60)
    height = np.array([_front(float(r), radius) for r in rho])
    reached: Floats = np.interp(np.arccos(np.clip(cosine, -1, 1)), np.arctan2(rho, height), np.hypot(rho, height))
    return reached


def _front(rho: float, radius: float) -> float:
    """Height along the axis of the front of the eye at distance rho from the axis, metres; cornea over white."""
    white = float(np.sqrt(radius**2 - rho**2))
    if rho >= RINGS[-2]:
        return white
    # The cornea's sphere meets the white a little outside the iris, at the limbus.
    limbus = RINGS[-2]
    foot = float(np.sqrt(radius**2 - limbus**2))
    return foot + float(np.sqrt(CORNEA_RADIUS**2 - rho**2) - np.sqrt(CORNEA_RADIUS**2 - limbus**2))
