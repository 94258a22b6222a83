"""One photo's skin against the truth: ours, and the photo as it is laid out, with its light left in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness import maps, photos
from likeness.avatar import Material
from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, atlas_of
from likeness.methods.base import Reconstruction, Settings, View
from likeness.pipeline import reconstruct
from likeness.progress import quiet
from likeness.render.raster import rasterise
from likeness.render.view import project, vertex_normals
from likeness.sheet import posed
from skin_metrics import (
    best_scale,
    correlation,
    decoded,
    delta_e,
    normal_angle,
    origin_of,
    reduced,
    rms,
    scale_invariant_mse,
    spread,
    tangent_normals,
)
from skin_seam import seam_step, seams
from skin_truth import Person

__all__ = ["SIDE", "Maps", "Stand", "Truth", "compare", "from_photo", "known_shape", "raw_unwrap", "shown"]

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

SIDE = 512
"""Texels along which skins are compared: about what a 416-pixel photo shows."""
FACING = 0.3
"""Cosine to the viewer below which the truth does not count a texel as shown."""
BEHIND = 0.002
"""Metres behind the nearest surface from which a texel is hidden."""
BARE = 0.9
"""Share free of hair, brows and shirt from which a texel counts."""


@dataclass(frozen=True, eq=False)
class Maps:
    """A skin at `SIDE`: albedo (L, L, 3) linear, specular (L, L), normal (L, L, 3), height (L, L) metres, and who knows
    of each texel, "seen", "mirrored" or "filled", (L, L) bool."""

    albedo: Floats
    specular: Floats
    normal: Floats
    height: Floats
    origin: dict[str, Bools]

    @classmethod
    def of(cls, skin: Material) -> Maps:
        """From an avatar's material."""

        def values(channel: str) -> Floats:
            image = skin.maps[channel]
            most = np.iinfo(image.pixels.dtype).max if image.pixels.dtype.kind == "u" else 1
            return reduced(image.pixels.astype(np.float32) / most, SIDE) * image.scale + image.offset

        exact = "origin" in skin.maps
        origin = np.rint(255 * values("origin" if exact else "confidence")).astype(np.uint8)
        return cls(
            reduced(decoded(skin.maps["albedo"].pixels), SIDE),
            values("specular"),
            2 * values("normal") - 1,
            values("displacement"),
            origin_of(origin, confidence=not exact),
        )


@dataclass(frozen=True, eq=False)
class Truth:
    """A person's painted skin, ready to compare with.

    Attributes:
        person: who; head: the head model; atlas: of its skin at `SIDE`.
    """

    person: Person
    head: HeadModel

    @cached_property
    def atlas(self) -> Atlas:
        """Of the skin at `SIDE`."""
        return atlas_of(self.head, "Skin", SIDE)

    @cached_property
    def albedo(self) -> Floats:
        """(L, L, 3) linear."""
        return reduced(decoded(self.person.skin.albedo), SIDE)

    @cached_property
    def specular(self) -> Floats:
        """(L, L) Specular IOR Level."""
        return reduced(self.person.skin.specular, SIDE)

    @cached_property
    def height(self) -> Floats:
        """(L, L) metres."""
        return reduced(self.person.skin.relief, SIDE)

    @cached_property
    def normal(self) -> Floats:
        """(L, L, 3) tangent space, +Y up."""
        area = self.atlas.area
        pitch = np.sqrt(np.maximum(area, 0.05 * np.median(area[area > 0])))
        return tangent_normals(self.height, pitch)

    @cached_property
    def weight(self) -> Floats:
        """(L, L) square metres of bare skin that each texel stands for."""
        return self.atlas.area * (reduced(self.person.skin.bare, SIDE) > BARE)

    @cached_property
    def seams(self) -> Floats:
        """(E, 2, 2, 2), see `skin_seam.seams`."""
        return seams(self.head)

    @cached_property
    def posed(self) -> Floats:
        """(V, 3) metres, with the expression of the photos."""
        truth = self.person.truth
        moved = np.einsum("m,mvc->vc", truth["expression"], self.head.expression.numpy())
        return np.asarray(truth["neutral"] + moved, np.float32)


@dataclass(frozen=True, eq=False)
class Stand:
    """What was made of a photo: the skin, and where the head was taken to stand, vertices (V, 3) metres."""

    maps: Maps
    camera: Camera
    vertices: Floats


def known_shape(truth: Truth, index: int, size: int, seed: int = 0) -> Stand:
    """The maps made of a photo whose shape, camera and expression are given as they are."""
    person, head = truth.person, truth.head
    camera = person.camera(index)
    photo = photos.load(person.photo(index))
    face = _face(photo, head, camera, truth.posed, float(person.notes[index]["yaw"]))
    rest = np.zeros((len(head.joint_names), 3), np.float32)
    view = View(face, camera, person.truth["expression"], rest)
    made = Reconstruction("open", head, None, person.truth["neutral"], person.truth["joints"], (view,))
    skin = maps.make(made, Settings(head.name, size, seed), quiet).materials["Skin"]
    return Stand(Maps.of(skin), camera, truth.posed)


def from_photo(path: Path, head: HeadModel, size: int, method: str = "open", seed: int = 0) -> Stand:
    """The maps made of a photo alone; raises LikenessError as `likeness.pipeline.reconstruct` does."""
    avatar = reconstruct([path], method, Settings(head.name, size, seed))
    view = avatar.views[0]
    return Stand(Maps.of(avatar.materials["Skin"]), view.camera, posed(avatar, view))


