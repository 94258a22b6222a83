"""A head made in code, an egg with eyes and painted skin, and photos of it whose light and camera are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.maps import places
from likeness.methods.base import Reconstruction, View
from likeness.photos import Photo
from likeness.render.light import linear_to_srgb, sh_basis
from likeness.render.raster import interpolate, rasterise
from likeness.render.view import project, vertex_normals

RADII = np.array([0.078, 0.115, 0.095])
MIDDLE = np.array([0.0, 0.13, 0.0])
EYES = {"eye.L": (0.031, 0.14, 0.078), "eye.R": (-0.031, 0.14, 0.078)}
ROWS, COLUMNS = 48, 96
SKIN = np.array([0.50, 0.29, 0.20])
IRIS = np.array([0.10, 0.17, 0.32])

# Areas of the face by centre and half axes, metres in the plane x, y.
OVALS = {
    places.OVAL: (0.0, 0.118, 0.060, 0.088),
    places.LIPS: (0.0, 0.085, 0.024, 0.010),
    places.MOUTH: (0.0, 0.085, 0.018, 0.001),
    places.EYE_R: (-0.031, 0.14, 0.0135, 0.0125),
    places.EYE_L: (0.031, 0.14, 0.0135, 0.0125),
    places.BROW_R: (-0.031, 0.163, 0.018, 0.003),
    places.BROW_L: (0.031, 0.163, 0.018, 0.003),
    places.NOSTRILS: (0.0, 0.108, 0.012, 0.004),
    places.BEARD: (0.0, 0.06, 0.05, 0.03),
}


def egg() -> HeadModel:
    """The head: skin over a whole egg, two eyeballs that stand out a little, no expression worth its name."""
    polar = np.pi * np.arange(ROWS + 1) / ROWS
    around = 2 * np.pi * (np.arange(COLUMNS) / COLUMNS - 0.5)
    ring = np.stack([np.sin(around), np.zeros(COLUMNS), np.cos(around)], 1)
    skin = [RADII * (np.sin(p) * ring + [0, np.cos(p), 0]) + MIDDLE for p in polar]
    vertices, polygons, uv, polygons_uv, region = list(np.concatenate(skin)), [], [], [], []
    mirror = [r * COLUMNS + (-c) % COLUMNS for r in range(ROWS + 1) for c in range(COLUMNS)]
    uv += [(c / COLUMNS, 1 - r / ROWS) for r in range(ROWS + 1) for c in range(COLUMNS + 1)]
    for r in range(ROWS):
        for c in range(COLUMNS):
            a, b, n = r * COLUMNS, (r + 1) * COLUMNS, (c + 1) % COLUMNS
            polygons.append([a + c, b + c, b + n, a + n])
            a, b = r * (COLUMNS + 1), (r + 1) * (COLUMNS + 1)
            polygons_uv.append([a + c, b + c, b + c + 1, a + c + 1])
            region.append(0)
    start = len(vertices)
    for k, centre in enumerate(EYES.values()):
        base, base_uv = len(vertices), len(uv)
        for ring_number in range(9):
            angle = np.radians(10 * ring_number)
            for s in range(16):
                turn = 2 * np.pi * s / 16
                d = np.array([np.sin(angle) * np.cos(turn), np.sin(angle) * np.sin(turn), np.cos(angle)])
                vertices.append(np.array(centre) + 0.012 * d)
                flat = 0.2 * np.sin(angle) / np.sin(0.5)
                uv.append((0.5 + flat * np.cos(turn), 0.5 + flat * np.sin(turn)))
                mirror.append(start + (1 - k) * 144 + ring_number * 16 + (8 - s) % 16)
        for ring_number in range(8):
            for s in range(16):
                a, b, n = ring_number * 16, (ring_number + 1) * 16, (s + 1) % 16
                polygon = [a + s, b + s, b + n, a + n]
                polygons.append([base + i for i in polygon])
                polygons_uv.append([base_uv + i for i in polygon])
                region.append(1 + k)
    count = len(vertices)
    joints = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
    rest = np.array([(0, 0, 0), (0, 0, 0), (0, 0.1, 0), (0, 0.09, 0.03), *EYES.values()])
    weights = np.zeros((count, 6), np.float32)
    weights[:start, 2] = 1
    weights[start : start + 144, 4] = 1
    weights[start + 144 :, 5] = 1
    t = torch.tensor
    return HeadModel(
        "egg", "Egg", "CC0-1.0", t(np.array(vertices)).float(), torch.zeros(1, count, 3), torch.zeros(1, count, 3),
        ("jawOpen",), t(polygons), t(uv).float(), t(polygons_uv), ("skin", "eye.L", "eye.R"), t(region), joints,
        (-1, 0, 1, 2, 2, 2), t(rest).float(), torch.zeros(1, 6, 3), t(weights), t(mirror),
    )  # fmt: skip


def front(x: float, y: float) -> np.ndarray:
    """The point of the egg's front over (x, y), metres."""
    height = 1 - ((x - MIDDLE[0]) / RADII[0]) ** 2 - ((y - MIDDLE[1]) / RADII[1]) ** 2
    return np.array([x, y, RADII[2] * np.sqrt(max(height, 0.0))])


