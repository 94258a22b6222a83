"""The landmark network's 468 points on two bare heads: corresponding points, with the same bias on both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces import landmarks_of
from likeness.render.raster import interpolate, rasterise
from prior.mesh import normals

__all__ = ["Bare", "cast"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

YAWS = (0, -20, 20, -40, 40, -60, 60)  # degrees
SIZE = 640  # pixels
HALF = 0.15  # metres from the picture's middle to its edge
LIGHTS = (((0.5, 0.6, 0.8), 0.75), ((-0.8, 0.2, 0.5), 0.25), ((0.0, 0.9, -0.3), 0.2))


@dataclass(frozen=True, eq=False)
class Bare:
    """A head to look at: vertices (V, 3) metres, +Y up, face along +Z; triangles (T, 3); colour (V, 3) linear;
    skin: (T,) the triangles that landmarks may lie on; face: (K,) vertices whose box holds the face."""

    vertices: Floats
    triangles: Ints
    colour: Floats
    skin: NDArray[np.bool_]
    face: Ints


def cast(head: Bare) -> tuple[Floats, Floats]:
    """Landmarks (468, 3) on the skin, mean over the views, and their weights (468,), 0 where views disagree."""
    points, weights = [], []
    middle = head.vertices[head.face].mean(0)
    for yaw in YAWS:
        place, facing = _view(head, middle, yaw)
        points.append(place)
        weights.append(facing)
    weight = np.stack(weights)
    total = weight.sum(0)
    mean = np.einsum("yk,ykc->kc", weight, np.stack(points)) / np.maximum(total, 1e-9)[:, None]
    spread = np.sqrt((weight * ((np.stack(points) - mean) ** 2).sum(2)).sum(0) / np.maximum(total, 1e-9))
    return mean, np.where(spread < 0.004, total, 0.0)


def _view(head: Bare, middle: Floats, yaw: float) -> tuple[Floats, Floats]:
    """Landmarks (468, 3) on the skin in one view, and how far the skin faces the viewer (468,), 0 where not seen."""
    c, s = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    local = (head.vertices - middle) @ turn.T
    pixels = np.stack([(1 + local[:, 0] / HALF) * SIZE / 2, (1 - local[:, 1] / HALF) * SIZE / 2, 1 - local[:, 2]], 1)
    places = torch.from_numpy(pixels.astype(np.float32))
    normal = normals(local, head.triangles)

    def attribute(values: Floats, corners: Ints) -> Floats:
        faces = torch.from_numpy(corners)
        raster = rasterise(places, faces, SIZE, SIZE)
        filled = interpolate(torch.from_numpy(values.astype(np.float32)), faces, raster)
        return filled.numpy().astype(np.float64)

    seen = attribute(np.concatenate([head.colour, normal, np.ones((len(normal), 1))], 1), head.triangles)
    shade = 0.12 + sum(w * np.clip(seen[..., 3:6] @ (np.array(d) / np.linalg.norm(d)), 0, None) for d, w in LIGHTS)
    picture = np.where(seen[..., 6:] > 0, seen[..., :3] * np.asarray(shade)[..., None], 0.22)
    pixels8 = np.rint(255 * np.sqrt(np.clip(picture, 0, 1))).astype(np.uint8)
    box = (*pixels[head.face, :2].min(0), *pixels[head.face, :2].max(0))
    found, score = landmarks_of(pixels8, box)
    skin = attribute(np.concatenate([head.vertices, normal, np.ones((len(normal), 1))], 1), head.triangles[head.skin])
    column, row = np.clip(found[:468, :2].astype(int), 0, SIZE - 1).T
    hit = skin[row, column]
    facing = np.clip(hit[:, 5] - 0.25, 0, 1) ** 2 * (hit[:, 6] > 0) * (score > 0.9)
    return hit[:, :3], facing
