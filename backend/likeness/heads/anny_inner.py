"""Texture layouts of what lies inside the head: mouth bag and eye sockets in one square, the tongue in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_source import Package
from likeness.heads.anny_topology import Topology
from likeness.heads.uv import boundary_loops, diagonals, planar, relax, tutte

__all__ = ["lining_layout", "tongue_layout"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Middle and radius of the disks in the square of the Mouth material.
BAG = (0.5, 0.64, 0.35)
SOCKET = (0.86, 0.14, 0.13)  # the left one; the right one is its mirror image
ROUNDS = 12


def lining_layout(topology: Topology, mean: Floats) -> tuple[Floats, Ints]:
    """UVs of mouth bag and sockets: each opens into a disk of its own.

    Args:
        mean: (V, 3) metres.

    Returns:
        uv (T, 2), polygons_uv (S, 4) for the polygons of the region "mouth" in their order.
    """
    lining = topology.polygons[topology.region == "mouth"]
    uv = np.zeros((len(mean), 2))
    for loop in boundary_loops(lining):
        side = float(mean[loop, 0].mean())
        if side < -1e-6:
            continue
        own = _connected(lining, loop)
        middle, radius = (np.array(BAG[:2]), BAG[2]) if side < 1e-6 else (np.array(SOCKET[:2]), SOCKET[2])
        picked = np.unique(own[own >= 0])
        uv[picked] = middle + radius * _disk(own, loop, mean)[picked]
        if side > 1e-6:
            uv[topology.mirror[picked]] = uv[picked] * (-1, 1) + (1, 0)
    return _compact(uv, lining)


def tongue_layout(package: Package) -> tuple[Floats, Ints]:
    """The package's own layout of the tongue, (T, 2) and (S, 4), drawn out to the whole square."""
    polygons = package.polygons_uv[package.part == "helper-tongue"]
    used = package.uv[np.unique(polygons)]
    low, high = used.min(0), used.max(0)
    return _compact(0.01 + 0.98 * (package.uv - low) / (high - low), polygons)


def _connected(polygons: Ints, seeds: Ints) -> Ints:
    """The polygons (n, 4) that hang together with the seeds."""
    reached = np.zeros(polygons.max() + 2, dtype=bool)
    reached[seeds] = True
    while True:
        touched = reached[polygons].any(1)
        before = int(reached.sum())
        reached[polygons[touched]] = True
        reached[-1] = False  # stands for the missing corner of triangles
        if int(reached.sum()) == before:
            connected: Ints = polygons[touched]
            return connected


def _disk(polygons: Ints, loop: Ints, mean: Floats) -> Floats:
    """UV (V, 2) of a surface with one border, inside the unit circle, its lowest border vertex at the bottom."""
    x, y = mean[loop, 0], mean[loop, 1]
    start = int(np.argmin(np.where(np.abs(x - x.mean()) < 2e-3, y, np.inf)))
    angle = 2 * np.pi * np.arange(len(loop)) / len(loop) - np.pi / 2
    circle = np.stack([np.cos(angle), np.sin(angle)], 1)
    uv = tutte(polygons, len(mean), np.roll(loop, -start), circle)
    triangles, weights = diagonals(polygons)
    reference = planar(mean[triangles])
    area = np.abs(np.linalg.det(reference[:, 1:] - reference[:, :1])) / 2 * weights
    held = np.zeros((len(mean), 2), dtype=bool)
    held[loop] = True
    # Vertices of other surfaces take no part.
    held[np.setdiff1d(np.arange(len(mean)), triangles)] = True
    return relax(uv, triangles, area / area.sum(), reference * np.sqrt(np.pi / area.sum()), held, ROUNDS)


def _compact(uv: Floats, polygons: Ints) -> tuple[Floats, Ints]:
    """Only the UVs that the polygons use, and the polygons renumbered."""
    used = np.unique(polygons[polygons >= 0])
    number = np.full(len(uv) + 1, -1)
    number[used] = np.arange(len(used))
    return uv[used], number[polygons]
