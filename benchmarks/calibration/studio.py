"""Cheap photos of a head model: painted skin, three lamps with shadows, a shell of hair; a few dozen a second."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from likeness.camera import Camera
from likeness.heads.base import HeadModel
from likeness.render.light import srgb_to_linear
from likeness.render.raster import Raster, interpolate, rasterise
from likeness.render.view import project, vertex_normals
from now import Surface
from truth.body import Body, Part, canonical
from truth.canvas import Canvas
from truth.eyes import IRIS, eye_picture
from truth.hair import scalp
from truth.light import develop, look_at
from truth.skin import HAIR, draw_look, paint

__all__ = ["Shot", "Studio"]

Floats = NDArray[np.float64]
SIZE, TEXTURE, SHADOW = 352, 512, 192
IRIS_UV = 0.2  # radius of the iris in an eye's UV square
PLAIN = {"teeth": (0.62, 0.55, 0.45), "gums": (0.40, 0.12, 0.10), "tongue": (0.40, 0.13, 0.12),
         "mouth": (0.16, 0.04, 0.035)}  # fmt: skip
LEFT_OUT = ("lashes", "wet")  # lashes without their fine texture would be eyeliner
SHELLS = {"buzz": 0.004, "short": 0.018, "swept": 0.028, "long": 0.03, "curly": 0.04}
"""Metres that hair of each style stands off the skull."""


@dataclass(frozen=True, eq=False)
class Shot:
    """A photo of a known head: pixels (H, W, 3) uint8 sRGB, its camera, and the head's true vertices (V, 3) metres."""

    pixels: NDArray[np.uint8]
    camera: Camera
    vertices: Tensor


class Studio:
    """A head model with a wardrobe of painted skins."""

    def __init__(self, head: HeadModel, looks: int, seed: int) -> None:
        """Paint `looks` skins and find which parts of the head are sheltered from light."""
        self.head = head
        rng = np.random.default_rng(seed)
        skin = head.region("skin").numpy()[_first_triangle(head)]
        polygons, polygons_uv = head.polygons.numpy(), head.polygons_uv.numpy()
        ibug = head.landmarks["ibug68"]
        body = Body(
            head.name,
            head.template.numpy().astype(np.float64),
            {"skin": Part(polygons[skin], head.uv.numpy().astype(np.float64), polygons_uv[skin])},
            head.triangles[ibug.triangle].numpy(),
            ibug.barycentric.numpy().astype(np.float64),
        )
        canvas = Canvas.of(body, TEXTURE)
        self.looks = [draw_look(rng) for _ in range(looks)]
        self.skins = [
            srgb_to_linear(torch.from_numpy(paint(canvas, look, rng)[0]).float() / 255) for look in self.looks
        ]
        self.eyes = [srgb_to_linear(torch.from_numpy(eye_picture(look.iris, rng)).float() / 255) for look in self.looks]
        self.body = body
        self.marks = body.landmarks_on(body.template)
        self.scalp = scalp(canonical(body.template, self.marks), 0.4)
        self.scalp[~np.isin(np.arange(len(body.template)), polygons[skin])] = 0
        self.shown = torch.nonzero(~head.region(*LEFT_OUT))[:, 0]
        self.open = torch.from_numpy(_openness(head)).float()

    def shoot(self, identity: Tensor, expression: Tensor, yaw: float, rng: Generator) -> Shot:
        """One photo of the head (N,), (M,) turned by `yaw` degrees, everything else at random."""
        head = self.head
        vertices = head.shape(identity[None], expression[None])[0]
        marks = self.body.landmarks_on(vertices.numpy().astype(np.float64))
        camera = _camera(marks, yaw, rng)
        pick = int(rng.integers(len(self.looks)))
        look = self.looks[pick]
        thick = SHELLS.get(look.style, 0.0) * rng.uniform(0.6, 1.3)
        points, triangles = vertices, head.triangles[self.shown]
        if thick:
            noise = torch.from_numpy(_bumps(vertices.numpy(), rng)).float()
            lift = torch.from_numpy(self.scalp**2).float() * thick * (1 + 0.5 * noise)
            shell = vertices + vertex_normals(vertices, head.triangles) * lift[:, None]
            hairy = torch.from_numpy((self.scalp > 0.3)[head.triangles.numpy()].all(1))
            points = torch.cat([vertices, shell])
            triangles = torch.cat([triangles, head.triangles[hairy] + len(vertices)])
        raster = rasterise(project(camera, points), triangles, SIZE, SIZE, cull=False)
        hair = raster.triangle >= len(self.shown)
        skin = raster.covered & ~hair
        own = torch.full_like(raster.triangle, -1)
        own[skin] = self.shown[raster.triangle[skin]]
        albedo = self._albedo(Raster(own, raster.barycentric, raster.depth), pick)
        if thick:
            strands = torch.from_numpy(
                cv2.GaussianBlur(rng.normal(0, 1, (SIZE, SIZE)).astype(np.float32), (0, 0), 0.8, sigmaY=4)
            )
            albedo[hair] = torch.tensor(HAIR[look.hair]).float() * torch.exp(1.2 * strands[hair])[:, None]
        light = _lit(points, triangles, raster, self.open, camera, rng)
        picture = (albedo * light).numpy().astype(np.float64)
        back = rng.uniform(0, 0.8, 3) * rng.uniform(0.1, 1)
        blur = cv2.GaussianBlur(rng.normal(0, 1, (SIZE, SIZE, 3)).astype(np.float32), (0, 0), rng.uniform(8, 60))
        empty = ~raster.covered.numpy()
        picture[empty] = np.maximum(back * (1 + 0.6 * blur / blur.std()), 0.005)[empty]
        hull = cv2.convexHull(camera.project(marks).astype(np.float32)).astype(np.int32)
        mask = cv2.fillConvexPoly(np.zeros((SIZE, SIZE), np.uint8), hull, 1).astype(bool)
        return Shot(develop(picture, mask, rng), camera, vertices)

    def _albedo(self, raster: Raster, pick: int) -> Tensor:
        """(H, W, 3) linear reflectance."""
        head = self.head
        picture = torch.zeros(SIZE, SIZE, 3)
        covered = raster.covered
        uv = interpolate(head.uv, head.triangles_uv, raster)
        region = torch.full_like(raster.triangle, -1)
        region[covered] = head.triangle_region[raster.triangle[covered]]
        for i, name in enumerate(head.region_names):
            where = region == i
            if name in PLAIN:
                picture[where] = torch.tensor(PLAIN[name])
            elif name.startswith("eye"):
                place = (uv[where] - 0.5) * (0.48 * IRIS / IRIS_UV)
                picture[where] = _texel(self.eyes[pick], (place + 0.5).clamp(0, 1))
            else:
                picture[where] = _texel(self.skins[pick], uv[where])
        return picture


