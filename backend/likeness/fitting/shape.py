"""Identity from landmarks: the mean of what heads seen like this look like, over one photo or several.

Regression to the posterior mean beats fitting the landmarks: the network moves landmarks towards an average face and
errs alike over whole regions, which a fit takes for shape. See calibrations/CARD.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.fitting.calibration import Calibration, aligned, angles_of, pose_terms

__all__ = ["Hint", "Likely", "identity_of"]

Floats = NDArray[np.float64]

LIMIT = 3.0  # standard deviations: no coefficient goes beyond, whatever the landmarks say
SAFE = 0.9
"""Share of what the regression says that is believed: people are not drawn from the head model's statistics, and a face
near the average must not be driven away from it. Cross-checked on rendered heads of two kinds."""
ALIKE = 0.3
"""Share of a photo's error that the other photos of the person have too (the network misjudges a face the same way
from all sides), so that three photos are worth fewer than three."""


@dataclass(frozen=True, eq=False)
class Likely:
    """Identity given the landmarks: mean (N,) and precision (N, N) of the coefficients."""

    mean: Floats
    precision: Floats


@dataclass(frozen=True, eq=False)
class Hint:
    """Evidence of identity that owes nothing to landmarks: mean (N,), and its precision (N,) beyond the prior's."""

    mean: Floats
    beyond: Floats


def identity_of(
    calibration: Calibration, landmarks: list[Floats], hint: Hint | None = None, smiles: list[float] | None = None
) -> Likely:
    """Identity of the person whose landmarks (478, 3), pixels, were found in each photo.

    Args:
        hint: other evidence; its errors and the landmarks' are taken as independent.
        smiles: how much the person smiles in each photo, 0..1. A smile widens nose and mouth, and the regression, which
            knows no expressions, takes a part of that for the person's own shape.

    Each photo's regression is the posterior mean under the prior N(0, 1); so the photos' precisions beyond the prior
    add up, and so do their precision-weighted means.
    """
    means = []
    for points, smile in zip(landmarks, smiles or [0.0] * len(landmarks), strict=True):
        away, rotation = aligned(points, calibration.reference)
        usual = np.tensordot(pose_terms(*angles_of(rotation)), calibration.usual, 1)
        means.append((away - usual).ravel() @ calibration.identity - smile * calibration.smile)
    count = len(means)
    precision = np.linalg.inv(calibration.spread)
    worth = count / (1 + ALIKE * (count - 1))
    beyond = precision - np.eye(len(precision))
    mean = np.mean(means, axis=0)
    together: Floats = np.eye(len(mean)) + worth * beyond
    told = worth * precision @ mean
    if hint is not None:
        together = together + np.diag(hint.beyond)
        told = told + (1 + hint.beyond) * hint.mean
    combined = np.linalg.solve(together, told)
    return Likely(np.clip(SAFE * combined, -LIMIT, LIMIT), together)
