"""The landmarks of a mesh of a face, whatever its topology, unit and frame: it is drawn, and the networks look at it.

First from all sides, for nobody knows which way a file's face looks; then, once it is known, from where a portrait is
taken and a little around, and each point is the middle of the places where the views put it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.camera import Camera
from likeness.errors import HeadError
from likeness.faces.crop import Window
from likeness.faces.detect import detect, whole
from likeness.faces.mesh import landmarks_in, landmarks_of
from likeness.heads.base import HeadModel
from likeness.heads.bounded import bounded
from likeness.heads.embedding import turned_here
from likeness.heads.embedding_pictures import Painter, camera_at
from likeness.heads.embedding_points import LOWER_LIP, UPPER_LIP
from likeness.heads.face_mesh import FaceMesh, Shown
from likeness.heads.surface import Surface, normals, similarity
from likeness.progress import Progress, quiet
from likeness.render.raster import Raster

__all__ = ["FaceMesh", "Found", "find_on_mesh"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE = 320
"""Pixels of the pictures in which the face is looked for."""
VIEWS = tuple(itertools.product((-30.0, -15.0, 0.0, 15.0, 30.0), (-12.0, 0.0, 12.0)))
"""Yaw and pitch in degrees from which it is looked at, once it is known where that is."""
ALL = tuple(range(len(VIEWS)))
FEW = tuple(VIEWS.index(view) for view in ((-30.0, 0.0), (0.0, -12.0), (0.0, 0.0), (0.0, 12.0), (30.0, 0.0)))
"""Those of the views that are enough to say about where it is and what it is like."""
ROUNDS = 3
"""Shapes in which the head is shown beside the mesh: the mean one, then one about like the mesh."""
BETTER = 4
"""Of the sides from which a face was seen so many are compared by how well it fits a head."""
PRESENCE = 0.5
USUAL = 0.001
"""Metres; places nearer than this to their middle all count alike."""
NOISE, MOOD = 0.008, 0.3
"""Metres by which a landmark errs, counted high because neighbours err together, and deviation of expressions."""
STEEP = 0.05
"""Sine between a ray and a surface below which one does not tell where it hits the other."""

RIMS, RED = np.array(UPPER_LIP + LOWER_LIP), np.array((0, 37, 267, 17, 84, 314))
LIP_DEPTH = 0.005
"""Metres from the borders of the red of the lips back to the rims inside, at most: teeth lie behind that."""
BROWS = np.array((70, 63, 105, 66, 107, 46, 53, 52, 65, 55, 300, 293, 334, 296, 336, 276, 283, 282, 295, 285))
"""On a mesh without colours the network guesses them, off by a centimetre; by least beside the mean head."""
BEYOND = 0.01
"""Metres beyond the borders of the mesh over which the head beside it is shown."""
LIP_REACH = 8
"""Pixels from a rim that is seen in the mouth to the lip that it belongs to, at most."""


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

    The networks put a point of a bare face elsewhere than one of a face with brows and lips, and a smile's elsewhere
    than that of a face at rest. So the head is shown to them as well, in about the same shape, in the same paint and
    from the same places, and what counts is how far apart the two are seen.

    Args:
        head: with the embedding "mediapipe478", which says what a face looks like.

    Raises:
        HeadError: no face is seen on it from any side.
        WeightsError: the networks cannot be fetched or read.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)  # pictures and networks this small are fastest so, above all where others work, too
    try:
        return _found(head, mesh, progress)
    finally:
        torch.set_num_threads(before)


def _found(head: HeadModel, mesh: FaceMesh, progress: Progress) -> Found:
    progress("head", 0.0, "Looking for the face on the mesh")
    marks = head.landmarks["mediapipe478"].on(head.template, head.triangles).double().numpy()
    seen = _from_all_sides(mesh)
    if not seen:
        raise HeadError("No face was seen on this mesh; it must show eyes, nose and mouth from the outside.")
    first = min((_fit(points, marks) for _, points in seen[:BETTER]), key=lambda fit: fit[3])
    scale, rotation, shift, _ = first
    rounds, count = 2 * len(VIEWS) + ROUNDS * len(FEW), 0

    def told() -> None:
        nonlocal count
        progress("head", 0.1 + 0.35 * count / rounds, "Showing the mesh to the landmark network")
        count += 1

    looks = _around(head, mesh.moved(scale, rotation, shift), told, FEW)
    outwards, here = looks.outwards, mesh
    if looks.score >= PRESENCE:  # from a better place the face is seen better
        scale, rotation, shift, _ = _fit(scale * looks.middles() @ rotation.T + shift, marks)
        here = mesh.moved(scale, rotation, shift)
        here = replace(here, triangles=here.triangles if outwards else here.triangles[:, ::-1].copy(), hollow=True)
        looks = _around(head, here, told)
    if looks.score < PRESENCE:
        raise HeadError("No face was seen on this mesh; it must show eyes, nose and mouth from the outside.")
    own = _Own(head, here)
    shape, brows = head.template.double().numpy(), np.full((len(BROWS), 3), np.nan)
    for number in range(ROUNDS):
        known, true = own.around(shape, told, ALL if number == ROUNDS - 1 else FEW)
        points = true + looks.beside(known)
        if own.painter is None:
            brows = points[BROWS] if number == 0 else brows
            points[BROWS] = brows
        if number < ROUNDS - 1:
            shape = own.like(points)
    landmarks = scale * points @ rotation.T + shift
    scale, rotation, shift, _ = _fit(landmarks, marks)
    return Found(landmarks, scale, rotation, shift, not outwards, looks.score)


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


@dataclass(frozen=True, eq=False)
class Looks:
    """What the networks say of a surface that lies in the head's frame, from `VIEWS`.

    Attributes:
        places: (S, 478, 3) metres on it; weights: (S, 478), 0 where a point is not to be believed.
        score: 0..1 from the front; outwards: the triangles seen there are wound outwards.
    """

    places: Floats
    weights: Floats
    score: float
    outwards: bool

    def middles(self) -> Floats:
        """(478, 3) metres, NaN where not seen."""
        return _middles(self.places, self.weights)

    def beside(self, other: Looks) -> Floats:
        """(478, 3) metres from another surface's points to these: as places where both are seen tell it, else as all
        do; NaN where not seen."""
        paired = _middles(self.places - other.places, np.sqrt(self.weights * other.weights))
        return np.where(np.isfinite(paired), paired, self.middles() - other.middles())


def _around(head: HeadModel, surface: Shown, told: Callable[[], None], views: Sequence[int] = ALL) -> Looks:
    """Show a surface that lies in the head's frame to the networks, from some of `VIEWS`."""
    aim = head.joints[[head.joint_names.index("eye.L"), head.joint_names.index("eye.R")]].double().mean(0).numpy()
    aim += (0, -0.03, 0)
    outside = normals(surface.vertices, surface.triangles)
    places, weights = np.zeros((len(VIEWS), 478, 3)), np.zeros((len(VIEWS), 478))
    front, outwards = 0.0, True
    for number in views:
        told()
        yaw, pitch = VIEWS[number]
        camera = camera_at(yaw, pitch, aim)
        pixels, raster = surface.picture(camera)
        box = camera.project(aim + np.array([[-0.08, 0.09, 0], [0.08, -0.09, 0]]))
        points, score = landmarks_of(pixels, (box[0, 0], box[0, 1], box[1, 0], box[1, 1]))
        if (yaw, pitch) == (0.0, 0.0):
            front = score
            shown = torch.unique(raster.triangle[raster.covered]).numpy()
            facing = outside[surface.triangles[shown]].mean(1) @ camera.rotation[2]
            outwards = bool(np.median(facing) < 0)
        if score < PRESENCE:
            continue
        cast = _under(surface, raster, points, camera)
        _onto_lips(surface, raster, points, cast)
        weight = np.isfinite(cast).all(1) * turned_here(points)
        places[number], weights[number] = np.nan_to_num(cast), weight
    return Looks(places, weights, front, outwards)


