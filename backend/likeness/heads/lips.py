"""Lips that meet and do not pass through each other, once an expression is gone or where a mesh has no slit."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import CORNERS, LOWER_LIP, UPPER_LIP
from likeness.heads.surface import Surface, beside, normals

__all__ = ["lips_apart", "lips_met"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FADE = 0.007
"""Metres from the line between the lips over which what they are moved fades."""
MOST = 0.004
"""Metres between lips up to which they are taken to be those of a shut mouth, once an expression is gone."""
NEARLY = 0.002
"""As much for a mesh as it is: that much noise and voxels leave between lips that touch, an open mouth has more."""
CLEAR, DEEP = 0.0002, 0.002
"""Metres that lips keep between them where the mean head's do not lie in each other, and how deep one can lie in the
other and still be taken for it."""
RIM = 0.0015
"""Metres from the rims of the lips within which they may lie in each other as the mean head's do: nobody sees in."""
ROUNDS = 8


def lips_met(head: HeadModel, skin: Ints, places: Floats, *, shut: bool = True) -> Floats:
    """The skin with its lips as far apart as the mean head's, point by point from corner to corner.

    Which lip a vertex belongs to is told by how far jawOpen takes it along; both move half the way, up or down. Lips
    that are farther apart than shut ones can be stay as they are.

    Args:
        skin: (n,) vertices of the head; places: (n, 3) metres in the head's frame, without an expression.
        shut: an expression was taken away, so the mouth is shut; otherwise it is so only where it nearly seems to be.
    """
    marks = head.landmarks.get("mediapipe478")
    if marks is None or "jawOpen" not in head.expression_names:
        return places
    local = np.full(len(head.template), -1)
    local[skin] = np.arange(len(skin))
    pairs = np.array([UPPER_LIP, LOWER_LIP])
    corners = head.triangles.numpy()[marks.triangle.numpy()]
    shares = marks.barycentric.double().numpy()[..., None]

    def at(values: Floats, points: Ints) -> Floats:
        read: Floats = (values[local[corners[points]]] * shares[points]).sum(-2)
        return read

    rest = head.template.double().numpy()[skin]
    ours, usual = at(places, pairs), at(rest, pairs)
    excess = (ours[0] - ours[1])[:, 1] - np.minimum((usual[0] - usual[1])[:, 1], 0.0)
    if np.abs(excess).max() > (MOST if shut else NEARLY):
        return places
    ends = at(places, np.array(CORNERS["mouth"]))
    line = np.concatenate([ends[:1], ours.mean(0), ends[1:]])
    along = np.concatenate([[0.0], excess, [0.0]])
    order = np.argsort(line[:, 0])
    line, along = line[order], along[order]
    away = cKDTree(_line(line)).query(places)[0]
    lower = _lower(head, skin)
    moved = places.copy()
    gap = np.interp(places[:, 0], line[:, 0], along, left=0, right=0)
    moved[:, 1] += gap * (lower - 0.5) * np.exp(-((away / FADE) ** 2))
    return moved


def lips_apart(head: HeadModel, skin: Ints, places: Floats) -> Floats:
    """The skin with lips that lie in each other nowhere more than the mean head's, each pushed half of the way.

    Args:
        skin: (n,) vertices of the head; places: (n, 3) metres in the head's frame, with the mouth shut.
    """
    if "lips" not in head.groups or "mediapipe478" not in head.landmarks or "jawOpen" not in head.expression_names:
        return places
    local = np.full(len(head.template), -1)
    local[skin] = np.arange(len(skin))
    triangles = local[head.triangles.numpy()[head.region("skin").numpy()]]
    sharing = beside(triangles, len(skin))
    lip = (sharing @ (head.groups["lips"].numpy()[skin] > 0)) > 0
    mean = sparse.diags(1 / np.asarray(sharing.sum(1)).ravel()) @ sharing
    lower = _lower(head, skin) > 0.5
    around = triangles[lip[triangles].any(1)]
    rest = head.template.double().numpy()[skin]
    usual = _depth(rest, around, lip & ~lower, lip & lower)[0]
    marks = head.landmarks["mediapipe478"].on(head.template, head.triangles).double().numpy()
    rims = np.concatenate([_line(marks[list(rim)]) for rim in (UPPER_LIP, LOWER_LIP)])
    usual[cKDTree(rims).query(rest)[0] > RIM] = -CLEAR
    result = places.copy()
    for _ in range(ROUNDS):
        depth, way = _depth(result, around, lip & ~lower, lip & lower)
        excess = np.maximum(depth - np.maximum(usual, -CLEAR), 0)[:, None]
        if not excess.any():
            break
        push = 0.5 * excess * way
        for _ in range(2):  # what is beside goes along a little
            push = np.where(excess > 0, push, mean @ push)
        result += push
    return result


def _line(points: Floats) -> Floats:
    """Points (8 K, 3) along the line through points (K, 3)."""
    fine = np.linspace(0, len(points) - 1, 8 * len(points))
    return np.stack([np.interp(fine, np.arange(len(points)), points[:, k]) for k in range(3)], 1)


def _depth(places: Floats, triangles: Ints, upper: Bools, lower: Bools) -> tuple[Floats, Floats]:
    """How deep (n,) metres each vertex of a lip lies in the other one, less than 0 before it, and the way out (n, 3).

    Far below 0 where it does not face the other lip, or that is far away.
    """
    outwards = normals(places, triangles)
    depth, way = np.full(len(places), -DEEP), np.zeros_like(places)
    for mine, theirs in ((lower, upper), (upper, lower)):
        other = triangles[theirs[triangles].all(1)]
        one = np.flatnonzero(mine)
        if not len(one) or not len(other):
            continue
        found = Surface(places, other).closest(places[one])
        out = (outwards[other[found.triangle]] * found.barycentric[..., None]).sum(1)
        out /= np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-12)
        off = places[one] - found.place
        facing = ((out * outwards[one]).sum(1) < 0) & (np.linalg.norm(off, axis=1) < DEEP)
        depth[one], way[one] = np.where(facing, -(off * out).sum(1), -DEEP), out
    return depth, way


def _lower(head: HeadModel, skin: Ints) -> Floats:
    """How much of the lower lip's motion (n,) jawOpen gives to vertices (n,), 0 for the upper lip's, 1 for its."""
    jaw = head.expression[head.expression_names.index("jawOpen")].double()
    taken = head.landmarks["mediapipe478"].on(jaw, head.triangles)[:, 1].numpy()
    upper, lower = (float(taken[list(lip)].mean()) for lip in (UPPER_LIP, LOWER_LIP))
    share: Floats = np.clip((jaw[skin, 1].numpy() - upper) / min(lower - upper, -1e-4), 0, 1)
    return share
