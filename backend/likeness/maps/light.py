"""The light of a photo, fitted to the skin it falls on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas

__all__ = ["Light", "fit_light"]

Floats = NDArray[np.float32]

STIFF = np.array([0.0, 1.0, 1.0, 1.0, 3.0, 3.0, 3.0, 3.0, 3.0])
"""How much a coefficient of each degree costs: faces show half a sphere, so the rest must not run wild."""
ROUNDS = 6
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

    def correction(self, transfer: Floats) -> Floats:
        """Log of the shading relative to the level, (V, 3): what is to be taken off the photo.

        Bounded, and tinted no more than real light on a face is.
        """
        log = np.log(self.shading(transfer) / self.level.astype(np.float32))
        grey = log.mean(1, keepdims=True)
        result: Floats = 1.1 * np.tanh(grey / 1.1) + np.clip(0.7 * (log - grey), -0.2, 0.2)
        return result


def fit_light(log: Floats, weight: Floats, atlas: Atlas, transfer: Floats) -> Light:
    """Fit the light to log colours (L, L, 3) where weight (L, L) says that there is bare skin."""
    total = atlas.vertices(weight * atlas.area)
    used = total > 1e-3 * total.max() if total.max() > 0 else np.zeros(len(total), bool)
    if used.sum() < 20:
        level = np.full(3, 0.3) if not used.any() else np.exp(_mean(log, weight))
        first = np.zeros((9, 3))
        first[0] = level / 0.282095
        return Light(first, level)
    sums = atlas.vertices(np.exp(log) * (weight * atlas.area)[..., None])[used]
    seen = (sums / total[used, None]).astype(np.float64)
    basis = transfer[used].astype(np.float64)
    level = np.array([_median(seen[:, c], total[used]) for c in range(3)])
    coefficients = np.zeros((9, 3))
    for channel in range(3):
        goal = seen[:, channel] / level[channel]
        w = total[used] / total[used].mean()
        for _ in range(ROUNDS):
            normal = (basis * w[:, None]).T @ basis + np.diag(STIFF) * 2e-3 * w.sum()
            x = np.linalg.solve(normal + 1e-9 * np.eye(9), (basis * w[:, None]).T @ goal)
            rest = goal - basis @ x
            spread = max(1.48 * float(np.median(abs(rest))), 0.02)
            w = total[used] / total[used].mean() / (1 + (rest / (2 * spread)) ** 2)
        coefficients[:, channel] = x * level[channel]
    return Light(_plainly_tinted(coefficients / level) * level, level)


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
