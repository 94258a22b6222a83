"""Fine relief: wrinkles and pores as a photo's fine shading shows them, and made-up pores where it shows none."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.maps.atlas import Atlas
from likeness.maps.places import smoothstep

__all__ = ["DEPTH_MICRO", "height_of", "micro_relief", "normals_of"]

Floats = NDArray[np.float32]

FINE, MIDDLE, COARSE = 0.00025, 0.0006, 0.0018  # metres: standard deviations of the filters between the bands
DEPTH_FINE, DEPTH_MIDDLE = 0.00005, 0.00012
"""Metres of relief at which each band saturates: pores and fine lines are some 0.05 mm deep, wrinkles 0.1 to 0.2 mm."""
BELIEVED = (2.5, 5.0)
"""Pixels of the photo to a band's size from which on it is believed, and fully."""
CELL = 0.00055
"""Metres between the furrows of skin's micro-relief."""
DEPTH_MICRO = 0.00006
TILE = 512


def height_of(luminance: Floats, flat: Floats, texel: float, sharp: float) -> Floats:
    """Height over the smooth surface in metres, as far as a photo tells it: dark is deep.

    On rendered faces at 1.2 pixels per millimetre what is dark and what is deep have nothing to do with each other
    (correlations within 0.03 in bands up to 3 mm; the shade of the true relief is lost in the skin's own changes of
    colour), so relief from such a photo would be worse than none.

    Args:
        luminance: (S, S) log luminance of what the photo adds to the smooth skin.
        flat: (S, S) 0..1 where dark means hair rather than depth.
        texel: metres per texel.
        sharp: pixels per metre of the photo.

    Returns:
        (S, S) float32.
    """
    depth_fine, depth_middle = (
        depth * float(smoothstep(BELIEVED[0] / size, BELIEVED[1] / size, sharp))
        for depth, size in ((DEPTH_FINE, MIDDLE), (DEPTH_MIDDLE, COARSE))
    )
    if depth_fine == depth_middle == 0:
        return np.zeros_like(luminance)
    blurred = [cv2.GaussianBlur(luminance, (0, 0), max(s / texel, 0.4)) for s in (MIDDLE, COARSE)]
    fine, middle = luminance - blurred[0], blurred[0] - blurred[1]
    height = depth_fine * np.tanh(fine * np.float32(1 / 0.12))
    height += depth_middle * np.tanh(middle * np.float32(1 / 0.22))
    height *= 1 - flat
    result: Floats = height
    return result


def normals_of(height: Floats, texel: Floats) -> Floats:
    """Tangent-space normals (S, S, 3) float32, x along u, y along v (up), of a height map in metres.

    Args:
        texel: (S, S) or scalar metres per texel.
    """
    # A slope over three texels; row 0 is the top of the square.
    across = cv2.Scharr(height, cv2.CV_32F, 1, 0) / 32
    down = cv2.Scharr(height, cv2.CV_32F, 0, 1) / 32
    np.divide(across, -texel, out=across)
    np.divide(down, texel, out=down)
    np.clip(across, -1.5, 1.5, out=across)
    np.clip(down, -1.5, 1.5, out=down)
    upright = across * across
    upright += down * down
    upright += 1
    np.sqrt(upright, out=upright)
    np.reciprocal(upright, out=upright)
    across *= upright
    down *= upright
    normal: Floats = cv2.merge([across, down, upright])
    return normal


def micro_relief(atlas: Atlas, seed: int) -> Floats:
    """Pores and furrows over an atlas, (S, S) in -1..1, a pattern that repeats every `TILE` texels."""
    texel = atlas.texel
    side = min(TILE, atlas.size)
    tile = _tile(side, max(round(side * texel / CELL), 4), seed)
    count = -(-atlas.size // side)
    return np.tile(tile, (count, count))[: atlas.size, : atlas.size]


@lru_cache(maxsize=8)
def _tile(side: int, cells: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    cells = min(cells, side // 2)
    grid = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1).reshape(-1, 2)
    sites = (grid + 0.5 + random.uniform(-0.45, 0.45, grid.shape)) / cells % 1.0
    tree = cKDTree(sites, boxsize=1.0)
    places = (np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1) + 0.5) / side
    first, second = np.moveaxis(tree.query(places, k=2)[0] * cells, -1, 0)
    furrow = np.exp(-(((second - first) / 0.16) ** 2))
    depth = random.uniform(0.5, 1.0, len(sites))[tree.query(places)[1]]
    pore = np.exp(-((first / 0.22) ** 2)) * smoothstep(0.8, 0.95, depth)
    relief = depth * 0.4 - 0.8 * furrow - 1.2 * pore
    relief -= relief.mean()
    result: Floats = np.clip(relief, -1, 1).astype(np.float32)
    return result
