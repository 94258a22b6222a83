"""Irises come to stand in the eyes as in the photo, both eyes together, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from made_fit import camera, face_of, made_head, seen

from likeness.fitting.gaze import gaze_as_seen
from likeness.fitting.landmarks import LandmarkModel, landmark_model
from likeness.fitting.pose import Pose
from likeness.heads.expressions import ARKIT

LOOKS = [i for i, name in enumerate(ARKIT) if name.startswith("eyeLook")]


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    """Two eyes of 24 mm whose irises go 6 mm at a look's full weight."""
    found = landmark_model(made_head())
    mean, expression = found.mean.copy(), np.zeros_like(found.expression)
    for iris, outer, inner, side in ((468, 33, 133, -1.0), (473, 263, 362, 1.0)):
        middle = np.array([0.032 * side, 0.13, 0.06])
        mean[iris] = middle + np.array([0, 0, 0.003])
        mean[outer], mean[inner] = (middle + np.array([x * side, 0, 0]) for x in (0.012, -0.012))
        name = "Right" if side < 0 else "Left"
        for way, move in (("In", (-side, 0)), ("Out", (side, 0)), ("Up", (0, 1)), ("Down", (0, -1))):
            expression[ARKIT.index(f"eyeLook{way}{name}")][iris, :2] = 0.006 * np.array(move)
    return replace(found, mean=mean, expression=expression)


def weights(**looks: float) -> np.ndarray:
    found = np.zeros(52)
    for name, weight in looks.items():
        found[ARKIT.index(f"eyeLook{name}")] = weight
    return found


def asked(model: LandmarkModel, true: np.ndarray, guess: np.ndarray, pose: Pose, shift: float = 0.0) -> np.ndarray:
    """The looks found where all of both eyes lies lower in the photo than the fit has it, by metres."""
    points = model.mean + np.tensordot(true, model.expression, 1)
    points[[33, 133, 263, 362, 468, 473], 1] -= shift
    return gaze_as_seen(model, ARKIT, model.mean, guess, pose, face_of(seen(points, pose)))


@pytest.mark.parametrize("yaw", [0.0, 20.0, -35.0])
@pytest.mark.parametrize("shift", [0.0, 0.003])
def test_the_gaze_of_the_photo_is_found(model: LandmarkModel, yaw: float, shift: float) -> None:
    true = weights(InRight=0.5, OutLeft=0.5, UpRight=0.3, UpLeft=0.3)
    guess = weights(OutRight=0.2, InLeft=0.2, DownLeft=0.1, DownRight=0.1)
    found = asked(model, true, guess, camera(yaw), shift)
    assert found[LOOKS] == pytest.approx(true[LOOKS], abs=0.07)


def test_an_eye_looks_one_way_and_nothing_else_changes(model: LandmarkModel) -> None:
    guess = np.full(52, 0.3)
    found = asked(model, weights(InRight=0.4, OutLeft=0.4), guess, camera(0))
    others = np.setdiff1d(np.arange(52), LOOKS)
    assert np.array_equal(found[others], guess[others])
    assert found.min() >= 0
    for side in ("Left", "Right"):
        inward, outward, up, down = (found[ARKIT.index(f"eyeLook{w}{side}")] for w in ("In", "Out", "Up", "Down"))
        assert min(inward, outward) == 0
        assert min(up, down) == 0


def test_eyes_turn_together_where_the_network_says_otherwise(model: LandmarkModel) -> None:
    apart = weights(OutRight=0.5, OutLeft=0.5)
    found = asked(model, apart, np.zeros(52), camera(0))
    outward = [found[ARKIT.index(f"eyeLookOut{side}")] for side in ("Right", "Left")]
    assert max(outward) < 0.35
    assert outward[0] == pytest.approx(outward[1], abs=0.02)
