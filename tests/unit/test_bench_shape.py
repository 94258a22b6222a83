"""The figures of the accuracy bench have known answers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

from test_now import ANGLES, ball, mesh

import shape_error
from now import Scan
from shape_error import Fit, Neutral, fit_to_scan

LONGITUDE, LATITUDE = ANGLES.T


def bumps(points: np.ndarray, height: float) -> np.ndarray:
    """A smooth deviation of `height` metres along the outward direction, of zero mean over the face."""
    out = points / np.linalg.norm(points, axis=-1, keepdims=True)
    return points + height * (np.sin(90 * points[..., :1]) * np.cos(80 * points[..., 1:2])) * out


def head(height: float) -> Neutral:
    vertices, triangles = mesh(columns=160, rows=80)
    return Neutral(bumps(vertices, height), triangles, bumps(ball(LONGITUDE, LATITUDE), height))


TRUE = 0.004


@pytest.fixture(scope="module")
def scan() -> Scan:
    exact = head(TRUE)
    return Scan(exact.vertices, exact.landmarks)


@pytest.fixture(scope="module")
def mean(scan: Scan) -> Fit:
    return fit_to_scan(scan, head(0.0))


@pytest.fixture(scope="module")
def exact(scan: Scan) -> Fit:
    return fit_to_scan(scan, head(TRUE))


def test_the_truth_has_no_error_and_recovers_everything(exact: Fit, mean: Fit) -> None:
    assert exact.distances.max() < 1e-5
    assert shape_error.ratio(exact, mean) < 0.01
    assert shape_error.share_recovered([(exact, mean)]) == pytest.approx(1, abs=0.01)


def test_the_mean_head_has_ratio_one_and_recovers_nothing(mean: Fit) -> None:
    assert mean.median_mm > 0.5
    assert shape_error.ratio(mean, mean) == 1
    assert shape_error.share_recovered([(mean, mean)]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("part", [0.5, 1.5])
def test_a_part_of_the_way_counts_as_that_part(scan: Scan, mean: Fit, part: float) -> None:
    ours = fit_to_scan(scan, head(part * TRUE))
    assert shape_error.share_recovered([(ours, mean)]) == pytest.approx(part, abs=0.1)
    assert shape_error.ratio(ours, mean) == pytest.approx(abs(1 - part), abs=0.1)


def test_size_and_place_of_a_head_do_not_count(scan: Scan) -> None:
    half = head(TRUE / 2)
    moved = Neutral(100 * half.vertices + 7, half.triangles, 100 * half.landmarks + 7)
    assert fit_to_scan(scan, moved).median_mm == pytest.approx(fit_to_scan(scan, half).median_mm, rel=0.01)


def test_points_of_all_heads_are_pooled(exact: Fit, mean: Fit) -> None:
    alone, both = shape_error.summary([mean]), shape_error.summary([mean, exact])
    assert both["mean_mm"] == pytest.approx(alone["mean_mm"] / 2, rel=0.01)
    assert alone["median_mm"] == pytest.approx(mean.median_mm)
    assert alone["std_mm"] == pytest.approx(1000 * mean.distances.std())