def _face(photo: photos.Photo, head: HeadModel, camera: Camera, vertices: Floats, yaw: float) -> Face:
    """The face as the landmark network would find it if it never erred."""
    embedding = head.landmarks["mediapipe478"]
    points = embedding.on(torch.from_numpy(vertices), head.triangles)
    if head.landmark_bias is not None:
        points = points + head.landmark_bias
    places = project(camera, points.double()).numpy()
    depth = places[:, 2] - places[:, 2].mean()
    landmarks = np.column_stack([places[:, :2], depth * camera.fx / places[:, 2].mean()])
    low, high = places[:, :2].min(0), places[:, :2].max(0)
    return Face(photo, 0, np.concatenate([low, high]), landmarks, 1.0, yaw, 0.0, 0.0)


def shown(truth: Truth, index: int) -> Bools:
    """(L, L) texels that a photo really shows: facing the camera, with nothing before them, hair included."""
    camera = truth.person.camera(index)
    places, facing = _places(truth.head, truth.atlas, camera, truth.posed)
    hair = truth.person.hidden(index).astype(np.float32)
    covered = cv2.remap(hair, places - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=1)
    return facing & (covered < 0.5) & truth.atlas.inside


def raw_unwrap(photo: NDArray[np.uint8], stand: Stand, head: HeadModel) -> Floats:
    """(L, L, 3) linear: the photo laid out as it is, the rest filled with the mean of the face in it."""
    atlas = atlas_of(head, "Skin", SIDE)
    places, facing = _places(head, atlas, stand.camera, stand.vertices)
    colours = cv2.remap(decoded(photo), places - 0.5, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = (places >= 0).all(-1) & (places <= (photo.shape[1], photo.shape[0])).all(-1)
    facing &= inside
    face = atlas.texels(head.groups["face"].numpy()) * atlas.area * facing
    if face.sum() > 0:
        colours[~facing] = (colours * face[..., None]).sum((0, 1)) / face.sum()
    return colours


def _places(head: HeadModel, atlas: Atlas, camera: Camera, vertices: Floats) -> tuple[Floats, Bools]:
    """Where each texel is in a photo, (L, L, 2) pixels, and whether it faces the camera with nothing of the head before
    it, (L, L)."""
    points = torch.from_numpy(np.asarray(vertices, np.float32))
    normals = vertex_normals(points, head.triangles)
    ray = torch.from_numpy(camera.centre()).float() - points
    cosine = (normals * torch.nn.functional.normalize(ray, dim=-1)).sum(-1).numpy()
    large = camera.resized(2 * camera.width, 2 * camera.height)
    projected = project(large, points)
    solid = head.triangles[~head.region("lashes", "wet")]
    depth = rasterise(projected.float(), solid, large.width, large.height).depth.numpy()
    farthest = cv2.dilate(np.where(np.isinf(depth), 99, depth).astype(np.float32), np.ones((3, 3), np.uint8))
    fields = atlas.texels(np.column_stack([projected.numpy(), cosine]).astype(np.float32))
    column = np.clip(fields[..., 0].astype(int), 0, large.width - 1)
    row = np.clip(fields[..., 1].astype(int), 0, large.height - 1)
    visible = (fields[..., 2] < farthest[row, column] + BEHIND) & (fields[..., 3] > FACING) & atlas.inside
    return np.ascontiguousarray(fields[..., :2] / 2), visible


def compare(ours: Maps, raw: Floats, truth: Truth, really: Bools) -> dict[str, Any]:
    """The figures of a photo, all small is good but shares and correlations.

    Args:
        raw: (L, L, 3) linear, the photo with its light left in; really: (L, L) texels that the photo shows.
    """
    weight = truth.weight
    row: dict[str, Any] = {}
    masks = {**ours.origin, "shown": really, "all": np.ones_like(really)}
    seen = weight * ours.origin["seen"]
    for name, albedo in (("", ours.albedo), ("unwrap_", raw)):
        scale = best_scale(albedo, truth.albedo, weight * really)
        row[f"{name}scale"] = scale
        row[f"{name}si_mse"] = scale_invariant_mse(albedo, truth.albedo, weight * really)
        for suffix, factor in (("", 1.0), ("_scaled", scale)):
            apart = delta_e(albedo * np.float32(factor), truth.albedo)
            for mask, where in masks.items():
                found = spread(apart, weight * where)
                row[f"{name}delta_e_{mask}{suffix}"] = found.mean
                row[f"{name}delta_e_{mask}_p95{suffix}"] = found.p95
    total = float(weight.sum())
    row |= {f"share_{name}": float((weight * where).sum()) / total for name, where in masks.items() if name != "all"}
    row["share_seen_wrongly"] = float((seen * ~really).sum() / max(float(seen.sum()), 1e-12))
    row["seam_step"] = seam_step(ours.albedo, truth.seams)
    row["seam_step_truth"] = seam_step(truth.albedo, truth.seams)
    row["specular_r"] = correlation(ours.specular, truth.specular, weight)
    flat = np.broadcast_to(np.array([0, 0, 1], np.float32), truth.normal.shape)
    row["normal_deg"] = spread(normal_angle(ours.normal, truth.normal), seen).mean
    row["normal_flat_deg"] = spread(normal_angle(flat, truth.normal), seen).mean
    row["relief_mm"] = 1e3 * rms(ours.height - truth.height, seen)
    row["relief_flat_mm"] = 1e3 * rms(truth.height, seen)
    row["relief_r"] = correlation(ours.height, truth.height, seen)
    return row