def _first_triangle(head: HeadModel) -> NDArray[np.int64]:
    """(F,) the first triangle of each polygon."""
    quads = (head.polygons[:, 3] >= 0).long()
    return torch.cat([torch.zeros(1, dtype=torch.long), (1 + quads).cumsum(0)[:-1]]).numpy()


def _texel(texture: Tensor, uv: Tensor) -> Tensor:
    """(K, 3) bilinear samples of (H, W, 3) at (K, 2), origin lower left."""
    grid = torch.stack([2 * uv[:, 0] - 1, 1 - 2 * uv[:, 1]], -1)[None, None]
    sampled = torch.nn.functional.grid_sample(
        texture.permute(2, 0, 1)[None], grid, align_corners=False, padding_mode="border"
    )
    return sampled[0, :, 0].T


def _openness(head: HeadModel, count: int = 64) -> NDArray[np.float64]:
    """(V,) share of the sky above each vertex of the mean head that its own head leaves free."""
    points = head.template.numpy().astype(np.float64)
    solid = head.triangles[~head.region(*LEFT_OUT)]
    normals = vertex_normals(head.template, head.triangles).numpy().astype(np.float64)
    surface = Surface(points, solid.numpy())
    k = np.arange(count) + 0.5
    height, turn = 1 - 2 * k / count, np.pi * (1 + 5**0.5) * k
    ring = np.sqrt(1 - height**2)
    free, total = np.zeros(len(points)), np.zeros(len(points))
    for direction in np.stack([ring * np.cos(turn), height, ring * np.sin(turn)], 1):
        weight = np.maximum(normals @ direction, 0)
        free += weight * ~surface.blocked(points + 5e-4 * normals, direction)
        total += weight
    return free / np.maximum(total, 1e-6)


def _bumps(points: NDArray[np.float32], rng: Generator) -> NDArray[np.float32]:
    """(V,) smooth noise over the head, unit deviation."""
    waves = rng.normal(0, 90, (3, 12))
    return (np.cos(points @ waves + rng.uniform(0, 6.3, 12)).sum(1) / np.sqrt(6)).astype(np.float32)


