"""The landmark bench's error has known answers, and its landmarks are those of the method."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import aflw2000
import nme
from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_model import Tddfa


def test_the_error_is_a_share_of_the_box() -> None:
    true = np.zeros((2, 3, 4))
    true[:, 0], true[:, 1] = [0, 40, 40, 0], [0, 0, 10, 10]  # a box of 40 x 10: a side of 20
    true[:, 2] = 1e6  # depth does not count
    found = true[:, :2].copy()
    found[1, 0] += 3
    found[1, 1, :2] += 4  # two landmarks 5 pixels off, two 3
    np.testing.assert_allclose(nme.normalised_error(found, true), [0, 4 / 20])


def test_yaws_count_range_by_range() -> None:
    yaws = np.array([0.0, -30, 30.1, 60, -60.1, 90])
    errors = np.array([0.0, 2, 3, 5, 7, 9])
    assert nme.by_yaw(errors, yaws) == pytest.approx([1, 4, 8, 13 / 3])


def test_both_ways_to_landmarks() -> None:
    random = np.random.default_rng(0)
    rois = np.array([[10.0, 20, 130, 140], [-5, 7, 235, 127]], np.float32)
    raw = random.normal(0, 0.3, (2, 2, 68)).astype(np.float32)
    raw[:, :, 0] = 0, 1  # the middle of the lower side
    placed = aflw2000.landmarks_by_head(raw, rois)
    np.testing.assert_allclose(placed[:, :, 0], [[70, 140], [115, 127]])
    arrays = {
        "u": random.normal(0, 5e4, (204, 1)),
        "w_shp": random.normal(0, 1, (204, 40)),
        "w_exp": random.normal(0, 1, (204, 10)),
        "keypoints": np.arange(204),
    }
    model = Bfm.from_noneck(arrays)
    flat = random.normal(0, 1e-3, (2, 62)).astype(np.float32)
    found = aflw2000.landmarks_by_model(model, flat, rois)
    method = Tddfa(None, model)  # type: ignore[arg-type]
    for row, roi, points in zip(flat, rois, found, strict=True):
        np.testing.assert_allclose(points, method.sparse(row, tuple(roi))[:2], atol=1e-3)