def _onto_lips(surface: Shown, raster: Raster, points: Floats, cast: Floats) -> None:
    """Move casts (478, 3) of the lips' inner rims that lie in the mouth to the lip beside them, NaN without one."""
    seen = np.isfinite(cast[RED]).all(1)
    if not seen.any():
        cast[RIMS] = np.nan
        return
    back = float(np.median(cast[RED][seen, 2])) - LIP_DEPTH
    inside = RIMS[~(cast[RIMS, 2] > back)]
    if not len(inside):
        return
    low = np.floor(points[RIMS, :2].min(0)).astype(int) - LIP_REACH
    high = np.ceil(points[RIMS, :2].max(0)).astype(int) + LIP_REACH
    height, width = raster.triangle.shape
    rows, columns = (
        a.ravel() for a in np.mgrid[max(low[1], 0) : min(high[1], height), max(low[0], 0) : min(high[0], width)]
    )
    middles = np.stack([columns, rows], 1) + 0.5
    places = _cast(surface, raster, middles)
    front = places[:, 2] > back
    cast[inside] = np.nan
    if front.any():
        away, near = cKDTree(middles[front]).query(points[inside, :2])
        close = away < LIP_REACH
        cast[inside[close]] = places[front][near[close]]


def _middles(places: Floats, weights: Floats) -> Floats:
    """Geometric medians (478, 3) of places (S, 478, 3) with weights (S, 478), NaN where there is none."""
    total = weights.copy()
    for _ in range(15):
        middle: Floats = (places * total[..., None]).sum(0) / np.maximum(total.sum(0), 1e-12)[:, None]
        total = weights / np.maximum(np.linalg.norm(places - middle, axis=-1), USUAL)
    middle[weights.sum(0) < 0.3] = np.nan
    return middle


