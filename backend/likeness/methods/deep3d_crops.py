"""What Deep3D looks at: 224 pixels a side, scaled and moved, never turned, so that five landmarks lie as on its mean.

Source: ``util/preprocess.py`` of its PyTorch release as specified. Coordinates that count from pixel centres, y up, are
called points there and here; pixels of crop and photo are continuous, y down, the first pixel's centre at 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from likeness.faces.arcface_chip import ARCFACE

__all__ = ["SIDE", "Aligned", "align", "arcface_matrix", "five_points"]

Floats = NDArray[np.float64]

SIDE = 224
SIZE = 102.0
"""Crop pixels that a unit of the standard face (a decimetre) takes."""
MOST = 1 << 24
"""Pixels of a photo that is scaled as a whole."""


@dataclass(frozen=True, eq=False)
class Aligned:
    """A crop of a photo.

    Attributes:
        pixels: (224, 224, 3) uint8 RGB, black outside of the photo.
        size: width and height of the photo; scaled: those it was scaled to.
        scale: crop pixels per photo pixel; middle: (2,) point of the photo that the standard face's origin lands on.
        corner: (2,) left and top of the crop in the scaled photo, whole pixels.
    """

    pixels: NDArray[np.uint8]
    size: tuple[int, int]
    scaled: tuple[int, int]
    scale: float
    middle: Floats
    corner: NDArray[np.int64]

    @property
    def per_pixel(self) -> Floats:
        """(2,) photo pixels per pixel of the crop, along x and y."""
        factors: Floats = np.array(self.size) / np.array(self.scaled)
        return factors

    def in_photo(self, pixels: Floats) -> Floats:
        """Pixels (N, 2) of the crop in the photo."""
        placed: Floats = (pixels + self.corner) * self.per_pixel
        return placed

    def points(self, points: Floats) -> Floats:
        """Points (N, 2) of the photo, y up, in the crop, y up, to a pixel: the crop's corner is a whole one."""
        moved: Floats = (points - self.middle + np.array(self.size) / 2) * self.scale
        return moved - (np.array(self.scaled) / 2 - SIDE / 2)


def five_points(points: Floats) -> Floats:
    """Eyes' middles, tip of the nose, corners of the mouth (5, D) out of 68 landmarks (68, D)."""
    picked: Floats = np.stack([(points[36] + points[39]) / 2, (points[42] + points[45]) / 2, *points[[30, 48, 54]]])
    return picked


def align(pixels: NDArray[np.uint8], points: Floats, standard: Floats) -> Aligned:
    """Cut out a face.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        points: (5, 2) or (68, 2) landmarks, from pixel centres, y down.
        standard: (5, 3) the same on the standard face.
    """
    height, width = pixels.shape[:2]
    five = np.array(points, np.float64)
    five[:, 1] = height - 1 - five[:, 1]
    five = five if len(five) == 5 else five_points(five)
    # Along each axis a free row of a camera without perspective; of the two only size and place are taken.
    known = np.concatenate([standard, np.ones((5, 1))], 1)
    rows, *_ = np.linalg.lstsq(known, five, rcond=None)
    scale = SIZE / float(np.linalg.norm(rows[:3], axis=0).mean())
    middle = rows[3]
    size, scaled = (width, height), (int(width * scale), int(height * scale))
    half = np.array(scaled) / 2 - SIDE / 2
    corner = np.trunc(half + (middle - np.array(size) / 2) * (1, -1) * scale).astype(np.int64)
    return Aligned(_cut(pixels, scaled, corner), size, scaled, scale, middle, corner)


def _cut(pixels: NDArray[np.uint8], scaled: tuple[int, int], corner: NDArray[np.int64]) -> NDArray[np.uint8]:
    """The crop of the photo scaled bicubically, as Pillow does it; of a large one only what is looked at is scaled."""
    if scaled[0] * scaled[1] <= MOST:
        left, top = corner.tolist()
        whole = Image.fromarray(pixels).resize(scaled, Image.Resampling.BICUBIC)
        return np.array(whole.crop((left, top, left + SIDE, top + SIDE)))
    window = np.zeros((SIDE, SIDE, 3), np.uint8)
    low, high = np.maximum(corner, 0), np.minimum(corner + SIDE, scaled)
    if (high <= low).any():
        return window
    per_pixel = np.array([pixels.shape[1], pixels.shape[0]]) / np.array(scaled)
    left, top = (float(v) for v in low * per_pixel)
    right, bottom = (float(v) for v in np.minimum(high * per_pixel, (pixels.shape[1], pixels.shape[0])))
    (w, h), (x, y) = (high - low).tolist(), (low - corner).tolist()
    part = Image.fromarray(pixels).resize((w, h), Image.Resampling.BICUBIC, (left, top, right, bottom))
    window[y : y + h, x : x + w] = np.asarray(part)
    return window


def arcface_matrix(points: Floats) -> Floats:
    """The similarity (2, 3) that best sends five landmarks (5, 2) to `ARCFACE`; pixel centres, y down."""
    here, there = (np.asarray(p, np.float64) @ (1, 1j) for p in (points, ARCFACE))
    a, b = here - here.mean(), there - there.mean()
    turn = (a.conj() @ b) / (a.conj() @ a).real
    shift = there.mean() - turn * here.mean()
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])
