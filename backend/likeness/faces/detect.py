"""Where the faces are: two BlazeFace detectors over windows of a photo.

Short range (128 pixels) sees faces that fill more than about a sixth of the window, full range (192 pixels) smaller
ones. Source: Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.crop import Window, fitted
from likeness.networks.graph import face_network, one_thread

__all__ = ["Candidate", "Detector", "detect", "merged"]

Detector = Literal["short_range", "full_range"]
Floats = NDArray[np.float64]

_SIZES: dict[Detector, int] = {"short_range": 128, "full_range": 192}
# Anchor grids as (cells a side, anchors a cell).
_GRIDS: dict[Detector, tuple[tuple[int, int], ...]] = {"short_range": ((16, 2), (8, 6)), "full_range": ((48, 1),)}
_OVERLAP = 0.3


@dataclass(frozen=True, eq=False)
class Candidate:
    """A detection in pixels of the photo.

    Attributes:
        corners: (4, 2) of its box, which may be turned.
        keypoints: (6, 2); eye on the picture's left, the other eye, nose tip, mouth, ear, ear.
        score: 0..1.
    """

    corners: Floats
    keypoints: Floats
    score: float

    @property
    def angle(self) -> float:
        """Direction from eye to eye in radians, clockwise in the picture."""
        dx, dy = self.keypoints[1] - self.keypoints[0]
        return math.atan2(dy, dx)

    @property
    def box(self) -> Floats:
        """(4,) left, top, right, bottom around the corners."""
        return np.concatenate([self.corners.min(axis=0), self.corners.max(axis=0)])

    def window(self) -> Window:
        """The square to look for landmarks in: the box, 1.5 times as wide, turned upright by the eyes."""
        x, y = self.corners.mean(axis=0)
        side = float(np.linalg.norm(self.corners[1] - self.corners[0]))
        return Window(float(x), float(y), 1.5 * side, self.angle)


@cache
def _anchors(detector: Detector) -> Floats:
    """(A, 2) anchor centres in 0..1."""
    parts = []
    for cells, repeats in _GRIDS[detector]:
        centres = (np.arange(cells) + 0.5) / cells
        y, x = np.meshgrid(centres, centres, indexing="ij")
        parts.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(parts)


def detect(pixels: NDArray[np.uint8], window: Window, detector: Detector, least: float) -> list[Candidate]:
    """Candidates (best first) of at least a score, seen in one window of a photo (H, W, 3) uint8."""
    size = _SIZES[detector]
    cut = window.cut(pixels, size, cv2.BORDER_CONSTANT)
    image = torch.from_numpy(cut).permute(2, 0, 1)[None].float() / 127.5 - 1
    with one_thread():
        boxes, scores = (t[0].numpy().astype(np.float64) for t in face_network(detector)(image))
    score = 1 / (1 + np.exp(-scores[:, 0].clip(-100, 100)))
    keep = score >= least
    raw = boxes[keep].reshape(-1, 8, 2)
    centre = _anchors(detector)[keep][:, None] * size
    middle, extent, keypoints = raw[:, :1] + centre, raw[:, 1:2], raw[:, 2:] + centre
    # The corners in the order in which the middle of the list of points is the middle of the box.
    signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) / 2
    points = np.concatenate([middle + signs * extent, keypoints], axis=1)
    found = []
    for p, s in _weighted(points, score[keep]):
        at = window.to_photo(p, size)
        found.append(Candidate(at[:4], at[4:], s))
    return found


def _weighted(points: Floats, scores: Floats) -> list[tuple[Floats, float]]:
    """Non-maximum suppression in which overlapping boxes are averaged by their scores instead of dropped."""
    boxes = np.concatenate([points[:, 0], points[:, 2]], axis=1)
    left = np.argsort(-scores)
    result = []
    while left.size:
        near = _overlaps(boxes[left[0]], boxes[left]) > _OVERLAP
        near[0] = True
        group = left[near]
        result.append((np.average(points[group], axis=0, weights=scores[group]), float(scores[group[0]])))
        left = left[~near]
    return result


def _overlaps(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of one box (4,) with many (N, 4)."""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(np.clip(boxes[:, 2:] - boxes[:, :2], 0, None), axis=1)
    return np.asarray(shared / np.maximum(areas + np.prod(box[2:] - box[:2]) - shared, 1e-9))


def merged(boxes: Floats, scores: Floats) -> list[int]:
    """Of boxes (N, 4) that overlap only the best scored: their numbers, best first."""
    left = np.argsort(-scores)
    result = []
    while left.size:
        result.append(int(left[0]))
        left = left[1:][_overlaps(boxes[left[0]], boxes[left[1:]]) <= _OVERLAP]
    return result


def whole(width: int, height: int, quarter_turns: int = 0) -> Window:
    """The window that just holds a whole photo, seen after some clockwise quarter turns of it."""
    return fitted(np.array([[0.0, 0.0], [width, height]]), -quarter_turns * math.pi / 2, 1.0)
