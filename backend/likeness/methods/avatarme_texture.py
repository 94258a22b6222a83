"""What AvatarMe starts from: the photo laid out on the head, completed, with its light still in it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.maps.atlas import atlas_of, material_triangles
from likeness.maps.field import Surface
from likeness.maps.places import smoothstep
from likeness.maps.transfer import transfer_of
from likeness.maps.unwrap import Unwrapped, log_light, unwrap
from likeness.methods.base import Reconstruction
from likeness.photos.srgb import srgb_decoded, srgb_encoded

__all__ = ["SMALL", "LitPhoto", "from_srgb", "to_srgb"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SMALL = 512
"""Side of the atlas in which it is decided what the photo shows."""
PLACES = 2048
"""Largest side of the pictures that say where in the photo a texel is; larger textures take what is between."""
BAND = 512
SMOOTH = 0.006
"""Metres over which the difference between the photo and the skin under its light is smoothed."""
RESOLVED = (0.5, 1.0)
"""Photo pixels along a texel from which on the photo has some, and all, of the detail."""


@dataclass(frozen=True, eq=False)
class LitPhoto:
    """The photo that shows most of the head, as one of its textures.

    Attributes:
        seen: (L, L) float32 in 0..1, how far the texture is the photo's own.
        photo: laid out.
        shade: (V, 3) log of what its light makes of the skin, and of whatever else parts the two over what was seen.
        skin: material of maps, for what the photo does not show.
    """

    reconstruction: Reconstruction
    seen: Floats
    photo: Unwrapped
    shade: Floats
    skin: Material

    @classmethod
    def of(cls, made: Reconstruction, skin: Material, lights: tuple[NDArray[np.float64], ...]) -> LitPhoto:
        """Lay out the photos and take the best: several have several lights.

        Args:
            skin: with "albedo" and "confidence".
            lights: (9, 3) per view, under which that albedo looks as in the photo.
        """
        assert made.head is not None
        small = atlas_of(made.head, "Skin", SMALL)
        photos = [unwrap(made, view, small) for view in made.views]
        worth = [float((p.weight * small.area).sum()) * p.scale for p in photos]
        best = int(np.argmax(worth))
        known = _floats(skin.maps["confidence"], SMALL)
        # Confidence is 1 where a photo shows the skin and a half where its other side does.
        seen = smoothstep(0.05, 0.4, photos[best].weight) * np.clip(2 * known - 1, 0, 1)
        seen = np.asarray(seen, np.float32)
        shade = np.log(np.maximum(transfer_of(made.head) @ lights[best].astype(np.float32), 0.02))
        albedo = cv2.resize(skin.maps["albedo"].pixels, (SMALL, SMALL), interpolation=cv2.INTER_AREA)
        rest = (
            photos[best].log - small.texels(shade) - np.log(np.maximum(from_srgb(np.asarray(albedo, np.uint8)), 1e-3))
        )
        weight = seen * small.area
        known = small.vertices(weight)
        mean = small.vertices(rest * weight[..., None]) / np.maximum(known, 1e-12)[:, None]
        surface = Surface(made.vertices, made.head.triangles[material_triangles(made.head, "Skin")])
        # Smoothly on beyond what was seen, lest its border shows.
        return cls(made, seen, photos[best], shade + surface.spread(mean, known, SMOOTH), skin)

    def texture(self, side: int) -> Bytes:
        """The texture (side, side, 3) sRGB: the photo where it shows skin, else the skin as its light would show it."""
        head = self.reconstruction.head
        assert head is not None
        atlas = atlas_of(head, "Skin", min(PLACES, side))
        fields = atlas.texels(np.concatenate([self.photo.places, self.shade], 1).astype(np.float32))
        # The photo is shrunk first where a texel spans several of its pixels.
        logs = log_light(self.photo.crop)
        shrink = min(1.0, side / (SMALL * self._scale(SMALL)))
        if shrink < 0.8:
            wide, high = (max(round(n * shrink), 2) for n in logs.shape[1::-1])
            factor = np.array([wide, high], np.float32) / logs.shape[1::-1]
            logs = cv2.resize(logs, (wide, high), interpolation=cv2.INTER_AREA)
            fields[..., :2] = (fields[..., :2] + 0.5) * factor - 0.5
        albedo = cv2.resize(self.skin.maps["albedo"].pixels, (side, side), interpolation=cv2.INTER_AREA)
        made = np.empty((side, side, 3), np.uint8)
        for top in range(0, side, BAND):
            rows = slice(top, min(top + BAND, side))
            here = _rows(fields, rows, side)
            where = np.ascontiguousarray(here[..., :2])
            own = cv2.remap(logs, where, None, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
            lit = here[..., 2:] + np.log(np.maximum(from_srgb(albedo[rows]), 1e-3))
            lit += _rows(self.seen, rows, side)[..., None] * (own - lit)
            made[rows] = to_srgb(np.exp(lit))
        return made

    def resolved(self, side: int) -> Floats:
        """(side, side) 0..1: how far the photo has the detail of a texture of that side."""
        pixels = self._scale(SMALL) * SMALL / side
        seen = self.seen * np.float32(smoothstep(*RESOLVED, pixels))
        return np.asarray(cv2.resize(seen, (side, side)), np.float32)

    def _scale(self, side: int) -> float:
        """Photo pixels along a usual texel of a texture of that side."""
        assert self.reconstruction.head is not None
        return self.photo.scale * atlas_of(self.reconstruction.head, "Skin", side).texel


def _floats(image: Map, side: int) -> Floats:
    most = 1.0 if image.pixels.dtype == np.float32 else float(np.iinfo(image.pixels.dtype).max)
    values = image.pixels.astype(np.float32) * np.float32(image.scale / most) + np.float32(image.offset)
    return np.asarray(cv2.resize(values, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _rows(field: Floats, rows: slice, side: int) -> Floats:
    """Rows of a smooth picture as one of that side has them."""
    step = len(field) / side
    x, y = (np.arange(side) + 0.5) * step - 0.5, (np.arange(rows.start, rows.stop) + 0.5) * step - 0.5
    column, row = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    return np.asarray(cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def from_srgb(pixels: Bytes) -> Floats:
    """Linear light of sRGB bytes."""
    linear: Floats = _LINEAR[pixels]
    return linear


def to_srgb(linear: Floats) -> Bytes:
    """Bytes of linear light."""
    steps = np.rint(linear * np.float32(len(_BYTES) - 1)).clip(0, len(_BYTES) - 1)
    codes: Bytes = _BYTES[steps.astype(np.int32)]
    return codes


_LINEAR = srgb_decoded(np.arange(256) / 255).astype(np.float32)
_BYTES = np.rint(255 * srgb_encoded(np.linspace(0, 1, 8192))).astype(np.uint8)
