"""Eyelashes as strands on the lash strips: u runs along the lid, v from root to tip, upper lids above the lower ones.

Where they grow they stand so close that they look like a line, darker the darker the photo shows it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.heads.anny_parts import LOWER_LASHES, UPPER_LASHES
from likeness.maps.lash_line import USUAL
from likeness.maps.places import smoothstep

__all__ = ["lashes_material"]

FINE = 4  # drawn larger and shrunk: strands are thinner than a texel at their tips
# Lashes along a lid; their thickness as a share of the lid; how opaque one is; how opaque the line at their roots is.
UPPER = (110, 0.0036, 0.95, (0.35, 0.95))
LOWER = (30, 0.0020, 0.30, (0.05, 0.45))
LINE = 0.12
"""Share of the lashes' length over which the line at their roots fades once they have left the lid."""
BLACK = 0.006
"""Linear albedo of mascara."""


def lashes_material(
    hair: NDArray[np.float32], size: int, seed: int, dark: float = USUAL, roots: float = 0.0
) -> Material:
    """Lashes somewhat darker than the hair.

    Args:
        hair: (3,) log colour; size: side of the map in texels; seed: of chance.
        dark: 0..1, how dark the photos show them, see `likeness.maps.lash_line`.
        roots: share of their length that lies in the lid, see `likeness.maps.lash_roots`.
    """
    random = np.random.default_rng(seed)
    alpha = np.zeros((size, size), np.uint8)
    for (count, thickness, opacity, line), (low, high) in ((UPPER, UPPER_LASHES), (LOWER, LOWER_LASHES)):
        band = slice(size - round(high * size), size - round(low * size))
        rows = band.stop - band.start
        away = 1 - (np.arange(rows) + 0.5) / rows
        thick = thickness * (0.8 + 0.7 * dark)
        strands = _strands(count, thick, rows, size, random) * np.float32(opacity)
        # Thinner towards both corners, as the lashes are.
        along = np.sin(np.pi * (np.arange(size) + 0.5) / size) ** 0.5
        fades = smoothstep(roots + LINE, roots, away)[:, None]
        close = 255 * (line[0] + (line[1] - line[0]) * dark) * fades * along
        alpha[band] = np.rint(np.maximum(strands, close))
    colour = np.clip(np.exp(0.5 * hair + 0.5 * hair.mean()) * 0.2, 0.005, 0.07)
    colour = colour + (BLACK - colour) * dark**2
    values = {"albedo": [round(float(c), 4) for c in colour], "roughness": 0.5, "specular": 0.2}
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
