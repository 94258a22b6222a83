"""Landmark error and the clock of the accuracy bench."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import real
import timing


def face(**changes: object) -> SimpleNamespace:
    landmarks = np.random.default_rng(2).uniform(100, 400, (478, 3))
    landmarks[33], landmarks[263] = (200, 200, 0), (290, 200, 40)
    return SimpleNamespace(landmarks=landmarks, **changes)


def test_landmark_error_is_a_share_of_the_eyes_distance() -> None:
    where = face()
    eyes = np.hypot(90, 40)
    assert real.landmark_error(where.landmarks[:, :2], where) == 0
    assert real.landmark_error(where.landmarks[:, :2] + [0.03 * eyes, 0], where) == pytest.approx(3)


def test_landmarks_the_head_lacks_do_not_count() -> None:
    where = face()
    points = where.landmarks[:, :2] + [0, 0.01 * np.hypot(90, 40)]
    points[100:200] = np.nan
    assert real.landmark_error(points, where) == pytest.approx(1)


def test_the_machine_is_never_faster_than_its_own_processor() -> None:
    assert timing.busyness(0.1) > 0.8
