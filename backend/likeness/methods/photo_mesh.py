"""A mesh that lies over its photo, pixel by pixel, becomes a head that moves: for methods without a face model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.camera import Camera
from likeness.errors import HeadError
from likeness.faces.face import Face
from likeness.fitting.expression import expression_prior
from likeness.heads.base import HeadModel
from likeness.heads.embedding import turned_here
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.transfer import Rigged, onto_head
from likeness.methods.base import Mesh, Reconstruction, Settings, View
from likeness.methods.bfm_family import AWAY, camera_of_head, photo_colours
from likeness.progress import Progress
from likeness.render.raster import Raster, interpolate, rasterise, rasterise_uv

__all__ = ["HALF", "PhotoMesh", "registration_maps"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HALF = np.array([0.5, 0.5, 0.0])
"""From places that count from the first pixel's middle to ours."""
UPRIGHT = np.array([1.0, -1.0, 1.0])
BEHIND = 0.012
"""Depth behind what is seen, in widths of the mesh, within which a vertex is seen itself."""
ENOUGH = 0.4
"""Share of the landmarks that look at us which must lie on the mesh for it to be this face."""
MAP_SIDE = 512


@dataclass(frozen=True, eq=False)
class PhotoMesh:
    """A face in a photo.

    Attributes:
        face: whose.
        vertices: (U, 3) pixels of the photo, x right, y down (the first pixel's centre at 0.5), z in the same unit,
            nearer is larger.
        triangles: (T, 3), anticlockwise seen from outside once y points up.
    """

    face: Face
    vertices: Floats
    triangles: Ints

    def raster(self) -> tuple[Raster, Floats]:
        """What the photo's pixels show of it, and the depth (U,) of its vertices there."""
        depth = self.vertices[:, 2].max() - self.vertices[:, 2] + 1
        points = np.concatenate([self.vertices[:, :2], depth[:, None]], 1)
        photo = self.face.photo
        shown = rasterise(torch.from_numpy(points).float(), torch.from_numpy(self.triangles), photo.width, photo.height)
        return shown, depth

    def landmarks(self, shown: Raster) -> Floats:
        """The photo's 478 landmarks on the mesh, NaN where they do not lie on it or look away."""
        points = self.face.landmarks
        inside = (points[:, :2] >= 0).all(1) & (points[:, :2] < (self.face.photo.width, self.face.photo.height)).all(1)
        column, row = np.where(inside[:, None], points[:, :2], 0).astype(int).T
        hit = shown.triangle.numpy()[row, column]
        corners = self.vertices[self.triangles[np.maximum(hit, 0)]]
        places: Floats = (corners * shown.barycentric.numpy()[row, column][..., None]).sum(1)
        places[:, :2] = points[:, :2]
        here = turned_here(points) > 0.3
        known = inside & (hit >= 0) & here
        if known.sum() < ENOUGH * here.sum():
            raise HeadError("What the method made does not lie on the face in the photo; try another photo.")
        places[~known] = np.nan
        return places

    def seen(self, shown: Raster, depth: Floats) -> NDArray[np.bool_]:
        """(U,) whether the photo shows each vertex."""
        photo = self.face.photo
        column, row = np.floor(self.vertices[:, :2]).astype(int).T
        inside = (column >= 0) & (column < photo.width) & (row >= 0) & (row < photo.height)
        there = shown.depth.numpy()[row.clip(0, photo.height - 1), column.clip(0, photo.width - 1)]
        near: NDArray[np.bool_] = depth < there + BEHIND * float(np.ptp(self.vertices[:, 0]))
        seen: NDArray[np.bool_] = inside & near
        return seen

    def colours(self, shown: Raster, depth: Floats) -> NDArray[np.float32]:
        """(U, 3) sRGB in 0..1 of the photo; what it does not show has the colour of what is nearest to it."""
        colours = photo_colours(self.face, self.vertices[:, :2])
        seen = self.seen(shown, depth)
        if seen.any() and not seen.all():
            nearest = cKDTree(self.vertices[seen]).query(self.vertices[~seen])[1]
            colours[~seen] = colours[seen][nearest]
        return colours

    def reconstruction(
        self, method: str, settings: Settings, progress: Progress, details: dict[str, Any]
    ) -> Reconstruction:
        """The head in this shape, standing in the photo as the mesh does, without its expression.

        Raises:
            HeadError: there is no head, or it cannot be laid onto this mesh.
        """
        shown, depth = self.raster()
        landmarks = self.landmarks(shown)
        head = open_head(settings.head, progress).with_expressions(ARKIT)
        moods = expression_prior(head.expression_names)
        rigged = onto_head(head, self.vertices * UPRIGHT, self.triangles, landmarks * UPRIGHT, progress, moods=moods)
        laid, photo = rigged.laid, self.face.photo
        flat = Camera(
            photo.width,
            photo.height,
            1.0,
            1.0,
            0.0,
            0.0,
            np.diag([1.0, -1.0, -1.0]),
            np.array([0, 0, AWAY]),
            "orthographic",
        )
        still = np.zeros((len(head.joint_names), 3), np.float32)
        view = View(self.face, camera_of_head(flat, laid), laid.expression.astype(np.float32), still)
        own = laid.home(self.vertices * UPRIGHT).astype(np.float32)
        told = details | {"gap_mm": round(1e3 * rigged.gap, 3), "covered": round(float(_face(head, rigged).mean()), 3)}
        return Reconstruction(
            method,
            head,
            rigged.identity,
            rigged.vertices,
            rigged.joints,
            (view,),
            Mesh(own, self.triangles, self.colours(shown, depth)),
            registration_maps(head, rigged, settings.texture_size),
            told,
        )


def _face(head: HeadModel, rigged: Rigged) -> NDArray[np.bool_]:
    """Of the vertices of the face, which found their place."""
    known: NDArray[np.bool_] = rigged.known[head.groups["face"].numpy() > 0.5]
    return known


def registration_maps(head: HeadModel, rigged: Rigged, size: int) -> dict[str, NDArray[Any]]:
    """How the head lies on the mesh, in the skin's UVs: "residual" (S, S) float32 metres, and "covered" (S, S) uint8,
    255 where the mesh has what the head shows and 0 where it is what is likely. Row 0 is v = 1."""
    side, skin = min(size, MAP_SIDE), head.region("skin")
    raster = rasterise_uv(head.uv, head.triangles_uv[skin], side)
    size_of_head = 1 / rigged.laid.scale
    values = np.stack([rigged.laid.gap * size_of_head, rigged.known], 1).astype(np.float32)
    drawn = interpolate(torch.from_numpy(values), head.triangles[skin], raster).numpy()
    return {"residual": drawn[..., 0], "covered": np.uint8(255) * (drawn[..., 1] > 0.5)}