def _hit(raster: Raster, points: Floats) -> tuple[Ints, Ints, Ints]:
    """Row, column and triangle (478,) under points (478, 2 or 3) of a picture; -1 for nothing."""
    height, width = raster.triangle.shape
    column, row = np.floor(points[:, 0]).astype(int), np.floor(points[:, 1]).astype(int)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    column, row = column.clip(0, width - 1), row.clip(0, height - 1)
    return row, column, np.where(inside, raster.triangle.numpy()[row, column], -1)


def _cast(mesh: Shown, raster: Raster, points: Floats) -> Floats:
    """What of the mesh the pixels under points (478, 2 or 3) of its picture show: (478, 3), NaN for nothing."""
    row, column, hit = _hit(raster, points)
    corners = mesh.vertices[mesh.triangles[np.maximum(hit, 0)]]
    places: Floats = (corners * raster.barycentric.numpy()[row, column][..., None]).sum(1)
    places[hit < 0] = np.nan
    return places


def _under(mesh: Shown, raster: Raster, points: Floats, camera: Camera) -> Floats:
    """As `_cast`, but where the point itself lies in its pixel: on the plane of what the pixel shows."""
    row, column, hit = _hit(raster, points)
    corners = mesh.vertices[mesh.triangles[np.maximum(hit, 0)]]
    middle = (corners * raster.barycentric.numpy()[row, column][..., None]).sum(1)
    flat = np.stack([(points[:, 0] - camera.cx) / camera.fx, (points[:, 1] - camera.cy) / camera.fy], 1)
    eye = camera.centre()
    ray = np.concatenate([flat, np.ones((len(flat), 1))], 1) @ camera.rotation
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    slope = (ray * normal).sum(1)
    size = np.linalg.norm(ray, axis=1) * np.linalg.norm(normal, axis=1)
    steep = np.abs(slope) < STEEP * size
    far = ((middle - eye) * normal).sum(1) / np.where(steep, 1.0, slope)
    places: Floats = np.where(steep[:, None], middle, eye + far[:, None] * ray)
    places[hit < 0] = np.nan
    return places


class _Own:
    """The head itself as the networks see it: bare and as far as the mesh goes, or painted where that has colours."""

    def __init__(self, head: HeadModel, mesh: FaceMesh) -> None:
        self.head, self.mesh = head, Surface(mesh.vertices, mesh.triangles)
        self.painter = None if mesh.colours is None and mesh.texture is None else Painter(head)
        self.bare = head.triangles.numpy()[head.region("skin", "eye.L", "eye.R").numpy()]
        self.embedding = head.landmarks["mediapipe478"]

    def around(self, vertices: Floats, told: Callable[[], None], views: Sequence[int]) -> tuple[Looks, Floats]:
        """What the networks say of it in a shape (V, 3), and where its landmarks (478, 3) really are."""
        shape = torch.from_numpy(vertices)
        near = self.mesh.closest(vertices, candidates=1)
        far = (np.linalg.norm(near.place - vertices, axis=1) > BEYOND) & self.mesh.at_border[near.triangle]
        surface: Shown = FaceMesh(vertices, self.bare[~far[self.bare].all(1)], hollow=True)
        if self.painter is not None:
            surface = _Painted(vertices, self.head.triangles.numpy(), self.painter)
        return _around(self.head, surface, told, views), self.embedding.on(shape, self.head.triangles).numpy()

    def like(self, points: Floats) -> Floats:
        """(V, 3) the head in about the shape that has landmarks (478, 3), NaN where not known, where they are."""
        head, use = self.head, np.isfinite(points).all(1)
        use[468:] = False
        corners, shares = head.triangles[self.embedding.triangle[use]], self.embedding.barycentric[use].double()
        basis = torch.cat([head.identity, head.expression])
        moved = (basis[:, corners].double() * shares[..., None]).sum(2).numpy()
        rest = (head.template[corners].double() * shares[..., None]).sum(1).numpy()
        count = len(head.identity)
        spread = np.concatenate([np.ones(count), np.full(len(basis) - count, MOOD)])
        least, most = np.where(np.arange(len(basis)) < count, (-np.inf,), (0.0,)), np.full(len(basis), np.inf)
        most[count:] = 1.0
        seen = moved.reshape(len(basis), -1) / NOISE
        left = seen @ seen.T + np.diag(1 / spread**2)
        found, here = np.zeros(len(basis)), rest
        for _ in range(3):
            scale, rotation, shift = similarity(here, points[use])
            goal = (points[use] - shift) @ rotation / scale - rest
            found = bounded(left, seen @ (goal.ravel() / NOISE), least, most)
            here = rest + np.tensordot(found, moved, 1)
        shape = head.template.double().numpy() + np.tensordot(found, basis.double().numpy(), 1)
        placed: Floats = scale * shape @ rotation.T + shift
        return placed


@dataclass(frozen=True, eq=False)
class _Painted:
    """A head in paint, as a surface to look at."""

    vertices: Floats
    triangles: Ints
    painter: Painter

    def picture(self, camera: Camera) -> tuple[NDArray[np.uint8], Raster]:
        """As `FaceMesh.picture`."""
        shown = self.painter.picture(torch.from_numpy(self.vertices).float(), camera)
        return shown.pixels, shown.raster
