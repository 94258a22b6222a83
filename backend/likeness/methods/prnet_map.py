"""PRNet's arithmetic around its network: the square it looks at, and what its position map says of the photo.

Pixels count from the first pixel's centre, as in the original. Position maps are (256, 256, 3): x, y (down) and z
(nearer is larger) of each point of a face that is laid out flat, always in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from likeness.heads.surface import normals

__all__ = ["SIDE", "Square", "Topology", "euler_radians", "pose", "sampled"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIDE = 256
AROUND = 1.6
"""The square's side as a share of the mean side of the box around the 68 landmarks."""


@dataclass(frozen=True)
class Square:
    """The part of the photo that the network sees: its middle and side in pixels of the photo."""

    x: float
    y: float
    side: int

    @classmethod
    def around(cls, left: float, right: float, top: float, bottom: float) -> Square:
        """The square around a box, in the original's order of its sides."""
        mean = (right - left + bottom - top) / 2
        return cls(right - (right - left) / 2, bottom - (bottom - top) / 2, int(AROUND * mean))

    @classmethod
    def of_landmarks(cls, points: NDArray[np.floating[Any]]) -> Square:
        """The square around landmarks (68, 2)."""
        (left, top), (right, bottom) = points.min(0), points.max(0)
        return cls.around(float(left), float(right), float(top), float(bottom))

    @property
    def scale(self) -> float:
        """Pixels of the network's picture for one of the photo."""
        return (SIDE - 1) / self.side

    @property
    def matrix(self) -> Floats:
        """(3, 3): photo to the network's picture."""
        k, half = self.scale, self.side / 2
        return np.array([[k, 0, -k * (self.x - half)], [0, k, -k * (self.y - half)], [0, 0, 1]])

    def crop(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The network's picture (256, 256, 3) in 0..1 of a photo (H, W, 3): between pixels, black outside."""
        steps = np.arange(SIDE) / self.scale - self.side / 2
        columns, rows = np.meshgrid(self.x + steps, self.y + steps)
        return sampled(pixels, np.stack([columns, rows], -1))

    def in_photo(self, positions: NDArray[np.floating[Any]]) -> Floats:
        """Positions (..., 3) in the network's picture as positions in the photo, z in its pixels, too."""
        half = self.side / 2
        placed: Floats = np.asarray(positions, np.float64) / self.scale + (self.x - half, self.y - half, 0.0)
        return placed


def sampled(pixels: NDArray[np.uint8], places: Floats) -> NDArray[np.float32]:
    """A photo (H, W, 3) in 0..1 at places (..., 2) between its pixels, black outside: (..., 3)."""
    low = np.maximum(np.floor(places.min((0, 1))).astype(int) - 1, 0)
    high = np.maximum(np.ceil(places.max((0, 1))).astype(int) + 2, low + 2)
    pixels = np.pad(pixels[low[1] : high[1], low[0] : high[0]], ((0, 1), (0, 1), (0, 0)))
    places = places - low
    height, width = pixels.shape[:2]
    flat = torch.from_numpy(places.reshape(1, 1, -1, 2)) / torch.tensor([width - 1, height - 1]) * 2 - 1
    photo = torch.tensor(pixels).permute(2, 0, 1)[None].double() / 255
    found = functional.grid_sample(photo, flat, "bilinear", "zeros", align_corners=True)
    picture: NDArray[np.float32] = found[0, :, 0].T.reshape(*places.shape[:-1], 3).float().numpy()
    return picture


@dataclass(frozen=True, eq=False)
class Topology:
    """How a position map becomes a mesh.

    Attributes:
        index: (V,) places in the flattened map that are of the face, ascending.
        keypoints: (68,) places in the flattened map of the iBUG points.
        triangles: (T, 3) into `index`, anticlockwise seen from outside once y points up.
        canonical: (V, 3) the mean face, looking at the viewer, y down, in pixels of the network's picture.
    """

    index: Ints
    keypoints: Ints
    triangles: Ints
    canonical: Floats

    @classmethod
    def of(cls, index: Ints, keypoints: Ints, canonical: Floats, triangles: Ints | None = None) -> Topology:
        """From the official tables; keypoints are (2, 68), column and row. Without triangles the grid gives them."""
        index = index.astype(np.int64)
        faces = _grid(index) if triangles is None else triangles.astype(np.int64)
        upright = canonical * (1, -1, 1)
        if normals(upright, faces)[:, 2].sum() < 0:
            faces = faces[:, ::-1]
        column, row = keypoints.astype(np.int64)
        return cls(index, row * SIDE + column, np.ascontiguousarray(faces), canonical)

    @property
    def uv(self) -> NDArray[np.float32]:
        """(V, 2) where each vertex lies in the map's own square, origin lower left, in the middle of its texel."""
        row, column = np.divmod(self.index, SIDE)
        places: NDArray[np.float32] = np.stack([(column + 0.5) / SIDE, 1 - (row + 0.5) / SIDE], 1).astype(np.float32)
        return places

    def vertices(self, positions: Floats) -> Floats:
        """(V, 3) of a position map."""
        return positions.reshape(-1, 3)[self.index]

    def landmarks(self, positions: Floats) -> Floats:
        """(68, 3) of a position map."""
        return positions.reshape(-1, 3)[self.keypoints]


def _grid(index: Ints) -> Ints:
    """Triangles (T, 3) between neighbours in the map: two for four places that are of the face, one for three."""
    number = np.full(SIDE * SIDE, -1)
    number[index] = np.arange(len(index))
    number = number.reshape(SIDE, SIDE)
    a, b, c, d = (number[r : r + SIDE - 1, s : s + SIDE - 1].ravel() for r, s in ((0, 0), (0, 1), (1, 1), (1, 0)))
    three = [np.stack(t, 1) for t in ((a, d, b), (b, d, c), (a, d, c), (a, c, b))]
    known = [(t >= 0).all(1) for t in three]
    full = known[0] & known[1]
    chosen = [three[0][known[0]], three[1][known[1]], three[2][known[2] & ~full], three[3][known[3] & ~full]]
    triangles: Ints = np.concatenate(chosen).astype(np.int64)
    return triangles


def pose(vertices: Floats, canonical: Floats) -> tuple[float, Floats, Floats]:
    """The similarity that brings the mean face onto a face, as the original finds it.

    Returns:
        scale (of the roots of the mean squared distances from the middles), rotation (3, 3), and shift (3,):
        ``vertices ~ scale * canonical @ rotation.T + shift``.
    """
    here, there = vertices.mean(0), canonical.mean(0)
    a, b = vertices - here, canonical - there
    u, _, vt = np.linalg.svd(a.T @ b)
    rotation: Floats = u @ vt
    if np.linalg.det(rotation) < 0:
        rotation[:, 2] *= -1
    scale = float(np.sqrt((a**2).sum() / (b**2).sum()))
    return scale, rotation, here - scale * rotation @ there


def euler_radians(rotation: Floats) -> tuple[float, float, float]:
    """Yaw, pitch and roll as the original counts them."""
    yaw = np.arcsin(np.clip(rotation[2, 0], -1, 1))
    return (
        float(yaw),
        float(np.arctan2(rotation[2, 1], rotation[2, 2])),
        float(np.arctan2(rotation[1, 0], rotation[0, 0])),
    )
