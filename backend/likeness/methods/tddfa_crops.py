"""The square of a photo that 3DDFA's regressors look at, from a box or from landmarks.

Source: 3DDFA_V2's ``utils/functions.py`` as specified; pixels of the photo, x right, y down.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["SIDE", "crop", "network_input", "roi_from_box", "roi_from_points"]

SIDE = 120

Roi = tuple[float, float, float, float]
"""Left, top, right, bottom; not rounded."""


def roi_from_box(box: NDArray[np.float32]) -> Roi:
    """From a detector's box (left, top, right, bottom, …): lower and larger than it."""
    left, top, right, bottom = (float(v) for v in box[:4])
    old = (right - left + bottom - top) / 2
    x, y = right - (right - left) / 2, bottom - (bottom - top) / 2 + old * 0.14
    size = int(old * 1.58)
    return x - size / 2, y - size / 2, x - size / 2 + size, y - size / 2 + size


def roi_from_points(points: NDArray[np.float32]) -> Roi:
    """From points (2 or 3, n): around their bounds, as far as the diagonal of the longer side's square."""
    x, y = points[0].astype(np.float64), points[1].astype(np.float64)
    radius = max(x.max() - x.min(), y.max() - y.min()) / 2
    half = math.sqrt(2) * radius
    middle = (x.min() + x.max()) / 2, (y.min() + y.max()) / 2
    return middle[0] - half, middle[1] - half, middle[0] + half, middle[1] + half


def crop(picture: NDArray[np.uint8], roi: Roi) -> NDArray[np.uint8]:
    """The region of a picture (H, W, 3) as (120, 120, 3); zeros outside the picture."""
    left, top, right, bottom = (round(v) for v in roi)
    height, width = picture.shape[:2]
    window = np.zeros((max(bottom - top, 1), max(right - left, 1), 3), np.uint8)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(right, width), min(bottom, height)
    if x1 > x0 and y1 > y0:
        window[y0 - top : y1 - top, x0 - left : x1 - left] = picture[y0:y1, x0:x1]
    return np.asarray(cv2.resize(window, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)


def network_input(crops: NDArray[np.uint8]) -> Tensor:
    """(B, 120, 120, 3) uint8 BGR to (B, 3, 120, 120) float32."""
    return (torch.from_numpy(crops).permute(0, 3, 1, 2).float() - 127.5) / 128.0
