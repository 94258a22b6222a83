"""The light of a photo, fitted to the skin it falls on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas

__all__ = ["STIFF", "Light", "fit_light", "robust", "seen_light"]

Floats = NDArray[np.float32]

STIFF = np.array([0.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0])
"""How much a coefficient of each degree costs: faces show half a sphere, so the rest must not run wild."""
ROUNDS = 6
MOST = 1.1
"""Log light that soft light on a face differs by from the usual."""
FAR_OFF = 0.7
"""Log light from which on something is no skin, however far it is off."""
TINT = 0.06
"""Share of the mean light by which its colour may differ from one side to the other."""


@dataclass(frozen=True, eq=False)
class Light:
    """Light on a skin of even colour: (9, 3) radiance coefficients times that colour, linear light.

    Attributes:
        coefficients: (9, 3) float64, red, green and blue.
        level: (3,) float64, what the light makes of a typical seen texel.
    """

    coefficients: NDArray[np.float64]
    level: NDArray[np.float64]

    def shading(self, transfer: Floats) -> Floats:
        """Linear light (V, 3) of even skin at vertices whose transfer is (V, 9); never below 5 % of the level."""
        lit = transfer @ self.coefficients.astype(np.float32)
        result: Floats = np.maximum(lit, 0.05 * self.level.astype(np.float32))
        return result

    def relative(self) -> NDArray[np.float64]:
        """Radiance coefficients (9, 3) of the light without the skin's colour: as `correction` divides it out."""
        relative: NDArray[np.float64] = self.coefficients / np.maximum(self.level, 1e-3)
        return relative

    def correction(self, shading: Floats, most: float = MOST) -> Floats:
        """Log of a shading (..., 3) relative to the level: what is to be taken off the photo.

        Bounded, to `most` either way, and tinted no more than real light on a face is.
        """
        log = np.log(np.maximum(shading / self.level.astype(np.float32), 0.05))
        grey = log.mean(-1, keepdims=True)
        result: Floats = most * np.tanh(grey / most) + np.clip(0.7 * (log - grey), -0.2, 0.2)
        return result


def fit_light(log: Floats, weight: Floats, atlas: Atlas, transfer: Floats) -> Light:
    """Fit the light to log colours (L, L, 3) where weight (L, L) says that there is bare skin."""
    used, total, seen = seen_light(log, weight, atlas)
    if used.sum() < 20:
        level = np.full(3, 0.3) if not used.any() else np.exp(_mean(log, weight))
        first = np.zeros((9, 3))
        first[0] = level / 0.282095
        return Light(first, level)
    basis = transfer[used].astype(np.float64)
    level = np.array([_median(seen[:, c], total) for c in range(3)])
    found = [robust(basis, seen[:, c] / level[c], total, STIFF)[0] for c in range(3)]
    return Light(_plainly_tinted(np.stack(found, 1)) * level, level)


def seen_light(log: Floats, weight: Floats, atlas: Atlas) -> tuple[NDArray[np.bool_], Floats, NDArray[np.float64]]:
    """Vertices (V,) bool that a photo shows, N of them; their weights (N,) of mean 1, and linear colours (N, 3)."""
    total = atlas.vertices(weight * atlas.area)
    used = total > 1e-3 * total.max() if total.max() > 0 else np.zeros(len(total), bool)
    sums = atlas.vertices(np.exp(log) * (weight * atlas.area)[..., None])[used]
    seen = (sums / np.maximum(total[used, None], 1e-12)).astype(np.float64)
    return used, total[used] / max(float(total[used].mean()), 1e-12) if used.any() else total[used], seen


def robust(
    basis: NDArray[np.float64], goal: NDArray[np.float64], weight: Floats, stiff: NDArray[np.float64]
) -> tuple[NDArray[np.float64], float]:
    """Coefficients (K,) of a basis (N, K) that meet the goal (N,) where most of it can be met, by reweighted least
    squares, and the weighted mean of how far the logarithm is off, at most `FAR_OFF` each."""
    w = weight.astype(np.float64)
    for _ in range(ROUNDS):
        normal = (basis * w[:, None]).T @ basis + np.diag(stiff) * 2e-3 * w.sum()
        x = np.linalg.solve(normal + 1e-9 * np.eye(len(stiff)), (basis * w[:, None]).T @ goal)
        rest = abs(goal - basis @ x)
        w = weight / (1 + (rest / (2 * max(1.48 * float(np.median(rest)), 0.02))) ** 2)
    off = abs(np.log(np.maximum(basis @ x, 0.05) / np.maximum(goal, 0.05)))
    return x, float((np.minimum(off, FAR_OFF) * weight).sum() / weight.sum())


def _plainly_tinted(light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light (9, 3) of one colour with at most a little more of another from one side.

    Freer colours follow the skin's own, and run wild where nothing was seen.
    """
    grey = light.mean(1, keepdims=True)
    colour = light[0] / max(float(grey[0, 0]), 1e-6)
    tinted: NDArray[np.float64] = grey * colour
    slope = 0.5 * (light[1:4] - tinted[1:4])
    most = TINT * 0.282095 * abs(float(grey[0, 0])) / 0.488603
    tinted[1:4] += slope * np.minimum(1, most / np.maximum(np.linalg.norm(slope, axis=0), 1e-9))
    return tinted


def _mean(log: Floats, weight: Floats) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = (log * weight[..., None]).sum((0, 1)) / max(float(weight.sum()), 1e-9)
    return mean


def _median(values: NDArray[np.float64], weight: Floats) -> float:
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(share, share[-1] / 2)])
