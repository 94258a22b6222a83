"""Teeth and gums, modelled one by one along the dental arches; the base mesh has only two slabs in their place.

Sizes are the usual ones of permanent teeth (Wheeler's Dental Anatomy, table of measurements), without wisdom teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_parts import Part, join

__all__ = ["LOWER", "UPPER", "Arch", "affine", "gums", "teeth"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDES = 8  # corners of a tooth's section
# Rings from the edge to the root: height in crowns, width, depth, and how far (mm) the outer face lies behind the arch.
INCISOR = (
    (0.0, 0.86, 0.2, 0.5),
    (0.1, 0.97, 0.3, 0.2),
    (0.45, 1.0, 0.55, 0.0),
    (0.8, 0.9, 0.9, 0.1),
    (1.0, 0.8, 1.0, 0.5),
)
CANINE = ((0.0, 0.3, 0.3, 0.9), (0.2, 0.8, 0.5, 0.2), (0.5, 1.0, 0.8, 0.0), (0.8, 0.9, 0.95, 0.2), (1.0, 0.8, 1.0, 0.6))
MOLAR = (
    (0.08, 0.55, 0.42, 2.6),
    (0.0, 0.84, 0.7, 1.3),
    (0.3, 1.0, 0.95, 0.2),
    (0.65, 0.97, 1.0, 0.0),
    (1.0, 0.86, 0.9, 0.6),
)
ROOT = (1.35, 0.7, 0.75, 1.6)
KINDS = (INCISOR, INCISOR, CANINE, MOLAR, MOLAR, MOLAR, MOLAR)


@dataclass(frozen=True)
class Arch:
    """Half of a row of teeth, from the middle to the second molar; millimetres.

    Attributes:
        width, depth, height: of each tooth's crown: along the arch, from lip to tongue, from edge to gum.
        front: how far the arch's outline lies in front of the helper slab's middle front edge.
        half, length: half axes of the ellipse that the teeth's outer faces follow: sideways and forwards.
        edge: how far each tooth reaches over the biting plane.
        up: 1 where roots point up.
    """

    width: tuple[float, ...]
    depth: tuple[float, ...]
    height: tuple[float, ...]
    front: float
    half: float
    length: float
    edge: tuple[float, ...]
    up: int


UPPER = Arch(
    (8.5, 6.5, 7.5, 7.0, 6.8, 9.6, 9.0), (7.0, 6.0, 8.0, 9.0, 9.0, 10.5, 10.5), (10.3, 9.0, 9.8, 8.3, 8.0, 7.4, 7.0),
    1.6, 30.5, 49.0, (1.2, 0.7, 1.2, 0.1, 0.0, 0.0, 0.0), 1,
)  # fmt: skip
LOWER = Arch(
    (5.2, 5.7, 6.9, 7.0, 7.0, 10.5, 10.0), (6.0, 6.5, 7.5, 7.5, 8.0, 10.0, 9.8), (8.8, 9.0, 10.0, 8.5, 8.0, 7.5, 7.0),
    -1.7, 28.0, 47.0, (0.9, 0.9, 1.0, 0.0, -0.2, -0.2, -0.2), -1,
)  # fmt: skip
SLOPE = 0.08  # by how much the biting plane rises towards the back
GUM = ((0.6, 9.0), (1.0, 5.0), (0.5, 1.6), (-0.9, 0.0))
"""Outer side of the gums: mm in front of the arch's outline, and mm beyond the crowns."""
GUM_INNER = ((0.9, 0.0), (-0.8, 2.2), (-2.5, 5.0), (-3.0, 9.0))
PAPILLA = 1.6  # mm by which the gum reaches between the teeth
BEHIND = 5.0  # mm of gum behind the last tooth


