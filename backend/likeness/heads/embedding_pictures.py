"""Pictures of a head for the landmark network: painted, softly lit, from a known camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.camera import Camera
from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel
from likeness.render.light import linear_to_srgb, sh_basis
from likeness.render.raster import Raster, interpolate, rasterise
from likeness.render.view import project, vertex_normals

__all__ = ["Painter", "Picture", "camera_at"]

SIZE = 384
DISTANCE = 1.0  # metres; a portrait is taken from about there
FOCAL = 1125.0  # pixels: the picture is 34 cm wide at the face

# Linear albedo.
SKIN, LIPS, BROWS = (0.50, 0.30, 0.22), (0.36, 0.13, 0.12), (0.05, 0.035, 0.025)
WHITE, IRIS, PUPIL = (0.60, 0.58, 0.56), (0.055, 0.035, 0.02), (0.004, 0.004, 0.004)
# Dark, else the network takes the tongue for a lip.
INSIDE = {"mouth": (0.05, 0.01, 0.01), "gums": (0.05, 0.01, 0.01), "tongue": (0.05, 0.01, 0.01), "teeth": (0.2,) * 3}
BACKGROUND = 0.35
HIDDEN = ("lashes", "wet")
# Soft light from above, a little from the front, so that brow, nose and lips model themselves.
LIGHT = (2.3, 0.75, 0.75, 0.15, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Picture:
    """A render: pixels (H, W, 3) uint8, what each pixel shows in numbers of the head's triangles, and the points
    (V, 3) in pixels with depth."""

    pixels: NDArray[np.uint8]
    raster: Raster
    points: Tensor


def camera_at(yaw: float, pitch: float, aim: NDArray[np.float64]) -> Camera:
    """A camera that sees the head turned.

    Args:
        yaw: degrees; the face looks to the picture's right when positive. pitch: it looks up when positive.
        aim: (3,) metres, lands in the middle of the picture.
    """
    y, p = np.radians([yaw, pitch])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    rotation = np.diag([1.0, -1.0, -1.0]) @ nod @ turn
    translation = np.array([0, 0, DISTANCE]) - rotation @ aim
    return Camera(SIZE, SIZE, FOCAL, FOCAL, SIZE / 2, SIZE / 2, rotation, translation)


class Painter:
    """Paints one head; shapes and cameras change from picture to picture."""

    def __init__(self, head: HeadModel) -> None:
        self._head = head
        self._shown = torch.nonzero(~head.region(*HIDDEN))[:, 0]
        self._eyes = head.region("eye.L", "eye.R")
        colours = torch.tensor(SKIN).repeat(len(head.template), 1)
        for group, colour in (("lips", LIPS), ("brows", BROWS)):
            if group in head.groups:
                colours = torch.lerp(colours, torch.tensor(colour), 0.85 * head.groups[group][:, None])
        for name, colour in INSIDE.items():
            colours[head.triangles[head.region(name)]] = torch.tensor(colour)
        self._colours = colours

    def picture(self, vertices: Tensor, camera: Camera) -> Picture:
        """Render vertices (V, 3) in metres."""
        head = self._head
        points = project(camera, vertices)
        triangles = head.triangles[self._shown]
        raster = rasterise(points, triangles, camera.width, camera.height)
        own = torch.where(raster.covered, self._shown[raster.triangle.clamp(min=0)], -1)
        raster = Raster(own, raster.barycentric, raster.depth)

        # The light stays with the camera: y down and z away there, y up and z towards us in the light's frame.
        rotation = torch.as_tensor(camera.rotation, dtype=torch.float32)
        normals = (vertex_normals(vertices, head.triangles) @ rotation.T) * torch.tensor([1.0, -1.0, -1.0])
        light = (sh_basis(normals) @ torch.tensor(LIGHT)).clamp(min=0.02)[:, None]
        shaded = interpolate(torch.cat([self._colours * light, light], 1), head.triangles, raster)
        eyes = raster.covered & self._eyes[raster.triangle.clamp(min=0)]
        colour = shaded[..., :3]
        colour[eyes] = self._eye_colours(raster, eyes) * shaded[eyes][:, 3:]
        colour[~raster.covered] = BACKGROUND
        pixels = (linear_to_srgb(colour) * 255).round().to(torch.uint8).numpy()
        return Picture(pixels, raster, points)

    def _eye_colours(self, raster: Raster, where: Tensor) -> Tensor:
        corners = self._head.uv[self._head.triangles_uv[raster.triangle[where]]]
        place = (corners * raster.barycentric[where][..., None]).sum(1) - 0.5
        radius = place.norm(dim=-1, keepdim=True) / IRIS_UV_RADIUS
        colour = torch.where(radius < 1, torch.tensor(IRIS), torch.tensor(WHITE))
        return torch.where(radius < 0.36, torch.tensor(PUPIL), colour)
