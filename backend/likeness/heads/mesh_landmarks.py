"""The landmarks of a mesh of a face, whatever its topology, unit and frame: it is drawn, and the networks look at it.

First from all sides, for nobody knows which way a file's face looks; then, once it is known, from where a portrait is
taken and a little around, and each point is the middle of the places where the views put it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.errors import HeadError
from likeness.faces.crop import Window
from likeness.faces.detect import detect, whole
from likeness.faces.mesh import landmarks_in, landmarks_of
from likeness.heads.base import HeadModel
from likeness.heads.embedding import turned_here
from likeness.heads.embedding_pictures import BACKGROUND, LIGHT, SKIN, camera_at
from likeness.heads.embedding_points import LOWER_LIP, UPPER_LIP
from likeness.heads.surface import normals, similarity
from likeness.progress import Progress, quiet
from likeness.render.light import linear_to_srgb, sh_basis, srgb_to_linear
from likeness.render.raster import Raster, interpolate, rasterise
from likeness.render.view import project

__all__ = ["FaceMesh", "Found", "find_on_mesh"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE = 320
"""Pixels of the pictures in which the face is looked for."""
YAWS, PITCHES = (-30.0, -15.0, 0.0, 15.0, 30.0), (-12.0, 0.0, 12.0)
BETTER = 4
"""Of the sides from which a face was seen so many are compared by how well it fits a head."""
PRESENCE = 0.5
USUAL = 0.001
"""Metres; places nearer than this to their middle all count alike."""


RIMS, RED = np.array(UPPER_LIP + LOWER_LIP), np.array((0, 37, 267, 17, 84, 314))
LIP_DEPTH = 0.005
"""Metres from the borders of the red of the lips back to the rims inside, at most."""


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A surface to look at.

    Attributes:
        vertices: (U, 3), triangles: (T, 3), of either winding.
        colours: (U, 3) sRGB in 0..1 or None: then it is painted in one.
        uv, texture: (U, 2) with the origin lower left and (H, W, 3) uint8 sRGB, which count more than the colours.
    """

    vertices: Floats
    triangles: Ints
    colours: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None

    def picture(self, camera: Camera, *, lit: bool = True) -> tuple[NDArray[np.uint8], Raster]:
        """Pixels (H, W, 3) sRGB of the mesh as a camera sees it, and what is where.

        Lit, its shape shows whatever its colours; else they are shown as they are.
        """
        triangles = torch.from_numpy(self.triangles)
        points = project(camera, torch.from_numpy(self.vertices).float())
        raster = rasterise(points, triangles, camera.width, camera.height)
        turned = torch.from_numpy(normals(self.vertices, self.triangles) @ camera.rotation.T).float()
        towards = torch.where(turned[:, 2:] > 0, -turned, turned) * torch.tensor([1.0, -1.0, -1.0])
        light = (sh_basis(towards) @ torch.tensor(LIGHT)).clamp(min=0.02)[:, None]
        if self.texture is not None and self.uv is not None:
            uv = interpolate(torch.from_numpy(self.uv), triangles, raster).numpy()
            albedo = srgb_to_linear(torch.from_numpy(_sampled(self.texture, uv)))
        elif self.colours is not None:
            albedo = srgb_to_linear(interpolate(torch.from_numpy(self.colours), triangles, raster).clamp(0, 1))
        else:
            albedo = torch.tensor(SKIN).expand(*raster.covered.shape, 3)
        colour = albedo * interpolate(light, triangles, raster) if lit else albedo.clone()
        colour[~raster.covered] = BACKGROUND
        return (linear_to_srgb(colour) * 255).round().to(torch.uint8).numpy(), raster

    def moved(self, scale: float, rotation: Floats, shift: Floats) -> FaceMesh:
        """The mesh in the frame from which ``this ~ scale * there @ rotation.T + shift``."""
        return replace(self, vertices=(self.vertices - shift) @ rotation / scale)