def teeth(arch: Arch, origin: Floats) -> Part:
    """One row of fourteen teeth. UV: a cell of the upper or lower half of the square each, v from edge to root.

    Args:
        origin: (3,) metres, in the middle between the front edges of the helper slabs.
    """
    places = np.cumsum(arch.width) - np.array(arch.width) / 2
    pieces = []
    for i, place in enumerate(places):
        for side in (1, -1):
            cell = 7 + i if side > 0 else 6 - i
            pieces.append(_tooth(arch, i, side * float(place), cell, origin))
    return join(pieces)


def _tooth(arch: Arch, i: int, place: float, cell: int, origin: Floats) -> Part:
    height, width, depth = arch.height[i], arch.width[i] * 0.985, arch.depth[i]
    rings = (*KINDS[i], ROOT)
    angle = 2 * np.pi * (np.arange(SIDES) + 0.5) / SIDES
    # A rounded box: a superellipse of power 3.
    across, out = (np.sign(f) * np.abs(f) ** (2 / 3) / 2 for f in (np.cos(angle), np.sin(angle)))
    middle, along, outward = _frame(arch, place)
    rows = []
    for rise, wide, deep, behind in rings:
        front = -behind - depth * deep / 2
        flat = middle + np.outer(across * width * wide, along) + np.outer(front + out * depth * deep, outward)
        up = np.full(SIDES, arch.up * (rise * height - arch.edge[i]))
        rows.append(np.column_stack([flat[:, 0], up + _plane(flat[:, 1], arch), flat[:, 1]]))
    tip = rows[0].mean(0) + np.array([0, arch.up * (0.1 * height if i > 2 else -0.1), 0])
    vertices = np.concatenate([tip[None], *rows])
    here, there = np.arange(SIDES), (np.arange(SIDES) + 1) % SIDES
    polygons = [np.stack([np.zeros_like(here), 1 + here, 1 + there, np.full(SIDES, -1)], 1)]
    corners = [np.stack([here, SIDES + here, SIDES + here + 1, np.full(SIDES, -1)], 1)]
    across_uv = (cell + 0.05 + 0.9 * np.arange(SIDES + 1) / SIDES) / 14
    levels = 0.02 + 0.46 * np.concatenate([[0.0], np.linspace(0.15, 1, len(rings))])
    lift = 0.5 if arch.up > 0 else 0.0
    if arch.up > 0:
        across_uv = across_uv[::-1]
    uv = [np.column_stack([(across_uv[:-1] + across_uv[1:]) / 2, np.full(SIDES, levels[0])])]
    for k in range(len(rings)):
        uv.append(np.column_stack([across_uv, np.full(SIDES + 1, levels[k + 1])]))
        if k:
            a, b = 1 + (k - 1) * SIDES, 1 + k * SIDES
            polygons.append(np.stack([a + here, b + here, b + there, a + there], 1))
            c, d = SIDES + (k - 1) * (SIDES + 1), SIDES + k * (SIDES + 1)
            corners.append(np.stack([c + here, d + here, d + here + 1, c + here + 1], 1))
    faces, faces_uv = np.concatenate(polygons), np.concatenate(corners)
    if arch.up < 0:
        faces, faces_uv = _turned(faces), _turned(faces_uv)
    return Part(origin + vertices * 1e-3, faces, np.concatenate(uv) + np.array([0, lift]), faces_uv)


def gums(arch: Arch, origin: Floats) -> Part:
    """The gum that holds one row. UV: u along the arch, v across, in the upper or lower half of the square."""
    places, heights, depths, dips = _stations(arch)
    rows = []
    for place, height, depth, dip in zip(places, heights, depths, dips, strict=True):
        middle, _, outward = _frame(arch, place)
        profile = [(d, height + h - (dip if h < 1 else 0)) for d, h in GUM]
        profile += [(d - depth, height + h - (dip if h < 1 else 0)) for d, h in GUM_INNER]
        flat = middle + np.outer([d for d, _ in profile], outward)
        up = arch.up * np.array([h for _, h in profile])
        rows.append(np.column_stack([flat[:, 0], up + _plane(flat[:, 1], arch), flat[:, 1]]))
    count, across = len(rows), len(rows[0])
    u, v = np.meshgrid(np.linspace(0.01, 0.99, count), np.linspace(0.01, 0.49, across), indexing="ij")
    grid = np.arange(count * across).reshape(count, across)
    faces = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], -1).reshape(-1, 4)
    if arch.up > 0:
        v, faces = 1 - v, faces[:, ::-1]
    return Part(origin + np.concatenate(rows) * 1e-3, faces.copy(), np.stack([u, v], -1).reshape(-1, 2), faces.copy())


