"""Eyes open as far as in the photo, and nothing else changes."""

from dataclasses import replace

import numpy as np
import pytest
from made_fit import camera, face_of, made_head, seen

from likeness.fitting.landmarks import LandmarkModel, landmark_model
from likeness.fitting.openings import lids_as_seen
from likeness.fitting.pose import Pose
from likeness.heads.embedding_points import LOWER_LIDS, UPPER_LIDS
from likeness.heads.expressions import ARKIT

BLINKS = [ARKIT.index("eyeBlinkLeft"), ARKIT.index("eyeBlinkRight")]
WIDE = [ARKIT.index("eyeWideLeft"), ARKIT.index("eyeWideRight")]
LIDS = [i for i, name in enumerate(ARKIT) if name.startswith(("eyeBlink", "eyeSquint", "eyeWide"))]


@pytest.fixture(scope="module")
def model() -> LandmarkModel:
    """Two eyes of 24 mm with an opening of 10 mm, lids that blinks shut and wide eyes lift by 2 mm."""
    found = landmark_model(made_head())
    mean, expression = found.mean.copy(), np.zeros_like(found.expression)
    for eye, (corners, side) in enumerate((((33, 133), -1.0), ((263, 362), 1.0))):
        middle = np.array([0.032 * side, 0.13, 0.06])
        for point, place in zip(corners, (0.012, -0.012), strict=True):
            mean[point] = middle + np.array([place * side, 0, 0])
        along = np.linspace(-0.009, 0.009, 7)
        for points, sign in ((UPPER_LIDS, 1.0), (LOWER_LIDS, -1.0)):
            mine = list(points[7 * eye : 7 * eye + 7])
            high = 0.005 * sign * (1 - (along / 0.012) ** 2)
            mean[mine] = middle + np.stack([-along * side, high, 0 * along], 1)
            if sign > 0:
                name = "Right" if side < 0 else "Left"
                expression[ARKIT.index(f"eyeBlink{name}")][mine, 1] = -2 * high
                expression[ARKIT.index(f"eyeWide{name}")][mine, 1] = 0.002
    return replace(found, mean=mean, expression=expression)


def asked(model: LandmarkModel, true: np.ndarray, guess: np.ndarray, pose: Pose) -> np.ndarray:
    landmarks = seen(model.mean + np.tensordot(true, model.expression, 1), pose)
    return lids_as_seen(model, ARKIT, model.mean, guess, pose, face_of(landmarks))


@pytest.mark.parametrize("yaw", [0.0, 20.0, -35.0])
@pytest.mark.parametrize(("blink", "wide"), [(0.0, 0.0), (0.4, 0.0), (0.0, 0.6)])
def test_lids_come_to_where_the_photo_has_them(model: LandmarkModel, yaw: float, blink: float, wide: float) -> None:
    true, guess = np.zeros(52), np.zeros(52)
    true[BLINKS], true[WIDE], guess[BLINKS] = blink, wide, 0.2
    found = asked(model, true, guess, camera(yaw))
    upper, lower = list(UPPER_LIDS), list(LOWER_LIDS)

    def gaps(weights: np.ndarray) -> np.ndarray:
        points = model.at(np.zeros(6), weights)
        return (points[upper] - points[lower])[:, 1].reshape(2, 7).mean(1)

    assert gaps(found) == pytest.approx(gaps(true), rel=0.05)


def test_what_is_no_lid_stays(model: LandmarkModel) -> None:
    guess = np.full(52, 0.3)
    found = asked(model, np.zeros(52), guess, camera(0))
    others = np.setdiff1d(np.arange(52), LIDS)
    assert np.array_equal(found[others], guess[others])
    assert found.min() >= 0
    assert found.max() <= 1
    assert (found[BLINKS] < 0.2).all()


def test_an_eye_that_is_turned_away_follows_the_other(model: LandmarkModel) -> None:
    true = np.zeros(52)
    true[BLINKS] = 0.5
    pose = camera(0)
    landmarks = seen(model.mean + np.tensordot(true, model.expression, 1), pose)
    face = face_of(landmarks)
    # The right eye is seen edge on, and the network thinks that it is wide open.
    squeezed = landmarks.copy()
    squeezed[133, :2] = squeezed[33, :2] + (squeezed[133, :2] - squeezed[33, :2]) * 0.04
    squeezed[list(UPPER_LIDS[:7]), 1] -= 6
    found = lids_as_seen(model, ARKIT, model.mean, np.zeros(52), pose, replace(face, landmarks=squeezed))
    left, right = found[BLINKS]
    assert left == pytest.approx(0.5, abs=0.05)
    assert right > 0.15


def test_a_head_without_lids_is_left_alone(model: LandmarkModel) -> None:
    kept = np.flatnonzero(~np.isin(model.index, UPPER_LIDS[:3]))
    bare = LandmarkModel(model.index[kept], model.mean[kept], model.identity[:, kept], model.expression[:, kept])
    guess = np.full(52, 0.3)
    face = face_of(seen(model.mean, camera(0)))
    assert np.array_equal(lids_as_seen(bare, ARKIT, bare.mean, guess, camera(0), face), guess)
