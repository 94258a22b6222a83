"""Faces to learn from: a head, a skin, a light and a camera at random, laid out as a photo would be, kept in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from likeness.fitting.scenes import Scene, draw_scene
from likeness.heads.base import HeadModel
from likeness.heads.pigments import NAMES, Pigments
from likeness.maps.atlas import material_triangles
from likeness.maps.delight_chart import SIDE, Chart
from likeness.maps.places import smoothstep
from likeness.maps.transfer import transfer_of
from likeness.maps.unwrap import log_light
from likeness.progress import Progress
from likeness.render.raster import rasterise
from likeness.render.view import vertex_normals
from likeness.training.delight_light import Surface, developed, shone
from likeness.training.delight_skin import Marks, draw_skin
from likeness.training.delight_solver import solved
from likeness.weights.tensor_file import write_tensors

__all__ = ["PIECE", "Sample", "Subject", "draw_sample", "piece", "render_pieces"]

Floats = NDArray[np.float32]

PIECE = 64
"""Faces in one file: what an interruption costs at most."""
MOST = 2.5
"""Standard deviations that a coefficient of a random head is away from the average at most."""
MISFIT = 0.45
"""Standard deviation of what a fit gets wrong in each coefficient of identity."""
PALEST = 0.7
"""Absorbance of green that the bare skin has at least: swatches of pale skin are paler than skin."""
FAIR = (0.5, 1.0, 1.2)
"""What is added to them, melanin and blood together."""
HIDDEN = ("lashes", "wet")
BIAS = 0.003  # metres that a place may lie behind what the camera sees there and still be seen
CAMERA = 192  # pixels of the camera's view


@dataclass(frozen=True, eq=False)
class Sample:
    """One face in the chart, all (SIDE, SIDE[, C]) float32.

    Attributes:
        log: (…, 3) log of the photo's linear light; weight: how well it shows skin.
        normal: (…, 3) and open_air, of the fitted head; shading: (…, 3) log, as a solver found it.
        albedo: (…, 3) log of the true reflectance; gloss: the surface's share of the light.
        tone: (3,) linear reflectance of the bare skin.
    """

    log: Floats
    weight: Floats
    normal: Floats
    open_air: Floats
    shading: Floats
    albedo: Floats
    gloss: Floats
    tone: Floats


class Subject:
    """What of a head model the samples need again and again."""

    def __init__(self, head: HeadModel) -> None:
        """Raises HeadError for a head without landmarks."""
        self.head = head
        self.pigments = Pigments.of(head)
        self.transfer = transfer_of(head)
        self.skin = head.triangles[material_triangles(head, "Skin")]
        self.solid = head.triangles[~head.region(*HIDDEN)]
        masks = {name: self._where(name) for name in ("beard hair", "brows hair")}
        self.beard, self.brows = masks["beard hair"], masks["brows hair"]

    def _where(self, name: str) -> Floats:
        """(V, 1) in 0..1: where a pigment of a place lies."""
        strength = self.pigments.modes[NAMES.index(name)].norm(dim=1, keepdim=True)
        where: Floats = (strength / strength.max()).numpy()
        return where


def draw_sample(subject: Subject, rng: Generator) -> Sample:
    """A face at random."""
    head = subject.head
    true = torch.from_numpy(rng.normal(size=len(head.identity)).clip(-MOST, MOST)).float()
    wrong = torch.from_numpy(rng.normal(0, MISFIT, len(head.identity))).float()
    scene = draw_scene(head.expression_names, rng)
    rest = head.shape((true + wrong)[None])[0]
    actual, fitted = head.shape(torch.stack([true, true + wrong]), scene.expression.expand(2, -1))
    chart = Chart.of(head, rest.numpy())
    covered = chart.covered

    camera = (
        scene.rotation.T @ np.array([0, 0, -1.0]) * scene.distance * 0.09 + actual[subject.skin].mean((0, 1)).numpy()
    )
    tones = torch.from_numpy(rng.normal(size=len(NAMES)).clip(-MOST, MOST)).float()
    tones[0], tones[1] = float(rng.uniform(-1.6, 1.6)), tones[1].clamp(-1, 1)  # all shades alike
    absorbance = -torch.log(subject.pigments.colours(tones[None])[0]).numpy()
    lacking = max(PALEST - float(np.median(absorbance[subject.skin.numpy().ravel(), 1])), 0.0)
    absorbance += lacking * np.array(FAIR, np.float32)
    drawn = chart.picture(np.concatenate([absorbance, subject.beard, subject.brows, subject.transfer], 1))
    marks = head.landmarks["ibug68"].on(torch.from_numpy(chart.places)[:, :], head.triangles)
    skin = draw_skin(drawn[..., :3], Marks(marks.numpy(), drawn[..., 3], drawn[..., 4]), rng)

    surface = _surface(subject, chart, actual, camera, drawn[..., 5:])
    below, mirrored, falling = shone(surface, skin, scene, rng)
    light = below + mirrored
    light[~covered] = np.median(light[covered], axis=0)
    photo = log_light(developed(light, covered, scene, rng))
    gloss = mirrored.mean(-1) / np.maximum((below + mirrored).mean(-1), 1e-6)
    weight = _weight(subject, chart, fitted, scene, rng)
    photo = _spoilt(photo, weight, rng)
    log, albedo, gloss = _shifted([photo, np.log(skin.albedo), gloss], rng)

    normals = vertex_normals(rest, subject.skin).numpy()
    normal = chart.picture(normals)
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    open_air = np.clip(drawn[..., 5] / 0.282095, 0, 1)
    shading = solved(log, weight, drawn[..., 5:], np.log(np.maximum(falling, 1e-3)), rng)
    tone = np.exp(-np.median(absorbance[subject.skin.numpy().ravel()], axis=0))
    return Sample(log, weight, normal, open_air, shading, albedo, gloss, tone.astype(np.float32))


def _surface(
    subject: Subject, chart: Chart, vertices: Tensor, camera: NDArray[np.float64], transfer: Floats
) -> Surface:
    normals = vertex_normals(vertices, subject.skin).numpy()
    drawn = chart.picture(np.concatenate([vertices.numpy(), normals], 1))
    place, normal = drawn[..., :3], drawn[..., 3:]
    normal = normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    view = camera.astype(np.float32) - place
    view = view / np.linalg.norm(view, axis=-1, keepdims=True)
    return Surface(vertices, subject.solid, place, normal, view, transfer, chart.covered)


def _weight(subject: Subject, chart: Chart, fitted: Tensor, scene: Scene, rng: Generator) -> Floats:
    """How well the photo shows skin, (SIDE, SIDE): it faces the camera, and nothing lies on it or before it."""
    turn = torch.from_numpy(scene.rotation).float()
    seen = (fitted - fitted.mean(0)) @ turn.T
    seen[:, 2] += scene.distance * 0.09
    flat = seen[:, :2] / seen[:, 2:]
    scale = CAMERA / 2 / float(flat.abs().max())
    points = torch.cat([flat * scale + CAMERA / 2, seen[:, 2:]], 1)
    depth = rasterise(points, subject.solid, CAMERA, CAMERA).depth.numpy()
    filled = np.where(np.isinf(depth), 99, depth).astype(np.float32)
    farthest = cv2.dilate(filled, np.ones((3, 3), np.uint8))
    spots = points.numpy()
    column, row = (np.clip(spots[:, k].astype(int), 0, CAMERA - 1) for k in (0, 1))
    free = spots[:, 2] <= farthest[row, column] + BIAS
    # Away from edges, where something nearer or nothing lies beside.
    nearest = cv2.erode(filled, np.ones((5, 5), np.uint8))
    free &= spots[:, 2] - nearest[row, column] < 0.035
    free &= farthest[row, column] < 99
    normals = vertex_normals(fitted, subject.skin)
    facing = -((normals @ turn.T) * torch.nn.functional.normalize(seen, dim=1)).sum(1).numpy()
    good = (smoothstep(0.1, 0.5, facing) * free).astype(np.float32)
    weight = cv2.GaussianBlur(chart.picture(good[:, None]), (0, 0), 0.8) * chart.covered
    seen_there: Floats = (weight * _uncovered(chart, rng)).astype(np.float32)
    return seen_there


def _uncovered(chart: Chart, rng: Generator) -> Floats:
    """(SIDE, SIDE) in 0..1: what hair, frames of glasses and hands leave of a face; clothes below the chin."""
    rows = np.arange(SIDE, dtype=np.float32)[:, None]
    columns = np.arange(SIDE, dtype=np.float32)[None]
    waves = sum(rng.normal(0, 3) * np.sin(columns * rng.uniform(0.03, 0.4) + rng.uniform(0, 6)) for _ in range(4))
    line = rng.uniform(-0.1, 0.3) * SIDE + waves + 0.0017 * rng.uniform(-1, 3) * (columns - SIDE / 2) ** 2
    shown = smoothstep(-2, 2, rows - line)
    collar = rng.uniform(0.78, 1.1) * SIDE + 0.0011 * rng.normal() * (columns - SIDE / 2) ** 2
    shown = shown * smoothstep(2, -2, rows - collar)
    for _ in range(int(rng.integers(0, 4))):
        blob = np.zeros((SIDE, SIDE), np.float32)
        start = rng.uniform(0, SIDE, 2)
        path = (start + np.cumsum(rng.normal(0, 10, (6, 2)), 0)) * 16
        cv2.polylines(blob, [path.astype(np.int32)], False, 1.0, int(rng.integers(1, 7)), cv2.LINE_AA, 4)
        shown = shown * (1 - np.clip(cv2.GaussianBlur(blob, (0, 0), 1.2), 0, 1) * (rng.random() < 0.5))
    uncovered: Floats = shown.astype(np.float32)
    return uncovered


def _spoilt(log: Floats, weight: Floats, rng: Generator) -> Floats:
    """What is no skin shows something else, which now and then reaches under the weight."""
    other = rng.normal(-1.5, 0.8, 3) + rng.normal(0, 0.3, log.shape[:2])[..., None]
    reach = rng.choice([0.1, 0.3, 0.6])
    share = smoothstep(reach, 0.0, weight)[..., None]
    spoilt: Floats = (log + share * (other - log)).astype(np.float32)
    return spoilt


def _shifted(pictures: list[Floats], rng: Generator) -> list[Floats]:
    """The photo beside where the fitted head has it: features lie up to a few pixels off."""
    small = rng.normal(0, rng.uniform(0, 1.0), (7, 7, 2)).astype(np.float32)
    off = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(*[np.arange(SIDE, dtype=np.float32)] * 2)
    return [
        cv2.remap(p.astype(np.float32), x + off[..., 0], y + off[..., 1], cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
        for p in pictures
    ]


def piece(subject: Subject, rng: Generator, count: int) -> dict[str, Tensor]:
    """Samples (count, SIDE, SIDE[, C]) by the names of `Sample`, colours in float16, shares in 255ths."""
    rows = [draw_sample(subject, rng) for _ in range(count)]
    made: dict[str, Tensor] = {}
    for name in ("log", "weight", "normal", "open_air", "shading", "albedo", "gloss", "tone"):
        values = np.stack([getattr(row, name) for row in rows])
        if name in ("weight", "open_air", "gloss"):
            made[name] = torch.from_numpy(np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8))
        elif name == "normal":
            made[name] = torch.from_numpy(np.clip(np.rint(values * 127), -127, 127).astype(np.int8))
        else:
            made[name] = torch.from_numpy(values.astype(np.float32 if name == "tone" else np.float16))
    return made


def render_pieces(subject: Subject, folder: Path, pieces: int, seed: int, progress: Progress) -> list[Path]:
    """`pieces` files of `PIECE` samples; what the folder holds is taken as it is.

    Raises:
        OSError: the folder cannot be written.
    """
    paths = []
    for number in range(pieces):
        path = folder / f"{number:04d}.safetensors"
        if not _whole(path):
            write_tensors(path, piece(subject, np.random.default_rng([seed, 0, number]), PIECE))
        paths.append(path)
        done = number + 1
        progress("samples", done / pieces, f"{done * PIECE} of {pieces * PIECE} faces rendered")
    return paths


def _whole(path: Path) -> bool:
    try:
        load_file(path)
    except (OSError, SafetensorError):
        return False
    return True
