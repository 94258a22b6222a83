"""Finds camera, identity and expressions from landmarks: robust Levenberg-Marquardt over all photos at once.

Maximum a posteriori: coefficients of identity are N(0, 1) and shared by the photos; each photo has a camera, weights
of expression in 0..1, and amplitudes of the landmark network's shared errors, N(0, 1) too. What is left of each
landmark is weighted by a Student-t distribution, so that a covered landmark counts little.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.noise import Noise
from likeness.fitting.pose import DISTANCE, Pose, rotation_of

__all__ = ["CAMERA", "Evidence", "Fit", "held", "moved", "normal", "solve"]

Floats = NDArray[np.float64]

CAMERA = 7  # turn (3), shift in units of the distance (3), log focal length
FREEDOM = 6.0  # of the Student-t distribution
CREDULOUS = 6


@dataclass(frozen=True, eq=False)
class Evidence:
    """One photo.

    Attributes:
        landmarks: (K, 3) pixels, depth in the same scale (larger is farther, offset unknown).
        pose: where to start from; middle: (3,) metres, the middle of the landmarks in the head's frame.
        log_focal, focal_spread: prior of the logarithm of the focal length in pixels.
        noise: of the landmarks as seen here.
        most: (M,) upper bounds of the expression weights, 0..1.
    """

    landmarks: Floats
    pose: Pose
    middle: Floats
    log_focal: float
    focal_spread: float
    noise: Noise
    most: Floats

    @cached_property
    def white(self) -> Floats:
        """(K, 3, 3) inverse square roots of the landmarks' own covariances, per pixel.

        Taken once, at the first pose: were they to grow with the head, a head too big would seem to fit better.
        """
        pose = self.pose
        scale = pose.focal / (pose.rotation[2] @ self.middle + pose.translation[2])
        turn = scale * pose.rotation
        covariance = np.einsum("ij,kj,lj->kil", turn, self.noise.grain**2, turn)
        return np.linalg.inv(np.linalg.cholesky(covariance))


@dataclass(frozen=True, eq=False)
class Fit:
    """What was found: identity (N,); per photo the pose, expression (M,), shared errors (R,), trust (K,) in 0..1."""

    identity: Floats
    poses: tuple[Pose, ...]
    expressions: tuple[Floats, ...]
    errors: tuple[Floats, ...]
    trust: tuple[Floats, ...]


def solve(
    model: LandmarkModel,
    photos: list[Evidence],
    expression_prior: Floats,
    *,
    start: Fit | None = None,
    depth: bool = True,
    steps: int = 25,
) -> Fit:
    """Fit all photos of one person.

    Args:
        model: the head's landmarks.
        photos: at least one.
        expression_prior: (P, M) square root of the precision of expression weights.
        start: where to start from, else from the photos' poses and a neutral mean head.
        depth: use the network's depth as well.
        steps: at most so many.
    """
    count, moods = len(model.identity), len(model.expression)
    fit = start or Fit(
        np.zeros(count),
        tuple(p.pose for p in photos),
        tuple(np.zeros(moods) for _ in photos),
        tuple(np.zeros(len(p.noise.shared)) for p in photos),
        tuple(np.ones(len(p.landmarks)) for p in photos),
    )
    damping, cost = 1e-3, np.inf
    for step_number in range(steps):
        # At first every landmark counts: an open mouth is far from a closed one, and no outlier.
        doubting = start is not None or step_number >= CREDULOUS
        if doubting:
            fit = replace(fit, trust=tuple(_trust(model, p, fit, i, depth) for i, p in enumerate(photos)))
        cost, matrix, gradient = normal(model, photos, fit, expression_prior, depth)
        free = ~held(photos, fit, gradient, count, moods)
        while damping < 1e6:
            system = matrix[np.ix_(free, free)]
            step = np.zeros(len(gradient))
            step[free] = np.linalg.solve(system + damping * np.diag(np.diag(system)), -gradient[free])
            trial = moved(photos, fit, step, count, moods)
            after = _cost(model, photos, trial, expression_prior, depth)
            if after < cost:
                break
            damping *= 8
        else:
            break
        fit, damping = trial, max(damping / 6, 1e-7)
        if doubting and cost - after < 1e-3 * max(1.0, 1e-2 * cost):
            break
    return fit


def _residual(model: LandmarkModel, photo: Evidence, fit: Fit, i: int, depth: bool) -> tuple[Floats, Floats, Floats]:
    """Residuals (K, D) in pixels, their whitening (K, D, D), and camera points (K, 3)."""
    pose, noise = fit.poses[i], photo.noise
    arms = model.at(fit.identity, fit.expressions[i]) + noise.bias + np.tensordot(fit.errors[i], noise.shared, 1)
    seen = arms @ pose.rotation.T + pose.translation
    scale = pose.focal / seen[:, 2].mean()
    flat = pose.focal * seen[:, :2] / seen[:, 2:] + pose.centre - photo.landmarks[:, :2]
    if not depth:
        return flat, photo.white[:, :2, :2], seen
    scale = pose.focal / seen[:, 2].mean()
    deep = scale * (seen[:, 2] - seen[:, 2].mean()) - (photo.landmarks[:, 2] - photo.landmarks[:, 2].mean())
    return np.concatenate([flat, deep[:, None]], 1), photo.white, seen


def _trust(model: LandmarkModel, photo: Evidence, fit: Fit, i: int, depth: bool) -> Floats:
    residual, white, _ = _residual(model, photo, fit, i, depth)
    square = (np.einsum("kij,kj->ki", white, residual) ** 2).sum(1)
    size = residual.shape[1]
    weight: Floats = (FREEDOM + size) / (FREEDOM + square)
    return np.minimum(weight, 1.0)


def _priors(photo: Evidence, pose: Pose) -> tuple[Floats, Floats]:
    """Residuals (2,) of focal length and distance, and their derivatives (2, 7)."""
    distance = np.linalg.norm(pose.translation)
    residual = np.array(
        [(np.log(pose.focal) - photo.log_focal) / photo.focal_spread, np.log(distance / DISTANCE[0]) / DISTANCE[1]]
    )
    slope = np.zeros((2, CAMERA))
    slope[0, 6] = 1 / photo.focal_spread
    slope[1, 3:6] = pose.translation * pose.translation[2] / distance**2 / DISTANCE[1]
    return residual, slope


def _cost(model: LandmarkModel, photos: list[Evidence], fit: Fit, prior: Floats, depth: bool) -> float:
    total = float(fit.identity @ fit.identity)
    for i, photo in enumerate(photos):
        residual, white, seen = _residual(model, photo, fit, i, depth)
        if seen[:, 2].min() <= 0.05:
            return np.inf
        square = (np.einsum("kij,kj->ki", white, residual) ** 2).sum(1)
        total += float(fit.trust[i] @ square) + float(fit.errors[i] @ fit.errors[i])
        total += float(((prior @ fit.expressions[i]) ** 2).sum()) + float((_priors(photo, fit.poses[i])[0] ** 2).sum())
    return total


def normal(
    model: LandmarkModel, photos: list[Evidence], fit: Fit, prior: Floats, depth: bool = True
) -> tuple[float, Floats, Floats]:
    """Cost, J'J and J'r of everything: identity first, then photo by photo camera, expression, shared errors."""
    count, moods = len(model.identity), len(model.expression)
    size = count + sum(CAMERA + moods + len(p.noise.shared) for p in photos)
    matrix, gradient = np.zeros((size, size)), np.zeros(size)
    matrix[:count, :count] = np.eye(count)
    gradient[:count] = fit.identity
    start = count
    for i, photo in enumerate(photos):
        pose, errors = fit.poses[i], len(photo.noise.shared)
        residual, white, seen = _residual(model, photo, fit, i, depth)
        white = white * np.sqrt(fit.trust[i])[:, None, None]
        fields = np.concatenate([model.identity, model.expression, photo.noise.shared]) @ pose.rotation.T
        arms = seen - pose.translation
        moves = np.zeros((len(seen), 3, count + CAMERA + moods + errors))
        moves[..., :count] = fields[:count].transpose(1, 2, 0)
        moves[..., count + CAMERA :] = fields[count:].transpose(1, 2, 0)
        x, y, z = arms.T
        zero = np.zeros_like(x)
        moves[..., count : count + 3] = np.stack(
            [np.stack([zero, z, -y], 1), np.stack([-z, zero, x], 1), np.stack([y, -x, zero], 1)], 1
        )
        moves[..., count + 3 : count + 6] = np.eye(3) * pose.translation[2]
        lens = np.zeros((len(seen), residual.shape[1], 3))
        lens[:, 0, 0] = lens[:, 1, 1] = pose.focal / seen[:, 2]
        lens[:, :2, 2] = -pose.focal * seen[:, :2] / seen[:, 2:] ** 2
        if depth:
            lens[:, 2, 2] = pose.focal / seen[:, 2].mean()
        slopes = lens @ moves
        if depth:
            slopes[:, 2] -= slopes[:, 2].mean(0)
        slopes[:, :2, count + 6] += pose.focal * seen[:, :2] / seen[:, 2:]
        slopes = (white @ slopes).reshape(-1, slopes.shape[-1])
        flat = np.einsum("kij,kj->ki", white, residual).ravel()
        local = slopes.T @ slopes
        pull = slopes.T @ flat
        known, known_slope = _priors(photo, pose)
        here = slice(count, count + CAMERA)
        local[here, here] += known_slope.T @ known_slope
        pull[here] += known_slope.T @ known
        here = slice(count + CAMERA, count + CAMERA + moods)
        local[here, here] += prior.T @ prior
        pull[here] += prior.T @ (prior @ fit.expressions[i])
        here = slice(count + CAMERA + moods, None)
        local[here, here] += np.eye(errors)
        pull[here] += fit.errors[i]
        places = np.concatenate([np.arange(count), np.arange(start, start + CAMERA + moods + errors)])
        matrix[np.ix_(places, places)] += local
        gradient[places] += pull
        start += CAMERA + moods + errors
    return _cost(model, photos, fit, prior, depth), matrix, gradient


def _blocks(fit: Fit, count: int, moods: int) -> list[tuple[int, int]]:
    """Start of each photo's unknowns, and their number of shared errors."""
    blocks, start = [], count
    for errors in fit.errors:
        blocks.append((start, len(errors)))
        start += CAMERA + moods + len(errors)
    return blocks


