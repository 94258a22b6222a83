"""How a head of known shape stands in photos: camera, expression and gaze from the landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.fitting.calibration import Calibration
from likeness.fitting.expression import expression_prior, one_way
from likeness.fitting.landmarks import LandmarkModel, landmark_model
from likeness.fitting.noise import Noise, smooth_noise
from likeness.fitting.openings import lids_as_seen
from likeness.fitting.pose import Pose, first_pose, focal_prior
from likeness.fitting.solve import Evidence, Fit, solve
from likeness.heads.base import HeadModel
from likeness.networks.graph import one_thread

__all__ = ["Stance", "camera_of", "fit_known", "fit_photos", "stances"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stance:
    """How a head stands in a photo: its camera and expression (M,) float32, weights 0..1."""

    camera: Camera
    expression: NDArray[np.float32]


def stances(head: HeadModel, vertices: NDArray[np.float32], faces: list[Face]) -> list[Stance]:
    """Place a person's neutral head in photos.

    Args:
        vertices: (V, 3) metres in the head's frame, in whose shape the head is.
        faces: of that person, one per photo.

    Raises:
        HeadError: the head has no landmarks.
    """
    with one_thread():
        model = landmark_model(head)
        neutral = head.landmarks["mediapipe478"].on(torch.from_numpy(vertices), head.triangles).double().numpy()
        neutral = neutral[model.index]
        fit, _ = fit_known(model, faces, head, Calibration.of(head), neutral)
        expressions = [
            lids_as_seen(model, head.expression_names, neutral, weights, pose, face)
            for weights, pose, face in zip(fit.expressions, fit.poses, faces, strict=True)
        ]
    return [
        Stance(camera_of(pose, face), weights.astype(np.float32))
        for pose, weights, face in zip(fit.poses, expressions, faces, strict=True)
    ]


def fit_known(
    model: LandmarkModel, faces: list[Face], head: HeadModel, calibration: Calibration | None, neutral: Floats
) -> tuple[Fit, list[Evidence]]:
    """Cameras and expressions of a person whose neutral landmarks (K, 3), metres, are known.

    The fit's identity is empty.
    """
    own = replace(model, mean=neutral, identity=np.zeros((0, *neutral.shape)))
    noises = [_noise(model, calibration, neutral, face) for face in faces]
    # Without a shared identity the photos know nothing of each other.
    fits = [fit_photos(own, [face], head, [noise]) for face, noise in zip(faces, noises, strict=True)]
    poses, expressions, errors, trust = zip(
        *((f.poses[0], f.expressions[0], f.errors[0], f.trust[0]) for f in fits), strict=True
    )
    photos = [_evidence(model, face, noise, pose) for face, noise, pose in zip(faces, noises, poses, strict=True)]
    return Fit(np.zeros(0), poses, expressions, errors, trust), photos


def _noise(model: LandmarkModel, calibration: Calibration | None, neutral: Floats, face: Face) -> Noise:
    if calibration is None:
        return smooth_noise(model)
    return calibration.noise(model, first_pose(neutral, face.landmarks[model.index], face).rotation)


def fit_photos(model: LandmarkModel, faces: list[Face], head: HeadModel, noises: list[Noise]) -> Fit:
    """Identity (as far as the model has one), cameras and expressions.

    Solved twice: the second time each eye keeps to one direction.
    """
    prior, names = expression_prior(head.expression_names), head.expression_names
    photos = [
        _evidence(model, face, noise, first_pose(model.mean + noise.bias, face.landmarks[model.index], face))
        for face, noise in zip(faces, noises, strict=True)
    ]
    fit = solve(model, photos, prior)
    bounds = [one_way(names, w) for w in fit.expressions]
    photos = [replace(p, pose=pose, most=most) for p, pose, most in zip(photos, fit.poses, bounds, strict=True)]
    clipped = tuple(np.minimum(w, most) for w, most in zip(fit.expressions, bounds, strict=True))
    return solve(model, photos, prior, start=replace(fit, expressions=clipped), steps=6)


def camera_of(pose: Pose, face: Face) -> Camera:
    """A fitted pose as the photo's camera."""
    width, height = face.photo.width, face.photo.height
    cx, cy = pose.centre
    return Camera(width, height, pose.focal, pose.focal, float(cx), float(cy), pose.rotation, pose.translation)


def _evidence(model: LandmarkModel, face: Face, noise: Noise, pose: Pose) -> Evidence:
    most = np.ones(len(model.expression))
    return Evidence(face.landmarks[model.index], pose, model.mean.mean(0), *focal_prior(face), noise, most)
