"""Casts the landmark network's 478 points onto a head: the head is shown to the network from many sides.

Each view shows the head in another random shape, so that what one face happens to do to the network averages out.
What the network puts off the rims of lids and lips is moved to the rim the picture shows; inner lips are cast with the
jaw open; irises are placed by the eye's own texture layout.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch import Tensor

from likeness.camera import Camera
from likeness.errors import HeadError
from likeness.faces import landmarks_of
from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.embedding_pictures import Painter, Picture, camera_at
from likeness.heads.embedding_points import (
    CORNERS,
    COUNT,
    IBUG68,
    IRISES,
    LOWER_LIDS,
    LOWER_LIP,
    MIRROR,
    UPPER_LIDS,
    UPPER_LIP,
)
from likeness.progress import Progress, quiet

__all__ = ["VERSION", "Samples", "cast_samples", "embed_landmarks", "turned_here"]

VERSION = 1
"""Goes up whenever embeddings change, so that a stale compiled head is not used."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

YAWS, PITCHES = (-42.0, -28.0, -14.0, 0.0, 14.0, 28.0, 42.0), (-15.0, 0.0, 15.0)  # degrees
OPEN_YAWS = (-28.0, -14.0, 0.0, 14.0, 28.0)
ROUNDS = 2
JAW = 0.3  # weight of jawOpen that parts the lips
SPREAD = 0.5  # of the identity's standard deviation
SEED = 4
PRESENCE = 0.5  # score of the network below which it sees no face
USUAL = 0.001  # metres; casts nearer than this to their middle all count alike
RIM_REACH = 0.035  # how far a point may be moved to a rim, in widths of the face
# Metres of depth between the rim of lids and lips and what is seen behind it; the side of a nose is farther away.
LID_STEP, LIP_STEP = 0.004, 0.03

MOUTH_LINING = ("mouth", "gums", "teeth", "tongue")


@dataclass(frozen=True, eq=False)
class Samples:
    """Where the points were cast.

    Attributes:
        places: (S, 478, 3) metres on the template.
        weights: (S, 478), 0 where a point was not cast.
        triangles: (S, 478) of the head.
    """

    places: Floats
    weights: Floats
    triangles: Ints


def embed_landmarks(head: HeadModel, progress: Progress = quiet) -> HeadModel:
    """The head with the embeddings "mediapipe478" and, where it has none of its own, "ibug68".

    Raises:
        HeadError: the network does not see a face in the head.
        WeightsError: the network cannot be fetched or read.
    """
    places, near = _settled(head, cast_samples(head, progress))
    triangle, barycentric = np.zeros(COUNT, np.int64), np.zeros((COUNT, 3))
    corners = head.template.double().numpy()[head.triangles.numpy()]
    holders = _holders(head)
    for i in range(COUNT):
        if i < 468:
            allowed = np.unique(np.concatenate([holders[v] for v in near[i].tolist()]))
            triangle[i], barycentric[i] = _project(places[i], allowed, corners)
    for name, points in IRISES.items():
        triangle[list(points)], barycentric[list(points)] = _iris(head, name)
    mesh = LandmarkEmbedding(torch.from_numpy(triangle), torch.from_numpy(barycentric.astype(np.float32)))
    some = list(IBUG68)
    ibug = head.landmarks.get("ibug68") or LandmarkEmbedding(mesh.triangle[some], mesh.barycentric[some])
    progress("head", 1.0, "The landmarks are placed")
    return replace(head, landmarks={**head.landmarks, "mediapipe478": mesh, "ibug68": ibug})


def cast_samples(head: HeadModel, progress: Progress = quiet) -> Samples:
    """Show the head to the network from all sides, and cast what it says; raises as `embed_landmarks`."""
    painter = Painter(head)
    skin = head.region("skin").numpy()
    aim = head.joints[[head.joint_names.index("eye.L"), head.joint_names.index("eye.R")]].double().mean(0).numpy()
    aim += (0, -0.03, 0)
    jaw = head.expression[head.expression_names.index("jawOpen")]
    front = camera_at(0, 0, aim)
    if _read(painter.picture(head.template, front), front, aim)[1] < PRESENCE:
        raise HeadError(f"The landmark network does not see a face in the head {head.name}.")
    views = [(y, p, 0.0) for y in YAWS for p in PITCHES] + [(y, p, JAW) for y in OPEN_YAWS for p in PITCHES]
    views *= ROUNDS
    random = torch.Generator().manual_seed(SEED)
    places, weights, triangles = [], [], []
    for number, (yaw, pitch, opened) in enumerate(views):
        progress("head", number / len(views), "Showing the head to the landmark network")
        identity = SPREAD * torch.randn(len(head.identity), generator=random)
        vertices = head.shape(identity[None])[0] + opened * jaw
        camera = camera_at(yaw, pitch, aim)
        picture = painter.picture(vertices, camera)
        points, score = _read(picture, camera, aim)
        if score < PRESENCE:
            continue
        spots, sure = _to_rims(head, picture, points[:, :2], skin, opened > 0)
        hit, barycentric = _cast(head, picture, spots)
        seen = (hit >= 0) & skin[hit]
        facing = _facing(vertices, head.triangles[np.maximum(hit, 0)], camera.centre())
        weights.append(seen * sure * facing**2 * turned_here(points))
        corners = head.template[head.triangles[np.maximum(hit, 0)]].double().numpy()
        places.append((corners * barycentric[..., None]).sum(1))
        triangles.append(hit)
    if len(places) < len(views) / 2:
        raise HeadError(f"The landmark network sees too little of the head {head.name}.")
    return Samples(np.stack(places), np.stack(weights), np.stack(triangles))


