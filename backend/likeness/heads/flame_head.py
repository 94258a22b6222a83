"""FLAME as a head like the others: regions, joints under their usual names, landmarks, ARKit's expressions, groups.

FLAME's root, which lies at the base of the neck, becomes the joint "neck", and its neck, at the base of the skull, the
joint "head"; a "root" that moves nothing by itself stands below. So each of FLAME's joints is one bone, and turning the
bones gives FLAME's own skinning with its correctives. The frame's origin is FLAME's root on the template.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree
from torch import Tensor

from likeness.errors import HeadError
from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.embedding_points import COUNT, IRISES
from likeness.heads.expressions import ARKIT
from likeness.heads.flame import EXPRESSIONS, Flame
from likeness.heads.flame_arkit import ArkitOnFlame, arkit_on_flame
from likeness.heads.flame_landmarks import FlameLandmarks
from likeness.heads.ict_uv import eye_uv
from likeness.heads.surface import Surface, parts
from likeness.heads.transfer import Bridge, bridge
from likeness.progress import Progress, quiet

__all__ = ["JOINT_NAMES", "SHAPE_KEYS", "Layout", "compile_flame", "expression_name", "origin_of", "shape_name"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

JOINT_NAMES = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
PARENTS = (-1, 0, 1, 2, 2, 2)
ROOT = (0.0, -0.06, -0.01)
"""Metres: where the added root lies, below the neck."""
RIM = 0.03  # metres from the lower border over which the group "rim" fades
CHIN = 8  # of the 68 points
OPENINGS = tuple(0.05 * i for i in range(2, 15))  # radians of the jaw that are tried
SHAPE_KEYS = 100
"""Identity coefficients that avatars keep: as many as DECA and RingNet use."""
PAIR = 0.003  # metres that a vertex may lie from its partner's mirror image


@dataclass(frozen=True, eq=False)
class Layout:
    """FLAME's texture layout: uv (T, 2) float32 with the origin at the lower left, triangles_uv (F, 3) int64."""

    uv: Tensor
    triangles_uv: Tensor

    @classmethod
    def checked(cls, uv: Tensor, triangles_uv: Tensor, flame: Flame, source: str) -> Layout:
        """The layout; raises HeadError where it does not belong to the head."""
        inside = int(triangles_uv.min()) >= 0 and int(triangles_uv.max()) < len(uv)
        if triangles_uv.shape != flame.triangles.shape or not inside or not bool(torch.isfinite(uv).all()):
            raise HeadError(f"{source} is not the texture layout of this head; use the files of one edition.")
        return cls(uv, triangles_uv)


def expression_name(number: int) -> str:
    """The key of FLAME's expression of that number, 0 to 99: "FLAME exp 000"."""
    return f"FLAME exp {number:03d}"


def shape_name(number: int) -> str:
    """The key of FLAME's identity coefficient of that number: "FLAME shape 000"."""
    return f"FLAME shape {number:03d}"


def origin_of(flame: Flame) -> Tensor:
    """(3,) metres: where the head's origin lies in FLAME's own frame."""
    return flame.joints_of(flame.template[None])[0, 0]