def _camera(marks: Floats, yaw: float, rng: Generator) -> Camera:
    """A selfie at arm's length to a portrait lens."""
    face = np.linalg.norm(marks[36] - marks[45])
    centre = marks[[36, 45, 33, 8]].mean(0) + face * np.array([0, 0.15, -0.6])
    distance = float(np.exp(rng.uniform(np.log(0.42), np.log(2.0)))) * face / 0.09
    focal = rng.uniform(0.45, 0.85) * SIZE * distance / (2.6 * face)
    target = centre + face * np.array([rng.uniform(-0.25, 0.25), rng.uniform(-0.25, 0.2), 0])
    return look_at(target, yaw, rng.normal(0, 9), rng.normal(0, 8), distance, float(focal), SIZE)


def _lit(points: Tensor, triangles: Tensor, raster: Raster, free: Tensor, camera: Camera, rng: Generator) -> Tensor:
    """(H, W, 3) light that the surface gets from a sky and three lamps, the key's shadows and some shine included."""
    normals = vertex_normals(points, triangles)
    free = torch.cat([free, free.new_ones(len(points) - len(free))])
    covered = raster.covered
    corners = triangles[raster.triangle[covered]]
    values = torch.cat([normals, points, free[:, None]], 1)[corners]
    fields = (values * raster.barycentric[covered][..., None]).sum(1)
    n, p, sky = fields[:, :3], fields[:, 3:6], fields[:, 6:]
    n = torch.nn.functional.normalize(n, dim=-1)
    eye = torch.from_numpy(camera.centre()).float()
    view = torch.nn.functional.normalize(eye - p, dim=-1)
    n = torch.where((n * view).sum(-1, keepdim=True) < 0, -n, n)

    def tint() -> Tensor:
        kelvin = rng.uniform(3500, 8500)
        return torch.tensor([(kelvin / 6000) ** -0.35, 1.0, (kelvin / 6000) ** 0.45]).float()

    up = (n[..., 1:2] + 1) / 2
    total = rng.uniform(0.2, 0.8) * sky * (up * tint() + (1 - up) * rng.uniform(0.2, 0.6) * tint())
    for k in range(int(rng.integers(2, 4))):
        azimuth, elevation = (
            (rng.uniform(-75, 75), rng.uniform(0, 60)) if k == 0 else (rng.uniform(-180, 180), rng.uniform(-10, 70))
        )
        a, e = np.radians([azimuth, elevation])
        to = torch.tensor([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)]).float()
        wrap = rng.uniform(0, 0.4)
        cosine = (((n * to).sum(-1, keepdim=True) + wrap) / (1 + wrap)).clamp(min=0)
        half = torch.nn.functional.normalize(view + to, dim=-1)
        shine = rng.uniform(0, 0.5) * ((n * half).sum(-1, keepdim=True).clamp(min=0) ** rng.uniform(10, 50))
        lamp = (cosine + shine) * rng.uniform(0.3, 1.2) * tint()
        total = total + lamp * (_seen(points, triangles, p, to, rng) if k == 0 else 0.3 + 0.7 * sky)
    picture = torch.zeros(*covered.shape, 3)
    picture[covered] = total
    return picture


def _seen(points: Tensor, triangles: Tensor, p: Tensor, to: Tensor, rng: Generator) -> Tensor:
    """(K, 1) how much of a lamp far away in direction `to` (3,) reaches each place p (K, 3); soft at the edges."""
    side = torch.nn.functional.normalize(torch.linalg.cross(to, torch.tensor([0.1, 1.0, 0.2])), dim=0)
    over = torch.linalg.cross(side, to)
    middle = points.mean(0)
    frame = torch.stack([side, over, -to], 1)
    scale = SHADOW / 2 / float((points - middle).norm(dim=1).max())

    def placed(q: Tensor) -> Tensor:
        local = (q - middle) @ frame
        return torch.cat([local[..., :2] * scale + SHADOW / 2, local[..., 2:] + 1], -1)

    depth = rasterise(placed(points), triangles, SHADOW, SHADOW).depth
    q = placed(p)
    lit = torch.zeros(len(p))
    for _ in range(3):
        index = (q[:, :2] + torch.from_numpy(rng.normal(0, 1.2, (len(p), 2))).float()).long().clamp(0, SHADOW - 1)
        lit += (q[:, 2] < depth[index[:, 1], index[:, 0]] + 0.004).float()
    return (lit / 3)[:, None]
