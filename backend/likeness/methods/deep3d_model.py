"""Deep3D's arithmetic: 257 coefficients to a face, its place before the camera, its albedo and its light.

Source: Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning: From Single Image to Image Set",
CVPRW 2019, and ``models/bfm.py`` of its PyTorch release as specified. Decimetres, +Y up; the camera stands ten of them
before the origin and looks along -Z.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.heads.bfm import DECIMETRE, Bfm
from likeness.methods.deep3d_crops import SIDE, Aligned

__all__ = ["AWAY", "FOCAL", "Coefficients", "model_camera", "normals", "projected", "shaded", "world"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FOCAL = 1015.0
"""Pixels of the crop."""
AWAY = 10.0
AMBIENT = 0.8
"""Light from everywhere that is added to the first coefficient of each colour."""
PARTS = {"identity": 80, "expression": 64, "texture": 80, "angles": 3, "light": 27, "place": 3}


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What the network says of one crop, float32.

    Attributes:
        identity: (80,), expression: (64,), texture: (80,) of the model.
        angles: (3,) radians about x, y and z.
        light: (3, 9) of red, green and blue, without the ambient light.
        place: (3,) decimetres.
    """

    identity: Floats
    expression: Floats
    texture: Floats
    angles: Floats
    light: Floats
    place: Floats

    @classmethod
    def of(cls, flat: Floats) -> Coefficients:
        """From the 257 numbers in their order."""
        identity, expression, texture, angles, light, place = np.split(flat, np.cumsum([*PARTS.values()])[:-1])
        return cls(identity, expression, texture, angles, light.reshape(3, 9), place)

    def rotation(self) -> Doubles:
        """(3, 3), model to world: about x, then y, then z."""
        (sx, sy, sz), (cx, cy, cz) = np.sin(self.angles.astype(np.float64)), np.cos(self.angles.astype(np.float64))
        about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
        about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
        about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
        turn: Doubles = about_z @ about_y @ about_x
        return turn


def world(model: Bfm, c: Coefficients) -> Doubles:
    """(V, 3) decimetres, posed."""
    posed: Doubles = model.vertices(c.identity, c.expression) @ c.rotation().T + c.place
    return posed


def projected(posed: Doubles) -> Doubles:
    """Points (V, 2) in pixels of the crop, y up, from posed vertices (V, 3)."""
    seen: Doubles = FOCAL * posed[:, :2] / (AWAY - posed[:, 2:]) + SIDE / 2
    return seen


def model_camera(c: Coefficients, crop: Aligned) -> Camera:
    """The camera from the model's own frame, in metres, to the whole photo."""
    flip = np.diag([1.0, -1.0, -1.0])
    fx, fy = FOCAL * crop.per_pixel
    cx, cy = crop.in_photo(np.full(2, SIDE / 2))
    place = DECIMETRE * (flip @ c.place + (0, 0, AWAY))
    return Camera(*crop.size, float(fx), float(fy), float(cx), float(cy), flip @ c.rotation(), place)


def normals(vertices: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(V, 3) unit normals, every triangle counting alike, as the original's are."""
    a, b, c = (vertices[triangles[:, k]].astype(np.float64) for k in range(3))
    across = np.cross(a - b, b - c)
    across /= np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-12)
    total = np.zeros((len(vertices), 3))
    for k in range(3):
        np.add.at(total, triangles[:, k], across)
    unit: Floats = (total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return unit


def shaded(albedo: Floats, facing: Doubles, light: Floats) -> Doubles:
    """(V, 3) RGB as the original draws it, not clipped, from albedo (V, 3), posed normals (V, 3) and light (3, 9)."""
    x, y, z = facing.T
    a, c = np.array([np.pi, 2 * np.pi / 3**0.5, 2 * np.pi / 8**0.5]), np.array([1, 3**0.5, 3 * 5**0.5 / 3**0.5])
    flat, slope, bend = a * c / (4 * np.pi) ** 0.5
    basis = np.stack(
        [
            np.full_like(x, flat), -slope * y, slope * z, -slope * x, bend * x * y, -bend * y * z,
            bend * (3 * z * z - 1) / (2 * 3**0.5), -bend * x * z, bend * (x * x - y * y) / 2,
        ], 1,
    )  # fmt: skip
    lit = light.astype(np.float64)
    lit[:, 0] += AMBIENT
    return np.asarray(albedo * (basis @ lit.T))
