"""What keeps skin from looking like plastic: patches of brown and of red, and finer grain than a photo resolves.

Where nothing was seen, brightness varies as much as it does where the photo shows this person's skin. The noise fills
space and the head is cut out of it, so it neither stretches with the UVs nor ends at their seams.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from likeness.maps.atlas import Atlas, enlarge

__all__ = ["BROWN", "GRAINY", "RED", "Mottle", "mottle", "solid", "vividness", "volume"]

Floats = NDArray[np.float32]

PATCHES = (0.0009, 0.0018, 0.005)
"""Metres: sizes of the patches of brightness, as standard deviations of blurs."""
USUAL = (0.012, 0.015, 0.016)
"""Deviations of log luminance in each, where too little skin was seen to tell."""
LIVELY = (0.35, 1.3)
"""Bounds of a person's over the usual ones: a photo's noise and its light are in what is measured."""
FLUSHED = ((0.0016, 0.4), (0.003, 0.7), (0.009, 0.8))
"""Sizes of patches of blood and how strong each is, in multiples of what `RED` does."""
RED = (0.006, -0.012, -0.008)
"""What blood below the skin does to log red, green and blue."""
BROWN = (0.85, 1.0, 1.15)
"""Log red, green and blue over log luminance of a patch of melanin."""
GRAIN, GRAINY = 0.00045, 0.014
"""Metres and log luminance of the grain between pores, which few photos resolve."""
CELLS = 80
SMOOTHED = 1.2
FEWEST = 400
"""Texels of seen skin from which its variation can be told."""


@dataclass(frozen=True, eq=False)
class Mottle:
    """Invented variation of the skin, all (S, S) float32.

    Attributes:
        brown: log luminance of patches, to be multiplied by `BROWN`; red: amount of blood, to be multiplied by `RED`.
        grain: log luminance of unit amount `GRAINY`; rough: unit deviation, patches of the finest two sizes.
    """

    brown: Floats
    red: Floats
    grain: Floats
    rough: Floats


def solid(points: Floats, size: float, volume: Floats) -> Floats:
    """Noise (H, W) of about unit deviation at points (H, W, 3) metres, as white noise blurred by ``size`` has it.

    Args:
        volume: see `volume`.
    """
    # Turned, so that no axis of the grid lies along one of the head's.
    turn = np.array([[0.36, 0.48, -0.8], [-0.8, 0.6, 0.0], [0.48, 0.64, 0.6]], np.float32) * np.float32(SMOOTHED / size)
    x, y, z = (np.remainder(c, np.float32(CELLS)) for c in cv2.split(cv2.transform(points, turn)))
    layer = np.floor(z)
    z -= layer
    below, above = (
        cv2.remap(volume, x, y + np.remainder(layer + k, np.float32(CELLS)) * np.float32(CELLS + 1), cv2.INTER_LINEAR)
        for k in (0, 1)
    )
    above -= below
    above *= z
    above += below
    return np.asarray(above, np.float32)


def volume(seed: int) -> Floats:
    """A cube of smooth noise that repeats, its layers below each other, (C (C + 1), C + 1) float32, unit deviation."""
    white = np.random.default_rng(seed).standard_normal((CELLS,) * 3).astype(np.float32)
    smooth = gaussian_filter(white, SMOOTHED, mode="wrap", truncate=3.0)
    # Each layer's first row and column once more at its end.
    padded = np.pad(smooth / smooth.std(), ((0, 0), (0, 1), (0, 1)), mode="wrap")
    made: Floats = np.ascontiguousarray(padded.reshape(-1, CELLS + 1), np.float32)
    return made


def vividness(luminance: Floats, bare: Floats, texel: float) -> float:
    """How much a person's skin varies in brightness over usual skin, within `LIVELY`; 1 where too little was seen.

    Args:
        luminance: (L, L) log luminance on top of smooth skin; bare: (L, L) 0..1 skin that was seen, without features.
        texel: metres per texel.
    """
    sure = cv2.erode((bare > 0.7).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if sure.sum() < FEWEST:
        return 1.0
    wide = cv2.GaussianBlur(bare, (0, 0), 2 * PATCHES[1] / texel)
    slow = cv2.GaussianBlur(luminance * bare, (0, 0), 2 * PATCHES[1] / texel) / np.maximum(wide, 1e-3)
    # The median of the squares: moles and wrinkles are the person's, but not what the rest is like.
    spread = 1.48 * float(np.median(abs(luminance - slow)[sure]))
    return float(np.clip(spread / np.hypot(*USUAL[:2]), *LIVELY))


def mottle(points: Floats, small: Atlas, full: Atlas, vivid: float, seed: int) -> Mottle:
    """Variation over an atlas.

    Args:
        points: (V, 3) metres of the head's vertices; vivid: see `vividness`.
    """
    cube = volume(seed)
    place = small.texels(points)
    patches = [solid(place + np.float32(k), size, cube) for k, size in enumerate(PATCHES)]
    brown, red = np.zeros_like(patches[0]), np.zeros_like(patches[0])
    for k, (patch, amount) in enumerate(zip(patches, USUAL, strict=True)):
        brown += patch * np.float32(amount * (vivid if k < 2 else 1.0))
    for k, (size, amount) in enumerate(FLUSHED):
        red += solid(place - np.float32(k + 1), size, cube) * np.float32(amount)
    rough = (patches[0] + patches[1]) * np.float32(0.7)
    side = min(full.size, 2 * small.size)
    fine = cv2.resize(place, (side, side), interpolation=cv2.INTER_LINEAR)
    grain = cv2.resize(solid(fine, GRAIN, cube), (full.size, full.size), interpolation=cv2.INTER_LINEAR)
    brown, red, rough = cv2.split(enlarge(cv2.merge([brown, red, rough]), small, full))
    return Mottle(brown, red, grain, rough)
