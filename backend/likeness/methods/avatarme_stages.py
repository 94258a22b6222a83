"""AvatarMe's stages: enlarged, freed of light, specular albedo, specular and diffuse normals, relief.

Source: Lattas et al., "AvatarMe: Realistically Renderable 3D Facial Reconstruction in-the-wild", CVPR 2020. A stage
whose network is not installed is done by `likeness.maps`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from likeness.avatar import Map, Material
from likeness.errors import MethodError
from likeness.maps.atlas import GUTTER, Atlas, atlas_of
from likeness.maps.grain import enlarged_skin
from likeness.maps.scattered import HIGHEST, encoded, relief_of, scattered
from likeness.maps.tangents import Space, object_normals
from likeness.maps.tiles import Tiling, dilated, run_tiles
from likeness.methods.avatarme_networks import TILE, Networks
from likeness.methods.avatarme_open import OPEN, looked_over, open_weights_there
from likeness.methods.avatarme_shape import Shape
from likeness.methods.avatarme_texture import SMALL, LitPhoto, from_srgb, to_srgb
from likeness.methods.base import Reconstruction, Settings
from likeness.progress import Progress

__all__ = ["LARGEST", "detailed", "providers", "refined", "side_of"]

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

LARGEST = 6144
"""Side of the largest maps: the longer one of the paper's 6144 x 4096."""
CROP = Tiling(128, 32)
"""For RCAN, which was trained on crops of 48 x 48; its result is eight times as large."""
OVERLAP = 96
RELIEF_SIDE = 2048
FREE = "free: likeness maps"
SPACES: dict[str, Space] = {"specular normals": "added", "diffuse normals": "object"}
"""How the networks tell their normals, see `likeness.maps.tangents`."""


def side_of(settings: Settings) -> int:
    """Side of AvatarMe's maps; raises MethodError for one that cannot be."""
    side = settings.fine_size or settings.texture_size
    if not settings.texture_size <= side <= LARGEST:
        raise MethodError(f"The fine size is {side}; choose one from the texture size to {LARGEST}.")
    return side


def providers(networks: Networks, settings: Settings) -> dict[str, str]:
    """Who makes which map."""
    told = networks.told
    larger = side_of(settings) > settings.texture_size
    grain = ", enlarged (Lanczos), synthetic grain" if larger else ""
    free, ours = FREE + grain, (OPEN if open_weights_there() else FREE) + grain
    made = {"texture": told.get("super-resolution", "free: the photo's own pixels")}
    made["albedo"] = told.get("de-lighting", ours)
    if "de-lighting" not in told and "super-resolution" in told:
        made["albedo"] = f"{OPEN if open_weights_there() else FREE}, finer detail {told['super-resolution']}"
    made["specular"] = told.get("specular albedo", FREE)
    made["normal"] = told.get("specular normals", free)
    made["normal.diffuse"] = told.get("diffuse normals", "free: normal, blurred as skin scatters light")
    made["displacement"] = (
        f"free: relief of normal ({told['specular normals']})" if "specular normals" in told else FREE
    )
    return made


def refined(
    made: Reconstruction,
    skin: Material,
    lights: tuple[NDArray[np.float64], ...],
    settings: Settings,
    progress: Progress,
    networks: Networks,
) -> Material:
    """The skin's material with AvatarMe's maps.

    Args:
        made: on a rigged head; skin: its material as `likeness.maps` makes it; lights: (9, 3) per view.
        networks: those that are installed.
        progress: hears of stage "maps".
    """
    assert made.head is not None
    side = side_of(settings)
    maps, values = dict(skin.maps), dict(skin.values)
    atlas = atlas_of(made.head, "Skin", min(SMALL, settings.texture_size))
    if side > settings.texture_size:
        progress("maps", 0.9, "Enlarging the maps")
        maps |= enlarged_skin(maps, side, atlas.texel * atlas.size / side, settings.seed)
    if "de-lighting" not in networks.told and open_weights_there():
        progress("maps", 0.9, "Looking for light that is left in the skin")
        maps["albedo"] = looked_over(made.head, made.vertices, Material(maps, values))
    if networks.told:
        stages = _Stages(made, atlas, side, networks, progress)
        maps |= stages.run(Material(maps, values), lights)
        if "specular albedo" in networks.told:
            values["specular_mean"] = stages.mean_of(maps["specular"].pixels)
    if "normal.diffuse" not in maps or "diffuse normals" not in networks.told:
        progress("maps", 0.97, "Normals of the light that went through the skin")
        codes = maps["normal"].pixels
        texel = atlas.texel * atlas.size / len(codes)
        colour = from_srgb(_mean(maps["albedo"].pixels, atlas.inside))
        maps["normal.diffuse"] = Map(scattered(codes, texel, colour), "linear")
    return Material(maps, values)


