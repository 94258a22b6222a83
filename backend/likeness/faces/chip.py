"""Aligned chips of faces, cut as dlib cuts them: to the last bit, or in floating point with gradients to the picture.

Source: King, "Dlib-ml", JMLR 2009 (get_face_chip_details and extract_image_chips); the least-squares similarity is
Umeyama's, TPAMI 1991. The mean face is dlib's (LICENSES/BSL-1.0.txt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["FIVE", "SIZE", "TARGET", "cut", "cut_smoothly"]

Float = NDArray[np.float64]

SIZE = 150
FIVE = (263, 362, 33, 133, 2)
"""The landmarks that dlib's five are: corners of the eye on the picture's right, outer then inner, of the one on the
left, and where the nose meets the lip."""
_PADDING = 0.25
# Copyright (C) 2003 Davis E. King (davis@dlib.net); Boost Software License 1.0.
_MEAN = (
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.4901123135679, 0.6277975316475),
)
TARGET: Float = SIZE * (_PADDING + np.array(_MEAN)) / (1 + 2 * _PADDING)
"""(5, 2) where the five lie in a chip, in pixels from the first one's upper left corner."""
_TAPS = (1, 4, 6, 4, 1)


@dataclass(frozen=True)
class Place:
    """Where a chip lies in a picture. Pixels are counted from the first one's centre, as dlib counts them.

    Attributes:
        left, top, right, bottom: the part of the picture that is looked at; right and bottom are outside of it.
        halvings: how often that part is halved first.
        start: (2,) x, y of the chip's first pixel there.
        across, down: (2,) from the first pixel to the last one of its row, and of its column.
    """

    left: int
    top: int
    right: int
    bottom: int
    halvings: int
    start: Float
    across: Float
    down: Float


def place(five: Float, width: int, height: int) -> Place:
    """Where the chip of a face lies: five (5, 2) pixels in the order of `FIVE`, of a picture of that size."""
    scale, angle, centre = _similarity(five)
    half = (SIZE * scale - 1) / 2
    corners = np.stack([centre - half, centre + half])
    halvings, margin, smaller = 0, 2, _halved(corners)
    while np.prod(smaller[1] - smaller[0] + 1) > SIZE * SIZE:
        halvings, margin, smaller = halvings + 1, margin * 2 + 2, _halved(smaller)
    turned = _turned(corners, angle)
    low, high = turned.min(0) - margin, turned.max(0) + margin
    low, high = np.maximum(low, 0), np.minimum(high, (width - 1, height - 1))
    (left, top), (right, bottom) = (np.floor(v + 0.5).astype(int).tolist() for v in (low, high))
    corners = corners - (left, top)
    for _ in range(halvings):
        corners = _halved(corners)
    start, across, down = _turned(corners, angle)[:3]
    return Place(left, top, right + 1, bottom + 1, halvings, start, across - start, down - start)


def _similarity(five: Float) -> tuple[float, float, Float]:
    """Scale and angle from the mean face to a face, and where the chip's middle lies, (2,)."""
    mean, there = TARGET.mean(0), five.mean(0)
    a, b = TARGET - mean, five - there
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.array([1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * sign) @ vt
    scale = float((s * sign).sum() / (a * a).sum())
    centre = there + scale * rotation @ (np.full(2, SIZE / 2) - mean)
    return scale, math.atan2(rotation[1, 0], rotation[0, 0]), centre


def _turned(corners: Float, angle: float) -> Float:
    """A rectangle's corners upper left, upper right, lower left, lower right, turned about its middle; (4, 2)."""
    (left, top), (right, bottom) = corners
    c, s = math.cos(angle), math.sin(angle)
    middle = corners.mean(0)
    every = np.array([[left, top], [right, top], [left, bottom], [right, bottom]]) - middle
    return np.asarray(every @ np.array([[c, s], [-s, c]]) + middle)


def _halved(points: Float) -> Float:
    """dlib's place of points in a picture of half the size; about a pixel off what `_half` does, and kept so."""
    return np.asarray(points / 2 - np.array([1.25, 0.75]))


def cut(pixels: NDArray[np.uint8], five: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """The chip of a face, every bit as dlib's get_face_chip makes it (size 150, padding 0.25).

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        five: (5, 2) in the order of `FIVE`; pixels of the picture (the first pixel's centre is 0.5, 0.5).

    Returns:
        (150, 150, 3) uint8 sRGB, upright; black where it reaches beyond the picture.
    """
    height, width = pixels.shape[:2]
    where = place(np.asarray(five, np.float64) - 0.5, width, height)
    part = pixels[where.top : where.bottom, where.left : where.right]
    for _ in range(where.halvings):
        part = _half(part)
    steps = np.arange(SIZE) / (SIZE - 1)
    x, y = (where.start[i] + steps * where.across[i] + steps[:, None] * where.down[i] for i in (0, 1))
    rows, columns = part.shape[:2]
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (left >= 0) & (top >= 0) & (left + 1 < columns) & (top + 1 < rows)
    chip = np.zeros((SIZE, SIZE, 3), np.uint8)
    left, top = left[inside], top[inside]
    u, v = (x[inside] - left)[:, None], (y[inside] - top)[:, None]
    corner = part.astype(np.float64)
    upper = (1 - u) * corner[top, left] + u * corner[top, left + 1]
    lower = (1 - u) * corner[top + 1, left] + u * corner[top + 1, left + 1]
    chip[inside] = (1 - v) * upper + v * lower  # cut off, not rounded, as dlib does
    return chip


def _half(part: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half as large, (h - 3) // 2 rows and the like for columns; its first pixel lies on the third of before."""
    sums = part.astype(np.int64)
    for axis in (0, 1):
        count = (sums.shape[axis] - 3) // 2
        taps = [np.take(sums, np.arange(count) * 2 + i, axis) * tap for i, tap in enumerate(_TAPS)]
        sums = sum(taps[1:], taps[0])
    return (sums // 256).astype(np.uint8)


def cut_smoothly(image: Tensor, five: NDArray[np.floating[Any]]) -> Tensor:
    """The same chip in floating point, with gradients to the picture.

    Args:
        image: (C, H, W) float.
        five: as in `cut`; no gradients flow to it.

    Returns:
        (C, 150, 150).
    """
    height, width = image.shape[1:]
    where = place(np.asarray(five, np.float64) - 0.5, width, height)
    part = image[:, where.top : where.bottom, where.left : where.right]
    if where.halvings:
        taps = image.new_tensor(_TAPS) / 16
        kernel = (taps[:, None] * taps).expand(len(image), 1, 5, 5)
        for _ in range(where.halvings):
            part = functional.conv2d(part, kernel, stride=2, groups=len(image))
    last = np.array([part.shape[2] - 1, part.shape[1] - 1], np.float64)
    middle = where.start + (where.across + where.down) / 2
    matrix = np.column_stack([where.across / last, where.down / last, middle * 2 / last - 1])
    theta = torch.as_tensor(matrix, dtype=image.dtype, device=image.device)[None]
    grid = functional.affine_grid(theta, [1, len(image), SIZE, SIZE], align_corners=True)
    chip = functional.grid_sample(part[None], grid, align_corners=True)[0]
    return chip * ((grid >= -1) & (grid < 1)).all(-1).to(image.dtype)
