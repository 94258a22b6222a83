"""What DECA and RingNet look at: a square of the photo around the face, 224 pixels a side.

Coordinates here count from pixel centres, as the originals do: the first pixel's centre is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["SIDE", "Crop", "Window", "box_crop", "landmark_crop", "ringnet_window", "whole_crop"]

SIDE = 224
ROOM = 1.25
"""The square's side as a multiple of the face's size."""
LANDMARKS_TO_FACE = 1.1
"""Size of a face as a multiple of the mean side of its landmarks' box."""
DOWN = 0.12
"""How far below a detector's box the face's middle is taken to be, in sizes."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Crop:
    """A square cut out of a photo.

    Attributes:
        matrix: (3, 3) float64, photo to crop, a similarity.
    """

    matrix: Floats

    @property
    def scale(self) -> float:
        """Photo pixels per pixel of the crop."""
        return float(1 / np.hypot(self.matrix[0, 0], self.matrix[1, 0]))

    def cut(self, pixels: NDArray[np.uint8]) -> Tensor:
        """(3, 224, 224) float32 RGB in 0..1 of pixels (H, W, 3): bilinear, black outside, not averaged."""
        to_photo = np.linalg.inv(self.matrix)
        row, column = np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij")
        places = np.stack([column, row, np.ones_like(row)], -1) @ to_photo.T
        height, width = pixels.shape[:2]
        # Only the part that is looked at becomes floating point.
        low = np.clip(np.floor(places[..., :2].min((0, 1))).astype(int) - 1, 0, (width - 1, height - 1))
        high = np.clip(np.ceil(places[..., :2].max((0, 1))).astype(int) + 2, low + 1, (width, height))
        part = torch.from_numpy(np.ascontiguousarray(pixels[low[1] : high[1], low[0] : high[0]]))
        picture = functional.pad(part.permute(2, 0, 1).double() / 255, (1, 1, 1, 1))
        size = np.array([picture.shape[2], picture.shape[1]]) - 1
        where = torch.from_numpy(2 * (places[..., :2] - low + 1) / size - 1)
        cut = functional.grid_sample(picture[None], where[None], mode="bilinear", align_corners=True)
        return cut[0].float()


def landmark_crop(points: Floats) -> Crop:
    """DECA's square around 68 landmarks (N, 2) in pixels of the photo."""
    low, high = points.min(0), points.max(0)
    return _square((low + high) / 2, float((high - low).mean()) * LANDMARKS_TO_FACE)


def box_crop(box: Floats) -> Crop:
    """DECA's square around a detector's box (4,): left, top, right, bottom."""
    size = float((box[2:] - box[:2]).mean())
    return _square((box[:2] + box[2:]) / 2 + (0, DOWN * size), size)


def whole_crop(width: int, height: int) -> Crop:
    """The original's treatment of a photo that is cropped already; one that is not square comes out turned."""
    return Crop(_similarity(np.array([[0, 0], [0, height - 1], [width - 1, 0]], np.float64)))


def _square(centre: Floats, size: float) -> Crop:
    side = int(size * ROOM)
    left, top = centre - side / 2
    return Crop(_similarity(np.array([[left, top], [left, top + side], [left + side, top]])))


def _similarity(corners: Floats) -> Floats:
    """The similarity (3, 3) that best sends corners (3, 2), upper left, lower left, upper right, to the crop's.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns", PAMI 1991.
    """
    goal = np.array([[0, 0], [0, SIDE - 1], [SIDE - 1, 0]], np.float64)
    a, b = corners - corners.mean(0), goal - goal.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a / 3)
    sign = np.array([1.0, np.sign(np.linalg.det(u) * np.linalg.det(vt))])
    rotation = u * sign @ vt
    scale = float(s @ sign / a.var(0).sum())
    matrix = np.eye(3)
    matrix[:2, :2] = scale * rotation
    matrix[:2, 2] = goal.mean(0) - scale * rotation @ corners.mean(0)
    return matrix


@dataclass(frozen=True, eq=False)
class Window:
    """What RingNet's demo makes of a picture.

    Attributes:
        pixels: (224, 224, 3) float32 RGB in -1..1.
        scale: crop pixels per pixel of the picture.
        start: (2,) x, y of the crop's corner in the scaled picture, counted with its border of 112 pixels.
    """

    pixels: NDArray[np.float32]
    scale: float
    start: NDArray[np.int64]


def ringnet_window(picture: NDArray[np.uint8]) -> Window:
    """Scale a loose crop (H, W, 3) so that its longer side is 224, repeat its edges, and take the middle."""
    height, width = picture.shape[:2]
    scale = 1.0 if max(height, width) == SIDE else SIDE / max(height, width)
    new_height, new_width = int(np.floor(height * scale)), int(np.floor(width * scale))
    scaled = cv2.resize(picture, (new_width, new_height), interpolation=cv2.INTER_LINEAR)
    factors = np.array([new_width / width, new_height / height])
    centre = np.round(np.array([width, height]) / 2)
    start = np.round(centre * factors).astype(np.int64)
    half = SIDE // 2
    framed = cv2.copyMakeBorder(scaled, half, half, half, half, cv2.BORDER_REPLICATE)
    window = framed[start[1] : start[1] + SIDE, start[0] : start[0] + SIDE]
    return Window((2 * (window.astype(np.float32) / 255 - 0.5)).astype(np.float32), scale, start)
