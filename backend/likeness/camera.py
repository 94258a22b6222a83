"""The camera of a photo: where a point of the head lands in the picture.

Frames: the head's world is right-handed, metres, +Y up, the face looks along +Z (glTF's frame).
The camera is OpenCV's: x right, y down, z forward. Image coordinates are continuous, in pixels of
the oriented photo: the picture spans [0, width] x [0, height] and the centre of its first pixel is
(0.5, 0.5).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["Camera"]

Float = NDArray[np.float64]


@dataclass(frozen=True)
class Camera:
    """A pinhole or scaled-orthographic camera.

    Attributes:
        width, height: size of the oriented photo in pixels.
        fx, fy: focal lengths in pixels; for an orthographic camera, pixels per metre.
        cx, cy: principal point in pixels.
        rotation: (3, 3) float64, world to camera.
        translation: (3,) float64 metres, world to camera: ``x_camera = rotation @ x_world + translation``.
        kind: "perspective" or "orthographic".
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    rotation: Float
    translation: Float
    kind: Literal["perspective", "orthographic"] = "perspective"

    def to_camera(self, points: NDArray[np.floating[Any]]) -> Float:
        """World points (..., 3) in metres to the camera's frame (..., 3) in metres."""
        return np.asarray(points, np.float64) @ self.rotation.T + self.translation

    def project(self, points: NDArray[np.floating[Any]]) -> Float:
        """World points (..., 3) in metres to image coordinates (..., 2) in pixels."""
        p = self.to_camera(points)
        z = p[..., 2] if self.kind == "perspective" else np.ones_like(p[..., 2])
        return np.stack([self.fx * p[..., 0] / z + self.cx, self.fy * p[..., 1] / z + self.cy], axis=-1)

    def centre(self) -> Float:
        """Position of the camera in the world, (3,) metres."""
        return -self.rotation.T @ self.translation

    def resized(self, width: int, height: int) -> Self:
        """The same view onto a picture of another size in pixels."""
        sx, sy = width / self.width, height / self.height
        return replace(
            self, width=width, height=height, fx=self.fx * sx, fy=self.fy * sy, cx=self.cx * sx, cy=self.cy * sy
        )

    def cropped(self, left: float, top: float, width: int, height: int) -> Self:
        """The same view onto a crop whose upper left corner is (left, top), in pixels."""
        return replace(self, width=width, height=height, cx=self.cx - left, cy=self.cy - top)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and lists, as stored in ``avatar.json``."""
        return {
            "kind": self.kind,
            "width": self.width,
            "height": self.height,
            "fx": self.fx,
            "fy": self.fy,
            "cx": self.cx,
            "cy": self.cy,
            "rotation": np.asarray(self.rotation).tolist(),
            "translation": np.asarray(self.translation).tolist(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """The inverse of `to_json`; raises KeyError, TypeError or ValueError on malformed data."""
        rotation = np.asarray(data["rotation"], np.float64).reshape(3, 3)
        translation = np.asarray(data["translation"], np.float64).reshape(3)
        fx, fy, cx, cy = (float(data[k]) for k in ("fx", "fy", "cx", "cy"))
        if not np.isfinite([fx, fy, cx, cy, *rotation.ravel(), *translation]).all():
            raise ValueError("a camera holds numbers that are not finite")
        if data["kind"] not in ("perspective", "orthographic"):
            raise ValueError(f"unknown camera kind {data['kind']!r}")
        return cls(int(data["width"]), int(data["height"]), fx, fy, cx, cy, rotation, translation, data["kind"])