def _read(picture: Picture, camera: Camera, aim: Floats) -> tuple[Floats, float]:
    """What the network says of the face around `aim` (3,): landmarks (478, 3) and the score that there is one."""
    box = camera.project(aim + np.array([[-0.08, 0.09, 0], [0.08, -0.09, 0]]))
    return landmarks_of(picture.pixels, (box[0, 0], box[0, 1], box[1, 0], box[1, 1]))


def _facing(vertices: Tensor, corners: Tensor, eye: Floats) -> Floats:
    """(478,) cosine between the surface's normal at triangles (478, 3) and the direction to the camera."""
    a, b, c = vertices[corners].double().unbind(1)
    normal = torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=-1)
    towards = torch.nn.functional.normalize(torch.as_tensor(eye) - (a + b + c) / 3, dim=-1)
    cosine: Floats = (normal * towards).sum(-1).clamp(min=0).numpy()
    return cosine


def turned_here(points: Floats) -> Floats:
    """(478,) 0..1: how likely the network's points (478, 3) lie on the side of the face that is to be seen.

    The network also says where the hidden cheek is; cast, those points would land on what hides it. A point counts as
    facing us when it lies before the middle of the face's outline, as on a ball.
    """
    across, down = points[454] - points[234], points[152] - points[10]
    inwards = np.cross(across, down)
    inwards /= np.linalg.norm(inwards)
    middle = points[[234, 454, 10, 152]].mean(0) + 0.1 * np.linalg.norm(across) * inwards
    arms = points - middle
    towards = -arms[:, 2] / np.linalg.norm(arms, axis=1)
    turned: Floats = np.clip((towards - 0.05) / 0.3, 0, 1)
    return turned


def _cast(head: HeadModel, picture: Picture, spots: Floats) -> tuple[Ints, Floats]:
    """What lies under points (478, 2) of the picture: triangle (478,), -1 for nothing, and barycentrics (478, 3)."""
    height, width = picture.pixels.shape[:2]
    column, row = np.floor(spots[:, 0]).astype(int), np.floor(spots[:, 1]).astype(int)
    outside = (column < 0) | (column >= width) | (row < 0) | (row >= height)
    hit = picture.raster.triangle.numpy()[row.clip(0, height - 1), column.clip(0, width - 1)].copy()
    hit[outside] = -1
    corners = picture.points[head.triangles[np.maximum(hit, 0)]].double().numpy()
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]

    def edge(p: Floats, q: Floats, x: Floats) -> Floats:
        area: Floats = (q[:, 0] - p[:, 0]) * (x[:, 1] - p[:, 1]) - (q[:, 1] - p[:, 1]) * (x[:, 0] - p[:, 0])
        return area

    flat = np.stack([edge(b, c, spots), edge(c, a, spots), edge(a, b, spots)], 1)
    # A pixel's triangle is that of its middle, so the point itself may lie a little beside it.
    flat = np.clip(flat / np.where(np.abs(flat.sum(1)) < 1e-12, 1.0, flat.sum(1))[:, None], 0, 1)
    near = flat / corners[..., 2]
    return hit, near / np.maximum(near.sum(1, keepdims=True), 1e-12)


def _to_rims(head: HeadModel, picture: Picture, spots: Floats, skin: Bools, opened: bool) -> tuple[Floats, Floats]:
    """Move the points (478, 2) of lids and inner lips to the rims in the picture.

    Returns:
        spots (478, 2), and how far each point may be trusted (478,): 0 where a rim is not to be seen.
    """
    shown = picture.raster.triangle.numpy()
    depth = np.where(shown < 0, 1e3, picture.raster.depth.numpy())
    on_skin = (shown >= 0) & skin[shown]
    eye = (shown >= 0) & head.region("eye.L", "eye.R").numpy()[shown]
    lining = (shown >= 0) & head.region(*MOUTH_LINING).numpy()[shown]
    spots, sure = spots.copy(), np.ones(COUNT)
    reach = RIM_REACH * float(np.linalg.norm(spots[454] - spots[234]))
    rims = [
        (UPPER_LIDS, eye, ("below",), LID_STEP),
        (LOWER_LIDS, eye, ("above",), LID_STEP),
        (CORNERS["eyes"], eye, ("below", "above", "left", "right"), LID_STEP),
    ]
    mouth = [
        (UPPER_LIP, lining, ("below",), LIP_STEP),
        (LOWER_LIP, lining, ("above",), LIP_STEP),
        (CORNERS["mouth"], lining, ("below", "above", "left", "right"), LIP_STEP),
    ]
    if opened:
        rims += mouth
        sure *= 0.5  # an open jaw drags cheeks and chin along
    for points, hollow, sides, step in rims:
        chosen = list(points)
        sure[chosen] = 0.0
        rim = np.zeros_like(on_skin)
        for side in sides:
            rim |= on_skin & _beside(hollow, side, False) & (np.abs(_beside(depth, side, 1e3) - depth) < step)
        rows, columns = np.nonzero(rim)
        if not len(rows):
            continue
        places = np.stack([columns + 0.5, rows + 0.5], 1)
        distance, nearest = cKDTree(places).query(spots[chosen])
        spots[chosen] = places[nearest]
        sure[chosen] = distance < reach
    if not opened:
        for points, _, _, _ in mouth:
            sure[list(points)] = 0.0
    return spots, sure