def _stations(arch: Arch) -> tuple[list[float], list[float], list[float], list[float]]:
    """Sections of the gum from right to left: place along the arch, crown height, tooth depth, how far it dips."""
    ends = np.cumsum(arch.width)
    middles = ends - np.array(arch.width) / 2
    half = [(0.0, arch.height[0], arch.depth[0] * 0.9, PAPILLA)]
    for i in range(7):
        after = min(i + 1, 6)
        height, depth = (arch.height[i] + arch.height[after]) / 2, 0.9 * (arch.depth[i] + arch.depth[after]) / 2
        half.append((float(middles[i]), arch.height[i], arch.depth[i], 0.0))
        half.append((float(ends[i]), height, depth, PAPILLA if i < 6 else 0.5))
    half.append((float(ends[-1]) + BEHIND, arch.height[-1], arch.depth[-1] * 0.9, 0.0))
    whole = [(-p, h, d, dip) for p, h, d, dip in half[:0:-1]] + half
    places, heights, depths, dips = (list(column) for column in zip(*whole, strict=True))
    return places, heights, depths, dips


def _frame(arch: Arch, place: float) -> tuple[Floats, Floats, Floats]:
    """Point on the arch's outline at a length (mm) from the middle, the direction along it and outwards: (x, z)."""
    t = np.linspace(0, np.pi / 2, 2001)
    x, z = arch.half * np.sin(t), arch.length * (np.cos(t) - 1)
    length = np.concatenate([[0], np.cumsum(np.hypot(np.diff(x), np.diff(z)))])
    end = length[-1]
    angle = np.interp(min(abs(place), end), length, t)
    straight = max(abs(place) - end, 0)
    along = np.array([arch.half * np.cos(angle), -arch.length * np.sin(angle)])
    along /= np.linalg.norm(along)
    point = np.array([arch.half * np.sin(angle), arch.length * (np.cos(angle) - 1) + arch.front]) + straight * along
    outward = np.array([-along[1], along[0]])
    if place < 0:
        mirror = np.array([-1, 1])
        # Along still runs from right to left.
        return point * mirror, -along * mirror, outward * mirror
    return point, along, outward


def _plane(z: Floats, arch: Arch) -> Floats:
    """Height of the biting plane at z, mm."""
    height: Floats = -SLOPE * (z - arch.front)
    return height


def _turned(faces: Ints) -> Ints:
    """The same polygons seen from the other side."""
    turned = faces[:, [0, 3, 2, 1]]
    triangle = faces[:, 3] < 0
    turned[triangle] = faces[triangle][:, [0, 2, 1, 3]]
    return turned


def affine(rest: Floats, moved: Floats, points: Floats) -> Floats:
    """Carry displacements over to other points by the affine map that fits them best.

    Args:
        rest: (n, 3) metres; moved: (..., n, 3) displacements of them; points: (p, 3).

    Returns:
        (..., p, 3) displacements. Exact for anything rigid.
    """
    middle = rest.mean(0)
    system = np.column_stack([rest - middle, np.full(len(rest), 0.03)])
    there = np.column_stack([points - middle, np.full(len(points), 0.03)])
    carried: Floats = np.einsum("pn,...nc->...pc", there @ np.linalg.pinv(system), moved)
    return carried
