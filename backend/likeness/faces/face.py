"""A face found in a photo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.photos import Photo

__all__ = ["Face"]


@dataclass(frozen=True, eq=False)
class Face:
    """One face of one photo.

    Attributes:
        photo: the photo it was found in.
        index: its place among the photo's faces, largest first.
        box: (4,) float64, left, top, right, bottom in pixels of the oriented photo.
        landmarks: (478, 3) float64; x, y in pixels of the oriented photo (first pixel's centre at 0.5), z in the same
            scale, smaller is nearer, relative to the head's centre. 0..467 the face mesh, 468..472 the iris of the
            eye on the picture's left (the person's right), 473..477 the other's.
        score: presence of a face, 0..1.
        yaw, pitch, roll: rough head angles in degrees; yaw > 0 when the face looks to the picture's right,
            pitch > 0 when it looks up, roll > 0 when it is turned clockwise in the picture.
    """

    photo: Photo
    index: int
    box: NDArray[np.float64]
    landmarks: NDArray[np.float64]
    score: float
    yaw: float
    pitch: float
    roll: float

    @property
    def interocular(self) -> float:
        """Distance of the outer eye corners (points 33 and 263) in pixels."""
        return float(np.linalg.norm(self.landmarks[33, :2] - self.landmarks[263, :2]))
