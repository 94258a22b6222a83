"""Least squares of few unknowns within bounds, from the normal equations: a head's coefficients and its expression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bounded"]

Floats = NDArray[np.float64]

STEPS = 20
"""Times the number of unknowns; none was ever seen to need more than two."""


def bounded(left: Floats, right: Floats, least: Floats, most: Floats) -> Floats:
    """What minimises x'Lx / 2 - r'x within bounds.

    An active set (Stark and Parker, "Bounded-variable least squares", Computational Statistics 1995): solve for what
    is free, as far as the first bound in the way, which holds from then on; where none is, let go of what pulls inwards
    most.

    Args:
        left: (N, N) symmetric positive definite; right: (N,); least, most: (N,), infinite where there is no bound.
    """
    whole = np.linalg.solve(left, right)
    found = np.clip(whole, least, most)
    held = found != whole
    for _ in range(STEPS * len(right)):
        free = np.flatnonzero(~held)
        step = np.linalg.solve(left[np.ix_(free, free)], (right - left @ found)[free])
        aim = found[free] + step
        if ((aim >= least[free]) & (aim <= most[free])).all():
            found[free] = aim
            pull = right - left @ found
            inwards = np.where(held, np.where(found <= least, pull, -pull), 0.0)
            loosest = int(inwards.argmax())
            if inwards[loosest] <= 1e-9 * np.abs(right).max():
                break
            held[loosest] = False
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(step > 0, most[free] - found[free], found[free] - least[free]) / np.abs(step)
        first = int(np.nanargmin(room))
        found[free] = np.clip(found[free] + float(room[first]) * step, least[free], most[free])
        found[free[first]] = (most if step[first] > 0 else least)[free[first]]
        held[free[first]] = True
    return found