def landmarks() -> np.ndarray:
    """(478, 3) metres on the egg: the areas' outlines and the irises, the rest in the middle of the face."""
    points = np.tile(front(0, 0.12), (478, 1))
    for polygon, (x, y, a, b) in OVALS.items():
        for i, index in enumerate(polygon):
            turn = 2 * np.pi * i / len(polygon)
            points[index] = front(x + a * np.sin(turn), y + b * np.cos(turn))
    points[33], points[263] = front(-0.046, 0.14), front(0.046, 0.14)
    for start, name in ((468, "eye.R"), (473, "eye.L")):
        centre = np.add(EYES[name], (0, 0, 0.012))
        points[start : start + 5] = centre + 0.0058 * np.array(
            [(0, 0, 0), (1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0)]
        )
    return points


def paint(points: np.ndarray, spot: tuple[float, float] | None = None) -> np.ndarray:
    """Linear albedo (..., 3) of the skin at points (..., 3): soft patches, red lips, dark brows, hair on top."""
    x, y, z = np.moveaxis(points, -1, 0)
    patches = 1 + 0.06 * np.sin(x * 260) * np.sin(y * 230 + 1)
    colour = SKIN * patches[..., None]

    def within(area: tuple[int, ...]) -> np.ndarray:
        cx, cy, a, b = OVALS[area]
        return ((((x - cx) / a) ** 2 + ((y - cy) / b) ** 2 < 1) & (z > 0))[..., None]

    colour = np.where(within(places.LIPS), [0.42, 0.14, 0.13], colour)
    colour = np.where(within(places.BROW_L) | within(places.BROW_R), [0.06, 0.04, 0.03], colour)
    hair = (y > 0.205) | ((z < 0.02) & (y > 0.12))
    colour = np.where(hair[..., None], [0.03, 0.02, 0.015], colour)
    if spot is not None:
        mark = ((x - spot[0]) ** 2 + (y - spot[1]) ** 2 < 0.0025**2) & (z > 0)
        colour = np.where(mark[..., None], SKIN * 0.45, colour)
    return colour


def take_photo(
    head: HeadModel,
    yaw: float = 0.0,
    *,
    light: np.ndarray | None = None,
    background: tuple[int, int, int] = (40, 200, 60),
    spot: tuple[float, float] | None = None,
    side: int = 420,
) -> View:
    """A picture of the egg turned by yaw degrees to the picture's right; light (9,) or (9, 3) radiance."""
    turn = np.radians(yaw)
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ rotation
    camera = Camera(side, side, 2.2 * side, 2.2 * side, side / 2, side / 2, rotation, np.array([0, 0, 0.65]))
    camera = Camera(**{**camera.__dict__, "translation": np.array([0, 0, 0.65]) - rotation @ MIDDLE})
    vertices, triangles = head.template, head.triangles
    raster = rasterise(project(camera, vertices), triangles, side, side)
    points = interpolate(vertices, triangles, raster).numpy()
    normals = interpolate(vertex_normals(vertices, triangles), triangles, raster)
    albedo = paint(points, spot)
    eyes = (head.triangle_region[raster.triangle.clamp(min=0)] > 0).numpy()
    for centre in EYES.values():
        away = np.hypot(points[..., 0] - centre[0], points[..., 1] - centre[1])
        eye = eyes & (away < 0.02)
        colour = np.where(away[..., None] < 0.0058, IRIS, [0.6, 0.58, 0.55])
        colour = np.where(away[..., None] < 0.002, 0.01, colour)
        albedo[eye] = colour[eye]
    lit = even_light() if light is None else light
    shaded = sh_basis(torch.nn.functional.normalize(normals, dim=-1)).numpy() @ lit.reshape(9, -1)
    shown = linear_to_srgb(torch.from_numpy(albedo * np.maximum(shaded, 0.02)))
    pixels = np.where(raster.covered.numpy()[..., None], np.rint(shown.numpy() * 255), background).astype(np.uint8)
    placed = np.concatenate([camera.project(landmarks()), np.zeros((478, 1))], 1)
    box = np.concatenate([placed[:468, :2].min(0), placed[:468, :2].max(0)])
    face = Face(Photo(Path("egg.png"), pixels), 0, box, placed, 1.0, yaw, 0.0, 0.0)
    return View(face, camera, np.zeros(1, np.float32), np.zeros((6, 3), np.float32))


def even_light() -> np.ndarray:
    """(9,) the same from everywhere: a white surface shows 1."""
    return np.array([1 / 0.282095, 0, 0, 0, 0, 0, 0, 0, 0])


def side_light(x: float) -> np.ndarray:
    """(9,) twice as much from one side (x > 0: the head's left) as from the other."""
    light = even_light() * 0.8
    light[3] = x / (0.488603 * 2 / 3)
    light[2] = 0.15 / (0.488603 * 2 / 3)
    return light


def reconstruction(head: HeadModel, *views: View) -> Reconstruction:
    """What a method that makes no mistake would give."""
    return Reconstruction("open", head, np.zeros(1, np.float32), head.template.numpy(), head.joints.numpy(), views)