def _beside(values: NDArray[Any], side: str, border: float) -> NDArray[Any]:
    """Each pixel's neighbour on that side."""
    axis, step = {"below": (0, -1), "above": (0, 1), "right": (1, -1), "left": (1, 1)}[side]
    moved = np.roll(values, step, axis)
    edge = -1 if step < 0 else 0
    moved[(edge, slice(None)) if axis == 0 else (slice(None), edge)] = border
    return moved


def _settled(head: HeadModel, samples: Samples) -> tuple[Floats, list[Ints]]:
    """One place on the template for each point (478, 3), the same on both sides, and the vertices it may lie between.

    The places are robust means over the views; on rims, where a mean would leave the rim, the cast nearest to it.
    """
    places = np.concatenate([samples.places, samples.places[:, MIRROR] * (-1, 1, 1)])
    weights = np.concatenate([samples.weights, samples.weights[:, MIRROR]])
    seen = weights[:, :468].max(0) > 0
    if not seen.all():
        raise HeadError(f"The landmark network sees too little of the head {head.name}.")
    total = weights.copy()
    for _ in range(15):
        middle = (places * total[..., None]).sum(0) / np.maximum(total.sum(0), 1e-12)[:, None]
        away = np.linalg.norm(places - middle, axis=-1)
        total = weights / np.maximum(away, USUAL)  # towards the geometric median
    rims = [*UPPER_LIDS, *LOWER_LIDS, *UPPER_LIP, *LOWER_LIP, *CORNERS["eyes"], *CORNERS["mouth"]]
    best = np.where(weights > 0, away, np.inf).argmin(0)
    middle[rims] = places[best[rims], rims]
    # Mirrored samples are exact mirrors, but of two equally near ones either may have been taken.
    left = np.arange(COUNT) < MIRROR
    middle[MIRROR[left]] = middle[left] * (-1, 1, 1)
    middle[np.arange(COUNT) == MIRROR, 0] = 0

    corners, mirror = head.triangles.numpy(), head.mirror.numpy()
    near = []
    for i in range(COUNT):
        own, other = (
            np.unique(corners[samples.triangles[:, k][samples.weights[:, k] > 0]]) for k in (i, int(MIRROR[i]))
        )
        near.append(np.unique(np.concatenate([own, mirror[other]])))
    return middle, near


def _holders(head: HeadModel) -> list[Ints]:
    """Skin triangles around each vertex."""
    triangles = np.flatnonzero(head.region("skin").numpy())
    corners = head.triangles.numpy()[triangles]
    order = np.argsort(corners.ravel(), kind="stable")
    starts = np.searchsorted(corners.ravel()[order], np.arange(len(head.template) + 1))
    return [triangles[order[a:b] // 3] for a, b in itertools.pairwise(starts.tolist())]


def _project(place: Floats, allowed: Ints, corners: Floats) -> tuple[int, Floats]:
    """The triangle among the allowed ones that comes nearest to a place (3,), and the barycentrics there."""
    some = corners[allowed]
    import trimesh  # takes long to load, and only a head that is compiled needs it

    points = trimesh.triangles.closest_point(some, np.broadcast_to(place, (len(allowed), 3)))
    nearest = int(((points - place) ** 2).sum(1).argmin())
    barycentric = trimesh.triangles.points_to_barycentric(some[nearest : nearest + 1], points[nearest : nearest + 1])[0]
    barycentric = np.clip(barycentric, 0, None)
    return int(allowed[nearest]), barycentric / barycentric.sum()


def _iris(head: HeadModel, eye: str) -> tuple[Ints, Floats]:
    """Centre and rim of an iris, found in the eye's UV square: triangles (5,) and barycentrics (5, 3)."""
    spots = np.array([(0, 0), (1, 0), (0, 1), (-1, 0), (0, -1)]) * IRIS_UV_RADIUS + 0.5
    triangles = np.flatnonzero(head.region(eye).numpy())
    flat = head.uv.double().numpy()[head.triangles_uv.numpy()[triangles]]
    corners = np.concatenate([flat, np.zeros((*flat.shape[:2], 1))], -1)
    found = [_project(np.array([*spot, 0.0]), np.arange(len(triangles)), corners) for spot in spots]
    return triangles[[t for t, _ in found]], np.stack([b for _, b in found])
