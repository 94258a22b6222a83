"""VRN's arithmetic around its network: the crop, the surface of the volume, and the way back to the photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray

from likeness.heads.surface import normals, parts

__all__ = ["DEPTH", "LEVEL", "SIDE", "Cut", "before", "heatmaps", "isosurface", "largest_part", "smoothed", "sureness"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE, DEPTH = 192, 200
FACE = 90.0
"""Pixels: root of width times height of the 68 landmarks in the crop."""
LEVEL = 0.5
"""Share of belief at which a voxel is of the face."""
SMOOTH = ((0.5, -0.53), 12)
"""Taubin's two steps (SIGGRAPH 1995), and how often: the stairs between slices go, the shape stays."""


@dataclass(frozen=True)
class Cut:
    """The square that the network sees: pixel of the crop = scale * (pixel of the photo - middle) + 96.

    Pixels count from the first one's centre.
    """

    x: float
    y: float
    scale: float

    @classmethod
    def of_landmarks(cls, points: NDArray[np.floating[Any]]) -> Cut:
        """Around landmarks (68, 2), by the rule by which the original measures its error."""
        width, height = np.ptp(points, axis=0)
        x, y = points.mean(0)
        return cls(float(x), float(y), FACE / float(np.sqrt(width * height)))

    def crop(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(192, 192, 3) in 0..1, black outside; shrinking averages."""
        shrunk = min(1.0, self.scale)
        if shrunk < 1:
            size = [max(1, round(n * shrunk)) for n in pixels.shape[1::-1]]
            fx, fy = (n / old for n, old in zip(size, pixels.shape[1::-1], strict=True))
            pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
        else:
            fx = fy = 1.0
        kx, ky = self.scale / fx, self.scale / fy
        # Middles of pixels of the shrunk photo: fx * (x + 0.5) - 0.5.
        matrix = np.array(
            [
                [kx, 0, SIDE / 2 - kx * (fx * (self.x + 0.5) - 0.5)],
                [0, ky, SIDE / 2 - ky * (fy * (self.y + 0.5) - 0.5)],
            ]
        )
        cut = cv2.warpAffine(pixels.astype(np.float32) / 255, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
        return np.asarray(cut, np.float32)

    def in_photo(self, points: Floats) -> Floats:
        """Points (U, 3) of the crop in pixels of the photo, z in the same unit."""
        placed: Floats = (points - (SIDE / 2, SIDE / 2, 0)) / self.scale + (self.x, self.y, 0)
        return placed

    def in_crop(self, points: NDArray[np.floating[Any]]) -> Floats:
        """Points (N, 2) of the photo in the crop."""
        placed: Floats = (np.asarray(points, np.float64) - (self.x, self.y)) * self.scale + SIDE / 2
        return placed


def heatmaps(points: Floats) -> NDArray[np.float32]:
    """(68, 192, 192): a bell of one pixel around each landmark (68, 2) of the crop, as guided networks want it."""
    row, column = np.mgrid[:SIDE, :SIDE]
    square = (column - points[:, 0, None, None]) ** 2 + (row - points[:, 1, None, None]) ** 2
    bells: NDArray[np.float32] = np.where(square < 9, np.exp(-square / 2), 0).astype(np.float32)
    return bells


def isosurface(volume: NDArray[Any], level: float) -> tuple[Floats, Ints]:
    """The surface of a volume (200, 192, 192), depth first, where it crosses a level.

    Returns:
        Vertices (U, 3) in pixels of the crop, x right, y down, z nearer is larger and half a slice's number; triangles
        (T, 3), anticlockwise seen from outside once y points up. Empty where nothing crosses it.
    """
    from skimage.measure import marching_cubes  # takes long to load, and only this method needs it

    closed = np.pad(volume.astype(np.float32), 1)
    if not closed.max() > level:
        return np.zeros((0, 3)), np.zeros((0, 3), np.int64)
    found, triangles, _, _ = marching_cubes(closed, level)
    vertices = (found[:, ::-1].astype(np.float64) - 1) * (1, 1, 0.5)
    triangles = triangles.astype(np.int64)
    a, b, c = ((vertices * (1, -1, 1))[triangles[:, k]] for k in range(3))
    if np.einsum("tk,tk->", a, np.cross(b, c)) < 0:
        triangles = triangles[:, ::-1].copy()
    return vertices, triangles


def largest_part(vertices: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    """The connected part with the most vertices."""
    label = parts(triangles, len(vertices))
    keep = label == np.bincount(label[label >= 0]).argmax()
    return _kept(vertices, triangles, keep)


def before(vertices: Floats, triangles: Ints, least: float = 0.05) -> tuple[Floats, Ints]:
    """What of a closed surface looks at the camera, in one piece: the back of a volume is nobody's."""
    towards = normals(vertices * (1, -1, 1), triangles)[:, 2] > least
    return largest_part(*_kept(vertices, triangles, towards))


def _kept(vertices: Floats, triangles: Ints, keep: NDArray[np.bool_]) -> tuple[Floats, Ints]:
    number = np.cumsum(keep) - 1
    left = triangles[keep[triangles].all(1)]
    return vertices[keep], number[left]


def smoothed(vertices: Floats, triangles: Ints) -> Floats:
    """Vertices without the stairs of the slices; neither shrunk nor grown."""
    sides = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    ones = np.ones(len(sides))
    beside = sparse.coo_matrix((ones, (sides[:, 0], sides[:, 1])), (len(vertices),) * 2).tocsr()
    beside = ((beside + beside.T) > 0).astype(np.float64)
    mean = sparse.diags(1 / np.maximum(np.asarray(beside.sum(1)).ravel(), 1)) @ beside
    steps, rounds = SMOOTH
    placed = vertices.copy()
    for _ in range(rounds):
        for step in steps:
            placed += step * (mean @ placed - placed)
    return placed


def sureness(volume: NDArray[Any]) -> float:
    """Share of a volume's voxels that the network is sure of, times whether there is anything at all."""
    if not 0.002 < float((volume > LEVEL).mean()) < 0.6:
        return 0.0
    return float(((volume < 0.05) | (volume > 0.95)).mean())
