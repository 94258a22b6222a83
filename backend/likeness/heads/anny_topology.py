"""Which polygons of the base mesh make the bust, in which order, and where the bust is cut off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_source import Package

__all__ = ["Topology", "cut_bust"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The bust ends on a cylinder along the line of sight, the way a sculptor rounds it off: (x, y) middle, radius, metres.
CUT_MIDDLE = (0.0, 0.07)
CUT_RADIUS = 0.185

INNER = {"mouth_cavity": "mouth", "eye_cavity.L": "socket", "eye_cavity.R": "socket"}


@dataclass(frozen=True, eq=False)
class Topology:
    """The chosen part of the base mesh: skin with mouth bag and eye sockets, then tongue, then lashes.

    Attributes:
        base: (V, 2) int64 base-mesh vertices; mix: (V,) share of the second. Only the rim of the bust mixes two.
        polygons: (F, 4) int64; region: (F,) str.
        mirror: (V,) int64, each vertex's partner on the other side.
    """

    base: Ints
    mix: Floats
    polygons: Ints
    region: NDArray[np.str_]
    mirror: Ints

    def take(self, field: Floats) -> Floats:
        """Carry a field (19158, C) of the base mesh over to these vertices, (V, C)."""
        share = self.mix[:, None]
        taken: Floats = (1 - share) * field[self.base[:, 0]] + share * field[self.base[:, 1]]
        return taken


def cut_bust(package: Package) -> Topology:
    """Choose and order the polygons; the order of the result is part of the head's identity and must not change."""
    body = package.part == "body"
    tongue = package.part == "helper-tongue"
    lashes = np.char.find(package.part, "-eyelashes-") >= 0
    inside = _depth(package.vertices) > 0
    kept = body & inside[package.polygons].all(1) | tongue | lashes

    region = np.full(len(package.polygons), "skin", dtype="<U8")
    for colour, name in INNER.items():
        region[body & (package.polygon_colour == colour)] = name
    region[tongue], region[lashes] = "tongue", "lashes"

    used = [np.unique(package.polygons[kept & part]) for part in (body, tongue, lashes)]
    order = np.concatenate(used)
    index = np.full(len(package.vertices), -1, dtype=np.int64)
    index[order] = np.arange(len(order))
    rank = np.select([body, tongue, lashes], [0, 1, 2], 3)
    chosen = np.flatnonzero(kept)
    chosen = chosen[np.argsort(rank[chosen], kind="stable")]

    second, mix = _rim(package, kept & body, body)
    return Topology(
        base=np.stack([order, second[order]], 1),
        mix=mix[order],
        polygons=index[package.polygons[chosen]],
        region=region[chosen],
        mirror=index[package.mirror[order]],
    )


def _depth(vertices: Floats) -> Floats:
    """How far inside the cut each vertex (V, 3) lies, metres; everything above the cylinder's middle is inside."""
    x, y = vertices[:, 0] - CUT_MIDDLE[0], vertices[:, 1] - CUT_MIDDLE[1]
    depth: Floats = CUT_RADIUS - np.where(y > 0, np.abs(x), np.hypot(x, y))
    return depth


def _rim(package: Package, kept: NDArray[np.bool_], body: NDArray[np.bool_]) -> tuple[Ints, Floats]:
    """Slide the rim's vertices along an edge onto the cut: second vertex (19158,) and its share (19158,)."""
    depth = _depth(package.vertices)
    second = np.arange(len(depth))
    mix = np.zeros(len(depth))
    inside = np.zeros(len(depth), dtype=bool)
    inside[package.polygons[kept]] = True
    quads = package.polygons[body]
    edges = np.concatenate([np.stack([quads[:, i], quads[:, (i + 1) % 4]], 1) for i in range(4)])
    edges = np.unique(np.concatenate([edges, edges[:, ::-1]]), axis=0)
    edges = edges[inside[edges[:, 0]] & ~inside[edges[:, 1]] & (depth[edges[:, 1]] < 0)]
    share = depth[edges[:, 0]] / (depth[edges[:, 0]] - depth[edges[:, 1]])
    # A midline vertex keeps to the midline, every other takes its shortest way out: the rim stays symmetric.
    aside = np.abs(package.vertices[edges[:, 0], 0] - package.vertices[edges[:, 1], 0])
    midline = np.abs(package.vertices[edges[:, 0], 0]) < 1e-6
    for i in np.argsort(share + np.where(midline, 1e3 * aside, 0), kind="stable")[::-1]:
        second[edges[i, 0]], mix[edges[i, 0]] = edges[i, 1], share[i]
    return second, mix
