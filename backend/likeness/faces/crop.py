"""Upright square windows cut out of a photo, and the way back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Window", "fitted"]


@dataclass(frozen=True)
class Window:
    """A turned square in a photo.

    Attributes:
        x, y: its centre in pixels of the photo (the first pixel's centre is 0.5, 0.5).
        side: in pixels of the photo.
        angle: radians; clockwise in the picture.
    """

    x: float
    y: float
    side: float
    angle: float

    def cut(self, pixels: NDArray[np.uint8], size: int, border: int = cv2.BORDER_REPLICATE) -> NDArray[np.uint8]:
        """The window as (size, size, 3) uint8, turned upright; shrinking averages, so that detail does not alias."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        half = self.side / 2 * (abs(c) + abs(s)) + 2
        height, width = pixels.shape[:2]
        left, right = _span(self.x, half, width)
        top, bottom = _span(self.y, half, height)
        region = pixels[top:bottom, left:right]
        step = self.side / size
        fx = fy = 1.0
        if step > 1.5:
            columns, rows = (max(1, round(n / step)) for n in (right - left, bottom - top))
            fx, fy = columns / (right - left), rows / (bottom - top)
            region = cv2.resize(region, (columns, rows), interpolation=cv2.INTER_AREA)

        scale = np.diag([fx, fy])
        linear = scale @ (step * np.array([[c, -s], [s, c]]))
        offset = scale @ np.array([self.x - left, self.y - top]) - linear @ np.full(2, size / 2)
        # cv2 counts from pixel centres, we count from pixel corners.
        offset += linear @ np.full(2, 0.5) - 0.5
        matrix = np.column_stack([linear, offset])
        return np.asarray(
            cv2.warpAffine(
                region, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border
            ),
            np.uint8,
        )

    def to_photo(self, points: NDArray[np.floating[Any]], size: int) -> NDArray[np.float64]:
        """Points (N, 2 or 3) in pixels of the cut of that size to pixels of the photo; a third column is scaled."""
        scale = self.side / size
        result = np.asarray(points, np.float64) * scale
        c, s = math.cos(self.angle), math.sin(self.angle)
        centred = result[:, :2] - self.side / 2
        result[:, :2] = centred @ np.array([[c, s], [-s, c]]) + [self.x, self.y]
        return result

    def from_photo(self, points: NDArray[np.floating[Any]], size: int) -> NDArray[np.float64]:
        """Points (N, 2) in pixels of the photo to pixels of the cut of that size."""
        c, s = math.cos(self.angle), math.sin(self.angle)
        centred = (np.asarray(points, np.float64) - [self.x, self.y]) @ np.array([[c, -s], [s, c]])
        return np.asarray((centred + self.side / 2) * (size / self.side))


def fitted(points: NDArray[np.float64], angle: float, margin: float) -> Window:
    """The smallest window turned by `angle` that holds the points (N, 2) in pixels, its side widened by `margin`."""
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array([[c, -s], [s, c]])
    upright = points @ turn
    low, high = upright.min(axis=0), upright.max(axis=0)
    x, y = turn @ ((low + high) / 2)
    return Window(float(x), float(y), float((high - low).max()) * margin, angle)


def _span(centre: float, half: float, limit: int) -> tuple[int, int]:
    """The part of centre ± half that lies in the picture, at least one pixel."""
    low = min(max(math.floor(centre - half), 0), limit - 1)
    return low, max(min(math.ceil(centre + half), limit), low + 1)
