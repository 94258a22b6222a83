"""Eyelashes as strands on the lash strips: u runs along the lid, v from root to tip, upper lids above the lower ones.

The photo's own lash line is in the skin below: strands begin fainter, so that the line is not drawn twice.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.heads.anny_parts import LOWER_LASHES, UPPER_LASHES

__all__ = ["lashes_material"]

FINE = 4  # drawn larger and shrunk: strands are thinner than a texel at their tips
# Lashes along a lid; their thickness as a share of the lid; how opaque one is, and at the root as a share of that.
UPPER = (96, 0.0034, 0.95, 0.7)
LOWER = (30, 0.0020, 0.30, 0.4)


def lashes_material(hair: NDArray[np.float32], size: int, seed: int) -> Material:
    """Lashes somewhat darker than the hair, whose log colour (3,) is given; size: side of the map in texels."""
    random = np.random.default_rng(seed)
    alpha = np.zeros((size, size), np.uint8)
    for (count, thickness, opacity, root), (low, high) in ((UPPER, UPPER_LASHES), (LOWER, LOWER_LASHES)):
        band = slice(size - round(high * size), size - round(low * size))
        rows = band.stop - band.start
        away = 1 - (np.arange(rows) + 0.5) / rows
        rise = root + (1 - root) * np.clip(away / 0.45, 0, 1)
        alpha[band] = np.rint(_strands(count, thickness, rows, size, random) * (opacity * rise)[:, None])
    dark = np.clip(np.exp(0.5 * hair + 0.5 * hair.mean()) * 0.2, 0.005, 0.07)
    values = {"albedo": [round(float(c), 4) for c in dark], "roughness": 0.5, "specular": 0.2}
    return Material({"alpha": Map(alpha, "linear")}, values)


def _strands(count: int, thickness: float, high: int, wide: int, random: np.random.Generator) -> NDArray[np.uint8]:
    """One lid's lashes, (high, wide), roots in the last row."""
    drawn = np.zeros((high * FINE, wide * FINE), np.uint8)
    clump = np.cumsum(random.normal(0, 1, count))
    for i in range(count):
        root = (i + 0.5 + random.uniform(-0.4, 0.4)) / count
        length = random.uniform(0.5, 1.0) * (1 - 0.3 * abs(2 * root - 1) ** 2)
        # Lashes fan out from the middle of the lid and lean on their neighbours.
        lean = 0.045 * (2 * root - 1) + 0.012 * np.sin(clump[i]) + random.normal(0, 0.006)
        curl = random.normal(0, 0.006)
        t = np.linspace(0, 1, 12)
        u = root + lean * t + curl * t**2
        points = np.stack([u * drawn.shape[1], (1 - length * t) * drawn.shape[0]], 1)
        for k in range(len(t) - 1):
            thick = max(round(thickness * drawn.shape[1] * (1 - t[k]) ** 0.7), 1)
            a, b = (np.rint(points[j] * 16).astype(int).tolist() for j in (k, k + 1))
            cv2.line(drawn, a, b, 255, thick, cv2.LINE_AA, 4)
    small: NDArray[np.uint8] = cv2.resize(drawn, (wide, high), interpolation=cv2.INTER_AREA).astype(np.uint8)
    return small
