"""Boxes of faces by FaceBoxes as 3DDFA_V2 runs it: resize rule, prior boxes, decoding, suppression.

Source: 3DDFA_V2 (Guo et al., ECCV 2020), its ``FaceBoxes`` folder; pixels are those of the picture given.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.networks.faceboxes import FaceBoxes

__all__ = ["detect", "detector_input", "priors", "raw"]

Floats = NDArray[np.float32]

TALLEST, WIDEST = 720, 1080
MEAN = (104.0, 117.0, 123.0)
"""Blue, green, red."""
KEEP, TOP, MOST = 0.05, 5000, 750
"""Least score before suppression; how many before it and after."""
OVERLAP = 0.3
SURE = 0.5
"""Least score of what is returned."""
GRIDS = {
    32: ((32, (0.0, 0.25, 0.5, 0.75)), (64, (0.0, 0.5)), (128, (0.5,))),
    64: ((256, (0.5,)),),
    128: ((512, (0.5,)),),
}
"""Per step of a grid the sides of its boxes, pixels, and where in a cell they are centred."""


@lru_cache(maxsize=8)
def priors(height: int, width: int) -> Tensor:
    """Prior boxes (N, 4) float32 as centre x, y, width, height in shares of a picture of that size."""
    boxes = []
    for step, kinds in GRIDS.items():
        rows, columns = -(-height // step), -(-width // step)
        per_cell = []
        for size, offsets in kinds:
            x, y = np.meshgrid(offsets, offsets)
            per_cell.append(np.stack([x.ravel(), y.ravel(), np.full(x.size, size), np.full(x.size, size)], 1))
        cell = np.concatenate(per_cell)
        left, top = np.meshgrid(np.arange(columns), np.arange(rows))
        corner = np.stack([left.ravel(), top.ravel()], 1)[:, None]
        centres = (corner + cell[None, :, :2]) * step / np.array([width, height])
        sizes = np.broadcast_to(cell[None, :, 2:] / np.array([width, height]), centres.shape)
        boxes.append(np.concatenate([centres, sizes], 2).reshape(-1, 4))
    return torch.from_numpy(np.concatenate(boxes).astype(np.float32))


def detector_input(picture: NDArray[np.uint8]) -> tuple[Tensor, float]:
    """What the network sees of a picture (H, W, 3) uint8 BGR: (1, 3, h, w) float32, and by how much it was shrunk."""
    height, width = picture.shape[:2]
    scale = TALLEST / height if height > TALLEST else 1.0
    if width * scale > WIDEST:
        scale *= WIDEST / (width * scale)
    if scale != 1:
        picture = np.asarray(cv2.resize(picture, (int(width * scale), int(height * scale))), np.uint8)
    seen = torch.from_numpy(np.ascontiguousarray(picture)).float().sub_(torch.tensor(MEAN))
    return seen.permute(2, 0, 1)[None], scale  # pixel by pixel in memory, which convolutions like best


@torch.inference_mode()
def raw(network: FaceBoxes, picture: NDArray[np.uint8]) -> tuple[Tensor, Tensor, tuple[int, int], float]:
    """Offsets (N, 4), scores (N,), the size (h, w) that the network saw, and the scale."""
    seen, scale = detector_input(picture)
    loc, score = network(seen)
    return loc, score, (seen.shape[2], seen.shape[3]), scale


def detect(network: FaceBoxes, picture: NDArray[np.uint8], sure: float = SURE) -> Floats:
    """Faces of a picture.

    Args:
        picture: (H, W, 3) uint8 BGR.
        sure: least score.

    Returns:
        (n, 5) float32: left, top, right, bottom, score in pixels, the best first; boxes may leave the picture.
    """
    loc, score, (height, width), scale = raw(network, picture)
    wanted = torch.nonzero(score > KEEP)[:, 0]
    if not len(wanted):
        return np.zeros((0, 5), np.float32)
    prior, loc, found = priors(height, width)[wanted], loc[wanted], score[wanted].numpy()
    centre = prior[:, :2] + loc[:, :2] * 0.1 * prior[:, 2:]
    size = prior[:, 2:] * torch.exp(loc[:, 2:] * 0.2)
    corner = centre - size / 2
    boxes = torch.cat([corner, corner + size], 1) * torch.tensor([width, height, width, height]) / scale
    order = found.argsort()[::-1][:TOP]
    rows = np.concatenate([boxes.numpy(), found[:, None]], 1)[order].astype(np.float32)
    rows = rows[_suppressed(rows)][:MOST]
    faces: Floats = rows[rows[:, 4] > sure]
    return faces


def _suppressed(rows: Floats) -> list[int]:
    """Indices of boxes, the best first, that none better covers; a box's last pixel counts into it."""
    left, top, right, bottom = rows[:, :4].T
    area = (right - left + 1) * (bottom - top + 1)
    kept, alive = [], np.ones(len(rows), bool)
    for i in range(len(rows)):
        if not alive[i]:
            continue
        kept.append(i)
        width = np.minimum(right, right[i]) - np.maximum(left, left[i]) + 1
        height = np.minimum(bottom, bottom[i]) - np.maximum(top, top[i]) + 1
        both = np.maximum(width, 0) * np.maximum(height, 0)
        alive &= both / (area + area[i] - both) < OVERLAP
    return kept
