"""Skin's maps larger than they were made: smooth between their texels, and below those a grain that is made up."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map
from likeness.maps.scattered import decoded, encoded

__all__ = ["enlarged_skin", "grain"]

Floats = NDArray[np.float32]

TILE = 512
TONE = 0.012
"""Deviation of the grain in log luminance."""
DEPTH = 0.000012
"""Metres: standard deviation of its relief; pores that a photo resolves are some 0.05 mm deep."""
BAND = 512


def enlarged_skin(maps: Mapping[str, Map], side: int, texel: float, seed: int) -> dict[str, Map]:
    """Albedo and normals of a larger side, by Lanczos, with synthetic grain finer than the old texels.

    Args:
        maps: with "albedo" (uint8) and "normal"; side: the new one, in texels of so many metres.
        seed: of the grain.
    """
    albedo, normal = maps["albedo"].pixels, maps["normal"].pixels
    factor = side / len(albedo)
    tile = grain(factor, seed)
    slopes = [(np.roll(tile, -1, axis) - np.roll(tile, 1, axis)) * np.float32(DEPTH / (2 * texel)) for axis in (1, 0)]
    colours = np.empty((side, side, 3), np.uint8)
    normals = np.empty((side, side, 3), np.uint16)
    larger = cv2.resize(albedo, (side, side), interpolation=cv2.INTER_LANCZOS4)
    turned = cv2.resize(normal, (side, side), interpolation=cv2.INTER_LANCZOS4)
    for top in range(0, side, BAND):
        rows = np.arange(top, min(top + BAND, side))
        pick = np.ix_(rows % TILE, np.arange(side) % TILE)
        # A small step in log light is one of 1 / 2.4 as much in log sRGB.
        tone = np.exp(tile[pick] * np.float32(TONE / 2.4))
        colours[rows] = cv2.convertScaleAbs(larger[rows] * tone[..., None])
        bent = decoded(turned[rows])
        bent[..., 0] -= slopes[0][pick] * bent[..., 2]
        bent[..., 1] += slopes[1][pick] * bent[..., 2]
        bent /= np.maximum(np.linalg.norm(bent, axis=2, keepdims=True), 1e-6)
        normals[rows] = encoded(bent)
    return {"albedo": Map(colours, "srgb"), "normal": Map(normals, "linear")}


def grain(factor: float, seed: int) -> Floats:
    """A tile (`TILE`, `TILE`) that repeats, mean 0 and deviation 1; its longest waves are ``3 factor`` texels."""
    random = np.random.default_rng(seed)
    spectrum = np.fft.rfft2(random.standard_normal((TILE, TILE)))
    length = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    low, high = 1 / (3 * factor), 0.4
    kept = (length >= low) * np.exp(-((length / high) ** 4))
    tile = np.fft.irfft2(spectrum * kept, (TILE, TILE))
    made: Floats = (tile / max(float(tile.std()), 1e-9)).astype(np.float32)
    return made
