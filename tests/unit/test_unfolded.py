"""Triangles turned over are turned back, and what is far from them stays."""

from __future__ import annotations

import numpy as np

from likeness.heads.base import HeadModel
from likeness.heads.unfolded import turned, unfolded


def sheet(side: int) -> tuple[np.ndarray, np.ndarray]:
    """A flat square of side x side points, a millimetre apart."""
    y, x = np.mgrid[:side, :side]
    places = 0.001 * np.stack([x.ravel(), y.ravel(), np.zeros(side * side)], 1)
    first = (np.arange(side - 1)[:, None] * side + np.arange(side - 1)).ravel()
    lower = np.stack([first, first + 1, first + side + 1], 1)
    upper = np.stack([first, first + side + 1, first + side], 1)
    return places, np.concatenate([lower, upper])


def test_a_fold_is_smoothed_and_the_rest_stays() -> None:
    mean, triangles = sheet(25)
    folded = mean * 1.1
    middle = np.linalg.norm(mean - mean[12 * 25 + 12], axis=1)
    folded[12 * 25 + 12] += (0.003, 0.001, 0)
    some = np.ones(len(triangles), bool)
    assert turned(mean, folded, triangles).any()
    flat = unfolded(mean, folded, triangles, some)
    assert not turned(mean, flat, triangles).any()
    assert np.array_equal(flat[middle > 0.006], folded[middle > 0.006])


def test_tiny_triangles_between_two_motions_keep_their_sides() -> None:
    """As at a corner of the mouth: all of the difference falls on a strip a tenth as wide as what is around it."""
    mean, triangles = sheet(25)
    strip = np.abs(mean[:, 0] - 0.012) < 0.0015
    mean[:, 0] = np.where(strip, 0.012 + 0.1 * (mean[:, 0] - 0.012), mean[:, 0])
    moved = mean.copy()
    moved[mean[:, 0] > 0.012] -= (0.0005, 0, 0)
    some = np.ones(len(triangles), bool)
    assert turned(mean, moved, triangles).any()
    assert not turned(mean, unfolded(mean, moved, triangles, some), triangles).any()


def test_what_does_not_matter_and_what_is_not_turned_stays() -> None:
    mean, triangles = sheet(9)
    folded = mean.copy()
    folded[40] += (0.003, 0.001, 0)
    assert np.array_equal(unfolded(mean, folded, triangles, np.zeros(len(triangles), bool)), folded)
    assert np.array_equal(unfolded(mean, 2 * mean, triangles, np.ones(len(triangles), bool)), 2 * mean)


def test_people_of_a_head_whose_own_shape_turns_corners_over(ict_head: HeadModel) -> None:
    triangles = ict_head.triangles.numpy()[ict_head.region("skin").numpy()]
    mean = ict_head.template.double().numpy()
    tight = (ict_head.groups["lips"].numpy() > 0) | (ict_head.groups["eyelids"].numpy() > 0)
    some = tight[triangles].any(1)
    count = 0
    for sign in (-1.0, 1.0):
        smiling = mean + 0.8 * sign * sum(
            ict_head.expression[ict_head.expression_names.index(n)].double().numpy()
            for n in ("mouthSmileLeft", "mouthSmileRight")
        )
        count += int((turned(mean, smiling, triangles) & some).sum())
        assert not (turned(mean, unfolded(mean, smiling, triangles, some), triangles) & some).any()
    assert count, "there was something to turn back"
