"""From the faces of one person to the shape of the head and how it stands in each photo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.fitting.expression import expression_prior
from likeness.fitting.landmarks import landmark_model
from likeness.fitting.noise import smooth_noise
from likeness.fitting.pose import Pose, first_pose, focal_prior
from likeness.fitting.solve import Evidence, solve
from likeness.heads.base import HeadModel
from likeness.progress import Progress, quiet

__all__ = ["Fitted", "fit_faces"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A head that was fitted.

    Attributes:
        identity: (N,) float32 coefficients.
        vertices: (V, 3) float32 metres, neutral; joints: (J, 3) float32 metres.
        cameras: one per photo; expressions: (M,) float32 weights 0..1 per photo.
        details: numbers about the fit, JSON-serialisable.
    """

    identity: NDArray[np.float32]
    vertices: NDArray[np.float32]
    joints: NDArray[np.float32]
    cameras: tuple[Camera, ...]
    expressions: tuple[NDArray[np.float32], ...]
    details: dict[str, Any]


def fit_faces(head: HeadModel, faces: list[Face], progress: Progress = quiet) -> Fitted:
    """Fit a head to the faces of one person, one face per photo; raises HeadError when it has no landmarks."""
    progress("fit", 0.0, "Placing the head in the photo")
    model = landmark_model(head)
    noise = smooth_noise(model)
    photos = []
    for face in faces:
        landmarks = face.landmarks[model.index]
        pose = first_pose(model.mean + noise.bias, landmarks, face)
        photos.append(Evidence(landmarks, pose, *focal_prior(face), noise))
    progress("fit", 0.2, "Finding the shape and the expression")
    fit = solve(model, photos, expression_prior(head.expression_names))

    identity = torch.from_numpy(fit.identity).float()
    vertices = head.shape(identity[None])[0].numpy()
    cameras = tuple(_camera(p, f) for p, f in zip(fit.poses, faces, strict=True))
    errors = [
        _nme(camera, model.at(fit.identity, weights) + noise.bias, face, model.index)
        for camera, weights, face in zip(cameras, fit.expressions, faces, strict=True)
    ]
    progress("fit", 1.0, f"Fitted to {len(faces)} photo{'s' * (len(faces) > 1)}")
    details = {"nme_percent": errors, "focal_px": [c.fx for c in cameras]}
    return Fitted(
        identity.numpy(),
        vertices,
        head.joints_of(identity[None])[0].numpy(),
        cameras,
        tuple(w.astype(np.float32) for w in fit.expressions),
        details,
    )


def _camera(pose: Pose, face: Face) -> Camera:
    width, height = face.photo.width, face.photo.height
    cx, cy = pose.centre
    return Camera(width, height, pose.focal, pose.focal, float(cx), float(cy), pose.rotation, pose.translation)


def _nme(camera: Camera, points: Floats, face: Face, index: NDArray[np.int64]) -> float:
    """Mean distance of the landmarks in the picture, per cent of the distance of the outer eye corners."""
    gap = np.linalg.norm(camera.project(points) - face.landmarks[index, :2], axis=1)
    return float(100 * gap.mean() / face.interocular)
