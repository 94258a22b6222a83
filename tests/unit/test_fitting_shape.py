"""Shape from calibrated landmarks, and the small residual on top."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made_fit import camera, face_of, made_head, seen
from safetensors.numpy import load_file

from likeness import faces, photos
from likeness.fitting.calibration import FOLDER, Calibration, aligned, pose_terms
from likeness.fitting.fit import fit_faces
from likeness.fitting.free_form import CAP, Pull, Residual, free_form
from likeness.fitting.landmarks import landmark_model
from likeness.fitting.pose import Pose
from likeness.fitting.shape import LIMIT, SAFE, Hint, identity_of
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT

L = 478


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return made_head()


@pytest.fixture(scope="module")
def calibration() -> Calibration:
    """One coefficient that pushes all points outwards in x, another in y; the posterior knows half of it."""
    rng = np.random.default_rng(0)
    reference = rng.normal(0, 0.05, (L, 3))
    ways = np.stack([np.sin(40 * reference), np.cos(60 * reference)])
    ways -= ways.mean(1, keepdims=True)
    weights = np.stack([w.ravel() / (w**2).sum() for w in ways], 1) * 0.5
    usual = np.zeros((8, L, 3))
    zero = np.zeros((8, L, 3))
    grain, smile = np.full((L, 3), 1e-4), np.array([0.3, -0.2])
    return Calibration(reference, usual, weights, 0.5 * np.eye(2), zero, np.zeros((4, L, 3)), grain, smile)


def test_photos_that_agree_say_more_together(calibration: Calibration) -> None:
    landmarks = 1000 * calibration.reference * (1, -1, -1)
    field = np.sin(40 * calibration.reference)
    landmarks = landmarks + field * (1, -1, -1)
    one, three = (identity_of(calibration, [landmarks] * count).mean for count in (1, 3))
    assert 0.2 < one[0] < 0.6
    assert one[0] < three[0] < 2 * one[0]
    assert np.abs(identity_of(calibration, [landmarks * 50]).mean).max() < LIMIT
    shifted = 3 * landmarks + (400, 300, 0)
    assert identity_of(calibration, [shifted]).mean == pytest.approx(one, abs=1e-9)


def test_no_photo_is_believed_to_the_full(calibration: Calibration) -> None:
    landmarks = 1000 * (calibration.reference + 0.001 * np.sin(40 * calibration.reference)) * (1, -1, -1)
    away, _ = aligned(landmarks, calibration.reference)
    said = away.ravel() @ calibration.identity
    believed = identity_of(calibration, [landmarks]).mean
    assert np.linalg.norm(said) > 0.2
    assert 0.7 * np.linalg.norm(said) < np.linalg.norm(believed) < 0.95 * np.linalg.norm(said)


def test_other_evidence_is_weighed_against_the_landmarks(calibration: Calibration) -> None:
    landmarks = [1000 * calibration.reference * (1, -1, -1)]
    alone = identity_of(calibration, landmarks)
    unsure = identity_of(calibration, landmarks, Hint(np.zeros(2), np.zeros(2)))
    assert unsure.mean == pytest.approx(alone.mean)
    sure = identity_of(calibration, landmarks, Hint(np.array([0.5, -0.5]), np.full(2, 1e6)))
    assert sure.mean == pytest.approx(SAFE * np.array([0.5, -0.5]), rel=1e-3)
    half = identity_of(calibration, landmarks, Hint(np.array([0.5, -0.5]), np.ones(2)))
    assert np.all(np.abs(half.mean - alone.mean) < np.abs(sure.mean - alone.mean))
    assert np.all(np.diag(half.precision) > np.diag(alone.precision))


def test_a_smile_is_not_taken_for_shape(calibration: Calibration) -> None:
    landmarks = 1000 * calibration.reference * (1, -1, -1)
    still = identity_of(calibration, [landmarks]).mean
    assert identity_of(calibration, [landmarks], smiles=[0.0]).mean == pytest.approx(still)
    grin = identity_of(calibration, [landmarks], smiles=[1.0]).mean
    assert grin - still == pytest.approx(-SAFE * calibration.smile)
    pair = identity_of(calibration, [landmarks] * 2).mean
    one_of_two = identity_of(calibration, [landmarks] * 2, smiles=[1.0, 0.0]).mean
    assert np.sign(one_of_two - pair) == pytest.approx(-np.sign(calibration.smile))
    assert np.all(np.abs(one_of_two - pair) < np.abs(grin - still))


def test_a_smile_leaves_the_neutral_nose_narrow(
    anny_head: HeadModel, astronaut: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = anny_head.with_expressions(ARKIT)
    shipped, face = Calibration.of(head), faces.find(photos.load(astronaut))
    assert shipped is not None
    widths = []
    for calibration in (shipped, replace(shipped, smile=np.zeros_like(shipped.smile))):
        monkeypatch.setattr(Calibration, "of", lambda _, found=calibration: found)
        fitted = fit_faces(head, [face])
        assert fitted.details["nme_percent"][0] < 3
        points = head.landmarks["mediapipe478"].on(torch.from_numpy(fitted.vertices), head.triangles)
        widths.append([float((points[a] - points[b]).norm()) for a, b in ((64, 294), (33, 263))])
    (nose, eyes), (nose_before, eyes_before) = widths
    assert nose < nose_before - 0.001
    assert eyes == pytest.approx(eyes_before, rel=0.03)


def test_calibration_survives_its_file(calibration: Calibration, tmp_path: Path) -> None:
    calibration.save(tmp_path / "made.safetensors")
    back = load_file(tmp_path / "made.safetensors")
    assert set(back) == set(vars(calibration))
    assert np.allclose(back["identity"], calibration.identity, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("name", ["anny", "ict"])
def test_shipped_calibrations_are_sound(name: str) -> None:
    arrays = load_file(FOLDER / f"{name}.safetensors")
    assert all(np.isfinite(a).all() for a in arrays.values())
    values = np.linalg.eigvalsh(arrays["spread"].astype(np.float64))
    assert values.min() > 0
    assert values.max() < 1
    straight = np.tensordot(pose_terms(0.0, 0.0), arrays["bias"].astype(np.float64), 1)
    assert np.abs(straight).mean() < 0.004
    assert (FOLDER / "CARD.md").exists()


def test_a_head_without_calibration_has_none(head: HeadModel) -> None:
    assert Calibration.of(head) is None


def pulled(head: HeadModel, shift: np.ndarray, poses: list[Pose]) -> tuple[np.ndarray, list[Pull]]:
    """Landmarks of the made head that the photos see moved by `shift` (K, 3) metres."""
    model = landmark_model(head)
    normals = model.mean - model.mean.mean(0) + (0, 0, 0.05)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    trust = np.ones(len(model.mean))
    return model.mean, [Pull(p, model.mean, p.project(model.mean + shift), trust, normals) for p in poses]


def test_residual_follows_smooth_changes(head: HeadModel) -> None:
    places = landmark_model(head).mean
    near = np.exp(-(((places - (0, 0.1, 0.09)) ** 2).sum(1)) / (2 * 0.03**2))
    shift = near[:, None] * np.array([0, 0.002, 0])
    moved = free_form(*pulled(head, shift, [camera(0), camera(30)])).at(places)
    assert np.linalg.norm(moved - shift, axis=1).mean() < 0.4 * np.linalg.norm(shift, axis=1).mean()
    assert moved[:, 1] @ shift[:, 1] > 0


def test_residual_is_capped_and_turns_no_triangle_over(head: HeadModel) -> None:
    rng = np.random.default_rng(1)
    places = landmark_model(head).mean
    residual = free_form(*pulled(head, rng.normal(0, 0.02, places.shape), [camera(0)]))
    vertices = head.template.numpy().astype(np.float64)
    moved = residual.at(vertices)
    assert np.linalg.norm(moved, axis=1).max() <= CAP

    def normals(v: np.ndarray) -> np.ndarray:
        a, b, c = v[head.triangles.numpy()].transpose(1, 0, 2)
        return np.cross(b - a, c - a)

    before, after = normals(vertices), normals(vertices + moved)
    big = np.linalg.norm(before, axis=1) > 1e-7
    assert ((before * after).sum(1)[big] > 0).all()
    far = np.array([[0.0, 0.1, -0.15], [0.09, 0.1, -0.1]])
    assert np.linalg.norm(residual.at(far), axis=1).max() < 1e-4


def test_one_side_seen_the_other_follows(head: HeadModel) -> None:
    places = landmark_model(head).mean
    side = np.exp(-(((places - (0.045, 0.1, 0.06)) ** 2).sum(1)) / (2 * 0.02**2))
    shift = side[:, None] * np.array([0.003, 0, 0])
    model, pulls = pulled(head, shift, [camera(0)])
    hidden = Pull(pulls[0].pose, pulls[0].points, pulls[0].wanted, (places[:, 0] > 0).astype(float), pulls[0].normals)
    residual = free_form(model, [hidden])
    here, there = residual.at(np.array([[0.045, 0.1, 0.06], [-0.045, 0.1, 0.06]]))
    assert here[0] > 0.001
    assert there[0] < -0.3 * here[0]


def test_nothing_asked_nothing_moved(head: HeadModel) -> None:
    places, pulls = pulled(head, np.zeros((L, 3)), [camera(10)])
    assert np.abs(free_form(places, pulls).at(places)).max() < 1e-9
    assert isinstance(free_form(places, pulls), Residual)


def test_whole_way_is_deterministic_and_close(head: HeadModel) -> None:
    model = landmark_model(head)
    weights = np.zeros(52)
    weights[ARKIT.index("jawOpen")] = 0.5
    face = face_of(seen(model.at(np.array([1.0, -1, 0.5, 0, 0, 1]), weights), camera(15)))
    threads = torch.get_num_threads()
    one, other = fit_faces(head, [face]), fit_faces(head, [face])
    assert np.array_equal(one.vertices, other.vertices)
    assert one.details["nme_percent"][0] < 1.5
    assert one.expressions[0].min() >= 0
    assert one.expressions[0].max() <= 1
    assert torch.get_num_threads() == threads
    gap = one.cameras[0].project(model.mean) - camera(15).project(model.mean)
    assert np.linalg.norm(gap, axis=1).mean() < 0.05 * face.interocular
