"""The skin's texture layout: the face in front and large, the seam up the back of the head, nothing else cut.

Only the left half is laid out, in the right half of the square; the other is its mirror image.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_topology import Topology
from likeness.heads.uv import boundary_loops, diagonals, planar, relax, tutte

__all__ = ["skin_layout"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROOM = {"face": 1.0, "ears": 0.55, "neck": 0.2, "scalp": 0.19, "shoulders": 0.13}
"""Texels per metre of each group, the face's taken as 1."""
DETAIL = {"lips": 1.35, "eyelids": 1.35, "nose": 1.15}
"""How much more the fine parts of the face get."""
CROWN = 0.0  # metres: the seam ends where the back midline passes this z on top of the head
TURN = 0.6  # share of the seam that runs up the side of the square; the rest runs along its top
BLUR = 6  # steps by which the wanted texels per metre are evened out
ROUNDS = 30
FILLER = 0.02  # how much the triangles that close mouth and eyes count


def skin_layout(topology: Topology, mean: Floats, groups: dict[str, Floats]) -> tuple[Floats, Ints]:
    """UVs of the skin in its own unit square.

    Args:
        mean: (V, 3) metres, the mean head; groups: of `named_groups`.

    Returns:
        uv (T, 2), symmetric about u = 1/2; polygons_uv (S, 4) for the skin's polygons in their order.
    """
    skin = topology.polygons[topology.region == "skin"]
    corners = np.where(skin[:, :, None] < 0, 0, mean[skin])
    left = corners[:, :, 0].sum(1) > 0
    closed, points = _close(skin, skin[left], mean)
    loop = _outer(closed)
    back = _back(loop, points)
    uv = _flatten(closed, points, loop, _room(groups, skin, len(points)), back)

    own = np.unique(skin[left])
    own = own[own >= 0]
    count = len(mean)
    here, there = np.full(count, -1), np.full(count, -1)
    here[own] = np.arange(len(own))
    on_front = (np.abs(mean[own, 0]) < 1e-9) & ~np.isin(own, back)
    there[own] = np.where(on_front, here[own], len(own) + np.cumsum(~on_front) - 1)
    other = uv[own][~on_front] * (-1, 1) + (1, 0)
    index = np.where(left[:, None], here[skin], there[topology.mirror[skin]])
    return np.concatenate([uv[own], other]), np.where(skin < 0, -1, index)


def _close(skin: Ints, half: Ints, mean: Floats) -> tuple[Ints, Floats]:
    """The half with mouth and eye filled by fans: polygons and all points, the fans' middles last."""
    points: list[Floats] = [mean]
    fans: list[Ints] = []
    for hole in boundary_loops(skin)[1:]:
        if mean[hole, 0].mean() < -1e-3:
            continue
        # A hole's border runs with the skin's polygons; the filler runs against it.
        edges = np.stack([np.roll(hole, -1), hole], 1)
        edges = edges[(mean[edges, 0] > -1e-9).all(1)]
        middle = len(mean) + len(fans)
        fans.append(np.column_stack([edges, np.full(len(edges), middle), np.full(len(edges), -1)]))
        points.append(mean[hole].mean(0, keepdims=True))
    return np.concatenate([half, *fans]), np.concatenate(points)


def _outer(closed: Ints) -> Ints:
    return boundary_loops(closed)[0]


def _back(loop: Ints, points: Floats) -> Ints:
    """The vertices of the border that lie on the seam, from the rim to the crown."""
    x, _, z = points[loop].T
    on_back = (np.abs(x) < 1e-9) & (z < CROWN)
    back: Ints = loop[on_back]
    return back


def _flatten(closed: Ints, points: Floats, loop: Ints, room: Floats, back: Ints) -> Floats:
    """UV (P, 2) of the closed half in [1/2, 1] x [0, 1]."""
    seam = np.isin(loop, back)
    middle = (np.abs(points[loop, 0]) < 1e-9) & ~seam
    # Start at the lowest vertex of the front's midline, then along the rim, up the seam and down the midline.
    rolled = np.roll(loop, -int(np.flatnonzero(middle & ~np.roll(middle, -1))[0]))
    seam = np.isin(rolled, back)
    nape, crown = (int(i) for i in np.flatnonzero(seam)[[0, -1]])
    marks = [0, nape, round(nape + TURN * (crown - nape)), crown, len(rolled)]
    outline = np.array([[0.5, 0], [1, 0], [1, 1], [0.5, 1], [0.5, 0]])
    places = np.zeros((len(rolled), 2))
    for a, b, start, end in zip(marks[:-1], marks[1:], outline[:-1], outline[1:], strict=True):
        share = np.arange(b - a) / (b - a)
        places[a:b] = start + share[:, None] * (end - start)
    uv = tutte(closed, len(points), rolled, places)

    held = np.zeros((len(points), 2), dtype=bool)
    held[rolled, 0] = np.isin(places[:, 0], (0.5, 1.0))
    held[rolled, 1] = np.isin(places[:, 1], (0.0, 1.0))
    triangles, weights = diagonals(closed)
    wanted = room[triangles].mean(1)
    reference = planar(points[triangles]) * wanted[:, None, None]
    area = np.abs(np.linalg.det(reference[:, 1:] - reference[:, :1])) / 2
    filler = (triangles >= len(points) - 2).any(1)
    reference *= np.sqrt(0.5 / (area * weights).sum())
    weights = weights * np.where(filler, FILLER, 1) * area
    return relax(uv, triangles, weights, reference, held, ROUNDS)


def _room(groups: dict[str, Floats], polygons: Ints, count: int) -> Floats:
    """(P,) wanted texels per metre."""
    weight = np.stack([groups[name] for name in ROOM]) + 1e-6
    room = (weight * np.array(list(ROOM.values()))[:, None]).sum(0) / weight.sum(0)
    # Gently from one to the other, or the borders buckle.
    faces = polygons[polygons[:, 3] >= 0]
    count_of = np.bincount(faces.ravel(), minlength=len(room))
    for _ in range(BLUR):
        around = np.repeat(np.log(room)[faces].mean(1), 4)
        mixed = np.bincount(faces.ravel(), around, len(room)) / np.maximum(count_of, 1)
        room = np.where(count_of > 0, np.exp(mixed), room)
    for name, more in DETAIL.items():
        room = room * more ** groups[name]
    return np.pad(room, (0, count - len(room)), constant_values=1.0)