def _sampled(texture: NDArray[np.uint8], uv: NDArray[np.float32]) -> NDArray[np.float32]:
    """A texture's colours (H, W, 3) in 0..1 at UVs (H, W, 2), repeated outside 0..1."""
    size = np.array(texture.shape[1::-1], np.float32)
    place = np.stack([uv[..., 0] % 1, (1 - uv[..., 1]) % 1], -1) * size - 0.5
    # Pictures shown smaller than the texture must not alias.
    step = np.median(np.abs(np.diff(place, axis=1)).max(2)[np.diff(uv, axis=1).any(2)]) if uv.any() else 1.0
    level = max(0, int(np.log2(max(step, 1.0))))
    for _ in range(level):
        texture = np.asarray(cv2.pyrDown(texture), np.uint8)
    place = (place + 0.5) * (np.array(texture.shape[1::-1], np.float32) / size) - 0.5
    found = cv2.remap(texture, place.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return np.asarray(found, np.float32) / 255


@dataclass(frozen=True, eq=False)
class Found:
    """A face on a mesh.

    Attributes:
        landmarks: (478, 3) on the mesh in its own frame and unit, NaN where not seen.
        scale, rotation, shift: mesh ~ scale * head @ rotation.T + shift.
        flipped: the mesh's triangles are wound inwards.
        score: of the network that sees it from the front, 0..1.
    """

    landmarks: Floats
    scale: float
    rotation: Floats
    shift: Floats
    flipped: bool
    score: float


def find_on_mesh(head: HeadModel, mesh: FaceMesh, progress: Progress = quiet) -> Found:
    """Find the face on a mesh.

    Args:
        head: with the embedding "mediapipe478", which says what a face looks like.

    Raises:
        HeadError: no face is seen on it from any side.
        WeightsError: the networks cannot be fetched or read.
    """
    progress("head", 0.0, "Looking for the face on the mesh")
    marks = head.landmarks["mediapipe478"].on(head.template, head.triangles).double().numpy()
    seen = _from_all_sides(mesh)
    if not seen:
        raise HeadError("No face was seen on this mesh; it must show eyes, nose and mouth from the outside.")
    first = min((_fit(points, marks) for _, points in seen[:BETTER]), key=lambda fit: fit[3])
    scale, rotation, shift, _ = first
    for _ in range(2):  # from a better place the face is seen better
        points, score, outwards = _around(head, mesh.moved(scale, rotation, shift), progress)
        if score < PRESENCE:
            raise HeadError("No face was seen on this mesh; it must show eyes, nose and mouth from the outside.")
        landmarks = scale * points @ rotation.T + shift
        scale, rotation, shift, _ = _fit(landmarks, marks)
    return Found(landmarks, scale, rotation, shift, not outwards, score)


def _fit(points: Floats, marks: Floats) -> tuple[float, Floats, Floats, float]:
    """Similarity from head to mesh by landmarks (478, 3), and what is left, as a share of the face's size."""
    use = np.isfinite(points).all(1)
    use[468:] = False
    scale, rotation, shift = similarity(marks[use], points[use])
    left = points[use] - scale * marks[use] @ rotation.T - shift
    return scale, rotation, shift, float(np.sqrt((left**2).sum(1)).mean() / scale)


def _from_all_sides(mesh: FaceMesh) -> list[tuple[float, Floats]]:
    """Score and landmarks (478, 3) for each side from which a face is seen, the surest first."""
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    radius = max(float(np.linalg.norm(high - low)) / 2, 1e-12)
    towards = np.concatenate([np.eye(3), -np.eye(3)])
    found = []
    for ahead, up in itertools.product(towards, towards):
        if abs(ahead @ up) > 0.5:
            continue
        right = np.cross(up, ahead)
        rotation = np.stack([right, -up, -ahead])
        middle = (low + high) / 2
        size = 0.48 * SIDE / radius
        camera = Camera(SIDE, SIDE, size, size, SIDE / 2, SIDE / 2, rotation, -rotation @ middle, "orthographic")
        pixels, raster = mesh.picture(camera)
        best = _best_face(pixels)
        if best is not None:
            points = _cast(mesh, raster, best[1])
            if np.isfinite(points[:468]).all(1).sum() > 100:
                found.append((best[0], points))
    found.sort(key=lambda one: -one[0])
    return found


def _best_face(pixels: NDArray[np.uint8]) -> tuple[float, Floats] | None:
    """Score and landmarks of the surest face in a picture."""
    window = whole(pixels.shape[1], pixels.shape[0])
    candidates = [*detect(pixels, window, "short_range", 0.5)[:1], *detect(pixels, window, "full_range", 0.5)[:1]]
    windows = [c.window() for c in candidates if abs(c.angle) < 0.6] or [_filled(pixels)]
    looks = [landmarks_in(pixels, w) for w in windows]
    points, score = max(looks, key=lambda look: look[1])
    return (score, points) if score >= PRESENCE else None


def _filled(pixels: NDArray[np.uint8]) -> Window:
    """The square around what is not background: a mesh of a face alone is no portrait to a detector."""
    rows, columns = np.nonzero((pixels != pixels[0, 0]).any(2))
    if not len(rows):
        return whole(pixels.shape[1], pixels.shape[0])
    x, y = (columns.min() + columns.max() + 1) / 2, (rows.min() + rows.max() + 1) / 2
    side = max(np.ptp(columns), np.ptp(rows)) + 1
    return Window(float(x), float(y), 1.4 * float(side), 0.0)


def _around(head: HeadModel, mesh: FaceMesh, progress: Progress) -> tuple[Floats, float, bool]:
    """Landmarks (478, 3) of a mesh that lies in the head's frame, the score from the front, and whether the
    triangles seen there are wound outwards."""
    aim = head.joints[[head.joint_names.index("eye.L"), head.joint_names.index("eye.R")]].double().mean(0).numpy()
    aim += (0, -0.03, 0)
    outside = normals(mesh.vertices, mesh.triangles)
    views = [(yaw, pitch) for yaw in YAWS for pitch in PITCHES]
    places, weights = [], []
    front, outwards = 0.0, True
    for number, (yaw, pitch) in enumerate(views):
        progress("head", 0.1 + 0.3 * number / len(views), "Showing the mesh to the landmark network")
        camera = camera_at(yaw, pitch, aim)
        pixels, raster = mesh.picture(camera)
        box = camera.project(aim + np.array([[-0.08, 0.09, 0], [0.08, -0.09, 0]]))
        points, score = landmarks_of(pixels, (box[0, 0], box[0, 1], box[1, 0], box[1, 1]))
        if (yaw, pitch) == (0.0, 0.0):
            front = score
            shown = torch.unique(raster.triangle[raster.covered]).numpy()
            facing = outside[mesh.triangles[shown]].mean(1) @ camera.rotation[2]
            outwards = bool(np.median(facing) < 0)
        if score < PRESENCE:
            continue
        cast = _cast(mesh, raster, points)
        weight = np.isfinite(cast).all(1) * turned_here(points)
        # What lies on teeth says nothing of the lips before them.
        weight[RIMS] *= cast[RIMS, 2] > np.nanmedian(cast[RED, 2]) - LIP_DEPTH
        places.append(np.nan_to_num(cast))
        weights.append(weight)
    if not places:
        return np.full((478, 3), np.nan), front, outwards
    return _middles(np.stack(places), np.stack(weights)), front, outwards


def _middles(places: Floats, weights: Floats) -> Floats:
    """Geometric medians (478, 3) of places (S, 478, 3) with weights (S, 478), NaN where there is none."""
    total = weights.copy()
    for _ in range(15):
        middle: Floats = (places * total[..., None]).sum(0) / np.maximum(total.sum(0), 1e-12)[:, None]
        total = weights / np.maximum(np.linalg.norm(places - middle, axis=-1), USUAL)
    middle[weights.sum(0) < 0.3] = np.nan
    return middle


def _cast(mesh: FaceMesh, raster: Raster, points: Floats) -> Floats:
    """What of the mesh lies under points (478, 2 or 3) of its picture: (478, 3), NaN for nothing."""
    height, width = raster.triangle.shape
    column, row = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    hit = raster.triangle.numpy()[row, column]
    corners = mesh.vertices[mesh.triangles[np.maximum(hit, 0)]]
    places: Floats = (corners * raster.barycentric.numpy()[row, column][..., None]).sum(1)
    places[(hit < 0) | ~inside] = np.nan
    return places