class _Stages:
    """One person's maps through the networks."""

    def __init__(self, made: Reconstruction, atlas: Atlas, side: int, networks: Networks, progress: Progress) -> None:
        assert made.head is not None
        self.made, self.atlas, self.side, self.networks = made, atlas, side, networks
        self.shape = Shape.of(made.head, made.vertices)
        self.progress = progress
        self.inside = self._inside(side)

    def run(self, skin: Material, lights: tuple[NDArray[np.float64], ...]) -> dict[str, Map]:
        """The maps that the installed networks make."""
        maps: dict[str, Map] = {}
        albedo = skin.maps["albedo"].pixels
        translating = self.networks.translating
        if self.networks.enlarging or "de-lighting" in translating:
            photo = LitPhoto.of(self.made, skin, lights)
            low, texture = self._texture(photo)
            if "de-lighting" in translating:
                albedo = self._colours("de-lighting", texture, 3)
            else:
                albedo = detailed(albedo, low, texture)
            albedo[~self.inside] = _mean(albedo, self.inside)
            maps["albedo"] = Map(albedo, "srgb")
        if len(albedo) != self.side:
            albedo = cv2.resize(albedo, (self.side, self.side), interpolation=cv2.INTER_CUBIC)
        if "specular albedo" in translating:
            outputs = translating["specular albedo"].outputs
            maps["specular"] = Map(self._colours("specular albedo", albedo, outputs), "linear")
        for slot, channel in (("specular normals", "normal"), ("diffuse normals", "normal.diffuse")):
            if slot in translating:
                maps[channel] = Map(self._normals(slot, albedo), "linear")
        if "specular normals" in translating:
            maps["displacement"] = self._relief(maps["normal"].pixels)
        return maps

    def mean_of(self, pixels: Bytes) -> float:
        """Mean over the skin, 0..1."""
        return round(float(pixels[self.inside].mean()) / 255, 4)

    def _texture(self, photo: LitPhoto) -> tuple[Bytes, Bytes]:
        """The lit texture that the photo gives, and the one of full size."""
        network = self.networks.enlarging
        if network is None:
            texture = photo.texture(self.side)
            return texture, texture
        self.progress("maps", 0.9, "Enlarging the texture")
        low = photo.texture(-(-self.side // network.scale))
        given = dilated(low, self._inside(len(low)), max(GUTTER * len(low), 8))
        large = np.zeros((len(low) * network.scale,) * 2 + (3,), np.uint8)

        def write(rows: slice, band: Floats) -> None:
            large[rows] = cv2.convertScaleAbs(np.clip(band, 0, 1), alpha=255)

        tiling = Tiling(CROP.side, CROP.overlap, network.scale)
        read = self._reader(np.asarray(given, np.uint8), ("colour",), signed=False)
        self._tiles("super-resolution", network, read, len(low), 3, write, tiling)
        if len(large) != self.side:
            large = np.asarray(cv2.resize(large, (self.side, self.side), interpolation=cv2.INTER_AREA), np.uint8)
        share = photo.resolved(self.side)
        if share.max() > 0:  # where the photo is as fine, its own pixels count
            own = photo.texture(self.side)
            for top in range(0, self.side, TILE):
                rows = np.s_[top : top + TILE]
                mixed = large[rows].astype(np.float32)
                mixed += share[rows][..., None] * (own[rows].astype(np.float32) - mixed)
                large[rows] = np.rint(mixed)
        return low, large

    def _colours(self, slot: str, colours: Bytes, outputs: int) -> Bytes:
        """A translated map (S, S, 3), or (S, S) where its colours are one."""
        many = 3 if slot == "de-lighting" else 1
        made = np.zeros((self.side, self.side, 3) if many == 3 else (self.side, self.side), np.uint8)

        def write(rows: slice, band: Floats) -> None:
            values = band if many == 3 else band.mean(-1)
            made[rows] = cv2.convertScaleAbs(np.clip(0.5 + 0.5 * values, 0, 1), alpha=255).reshape(made[rows].shape)

        self._translate(slot, colours, outputs, write)
        return made

    def _normals(self, slot: str, albedo: Bytes) -> NDArray[np.uint16]:
        """Normals in tangent space as 16 bits."""
        made = np.empty((self.side, self.side, 3), np.uint16)

        def write(rows: slice, band: Floats) -> None:
            frames = self.shape.frames.rows(rows, self.side)
            normals = frames.to_tangent(object_normals(band, SPACES[slot], frames))
            normals[~self.inside[rows]] = (0, 0, 1)
            made[rows] = encoded(normals)

        self._translate(slot, albedo, 3, write)
        return made

    def _relief(self, normals: NDArray[np.uint16]) -> Map:
        side = min(RELIEF_SIDE, self.side)
        small = cv2.resize(normals, (side, side), interpolation=cv2.INTER_AREA)
        area = np.maximum(self.atlas.area, 0.05 * np.median(self.atlas.area[self.atlas.area > 0]))
        texel = cv2.resize(np.sqrt(area), (side, side)) * np.float32(self.atlas.size / side)
        height = relief_of(small, texel, self._inside(side))
        codes = np.clip(height * (65535 / (2 * HIGHEST)) + 32768, 0, 65535).astype(np.uint16)
        return Map(codes, "linear", scale=2 * HIGHEST, offset=-HIGHEST)

    def _translate(self, slot: str, colours: Bytes, outputs: int, write: Callable[[slice, Floats], None]) -> None:
        given = np.asarray(dilated(colours, self.inside, max(GUTTER * self.side, 8)), np.uint8)
        read = self._reader(given, self.networks.given(slot))
        self._tiles(slot, self.networks.translating[slot], read, self.side, outputs, write, Tiling(TILE, OVERLAP))

    def _tiles(
        self,
        slot: str,
        network: Callable[[Tensor], Tensor],
        read: Callable[[slice, slice], Floats],
        side: int,
        outputs: int,
        write: Callable[[slice, Floats], None],
        tiling: Tiling,
    ) -> None:
        def heard(share: float) -> None:
            self.progress("maps", 0.9, f"AvatarMe's {slot}, {round(100 * share)} %")

        run_tiles(network, read, (side, side), outputs, write, tiling, wanted=self.atlas.inside, heard=heard)

    def _reader(
        self, colours: Bytes, given: tuple[str, ...], *, signed: bool = True
    ) -> Callable[[slice, slice], Floats]:
        """What a network is given of a tile: colours in -1..1 (or 0..1), and the shape drawn in UV."""
        side = len(colours)

        def read(rows: slice, columns: slice) -> Floats:
            part = colours[rows, columns]
            parts = []
            for kind in given:
                if kind == "colour":
                    parts.append(part.astype(np.float32) / 255)
                elif kind == "grey":
                    parts.append(cv2.cvtColor(part, cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32) / 255)
                else:
                    parts.append(0.5 + 0.5 * self.shape.drawn(kind, rows, columns, side))
            together = np.concatenate(parts, -1)
            ready: Floats = 2 * together - 1 if signed else together
            return ready

        return read

    def _inside(self, side: int) -> NDArray[np.bool_]:
        grown = cv2.resize(self.atlas.inside.astype(np.uint8), (side, side), interpolation=cv2.INTER_NEAREST)
        inside: NDArray[np.bool_] = np.asarray(grown) > 0
        return inside


def detailed(albedo: Bytes, low: Bytes, texture: Bytes) -> Bytes:
    """An albedo with the detail that a large lit texture has beyond the small one it was made of."""
    side = len(texture)
    made = np.empty((side, side, 3), np.uint8)
    broad = [cv2.resize(p, (side, side), interpolation=cv2.INTER_CUBIC) for p in (albedo, low)]
    for top in range(0, side, TILE):
        rows = np.s_[top : top + TILE]
        ratio = np.maximum(from_srgb(texture[rows]), 1e-3) / np.maximum(from_srgb(broad[1][rows]), 1e-3)
        made[rows] = to_srgb(from_srgb(broad[0][rows]) * np.clip(ratio, 0.5, 2))
    return made


def _mean(pixels: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[Any]:
    """(3,) mean of a picture where the skin is."""
    small = cv2.resize(pixels, inside.shape[::-1], interpolation=cv2.INTER_AREA)
    mean: NDArray[Any] = np.rint(small[inside].mean(0)).astype(pixels.dtype)
    return mean
