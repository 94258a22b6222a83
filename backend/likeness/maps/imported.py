"""Finished maps from elsewhere (AvatarMe's, AvatarMe++'s, a scanner's) onto an avatar, from whatever topology's UVs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.avatar import Avatar, Map, Material
from likeness.errors import HeadError, MethodError
from likeness.heads.base import HeadModel, triangulate
from likeness.heads.library import open_head
from likeness.licences import strictest_first
from likeness.maps.foreign import Correspondence, corresponding
from likeness.maps.scattered import HIGHEST, decoded, encoded, relief_of, scattered
from likeness.maps.shade import SHADE
from likeness.maps.tangents import Frames, Space, frames_of, object_normals
from likeness.photos.plain_map import load_map
from likeness.photos.srgb import srgb_encoded
from likeness.progress import Progress, quiet
from likeness.scan import load_scan

__all__ = ["LICENCE", "Given", "with_imported"]

Floats = NDArray[np.float32]

LICENCE = "as the imported maps' own"
SHAPE_SIDE = 1024
BAND = 512
RELIEF_SIDE = 2048
DEEP = 0.002
"""Metres: a displacement that goes farther is shape, not skin, and stays."""


@dataclass(frozen=True)
class Given:
    """Files of maps, row 0 at v = 1.

    Attributes:
        diffuse: albedo, sRGB (PNG) or linear (EXR); specular: an intensity, linear.
        normals, diffuse_normals: coded as 0.5 + 0.5 n; EXR files may have them plain.
        space, diffuse_space: how they are told, see `likeness.maps.tangents`; AvatarMe's are "added" and "object".
        mesh: the mesh with the UVs that the maps are for; None where they are for the avatar's own.
    """

    diffuse: Path | None = None
    specular: Path | None = None
    normals: Path | None = None
    diffuse_normals: Path | None = None
    space: Space = "added"
    diffuse_space: Space = "object"
    mesh: Path | None = None


def with_imported(avatar: Avatar, given: Given, side: int | None = None, progress: Progress = quiet) -> Avatar:
    """The avatar with maps of others in its skin; what they do not cover keeps its own, in their tone.

    Args:
        side: of the new maps in texels; that of the avatar's albedo when left out.

    Raises:
        PhotoError: a map cannot be read. MeshError: the mesh cannot be, or has no UVs. HeadError: the avatar's head
            model is not installed, or no face is seen on the mesh. MethodError: nothing was given, or the avatar has no
            skin.
    """
    files = {name: getattr(given, name) for name in ("diffuse", "specular", "normals", "diffuse_normals")}
    read = {name: load_map(path) for name, path in files.items() if path is not None}
    if not read:
        raise MethodError("No map was given; give at least one of --diffuse, --specular, --normals, --diffuse-normals.")
    skin = avatar.materials.get("Skin")
    if skin is None or "albedo" not in skin.maps:
        raise MethodError("The avatar has no skin with an albedo that maps could be laid onto.")
    there = corresponding(_head_of(avatar), load_scan(given.mesh), progress) if given.mesh else None
    work = _Import(avatar, there, side or len(skin.maps["albedo"].pixels))
    maps, values = dict(skin.maps), dict(skin.values)
    progress("maps", 0.5, "Laying the maps onto the head")
    if "diffuse" in read:
        maps["albedo"] = work.albedo(*read["diffuse"], skin)
        # What photos show beyond another colour of the skin.
        maps = {channel: image for channel, image in maps.items() if not channel.startswith(SHADE)}
    if "specular" in read:
        maps["specular"], values["specular_mean"] = work.specular(read["specular"][0], skin)
    if "normals" in read:
        maps["normal"] = work.normals(*read["normals"], given.space, skin.maps.get("normal"))
        fine = maps.get("displacement")
        if fine is None or abs(fine.scale) < DEEP:
            maps["displacement"] = work.relief(maps["normal"].pixels)
        maps["normal.diffuse"] = Map(scattered(maps["normal"].pixels, work.texel, work.tone(maps["albedo"])), "linear")
    if "diffuse_normals" in read:
        soft = skin.maps.get("normal.diffuse") if "normals" not in read else maps["normal.diffuse"]
        maps["normal.diffuse"] = work.normals(*read["diffuse_normals"], given.diffuse_space, soft)
    progress("maps", 1.0, "The maps lie on the head")
    materials = {**avatar.materials, "Skin": Material(maps, values)}
    return replace(avatar, materials=materials, provenance=_told(avatar.provenance, files))


def _head_of(avatar: Avatar) -> HeadModel:
    head = open_head(avatar.head)
    if len(head.template) != len(avatar.vertices) or not np.array_equal(head.polygons.numpy(), avatar.polygons):
        raise HeadError(f"The avatar's head is not the {avatar.head} of this version; make the avatar anew.")
    return head


def _told(provenance: dict[str, Any], files: dict[str, Path | None]) -> dict[str, Any]:
    channels = {"diffuse": "albedo", "specular": "specular", "normals": "normal", "diffuse_normals": "normal.diffuse"}
    made = {channels[name]: f"user: file {path.name}" for name, path in files.items() if path is not None}
    if "normal" in made:
        made = {"normal.diffuse": "free: normal, blurred as skin scatters light", **made}
        made["displacement"] = f"free: relief of normal ({made['normal']})"
    details = dict(provenance.get("details") or {})
    details["providers"] = {**(details.get("providers") or {}), **made}
    licences = strictest_first([*provenance.get("licences", ()), LICENCE])
    return {**provenance, "details": details, "licences": licences}


class _Import:
    """An avatar's skin as the place that maps are laid onto."""

    def __init__(self, avatar: Avatar, there: Correspondence | None, side: int) -> None:
        self.there, self.side = there, side
        names = [avatar.region_materials[name] for name in avatar.region_names]
        skin = np.array([name == "Skin" for name in names])[avatar.polygon_region]
        corners, parent = (t.numpy() for t in triangulate(torch.from_numpy(avatar.polygons)))
        mine = skin[parent]
        parent, corners = parent[mine], corners[mine]
        self.triangles = np.take_along_axis(avatar.polygons[parent], corners, 1).astype(np.int64)
        triangles_uv = np.take_along_axis(avatar.polygons_uv[parent], corners, 1).astype(np.int64)
        self.frames = frames_of(avatar.vertices, self.triangles, avatar.uv, triangles_uv, SHAPE_SIDE)
        p, q = avatar.vertices[self.triangles], avatar.uv[triangles_uv]
        solid = np.linalg.norm(np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]), axis=1)
        a, b = q[:, 1] - q[:, 0], q[:, 2] - q[:, 0]
        flat = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
        self.texel = float(np.sqrt(solid.sum() / max(float(flat.sum()), 1e-12))) / side
        share = np.ones((1, 1), np.float32) if there is None else there.share
        self.share: Floats = np.asarray(cv2.resize(share, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)

    def albedo(self, values: Floats, linear: bool, skin: Material) -> Map:
        """Colour, sRGB; what is not covered takes the covered skin's tone."""
        if linear:
            values = srgb_encoded(values).astype(np.float32)
        theirs = self._sampled(values)
        own = self._own(skin.maps["albedo"], 3)
        believed = self.share > 0.9
        if self.there is not None and believed.any():
            # Of codes rather than of light: the difference matters little for tones this near.
            gain = np.median(theirs[believed], 0) / np.maximum(np.median(own[believed], 0), 1e-3)
            own *= gain.astype(np.float32)
        return Map(_bytes(own + self.share[..., None] * (theirs - own)), "srgb")

    def specular(self, values: Floats, skin: Material) -> tuple[Map, float]:
        """Specular albedo, and its mean: only how it differs from place to place is believed."""
        theirs = self._sampled(values).mean(-1)
        mean = float(theirs[self.share > 0.5].mean()) if (self.share > 0.5).any() else 0.5
        mean = max(mean, 1e-3)
        own = np.full_like(theirs, mean)
        if "specular" in skin.maps:
            own = self._own(skin.maps["specular"], 1) * np.float32(mean / max(_mean_level(skin), 1e-3))
        return Map(_bytes(own + self.share * (theirs - own)), "linear"), round(mean, 4)

    def normals(self, values: Floats, plain: bool, space: Space, own: Map | None) -> Map:
        """Normals in the tangent space of the avatar's own surface."""
        if not plain or values.min() > -0.05:
            values = 2 * values - 1
        theirs = self._sampled(values)
        made = np.empty((self.side, self.side, 3), np.uint16)
        base = None if own is None else cv2.resize(own.pixels, (self.side, self.side), interpolation=cv2.INTER_LINEAR)
        for top in range(0, self.side, BAND):
            rows = slice(top, min(top + BAND, self.side))
            frames = self.frames.rows(rows, self.side)
            turned = self._turned(theirs[rows], space, frames, rows)
            flat = decoded(base[rows]) if base is not None else np.zeros_like(turned) + np.array([0, 0, 1], np.float32)
            mixed = flat + self.share[rows][..., None] * (turned - flat)
            made[rows] = encoded(mixed / np.maximum(np.linalg.norm(mixed, axis=2, keepdims=True), 1e-6))
        return Map(made, "linear")

    def _turned(self, values: Floats, space: Space, frames: Frames, rows: slice) -> Floats:
        if self.there is None and space == "tangent":
            return values
        if self.there is None:
            return frames.to_tangent(object_normals(values, space, frames))
        theirs = self.there.frames.rows(rows, self.side)
        turned = object_normals(values, space, theirs) @ self.there.turn
        return frames.to_tangent(_carried(turned, theirs.normal @ self.there.turn, frames.normal))

    def relief(self, codes: NDArray[Any]) -> Map:
        """Displacement that goes with the normals."""
        side = min(RELIEF_SIDE, self.side)
        small = cv2.resize(codes, (side, side), interpolation=cv2.INTER_AREA)
        inside = cv2.resize(self.frames.inside.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST) > 0
        texel = np.full((side, side), self.texel * self.side / side, np.float32)
        height = relief_of(small, texel, np.asarray(inside))
        words = np.clip(height * (65535 / (2 * HIGHEST)) + 32768, 0, 65535).astype(np.uint16)
        return Map(words, "linear", scale=2 * HIGHEST, offset=-HIGHEST)

    def tone(self, albedo: Map) -> Floats:
        """(3,) linear colour of the skin, for how light goes through it."""
        small = cv2.resize(albedo.pixels, self.frames.inside.shape[::-1], interpolation=cv2.INTER_AREA)
        mean = small[self.frames.inside].mean(0) / 255
        return np.asarray(mean**2.2, np.float32)

    def _own(self, image: Map, channels: int) -> Floats:
        pixels = cv2.resize(image.pixels, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        most = float(np.iinfo(pixels.dtype).max) if pixels.dtype.kind == "u" else 1.0
        values: Floats = pixels.astype(np.float32) / np.float32(most)
        return values if channels == 3 else values.reshape(self.side, self.side)

    def _sampled(self, values: Floats) -> Floats:
        """Their map in the avatar's square."""
        if self.there is None:
            return np.asarray(cv2.resize(values, (self.side, self.side), interpolation=_method(values, self.side)))
        height, width = values.shape[:2]
        step = np.abs(np.diff(self.there.uv, axis=1)) * (width, height) * len(self.there.uv) / self.side
        usual = float(np.median(step.max(-1)[self.there.share[:, 1:] > 0.5])) if (self.there.share > 0.5).any() else 1.0
        if usual > 1.5:  # their texels are finer than ours: each of ours is the mean of several
            size = (max(round(width / usual), 2), max(round(height / usual), 2))
            values = np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA))
            height, width = values.shape[:2]
        made = np.empty((self.side, self.side, values.shape[2]), np.float32)
        for top in range(0, self.side, BAND):
            rows = slice(top, min(top + BAND, self.side))
            uv = self.there.places(rows, self.side)
            column, row = uv[..., 0] * width - 0.5, (1 - uv[..., 1]) * height - 0.5
            made[rows] = cv2.remap(values, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return made


def _mean_level(skin: Material) -> float:
    mean = skin.values.get("specular_mean", 0.5)
    return float(mean) if isinstance(mean, int | float) else 0.5


def _carried(vectors: Floats, start: Floats, end: Floats) -> Floats:
    """Vectors turned by the smallest turn that brings one surface's normal to the other's; all (h, w, 3)."""
    cosine = np.maximum((start * end).sum(-1, keepdims=True), -0.9)
    axis = np.cross(start, end)
    along = (axis * vectors).sum(-1, keepdims=True)
    turned: Floats = vectors * cosine + np.cross(axis, vectors) + axis * along / (1 + cosine)
    return turned.astype(np.float32)


def _method(values: Floats, side: int) -> int:
    return cv2.INTER_AREA if min(values.shape[:2]) > side else cv2.INTER_CUBIC


def _bytes(values: Floats) -> NDArray[np.uint8]:
    codes: NDArray[np.uint8] = cv2.convertScaleAbs(np.clip(values, 0, 1), alpha=255)
    return codes
