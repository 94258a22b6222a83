"""From renders of known heads to the statistics that `likeness.fitting` works with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.fitting.calibration import Calibration, aligned, angles_of, pose_terms
from likeness.fitting.landmarks import LandmarkModel

__all__ = ["Samples", "learn"]

Floats = NDArray[np.float64]

STRANGE = (0.12, 1.4)
"""Millimetres by which every landmark of a real face may be off in ways that no painted skin shows. What a trusting and
a doubting regression predict is averaged: the first alone errs on heads of another kind, the second on all a little."""
RANK = 60
FOLDS = 3


@dataclass(frozen=True, eq=False)
class Samples:
    """S renders and what the landmark network saw.

    Attributes:
        landmarks: (S, 478, 3) pixels, identity: (S, N), expression: (S, M).
        focal: (S,) pixels, rotation: (S, 3, 3), translation: (S, 3), centre: (2,) pixels.
    """

    landmarks: Floats
    identity: Floats
    expression: Floats
    focal: Floats
    rotation: Floats
    translation: Floats
    centre: Floats


def learn(model: LandmarkModel, samples: Samples) -> Calibration:
    """Ridge regression of identity, and first and second moments of what the landmarks do besides."""
    reference = np.zeros((478, 3))
    reference[model.index] = model.mean
    lost = np.setdiff1d(np.arange(478), model.index)
    reference[lost] = model.mean[0]
    pairs = [aligned(points, reference) for points in samples.landmarks]
    away = np.array([a.ravel() for a, _ in pairs])
    terms = np.array([pose_terms(*angles_of(r)) for _, r in pairs])

    # Neighbouring samples share their painted skins, so whole stretches are held out together.
    folds = np.arange(len(away)) * FOLDS // len(away)
    predicted = np.zeros_like(samples.identity)
    for fold in range(FOLDS):
        out = folds == fold
        usual, weights = _regressed(away[~out], terms[~out], samples.identity[~out])
        predicted[out] = (away[out] - terms[out] @ usual) @ weights
    usual, weights = _regressed(away, terms, samples.identity)
    error = samples.identity - predicted
    spread = error.T @ error / len(error)
    # A posterior is never wider than the prior; counting noise is smoothed away.
    values, vectors = np.linalg.eigh(0.98 * spread + 0.02 * np.diag(np.diag(spread)))
    spread = (vectors * np.clip(values, 1e-3, 0.999)) @ vectors.T

    gaps = np.zeros((len(away), 478, 3))
    turns = np.zeros((len(away), 8))
    for i in range(len(away)):
        gaps[i, model.index], turns[i] = _gap(model, samples, i, predicted[i])
    flat = gaps.reshape(len(gaps), -1)
    bias = np.linalg.lstsq(turns, flat, rcond=None)[0]
    rest = _without_motion((flat - turns @ bias).reshape(gaps.shape), reference).reshape(flat.shape)
    size = np.sqrt((rest**2).mean(1))
    rest = rest[size < 3 * np.median(size)]
    covariance = rest.T @ rest / len(rest)
    values, vectors = np.linalg.eigh(covariance)
    shared = (vectors[:, -RANK:] * np.sqrt(values[-RANK:])).T
    grain = np.sqrt(np.maximum(np.diag(covariance) - (shared**2).sum(0), 0))
    return Calibration(
        reference,
        usual.reshape(8, 478, 3),
        weights,
        spread,
        bias.reshape(8, 478, 3),
        shared.reshape(RANK, 478, 3),
        np.maximum(grain, 2e-4).reshape(478, 3),
        np.zeros(samples.identity.shape[1]),  # make_smile.py measures it with the rest
    )


def _regressed(away: Floats, terms: Floats, identity: Floats) -> tuple[Floats, Floats]:
    """What is usual in a pose (8, 1434), and identity per departure from it (1434, N)."""
    usual = np.linalg.lstsq(terms, away, rcond=None)[0]
    rest = away - terms @ usual
    square, pull, unit = rest.T @ rest, rest.T @ identity, len(rest) * np.eye(rest.shape[1])
    weights = np.mean([np.linalg.solve(square + strange**2 * unit, pull) for strange in STRANGE], axis=0)
    return usual, weights


def _gap(model: LandmarkModel, samples: Samples, i: int, identity: Floats) -> tuple[Floats, Floats]:
    """Network minus head (K, 3) metres in the head's frame at the true camera, and the terms of the pose (8,)."""
    rotation, focal = samples.rotation[i], samples.focal[i]
    seen = model.at(identity, samples.expression[i]) @ rotation.T + samples.translation[i]
    scale = focal / seen[:, 2].mean()
    points = samples.landmarks[i][model.index]
    flat = points[:, :2] - (focal * seen[:, :2] / seen[:, 2:] + samples.centre)
    deep = points[:, 2] - points[:, 2].mean() - scale * (seen[:, 2] - seen[:, 2].mean())
    gap = np.concatenate([flat, deep[:, None]], 1) / scale
    return gap @ rotation, pose_terms(*angles_of(rotation))


def _without_motion(fields: Floats, points: Floats) -> Floats:
    """Fields (S, 478, 3) on points (478, 3) less what a shift, a turn or another size explains: that is the camera's.

    Left in the noise, it would let a head that is too big or turned too far pass as a good fit.
    """
    arms = points - points.mean(0)
    motions = [np.tile(axis, (len(points), 1)) for axis in np.eye(3)]
    motions += [np.cross(axis, arms) for axis in np.eye(3)] + [arms]
    basis = np.linalg.qr(np.stack([m.ravel() for m in motions], 1))[0]
    flat = fields.reshape(len(fields), -1)
    return (flat - flat @ basis @ basis.T).reshape(fields.shape)
