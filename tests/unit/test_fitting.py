"""What goes in comes out: heads of known shape, camera and expression from their landmarks."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_fit import FOCAL, camera, face_of, made_head, seen

from likeness.fitting.calibration import aligned, angles_of
from likeness.fitting.expression import expression_prior, one_way, smile_of
from likeness.fitting.landmarks import LandmarkModel, landmark_model
from likeness.fitting.noise import Noise, smooth_noise
from likeness.fitting.pose import first_pose, focal_prior
from likeness.fitting.solve import Evidence, Fit, solve
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return made_head()


@pytest.fixture(scope="module")
def model(head: HeadModel) -> LandmarkModel:
    return landmark_model(head)


def exact(model: LandmarkModel) -> Noise:
    zero = np.zeros_like(model.mean)
    return Noise(zero, np.zeros((0, *zero.shape)), np.full_like(zero, 2e-4))


def evidence(model: LandmarkModel, landmarks: np.ndarray, noise: Noise, focal: float | None = FOCAL) -> Evidence:
    face = face_of(landmarks, focal)
    pose = first_pose(model.mean, landmarks, face)
    return Evidence(landmarks, pose, model.mean.mean(0), *focal_prior(face), noise, np.ones(len(model.expression)))


IDENTITY = np.array([1.0, -1.2, 0.6, 0.4, -0.8, 1.5])


def smile() -> np.ndarray:
    weights = np.zeros(52)
    weights[[ARKIT.index(n) for n in ("mouthSmileLeft", "mouthSmileRight", "jawOpen")]] = 0.6, 0.6, 0.4
    return weights


def run(model: LandmarkModel, photos: list[Evidence]) -> Fit:
    return solve(model, photos, expression_prior(ARKIT))


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (25, 0), (-40, 8)])
def test_known_head_is_recovered(model: LandmarkModel, yaw: float, pitch: float) -> None:
    pose = camera(yaw, pitch)
    fit = run(model, [evidence(model, seen(model.at(IDENTITY, smile()), pose), exact(model))])
    turn = fit.poses[0].rotation @ pose.rotation.T
    assert np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))) < 1.0
    assert fit.poses[0].focal == pytest.approx(FOCAL, rel=0.05)
    assert np.linalg.norm(fit.poses[0].translation) == pytest.approx(np.linalg.norm(pose.translation), rel=0.05)
    cosine = fit.identity @ IDENTITY / np.linalg.norm(fit.identity) / np.linalg.norm(IDENTITY)
    assert cosine > 0.97
    gap = fit.poses[0].project(model.at(fit.identity, fit.expressions[0])) - pose.project(model.at(IDENTITY, smile()))
    assert np.linalg.norm(gap, axis=1).mean() < 0.3


def test_exif_settles_the_focal_length(model: LandmarkModel) -> None:
    landmarks = seen(model.at(IDENTITY, np.zeros(52)), camera(10, 0, 0.5))
    guessed = run(model, [evidence(model, landmarks, smooth_noise(model), None)]).poses[0]
    told = run(model, [evidence(model, landmarks, smooth_noise(model))]).poses[0]
    assert abs(np.log(told.focal / FOCAL)) < 0.05
    assert abs(np.log(told.focal / FOCAL)) < abs(np.log(guessed.focal / FOCAL))


def test_wild_landmarks_count_little(model: LandmarkModel) -> None:
    rng = np.random.default_rng(3)
    landmarks = seen(model.at(IDENTITY, np.zeros(52)), camera(5))
    clean = run(model, [evidence(model, landmarks, exact(model))])
    covered = rng.choice(478, 40, replace=False)
    landmarks[covered, :2] += rng.normal(0, 40, (40, 2))
    fit = run(model, [evidence(model, landmarks, exact(model))])
    assert fit.trust[0][covered].mean() < 0.1 * np.delete(fit.trust[0], covered).mean()
    assert np.linalg.norm(fit.identity - clean.identity) < 0.25 * np.linalg.norm(clean.identity)


def test_three_photos_know_more_than_one(model: LandmarkModel) -> None:
    rng = np.random.default_rng(4)
    noise = smooth_noise(model, size=0.0015)
    photos = []
    for yaw in (-30, 0, 30):
        wrong = np.tensordot(rng.normal(size=len(noise.shared)), noise.shared, 1)
        grain = rng.normal(size=wrong.shape) * noise.grain
        photos.append(evidence(model, seen(model.at(IDENTITY, np.zeros(52)) + wrong + grain, camera(yaw)), noise))

    def miss(fit: Fit) -> float:
        moved = np.tensordot(fit.identity - IDENTITY, model.identity, 1)
        return float(np.linalg.norm(moved, axis=1).mean())

    assert miss(run(model, photos)) < np.mean([miss(run(model, [p])) for p in photos])


def test_expressions_stay_between_their_bounds(model: LandmarkModel) -> None:
    rng = np.random.default_rng(5)
    landmarks = seen(model.at(IDENTITY, 1.8 * rng.random(52) - 0.6), camera(0))
    photo = evidence(model, landmarks, exact(model))
    weights = run(model, [photo]).expressions[0]
    assert weights.min() >= 0
    assert weights.max() <= 1
    shut = run(model, [replace(photo, most=np.zeros(52))]).expressions[0]
    assert not shut.any()


def test_an_eye_looks_one_way() -> None:
    weights = np.zeros(52)
    weights[[ARKIT.index(n) for n in ("eyeLookUpLeft", "eyeLookDownLeft", "eyeLookInRight")]] = 0.5, 0.2, 0.3
    most = dict(zip(ARKIT, one_way(ARKIT, weights), strict=True))
    assert most["eyeLookUpLeft"] == 1
    assert most["eyeLookDownLeft"] == 0
    assert most["eyeLookInRight"] == 1
    assert most["eyeLookOutRight"] == 0
    assert most["jawOpen"] == 1


def test_same_landmarks_same_head(model: LandmarkModel) -> None:
    photo = evidence(model, seen(model.at(IDENTITY, smile()), camera(12)), smooth_noise(model))
    one, other = run(model, [photo]), run(model, [photo])
    assert np.array_equal(one.identity, other.identity)
    assert np.array_equal(one.expressions[0], other.expressions[0])


@pytest.mark.parametrize(("yaw", "pitch"), [(0, 0), (30, 0), (-20, 10)])
def test_alignment_finds_the_pose(model: LandmarkModel, yaw: float, pitch: float) -> None:
    landmarks = seen(model.mean, camera(yaw, pitch, 20.0))
    away, rotation = aligned(landmarks, model.mean)
    assert np.abs(away).max() < 1.0
    found = np.degrees(angles_of(rotation))
    assert found[0] == pytest.approx(yaw, abs=1)
    assert found[1] == pytest.approx(pitch, abs=1)


def test_landmarks_follow_the_head(head: HeadModel, model: LandmarkModel) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        identity, weights = torch.from_numpy(IDENTITY).float(), torch.from_numpy(smile()).float()
        vertices = head.shape(identity[None], weights[None])[0]
    points = head.landmarks["mediapipe478"].on(vertices, head.triangles).numpy()
    assert np.abs(points - model.at(IDENTITY, smile())).max() < 1e-5


def test_a_smile_has_two_sides() -> None:
    weights = np.zeros(52)
    weights[ARKIT.index("mouthSmileLeft")] = 0.6
    assert smile_of(ARKIT, weights) == pytest.approx(0.3)
    assert smile_of(("jawOpen",), np.ones(1)) == 0
