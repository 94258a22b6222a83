"""What the methods over the Basel Face Model share: its coefficients and a camera become a head that moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.heads.bfm import Bfm
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.registration import Laid
from likeness.heads.retarget import expression_weights
from likeness.heads.surface import Surface
from likeness.heads.transfer import Rigged, onto_head
from likeness.methods.base import Mesh, Reconstruction, Settings, View
from likeness.progress import Progress
from likeness.render.raster import interpolate, rasterise_uv

__all__ = ["AWAY", "Animated", "Seen", "aggregated", "animate", "camera_of_head", "headed", "photo_colours"]

Floats = NDArray[np.float32]

AWAY = 2.0
"""Metres in front of a camera without perspective, which sees alike from everywhere."""
MAP_SIDE = 512
"""Texels a side that hold all that the vertices of a face model tell."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What a method says of the face in one photo.

    Attributes:
        face: the face.
        expression: (E,) float32 coefficients of the model.
        camera: from the model's own frame, in metres, to the photo; pose, place and size of the face are in it.
    """

    face: Face
    expression: Floats
    camera: Camera


@dataclass(frozen=True, eq=False)
class Animated:
    """A face of the model, and the head that has its shape.

    Attributes:
        rest: (V, 3) float32 metres in the model's own frame, without expression.
        triangles: (T, 3) int64 of it.
        head, rigged: the head and how it took the shape.
        views: one per photo.
    """

    rest: Floats
    triangles: NDArray[np.int64]
    head: HeadModel
    rigged: Rigged
    views: tuple[View, ...]

    def reconstruction(
        self,
        method: str,
        colours: Floats | None,
        details: dict[str, Any],
        maps: dict[str, NDArray[Any]] | None = None,
    ) -> Reconstruction:
        """The method's result; ``colours`` (V, 3) sRGB in 0..1 are those of its own mesh, maps in the head's UVs."""
        rigged = self.rigged
        told = {"gap_mm": round(1e3 * rigged.gap, 3)} | details
        mesh = Mesh(self.rest, self.triangles, colours)
        return Reconstruction(
            method, self.head, rigged.identity, rigged.vertices, rigged.joints, self.views, mesh, maps or {}, told
        )

    def colour_map(self, colours: Floats, size: int) -> NDArray[np.uint8]:
        """The mesh's colours (V, 3) sRGB in 0..1 as a picture (S, S, 3) of the head's skin in its UVs.

        Row 0 is v = 1. S is ``size``, but no more than the mesh is worth. Where the mesh ends, its rim goes on.
        """
        side, head = min(size, MAP_SIDE), self.head
        skin = head.region("skin")
        raster = rasterise_uv(head.uv, head.triangles_uv[skin], side)
        places = torch.from_numpy(self.rigged.laid.vertices.astype(np.float32))
        seen = interpolate(places, head.triangles[skin], raster)[raster.covered].numpy()
        away, near = cKDTree(self.rest).query(seen, k=3)
        share = 1 / np.maximum(away, 1e-6)
        share /= share.sum(1, keepdims=True)
        picture = np.zeros((side, side, 3), np.uint8)
        mixed = (colours[near] * share[..., None]).sum(1)
        covered = raster.covered.numpy()
        picture[covered] = np.rint(255 * np.clip(mixed, 0, 1)).astype(np.uint8)
        # Texels beside the skin are like their neighbours, lest their black bleeds in where the picture is sampled.
        row, column = distance_transform_edt(~covered, return_distances=False, return_indices=True)
        return np.asarray(picture[row, column])


def aggregated(codes: Sequence[Floats], weights: Sequence[Floats | float] | None = None) -> Floats:
    """One person's coefficients (K,) from those of several photos: their mean, weighted where weights are given.

    Args:
        codes: (K,) of each photo.
        weights: of each photo one, or one for each coefficient (K,), not negative.
    """
    stacked = np.stack(codes).astype(np.float64)
    given = [1.0] * len(codes) if weights is None else weights
    share = np.stack([np.broadcast_to(row, stacked.shape[1:]) for row in given]).astype(np.float64)
    mean: Floats = ((share * stacked).sum(0) / share.sum(0)).astype(np.float32)
    return mean


def animate(model: Bfm, shape: Floats, seen: Sequence[Seen], settings: Settings, progress: Progress) -> Animated:
    """Lay the open head onto a face of the model, and carry expressions and cameras over to it.

    Args:
        model: with triangles.
        shape: (S,) coefficients, or fewer for the first ones.
        seen: one per photo.

    Raises:
        HeadError: there is no head, or it cannot be laid onto this face.
    """
    animated = headed(model, shape, settings, progress)
    head, rigged = animated.head, animated.rigged
    motions = _Motions(model, animated.rest.astype(np.float64), animated.triangles, rigged)
    still = np.zeros((len(head.joint_names), 3), np.float32)
    views = tuple(
        View(one.face, camera_of_head(one.camera, rigged.laid), motions.weights(head, one.expression), still)
        for one in seen
    )
    return replace(animated, views=views)


def headed(model: Bfm, shape: Floats, settings: Settings, progress: Progress) -> Animated:
    """Lay the open head onto a face of the model, as `animate` does, for a method that says nothing of the photos.

    It has no views yet.
    """
    triangles = model.triangles
    assert triangles is not None
    rest = model.metres(shape)
    solid = rest.astype(np.float64)
    head = open_head(settings.head, progress).with_expressions(ARKIT)
    marks = np.where(model.keypoints[:, None] < 0, np.nan, solid[model.keypoints])
    rigged = onto_head(head, solid, triangles, marks, progress)
    return Animated(rest, triangles, head, rigged, ())


class _Motions:
    """The model's expressions as motions of the head that lies on it."""

    def __init__(self, model: Bfm, rest: NDArray[np.float64], triangles: NDArray[np.int64], rigged: Rigged) -> None:
        self._model, self._rigged = model, rigged
        self._below = Surface(rest, triangles).closest(rigged.laid.vertices[rigged.known])
        self._corners = triangles[self._below.triangle]

    def weights(self, head: HeadModel, expression: Floats) -> Floats:
        """Weights (M,) of the head's expressions for coefficients (E,) of the model."""
        moved = self._model.motion(expression).astype(np.float64)
        there = (moved[self._corners] * self._below.barycentric[..., None]).sum(1)
        known, laid = self._rigged.known, self._rigged.laid
        motion = np.zeros(laid.vertices.shape)
        motion[known] = there @ laid.rotation / laid.scale
        return expression_weights(head, motion, known)


def camera_of_head(camera: Camera, laid: Laid) -> Camera:
    """The camera that puts the head where another camera puts the mesh that the head lies on."""
    rotation = camera.rotation @ laid.rotation
    place = camera.rotation @ laid.shift + camera.translation
    if camera.kind == "perspective":
        return replace(camera, rotation=rotation, translation=place / laid.scale)
    return replace(
        camera,
        fx=camera.fx * laid.scale,
        fy=camera.fy * laid.scale,
        cx=float(camera.cx + camera.fx * place[0]),
        cy=float(camera.cy + camera.fy * place[1]),
        rotation=rotation,
        translation=np.array([0.0, 0.0, AWAY]),
    )


def photo_colours(face: Face, points: NDArray[np.floating[Any]]) -> Floats:
    """The photo's colour (V, 3) sRGB in 0..1 where vertices land in it, (V, 2) pixels; edges repeated outside."""
    picture = face.photo.pixels
    x = np.clip(np.floor(points[:, 0]), 0, picture.shape[1] - 1).astype(int)
    y = np.clip(np.floor(points[:, 1]), 0, picture.shape[0] - 1).astype(int)
    colours: Floats = (picture[y, x] / 255).astype(np.float32)
    return colours
