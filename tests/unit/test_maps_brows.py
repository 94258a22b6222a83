"""Brows get hairs, and stay as dark and where they are."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from likeness.maps.brows import brow_hairs, covered_brows, drawn_in

SMALL: Any = SimpleNamespace(size=256, texel=0.0007)
FULL: Any = SimpleNamespace(size=1024, texel=0.000175)
NONE = np.zeros((256, 256), np.float32)


def area() -> np.ndarray:
    brows = np.zeros((256, 256), np.float32)
    for first in (60, 146):
        brows[76:100, first : first + 50] = 1
    return brows


def test_hairs_lie_in_the_brows_and_keep_their_mean() -> None:
    hairs = brow_hairs(area(), NONE, SMALL, FULL, 0)
    inside = np.s_[320:384, 260:420]
    assert hairs[inside].mean() == pytest.approx(1, abs=0.15)
    assert hairs[inside].std() > 0.2
    assert (hairs[:280] == 1).all()
    assert (hairs[420:] == 1).all()
    assert (hairs == brow_hairs(area(), NONE, SMALL, FULL, 0)).all()
    assert (hairs != brow_hairs(area(), NONE, SMALL, FULL, 1)).any()
    lids = NONE.copy()
    lids[90:] = 1
    assert (brow_hairs(area(), lids, SMALL, FULL, 0)[364:] == 1).all()
    assert (brow_hairs(NONE, NONE, SMALL, FULL, 0) == 1).all()


def test_hairs_rise_towards_the_temples() -> None:
    hairs = brow_hairs(area(), NONE, SMALL, FULL, 0)
    for first, sign in ((780, 1), (240, -1)):  # the tail half of the brow that grows to the right, and of the other
        patch = hairs[325:380, first - 120 * (sign > 0) : first + 120 * (sign < 0)] - 1
        rise = np.mean(patch[1:, :-1] * patch[:-1, 1:])  # one up, one to the right
        fall = np.mean(patch[:-1, :-1] * patch[1:, 1:])
        assert (rise - fall) * sign > 0


def test_a_seen_brow_stays_as_dark_as_it_is() -> None:
    detail = np.zeros((1024, 1024, 3), np.float32)
    detail[336:368, 250:430] = (-0.5, -0.6, -0.7)
    before = detail.copy()
    drawn_in(detail, brow_hairs(area(), NONE, SMALL, FULL, 0), np.ones((1024, 1024), np.float32), FULL)
    inside = np.s_[340:364, 270:400]
    assert detail[inside].mean((0, 1)) == pytest.approx(before[inside].mean((0, 1)), rel=0.2)
    assert detail[inside].std((0, 1)).min() > 0.1
    assert (detail[:, 600:] == before[:, 600:]).all(), "skin without hair stays skin, in a brow's area too"
    drawn_in(before, brow_hairs(area(), NONE, SMALL, FULL, 0), np.zeros((1024, 1024), np.float32), FULL)
    assert before[350, 300] == pytest.approx((-0.5, -0.6, -0.7))


def test_covered_brows_lie_in_the_middle_of_their_area() -> None:
    opacity = covered_brows(area(), SMALL, (1024, 1024))
    assert opacity[352, 300] > 0.2
    assert opacity[:300].max() < 0.02
