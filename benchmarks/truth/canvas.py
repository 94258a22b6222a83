"""Where each texel of the skin lies on the head."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from truth.body import Body, canonical

__all__ = ["Canvas"]

Floats = NDArray[np.float64]
LEFT, TOP, STEP = -13.0, 16.0, 0.01  # of the picture plane before the face, centimetres
PLANE = (3600, 2600)  # its rows and columns


@dataclass(frozen=True, eq=False)
class Canvas:
    """The skin's texture as a place to paint on.

    Attributes:
        position: (H, W, 3) float32 canonical centimetres of each texel, the nearest texel's outside the UV islands.
        normal: (H, W, 3) float32 unit.
        landmarks: (68, 3) canonical centimetres.
    """

    position: NDArray[np.float32]
    normal: NDArray[np.float32]
    landmarks: Floats

    @classmethod
    def of(cls, body: Body, height: int = 1024) -> Canvas:
        """Rasterise the template's positions and normals into its UVs; row 0 is v = 1."""
        width = height * body.aspect
        part = body.parts["skin"]
        landmarks = body.landmarks_on(body.template)
        points = canonical(body.template, landmarks)
        corners, corners_uv = _triangles(part.polygons, part.polygons_uv)
        normals = _normals(points, corners)
        pixels = part.uv * [width, -height] + [0, height] - 0.5
        image = np.zeros((height, width, 6), np.float32)
        filled = np.zeros((height, width), bool)
        values = np.concatenate([points, normals], 1).astype(np.float32)
        for uv, vertices in zip(pixels[corners_uv], values[corners], strict=True):
            low = np.maximum(np.floor(uv.min(0)).astype(int), 0)
            high = np.minimum(np.ceil(uv.max(0)).astype(int) + 1, (width, height))
            u, v = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
            (ax, ay), (bx, by), (cx, cy) = uv
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            if abs(area) < 1e-9:
                continue
            b = ((u - ax) * (cy - ay) - (cx - ax) * (v - ay)) / area
            c = ((bx - ax) * (v - ay) - (u - ax) * (by - ay)) / area
            inside = (b >= -0.02) & (c >= -0.02) & (b + c <= 1.02)
            rows, columns = v[inside], u[inside]
            b, c = b[inside, None], c[inside, None]
            image[rows, columns] = (1 - b - c) * vertices[0] + b * vertices[1] + c * vertices[2]
            filled[rows, columns] = True
        nearest = distance_transform_edt(~filled, return_distances=False, return_indices=True)
        image = image[nearest[0], nearest[1]]
        normal = image[..., 3:] / np.maximum(np.linalg.norm(image[..., 3:], axis=-1, keepdims=True), 1e-6)
        return cls(image[..., :3], normal, canonical(landmarks, landmarks))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.position.shape[:2]

    @cached_property
    def _plane(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        return (
            (self.position[..., 0] - LEFT) / np.float32(STEP) - np.float32(0.5),
            (TOP - self.position[..., 1]) / np.float32(STEP) - np.float32(0.5),
        )

    def project(self, plane: NDArray[np.float32]) -> NDArray[np.float32]:
        """A picture on the plane before the face (rows from the top, 0.1 mm a pixel), seen on the skin (H, W)."""
        return cv2.remap(plane, *self._plane, cv2.INTER_LINEAR)

    @staticmethod
    def pixels(points: Floats) -> Floats:
        """Canonical points (..., >= 2) to columns and rows (..., 2) of the plane."""
        return np.stack([(points[..., 0] - LEFT) / STEP - 0.5, (TOP - points[..., 1]) / STEP - 0.5], -1)

    def near(self, point: Floats, radius: float) -> NDArray[np.float32]:
        """A soft spot (H, W) in 0..1 around a canonical point; `radius` is a standard deviation in centimetres."""
        distance = ((self.position - np.asarray(point, np.float32)) ** 2).sum(-1)
        return np.exp(-distance / (2 * radius**2)).astype(np.float32)


def _triangles(polygons: NDArray[np.int64], uv: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    quad = polygons[:, 3] >= 0
    return (
        np.concatenate([polygons[:, :3], polygons[quad][:, [0, 2, 3]]]),
        np.concatenate([uv[:, :3], uv[quad][:, [0, 2, 3]]]),
    )


def _normals(points: Floats, triangles: NDArray[np.int64]) -> Floats:
    edges = points[triangles]
    faces = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0])
    normals = np.zeros_like(points)
    for k in range(3):
        np.add.at(normals, triangles[:, k], faces)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