def held(photos: list[Evidence], fit: Fit, gradient: Floats, count: int, moods: int) -> NDArray[np.bool_]:
    """Unknowns that stand at a bound and would leave it."""
    held = np.zeros(len(gradient), dtype=bool)
    for (start, _), weights, photo in zip(_blocks(fit, count, moods), fit.expressions, photos, strict=True):
        here = slice(start + CAMERA, start + CAMERA + moods)
        pull = gradient[here]
        held[here] = ((weights <= 0) & (pull > 0)) | ((weights >= photo.most) & (pull < 0)) | (photo.most <= 0)
    return held


def moved(photos: list[Evidence], fit: Fit, step: Floats, count: int, moods: int) -> Fit:
    """The fit after a step (U,) of all unknowns, in the order of `normal`; expressions stay within their bounds."""
    poses, expressions, errors = [], [], []
    for i, (start, number) in enumerate(_blocks(fit, count, moods)):
        pose, camera = fit.poses[i], step[start : start + CAMERA]
        poses.append(
            replace(
                pose,
                rotation=rotation_of(camera[:3]) @ pose.rotation,
                translation=pose.translation + camera[3:6] * pose.translation[2],
                focal=pose.focal * float(np.exp(np.clip(camera[6], -1, 1))),
            )
        )
        here = slice(start + CAMERA, start + CAMERA + moods)
        expressions.append(np.clip(fit.expressions[i] + step[here], 0, photos[i].most))
        errors.append(fit.errors[i] + step[start + CAMERA + moods : start + CAMERA + moods + number])
    return replace(
        fit,
        identity=fit.identity + step[:count],
        poses=tuple(poses),
        expressions=tuple(expressions),
        errors=tuple(errors),
    )
