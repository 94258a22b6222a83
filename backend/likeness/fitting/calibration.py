"""What was learned of the landmark network on renders of a head model: see calibrations/CARD.md."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.noise import Noise
from likeness.heads.base import HeadModel

__all__ = ["Calibration", "aligned", "angles_of", "pose_terms"]

Floats = NDArray[np.float64]

FOLDER = Path(__file__).parent / "calibrations"
YAW, PITCH = np.radians(50.0), np.radians(25.0)
"""Renders were turned so far; what is seen beyond is treated as if it stood there."""

LEAST = 0.0008  # metres of noise that a landmark has at least: real skin varies more than painted skin


@dataclass(frozen=True, eq=False)
class Calibration:
    """Statistics of the 478 points of the landmark network (L) for a head with N identity coefficients.

    Attributes:
        reference: (L, 3) metres, the mean head's points, which `aligned` brings landmarks onto.
        usual: (8, L, 3) millimetres, what `aligned` gives on average, by the terms of `pose_terms`.
        identity: (L * 3, N), identity coefficients per millimetre of departure from the usual: the posterior mean.
        spread: (N, N), covariance of the coefficients about that posterior mean.
        bias: (8, L, 3) metres in the head's frame, by the terms of `pose_terms`: network minus the points of a head
            with the predicted identity.
        shared: (R, L, 3) metres, errors that landmarks have in common; grain: (L, 3) metres, what each has alone.
        smile: (N,), what a full smile adds to the identity coefficients that the regression tells.
    """

    reference: Floats
    usual: Floats
    identity: Floats
    spread: Floats
    bias: Floats
    shared: Floats
    grain: Floats
    smile: Floats

    @classmethod
    def of(cls, head: HeadModel) -> Self | None:
        """The one that ships for a head, None where there is none or where it is for another identity basis."""
        path = FOLDER / f"{head.name}.safetensors"
        if not path.exists():
            return None
        found = cls(**{name: values.astype(np.float64) for name, values in load_file(path).items()})
        return found if found.identity.shape[1] == len(head.identity) else None

    def save(self, path: Path) -> None:
        """Write a safetensors file, float16 where that is exact enough."""
        small = ("identity", "shared", "grain", "bias")
        arrays = {
            name: np.ascontiguousarray(values, np.float16 if name in small else np.float32)
            for name, values in vars(self).items()
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file(arrays, path)

    def noise(self, model: LandmarkModel, rotation: Floats) -> Noise:
        """Error of the model's landmarks in a photo where the head is turned by `rotation` (3, 3)."""
        terms = pose_terms(*angles_of(rotation))
        bias = np.tensordot(terms, self.bias[:, model.index], 1)
        grain = np.maximum(self.grain[model.index], LEAST)
        return Noise(bias, self.shared[:, model.index], grain)


def angles_of(rotation: Floats) -> tuple[float, float]:
    """Yaw (to the picture's right) and pitch (up) in radians of a head-to-camera rotation (3, 3)."""
    x, y, z = rotation[:, 2]  # where the face points to
    return float(np.arctan2(x, -z)), float(np.arcsin(np.clip(-y, -1, 1)))


def pose_terms(yaw: float, pitch: float) -> Floats:
    """(8,) terms in which the network's habits change with the pose; radians."""
    y, p = np.clip(yaw, -YAW, YAW), np.clip(pitch, -PITCH, PITCH)
    return np.array([1.0, y, p, y * y, p * p, y * p, abs(y), y**3])


def aligned(landmarks: Floats, reference: Floats) -> tuple[Floats, Floats]:
    """Landmarks moved, turned and scaled onto the reference (Umeyama, TPAMI 1991), depth included.

    Args:
        landmarks: (L, 3) pixels, depth in the same scale, larger is farther.
        reference: (L, 3) metres.

    Returns:
        (L, 3) millimetres from the reference, and the rotation (3, 3) of the reference into the picture.
    """
    a, b = reference - reference.mean(0), landmarks - landmarks.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: Floats = (u * signs) @ vt
    scale = (s * signs).sum() / (a**2).sum()
    away: Floats = 1000 * (b @ rotation / scale - a)
    return away, rotation
