"""Where the camera stands: a first guess from landmarks, and what is known of focal lengths and distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.faces.face import Face

__all__ = ["Pose", "first_pose", "focal_prior", "rotation_of"]

Floats = NDArray[np.float64]

DISTANCE = (0.9, 0.45)
"""Metres and standard deviation of its logarithm: from a selfie at arm's length to a portrait lens across the room.

The distance, unlike the focal length in pixels, does not change when a picture is cropped. A head's size is taken from
the head model; the true size of a head cannot be seen in a photo."""
EXIF_SPREAD = 0.04  # standard deviation of log focal length: 35 mm equivalents are rounded, pictures slightly cropped


@dataclass(frozen=True, eq=False)
class Pose:
    """A perspective camera over one photo.

    Attributes:
        rotation: (3, 3) head to camera; translation: (3,) metres.
        focal: pixels; centre: (2,) principal point in pixels.
    """

    rotation: Floats
    translation: Floats
    focal: float
    centre: Floats

    def project(self, points: Floats) -> Floats:
        """Points (..., 3) metres in the head's frame to pixels (..., 2)."""
        seen = points @ self.rotation.T + self.translation
        flat: Floats = self.focal * seen[..., :2] / seen[..., 2:] + self.centre
        return flat


def focal_prior(face: Face) -> tuple[float, float]:
    """Log focal length in pixels and its standard deviation: from EXIF, or nearly nothing."""
    if face.photo.focal_px is not None:
        return float(np.log(face.photo.focal_px)), EXIF_SPREAD
    return float(np.log(1.5 * max(face.photo.width, face.photo.height))), 1.0


def rotation_of(turn: Floats) -> Floats:
    """Rodrigues' formula: axis-angle (3,) radians to a matrix (3, 3)."""
    angle = float(np.linalg.norm(turn))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = turn / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew)


def first_pose(points: Floats, landmarks: Floats, face: Face) -> Pose:
    """Align the mean head with the network's landmarks, depth included, by a similarity (Umeyama, TPAMI 1991).

    Args:
        points: (K, 3) metres, on the mean head.
        landmarks: (K, 3) pixels; depth in the same scale, larger is farther.
    """
    a, b = points - points.mean(0), landmarks - landmarks.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation: Floats = (u * signs) @ vt
    scale = float((s * signs).sum() / (a**2).sum())  # pixels per metre at the head's depth
    centre = np.array([face.photo.width, face.photo.height]) / 2
    log_focal, spread = focal_prior(face)
    # The most likely distance given both priors; focal length and distance are tied by the scale.
    log_distance, distance_spread = np.log(DISTANCE[0]), DISTANCE[1]
    weights = np.array([distance_spread**-2, spread**-2])
    distance = float(np.exp(np.dot(weights, [log_distance, log_focal - np.log(scale)]) / weights.sum()))
    focal = scale * distance
    middle = np.array([*(landmarks[:, :2].mean(0) - centre) / focal * distance, distance])
    return Pose(rotation, middle - rotation @ points.mean(0), focal, centre)
