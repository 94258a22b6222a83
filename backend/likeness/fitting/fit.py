"""From the faces of one person to the shape of the head and how it stands in each photo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.faces.face import Face
from likeness.fitting.calibration import Calibration
from likeness.fitting.expression import expression_prior, smile_of
from likeness.fitting.free_form import Pull, displaced, free_form
from likeness.fitting.gaze import gaze_as_seen
from likeness.fitting.known import camera_of, fit_known, fit_photos
from likeness.fitting.landmarks import LandmarkModel, landmark_model
from likeness.fitting.noise import Noise, smooth_noise
from likeness.fitting.openings import lids_as_seen
from likeness.fitting.refine import refine
from likeness.fitting.shape import Hint, identity_of
from likeness.fitting.solve import Fit
from likeness.heads.base import HeadModel
from likeness.networks.graph import one_thread
from likeness.progress import Progress, quiet
from likeness.render.view import vertex_normals

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


def fit_faces(
    head: HeadModel,
    faces: list[Face],
    progress: Progress = quiet,
    hint: Callable[[Fit | None], Hint | None] = lambda _: None,
) -> Fitted:
    """Fit a head to the faces of one person, one face per photo; raises HeadError when it has no landmarks.

    `hint` is asked for other evidence of identity if the head is calibrated, so that it can be weighed against theirs:
    first without a fit, then, if it had some, with the fit that came of it.
    """
    with one_thread():
        return _fitted(head, faces, progress, hint)


def _fitted(
    head: HeadModel, faces: list[Face], progress: Progress, hint: Callable[[Fit | None], Hint | None]
) -> Fitted:
    progress("fit", 0.0, "Finding the shape of the head")
    model = landmark_model(head)
    calibration = Calibration.of(head)
    if calibration is None:
        fit, noises = _fit_free(model, faces, head)
    else:
        landmarks, rest = [face.landmarks for face in faces], np.zeros(len(model.expression))
        told = hint(None)
        likely = identity_of(calibration, landmarks, told)
        progress("fit", 0.2, "Placing the head in the photo, finding its expression")
        fit, photos = fit_known(model, faces, head, calibration, model.at(likely.mean, rest))
        # Then once more, with what a smile does to the landmarks, and with how the head itself is recognised.
        smiles = [smile_of(head.expression_names, weights) for weights in fit.expressions]
        likely = identity_of(calibration, landmarks, told, smiles)
        if told is not None:
            progress("fit", 0.4, "Comparing the head with the face")
            likely = identity_of(calibration, landmarks, hint(replace(fit, identity=likely.mean)), smiles)
        fit, photos = fit_known(model, faces, head, calibration, model.at(likely.mean, rest))
        progress("fit", 0.6, "Following the outline of the face")
        prior = expression_prior(head.expression_names)
        fit = refine(head, model, faces, photos, replace(fit, identity=likely.mean), likely.precision, prior)
        noises = [photo.noise for photo in photos]

    progress("fit", 0.8, "Drawing the features to the photo")
    identity = torch.from_numpy(fit.identity).float()
    neutral = head.shape(identity[None])[0]
    residual = free_form(
        model.at(fit.identity, np.zeros(len(model.expression))), _pulls(head, model, faces, fit, noises, neutral)
    )
    vertices, joints = displaced(head, neutral.numpy(), head.joints_of(identity[None])[0].numpy(), residual)
    cameras = tuple(camera_of(p, f) for p, f in zip(fit.poses, faces, strict=True))
    embedding = head.landmarks["mediapipe478"]
    neutral_points = embedding.on(torch.from_numpy(vertices), head.triangles).numpy()[model.index]
    names = head.expression_names
    looks = [
        gaze_as_seen(model, names, neutral_points + noise.bias, weights, pose, face)
        for weights, noise, pose, face in zip(fit.expressions, noises, fit.poses, faces, strict=True)
    ]
    expressions = tuple(
        lids_as_seen(model, names, neutral_points, weights, pose, face)
        for weights, pose, face in zip(looks, fit.poses, faces, strict=True)
    )
    errors = [
        _nme(camera, neutral_points + np.tensordot(weights, model.expression, 1) + noise.bias, face, model.index)
        for camera, weights, noise, face in zip(cameras, expressions, noises, faces, strict=True)
    ]
    progress("fit", 1.0, f"Fitted to {len(faces)} photo{'s' * (len(faces) > 1)}")
    details = {"nme_percent": errors, "focal_px": [c.fx for c in cameras]}
    return Fitted(
        identity.numpy(), vertices, joints, cameras, tuple(w.astype(np.float32) for w in expressions), details
    )


def _pulls(
    head: HeadModel, model: LandmarkModel, faces: list[Face], fit: Fit, noises: list[Noise], neutral: torch.Tensor
) -> list[Pull]:
    embedding = head.landmarks["mediapipe478"]
    corners = head.triangles[embedding.triangle[model.index]]
    normals = vertex_normals(neutral, head.triangles)[corners].mean(1).numpy().astype(np.float64)
    return [
        Pull(pose, model.at(fit.identity, weights) + noise.bias, face.landmarks[model.index, :2], trust, normals)
        for pose, weights, noise, face, trust in zip(fit.poses, fit.expressions, noises, faces, fit.trust, strict=True)
    ]


def _fit_free(model: LandmarkModel, faces: list[Face], head: HeadModel) -> tuple[Fit, list[Noise]]:
    """Identity and all else at once, for a head that was never calibrated."""
    noise = smooth_noise(model)
    return fit_photos(model, faces, head, [noise] * len(faces)), [noise] * len(faces)


def _nme(camera: Camera, points: Floats, face: Face, index: NDArray[np.int64]) -> float:
    """Mean distance of the landmarks in the picture, per cent of the distance of the outer eye corners."""
    gap = np.linalg.norm(camera.project(points) - face.landmarks[index, :2], axis=1)
    return float(100 * gap.mean() / face.interocular)
