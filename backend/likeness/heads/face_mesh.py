"""A surface to look at: a mesh of a face in any topology, as a camera sees it, for networks that know photos."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes

from likeness.camera import Camera
from likeness.heads.embedding_pictures import BACKGROUND, INSIDE, LIGHT, SKIN
from likeness.heads.surface import normals
from likeness.render.light import linear_to_srgb, sh_basis, srgb_to_linear
from likeness.render.raster import Raster, interpolate, rasterise
from likeness.render.view import project

__all__ = ["FaceMesh", "Shown"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

AROUND, DEEP = 25, 0.015
"""Pixels across within which the foremost is the face, and metres behind it that count as far."""
FAR = 1e6
SMOOTH, MOST_ROUNDS = 0.002, 20
"""Metres over which the light of a hollow mesh is smooth, in so many rounds: a scan's noise is no shape."""


class Shown(Protocol):
    """What can be looked at: vertices (U, 3), triangles (T, 3), and pictures of them."""

    @property
    def vertices(self) -> Floats:
        """(U, 3)."""

    @property
    def triangles(self) -> Ints:
        """(T, 3)."""

    def picture(self, camera: Camera) -> tuple[NDArray[np.uint8], Raster]:
        """Pixels (H, W, 3) sRGB, and what is where."""


@dataclass(frozen=True, eq=False)
class FaceMesh:
    """A surface to look at.

    Attributes:
        vertices: (U, 3), triangles: (T, 3), of either winding.
        colours: (U, 3) sRGB in 0..1 or None: then it is painted in one.
        uv, texture: (U, 2) with the origin lower left and (H, W, 3) uint8 sRGB, which count more than the colours.
        hollow: it is in metres, triangles are wound outwards, what is seen far inside, or through a hole, is dark, as a
            mouth is, and its noise is not seen.
    """

    vertices: Floats
    triangles: Ints
    colours: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None
    hollow: bool = False

    @cached_property
    def normals(self) -> Floats:
        """(U, 3) unit, outwards if the triangles are wound so; smooth if it is hollow."""
        exact = normals(self.vertices, self.triangles)
        return _smooth(exact, self.vertices, self.triangles) if self.hollow else exact

    def picture(self, camera: Camera, *, lit: bool = True) -> tuple[NDArray[np.uint8], Raster]:
        """Pixels (H, W, 3) sRGB of the mesh as a camera sees it, and what is where.

        Lit, its shape shows whatever its colours; else they are shown as they are.
        """
        triangles = torch.from_numpy(self.triangles)
        points = project(camera, torch.from_numpy(self.vertices).float())
        raster = rasterise(points, triangles, camera.width, camera.height)
        turned = torch.from_numpy(self.normals @ camera.rotation.T).float()
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
        if self.hollow:
            colour[torch.from_numpy(_inside(points, triangles, raster))] = torch.tensor(INSIDE["mouth"])
        return (linear_to_srgb(colour) * 255).round().to(torch.uint8).numpy(), raster

    def moved(self, scale: float, rotation: Floats, shift: Floats) -> FaceMesh:
        """The mesh in the frame from which ``this ~ scale * there @ rotation.T + shift``."""
        return replace(self, vertices=(self.vertices - shift) @ rotation / scale)


def _inside(points: torch.Tensor, triangles: torch.Tensor, raster: Raster) -> NDArray[np.bool_]:
    """(H, W) where a picture of points (U, 3) shows triangles from inside far behind the face, or nothing amid it.

    What is near may be the other side of a lid, and single pixels are an eyeball that noise made rough.
    """
    flat = points[triangles][..., :2]
    one, two = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    away = one[:, 0] * two[:, 1] - one[:, 1] * two[:, 0] > 0  # y points down
    covered = raster.covered.numpy()
    depth = np.where(covered, raster.depth.numpy(), FAR).astype(np.float32)
    front = cv2.erode(depth, np.ones((AROUND, AROUND), np.uint8))
    seen = away[raster.triangle.clamp(min=0)].numpy() & covered & (depth - front > DEEP)
    dark = (seen | (binary_fill_holes(covered) & ~covered)).astype(np.uint8)
    return np.asarray(cv2.morphologyEx(dark, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), bool)


def _smooth(exact: Floats, vertices: Floats, triangles: Ints) -> Floats:
    """Normals (U, 3) averaged over about `SMOOTH` metres."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    pairs = np.unique(np.sort(sides, 1), axis=0)
    span = np.median(np.linalg.norm(vertices[pairs[:, 0]] - vertices[pairs[:, 1]], axis=1))
    beside = sparse.coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(vertices), len(vertices)))
    beside = (beside + beside.T).tocsr()
    mean = sparse.diags(1 / np.maximum(np.asarray(beside.sum(1)).ravel(), 1)) @ beside
    for _ in range(min(round((SMOOTH / max(float(span), 1e-6)) ** 2), MOST_ROUNDS)):
        exact = (exact + mean @ exact) / 2
    unit: Floats = exact / np.maximum(np.linalg.norm(exact, axis=1, keepdims=True), 1e-12)
    return unit


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
