"""Eyelashes as strands on the lash strips: u runs along the lid, v from root (0) to tip (1)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material

__all__ = ["lashes_material"]

COUNT = 110
"""Lashes along a lid, in two or three rows."""


def lashes_material(hair: NDArray[np.float32], size: int, seed: int) -> Material:
    """Lashes somewhat darker than the hair, whose log colour (3,) is given; size: side of the map in texels."""
    random = np.random.default_rng(seed)
    fine = 4  # drawn larger and shrunk: strands are thinner than a texel at their tips
    wide = size * fine
    alpha = np.zeros((size * 2, wide), np.uint8)
    high = alpha.shape[0]
    clump = np.cumsum(random.normal(0, 1, COUNT))
    for i in range(COUNT):
        root = (i + 0.5 + random.uniform(-0.4, 0.4)) / COUNT
        length = random.uniform(0.55, 1.0) * (1 - 0.25 * abs(2 * root - 1) ** 2)
        # Lashes fan out from the middle of the lid and lean on their neighbours.
        lean = 0.045 * (2 * root - 1) + 0.012 * np.sin(clump[i]) + random.normal(0, 0.006)
        curl = random.normal(0, 0.006)
        t = np.linspace(0, 1, 12)
        u = root + lean * t + curl * t**2
        v = length * t
        points = np.stack([u * wide, (1 - v) * high], 1)
        for k in range(len(t) - 1):
            thick = max(round(0.0032 * wide * (1 - t[k]) ** 0.7), 1)
            a, b = (np.rint(points[j] * 16).astype(int).tolist() for j in (k, k + 1))
            cv2.line(alpha, a, b, 255, thick, cv2.LINE_AA, 4)
    alpha = cv2.resize(alpha, (size, size), interpolation=cv2.INTER_AREA)
    dark = np.clip(np.exp(0.5 * hair + 0.5 * hair.mean()) * 0.22, 0.004, 0.03)
    values = {"albedo": [round(float(c), 4) for c in dark], "roughness": 0.5, "specular": 0.3}
    return Material({"alpha": Map(alpha, "linear")}, values)