def compile_flame(
    flame: Flame,
    landmarks: FlameLandmarks,
    layout: Layout,
    open_head: HeadModel,
    *,
    name: str,
    title: str,
    licence: str,
    notes: str = "",
    progress: Progress = quiet,
) -> HeadModel:
    """Make the head.

    Args:
        open_head: a head with ARKit's expressions and the embeddings "mediapipe478" and "ibug68", from which FLAME
            takes what its files do not have.
        name, title, licence, notes: of the edition.

    Raises:
        HeadError: the files do not go together, or the open head cannot be laid onto FLAME.
    """
    template, triangles = flame.template.double().numpy(), flame.triangles.numpy()
    left, right = _eye_joints(flame)
    region = _regions(flame, triangles, left, right)
    skin_triangles = triangles[region == 0]
    skin = np.unique(skin_triangles)
    local = np.full(len(template), -1)
    local[skin] = np.arange(len(skin))
    points = landmarks.fixed().on(flame.template, flame.triangles).double().numpy()
    opened = _opened(flame, landmarks, open_head)[skin]
    over = bridge(open_head, template[skin], local[skin_triangles], points, progress, opened=opened)

    progress("head", 0.9, "Carrying expressions over")
    joints = flame.joints_of(flame.template[None])[0].double().numpy()
    balls = {side: (np.unique(triangles[region == k]), joints[j]) for side, k, j in (("L", 1, left), ("R", 2, right))}
    carried = arkit_on_flame(flame, over, skin, balls)
    origin = origin_of(flame)
    uv, polygons_uv = _with_eyes(layout, template, triangles, region, balls)
    order = [0, 1, 2, left, right]
    weights = torch.cat([torch.zeros(len(template), 1), flame.weights[:, order]], 1)
    shift = torch.einsum("jv,nvc->njc", flame.regressor, flame.shapes)[:, order]
    rest = flame.joints_of(flame.template[None])[0, order] - origin
    return HeadModel(
        name=name,
        title=title,
        licence=licence,
        template=flame.template - origin,
        identity=flame.shapes,
        expression=torch.cat([torch.from_numpy(carried.deltas), flame.expressions]),
        expression_names=(*ARKIT, *(expression_name(i) for i in range(EXPRESSIONS))),
        polygons=_quads(triangles),
        uv=uv,
        polygons_uv=_quads(polygons_uv),
        region_names=("skin", "eye.L", "eye.R"),
        polygon_region=torch.from_numpy(region),
        joint_names=JOINT_NAMES,
        joint_parents=PARENTS,
        joints=torch.cat([torch.tensor([ROOT]), rest]),
        joints_identity=torch.cat([shift[:, :1], shift], 1),
        skin_weights=weights,
        mirror=torch.from_numpy(_mirror(template, triangles)),
        groups=_groups(over, template, skin, skin_triangles),
        landmarks={
            "ibug68": landmarks.fixed(),
            "mediapipe478": _mesh_points(over, region, uv.numpy(), polygons_uv),
        },
        correctives=flame.correctives.reshape(4, 9, len(template), 3)[[0, 1, left - 1, right - 1]].flatten(0, 1),
        corrective_joints=("head", "jaw", "eye.L", "eye.R"),
        identity_names=tuple(shape_name(i) for i in range(SHAPE_KEYS)),
        notes=" ".join(filter(None, [notes, _told(carried)])),
    )


def _opened(flame: Flame, landmarks: FlameLandmarks, open_head: HeadModel) -> Floats:
    """(V, 3) displacement by the jaw, turned so that the chin goes as far down as with the open head's jawOpen."""
    delta = open_head.expression[open_head.expression_names.index("jawOpen")]
    fall = open_head.landmarks["ibug68"].on(delta, open_head.triangles)[CHIN].norm()
    eyes = [flame.joints_of(flame.template[None])[0, j] for j in (3, 4)]
    others = [open_head.joints[open_head.joint_names.index(n)] for n in ("eye.L", "eye.R")]
    fall = fall * (eyes[0] - eyes[1]).norm() / (others[0] - others[1]).norm()
    pose = torch.zeros(len(OPENINGS), 5, 3)
    pose[:, 2, 0] = torch.tensor(OPENINGS)
    still = torch.zeros(len(OPENINGS), 1)
    moved = flame.forward(still, still, pose.flatten(1)).vertices - flame.template
    chin = landmarks.fixed().on(moved, flame.triangles)[:, CHIN].norm(dim=1)
    best: Floats = moved[(chin - fall).abs().argmin()].double().numpy()
    return best


def _told(carried: ArkitOnFlame) -> str:
    named = [name for name, own in zip(ARKIT, carried.own, strict=True) if own]
    return f"{len(named)} of ARKit's 52 expressions are made of FLAME's own, the others are carried over."


def _eye_joints(flame: Flame) -> tuple[int, int]:
    """FLAME's joints of the person's left (+x) and right eye."""
    x = [float(flame.weights[:, j] @ flame.template[:, 0] / flame.weights[:, j].sum()) for j in (3, 4)]
    return (3, 4) if x[0] > x[1] else (4, 3)


def _regions(flame: Flame, triangles: Ints, left: int, right: int) -> Ints:
    """(F,) 0 skin, 1 left eyeball, 2 right eyeball: eyeballs are parts of their own that turn with an eye's joint."""
    label = parts(triangles, len(flame.template))
    weights = flame.weights.double().numpy()
    region = np.zeros(len(triangles), np.int64)
    for part in np.unique(label[label >= 0]):
        mine = label == part
        for number, joint in ((1, left), (2, right)):
            if weights[mine, joint].mean() > 0.5:
                region[mine[triangles[:, 0]]] = number
    if not {1, 2} <= set(region.tolist()) or not (region == 0).any():
        raise HeadError("The model has no eyeballs that turn with its eye joints; it is not a FLAME head.")
    return region


