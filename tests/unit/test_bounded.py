"""Bounded least squares by its conditions: no slope where it is free, outward slopes at bounds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import lsq_linear

from likeness.heads.bounded import bounded


def problem(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours that nearly say the same, half of the unknowns without bounds."""
    random = np.random.default_rng(seed)
    rows = random.standard_normal((60, 40))
    rows[:, 20:] += 3 * rows[:, :20]
    least, most = np.full(40, -np.inf), np.full(40, np.inf)
    least[15:], most[15:] = 0.0, 1.0
    return rows, 2 * random.standard_normal(60), least, most


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_least_within_the_bounds(seed: int) -> None:
    rows, goal, least, most = problem(seed)
    left, right = rows.T @ rows + 0.01 * np.eye(40), rows.T @ goal
    found = bounded(left, right, least, most)
    slope = left @ found - right
    assert (found >= least).all()
    assert (found <= most).all()
    inner = (found > least) & (found < most)
    assert np.abs(slope[inner]).max() < 1e-7
    assert (slope[found == least] >= -1e-7).all()
    assert (slope[found == most] <= 1e-7).all()
    assert ((found == least) | (found == most)).sum() > 5, "the bounds count here"


def test_it_is_what_the_library_finds() -> None:
    rows, goal, least, most = problem(3)
    whole = np.concatenate([rows, 0.1 * np.eye(40)])
    known = lsq_linear(whole, np.concatenate([goal, np.zeros(40)]), (least, most), method="bvls").x
    ours = bounded(rows.T @ rows + 0.01 * np.eye(40), rows.T @ goal, least, most)
    assert np.allclose(ours, known, atol=1e-6)


def test_without_bounds_it_is_the_plain_solution() -> None:
    rows, goal, least, _ = problem(1)
    left = rows.T @ rows + 0.01 * np.eye(40)
    free = np.full_like(least, np.inf)
    assert np.allclose(bounded(left, rows.T @ goal, -free, free), np.linalg.solve(left, rows.T @ goal))
