"""A skin that needs no file: shades of pigments by places, and two coarse maps of melanin and blood on top.

It can be drawn differentiably, so a fit finds it (`likeness.fitting.appearance_fit`). Colour is linear in absorbance,
so light skin and dark skin are alike to it, and no photo or scan of a person went in (`likeness.heads.pigments`).
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

from likeness.fitting.appearance import Paint, Sitter, Spots
from likeness.heads.base import HeadModel
from likeness.heads.pigments import BLOOD, CLEAREST, MELANIN, Pigments
from likeness.maps.atlas import atlas_of
from likeness.render.light import linear_to_srgb
from likeness.render.raster import rasterise_uv

__all__ = ["FITTED", "FreeSkin", "albedo_map", "at_vertices"]

FITTED = "albedo_fitted"
"""Channel of what was fitted, beside the skin's own maps."""

SIDE = 32
"""Of the two maps in the skin's UV square."""
SPREAD = 0.2
"""Deviation of the maps' absorbance of green that costs as much as a shade one deviation off."""
SMOOTH, ALIKE = 6.0, 2.0
"""What a step from texel to texel costs more than the value itself, and a difference between left and right."""
WEIGHT = 0.003
"""Of it all in the objective, where a coefficient one deviation off counts 1."""


class FreeSkin:
    """Coefficients (K,) of the head's pigments, and melanin and blood (2, 32, 32) in its UVs: all 0 to begin with."""

    name = "free"
    source = "free: shades of regions, maps of melanin and blood"

    licences: tuple[str, ...] = ()
    learned = False

    def __init__(self, head: HeadModel) -> None:
        """For a head with landmarks "ibug68"."""
        self.pigments = Pigments.of(head)
        self.shades = torch.zeros(len(self.pigments.modes), requires_grad=True)
        self.maps = torch.zeros(2, SIDE, SIDE, requires_grad=True)
        atlas = atlas_of(head, "Skin", SIDE)
        self._inside = torch.from_numpy(atlas.inside.astype(np.float32))
        there = torch.from_numpy(atlas.mirror)
        self._paired = self._inside * (there >= 0).all(-1)
        self._mirror = ((there + 0.5) / SIDE * 2 - 1)[None]
        self._layers = torch.tensor([MELANIN, BLOOD])

    def parameters(self) -> dict[str, Tensor]:
        """As `likeness.fitting.appearance_fit.Texture`."""
        return {"shades": self.shades, "maps": self.maps}

    def rates(self) -> dict[str, float]:
        """Adam's."""
        return {"shades": 0.05, "maps": 0.02}

    def paint(self) -> Paint:
        """The colours now."""
        absorbance = self.pigments.mean + torch.einsum("k,kvc->vc", self.shades, self.pigments.modes)

        def colours(spots: Spots) -> Tensor:
            place = torch.stack([2 * spots.uv[:, 0] - 1, 1 - 2 * spots.uv[:, 1]], 1)
            more = functional.grid_sample(
                self.maps[None], place[None, None], align_corners=False, padding_mode="border"
            )[0, :, 0].T
            layered = (more * spots.skin[:, None]) @ self._layers
            return torch.exp(-(spots.of(absorbance) + layered).clamp(min=CLEAREST))

        return colours

    def unlikely(self) -> Tensor:
        """Squared coefficients, and how large, rough and uneven the maps are."""
        maps = self.maps / SPREAD
        texels = self._inside.sum()
        own = (maps.square() * self._inside).sum()
        rough = (maps.diff(dim=1).square() * self._inside[1:]).sum()
        rough = rough + (maps.diff(dim=2).square() * self._inside[:, 1:]).sum()
        other = functional.grid_sample(maps[None], self._mirror, align_corners=False)[0]
        uneven = ((maps - other).square() * self._paired).sum()
        return WEIGHT * (self.shades.square().sum() + 100 * (own + SMOOTH * rough + ALIKE * uneven) / texels)

    def settle(self) -> None:
        """Nothing is out of bounds."""


def at_vertices(sitter: Sitter) -> Spots:
    """The head's vertices (V) as places."""
    count = len(sitter.vertices)
    corners = torch.arange(count)[:, None].expand(count, 3)
    weights = torch.tensor([1.0, 0.0, 0.0]).expand(count, 3)
    uv, skin = torch.zeros(count, 2), torch.zeros(count, dtype=torch.bool)
    uv[sitter.triangles.flatten()] = sitter.uv.reshape(-1, 2)
    skin[sitter.triangles[sitter.skin].flatten()] = True
    return Spots(corners, weights, uv, skin)


def albedo_map(head: HeadModel, paint: Paint, size: int) -> NDArray[np.uint8]:
    """Colours laid out in the UVs of the head's skin: (size, size, 3) sRGB, row 0 at v = 1, no texel left black."""
    skin = head.region("skin")
    raster = rasterise_uv(head.uv, head.triangles_uv[skin], size)
    rows, columns = torch.nonzero(raster.covered, as_tuple=True)
    uv = torch.stack([(columns + 0.5) / size, 1 - (rows + 0.5) / size], 1)
    hit = raster.triangle[raster.covered]
    weights = raster.barycentric[raster.covered]
    everywhere = torch.ones(len(hit), dtype=torch.bool)
    with torch.no_grad():
        colours = linear_to_srgb(paint(Spots(head.triangles[skin][hit], weights, uv, everywhere)))
    picture = np.zeros((size, size, 3), np.uint8)
    picture[rows.numpy(), columns.numpy()] = (255 * colours).round().to(torch.uint8).numpy()
    row, column = distance_transform_edt(~raster.covered.numpy(), return_distances=False, return_indices=True)
    return np.asarray(picture[row, column])