def _quads(triangles: Ints) -> Tensor:
    return torch.from_numpy(np.concatenate([triangles, np.full((len(triangles), 1), -1)], 1).astype(np.int64))


def _with_eyes(
    layout: Layout, template: Floats, triangles: Ints, region: Ints, balls: dict[str, tuple[Ints, Floats]]
) -> tuple[Tensor, Ints]:
    """The file's UVs for the skin, and for the eyes the layout that all heads' eyes share."""
    placed = np.zeros((len(template), 2))
    for vertices, centre in balls.values():
        placed[vertices] = eye_uv(100 * (template[vertices] - centre))
    count = len(layout.uv)
    corners = np.where((region > 0)[:, None], triangles + count, layout.triangles_uv.numpy())
    joined = np.concatenate([layout.uv.double().numpy(), placed])
    used = np.unique(corners)
    new = np.zeros(len(joined), np.int64)
    new[used] = np.arange(len(used))
    return torch.from_numpy(joined[used].astype(np.float32)), new[corners]


def _mirror(template: Floats, triangles: Ints) -> Ints:
    """(V,) partners under x -> -x where the mesh has them within `PAIR`, else the vertex itself."""
    distance, nearest = cKDTree(template).query(template * (-1, 1, 1))
    own = np.arange(len(template))
    mutual = (nearest[nearest] == own) & (distance < PAIR)
    used = np.zeros(len(template), bool)
    used[triangles] = True
    return np.where(mutual & used & used[nearest], nearest, own).astype(np.int64)


def _groups(over: Bridge, template: Floats, skin: Ints, skin_triangles: Ints) -> dict[str, Tensor]:
    """The open head's soft groups, and the rim of FLAME's own lower border."""
    groups = {}
    for name, values in over.head.groups.items():
        mine = np.zeros(len(template), np.float32)
        mine[skin] = np.clip(over.values(values.double().numpy()), 0, 1) * np.where(over.trusted, 1, 0.5)
        groups[name] = torch.from_numpy(mine)
    rim = np.zeros(len(template), np.float32)
    away = cKDTree(template[_lowest_border(template, skin_triangles)]).query(template[skin])[0]
    t = np.clip(1 - away / RIM, 0, 1)
    rim[skin] = t * t * (3 - 2 * t)
    return groups | {"rim": torch.from_numpy(rim)}


def _lowest_border(template: Floats, triangles: Ints) -> Ints:
    """Vertices of the border that lies lowest; the lowest vertex where the surface is closed."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs, times = np.unique(np.sort(sides, 1), axis=0, return_counts=True)
    edges = pairs[times == 1]
    if not len(edges):
        lowest_one: Ints = triangles.ravel()[template[triangles.ravel(), 1].argmin(keepdims=True)]
        return lowest_one
    count = len(template)
    graph = sparse.coo_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), (count, count))
    label = connected_components(graph, directed=False)[1]
    border = np.unique(edges)
    heights = {part: template[border[label[border] == part], 1].mean() for part in np.unique(label[border])}
    lowest = min(heights, key=lambda part: float(heights[part]))
    found: Ints = border[label[border] == lowest]
    return found


def _mesh_points(over: Bridge, region: Ints, uv: Floats, polygons_uv: Ints) -> LandmarkEmbedding:
    """The 478 points: the open head's, brought over; the irises by the eyes' own layout."""
    given = over.head.landmarks["mediapipe478"]
    spots = given.on(torch.from_numpy(over.laid.vertices), over.head.triangles).double().numpy()
    found = over.places(spots)
    has = given.triangle.numpy() >= 0
    triangle, weights = np.full(COUNT, -1, np.int64), np.zeros((COUNT, 3))
    triangle[has], weights[has] = np.flatnonzero(region == 0)[found.triangle[has]], found.barycentric[has]
    cross = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]) * IRIS_UV_RADIUS + 0.5
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], 1).astype(np.float64)
    for name, number in (("eye.R", 2), ("eye.L", 1)):
        mine = np.flatnonzero(region == number)
        there = Surface(flat, polygons_uv[mine]).closest(np.concatenate([cross, np.zeros((5, 1))], 1))
        triangle[list(IRISES[name])], weights[list(IRISES[name])] = mine[there.triangle], there.barycentric
    return LandmarkEmbedding(torch.from_numpy(triangle), torch.from_numpy(weights.astype(np.float32)))
