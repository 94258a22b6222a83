"""How far apart two skins are: colour, gloss and relief, texel by texel, weighted by the skin they stand for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from skimage.color import deltaE_ciede2000, rgb2lab

from likeness.photos.srgb import srgb_decoded, srgb_encoded

__all__ = [
    "Spread", "best_scale", "correlation", "decoded", "delta_e", "encoded", "normal_angle", "origin_of", "reduced",
    "rms", "scale_invariant_mse", "spread", "tangent_normals",
]  # fmt: skip

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

FEW = 4000
"""Texels that decide the best scale."""
DARKEST = 1e-3
"""Linear reflectance below which a logarithm says nothing."""


@dataclass(frozen=True)
class Spread:
    """Weighted mean and 95th percentile; NaN where nothing was weighed."""

    mean: float
    p95: float


def decoded(srgb: NDArray[np.uint8]) -> Floats:
    """SRGB (..., 3) uint8 to linear float32 in 0..1."""
    table = srgb_decoded(np.arange(256) / 255).astype(np.float32)
    return table[srgb]


def encoded(linear: NDArray[np.floating]) -> Floats:
    """Linear (..., 3) to sRGB float32 in 0..1, clipped."""
    codes: Floats = srgb_encoded(np.clip(linear, 0, 1)).astype(np.float32)
    return codes


def reduced(picture: Floats, side: int) -> Floats:
    """A square map at another side in texels, averaged where it shrinks."""
    shrinks = side <= picture.shape[0]
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.float32)


def delta_e(ours: Floats, truth: Floats) -> Floats:
    """CIEDE2000 (...) of linear colours (..., 3), D65."""
    return np.asarray(deltaE_ciede2000(rgb2lab(encoded(ours)), rgb2lab(encoded(truth))), np.float32)


def best_scale(ours: Floats, truth: Floats, weight: Floats) -> float:
    """The one factor on ours that makes the weighted mean CIEDE2000 of colours (N, 3) least: exposure is free."""
    use = weight > 0
    ours, truth, weight = ours[use], truth[use], weight[use]
    if not len(ours):
        return 1.0
    step = max(len(ours) // FEW, 1)
    ours, truth, weight = ours[::step], truth[::step], weight[::step]
    start = float(np.median(np.log(np.maximum(truth.mean(-1), DARKEST) / np.maximum(ours.mean(-1), DARKEST))))
    found = minimize_scalar(
        lambda log: float(np.average(delta_e(ours * np.exp(log), truth), weights=weight)),
        bounds=(start - 0.7, start + 0.7), method="bounded", options={"xatol": 0.005},
    )  # fmt: skip
    return float(np.exp(found.x))


def spread(values: Floats, weight: Floats) -> Spread:
    """Weighted mean and 95th percentile of values of any shape; texels of no weight do not count."""
    use = weight > 0
    if not use.any():
        return Spread(float("nan"), float("nan"))
    values, weight = values[use].astype(np.float64), weight[use].astype(np.float64)
    order = np.argsort(values)
    share = np.cumsum(weight[order])
    place = np.searchsorted(share, 0.95 * share[-1])
    return Spread(float(np.average(values, weights=weight)), float(values[order][min(place, len(order) - 1)]))


def scale_invariant_mse(ours: Floats, truth: Floats, weight: Floats) -> float:
    """Mean squared error of linear colours (..., 3) after the best factor on each channel, over the truth's square.

    Grosse et al., ICCV 2009, section 4, over the whole skin rather than windows. 0 is perfect, 1 is black.
    """
    total = 0.0
    for channel in range(3):
        a, b = (picture[..., channel].astype(np.float64) for picture in (ours, truth))
        power = (weight * a * a).sum()
        factor = (weight * a * b).sum() / power if power > 0 else 0.0
        total += (weight * (factor * a - b) ** 2).sum() / max((weight * b * b).sum(), 1e-20)
    return float(total / 3)


def correlation(ours: Floats, truth: Floats, weight: Floats) -> float:
    """Weighted Pearson correlation of two maps; 0 where one of them is even."""
    total = weight.sum()
    if total <= 0:
        return float("nan")
    a, b = (m - (weight * m).sum() / total for m in (ours.astype(np.float64), truth.astype(np.float64)))
    scale = np.sqrt((weight * a * a).sum() * (weight * b * b).sum())
    return float((weight * a * b).sum() / scale) if scale > 1e-12 * total else 0.0


def rms(difference: Floats, weight: Floats) -> float:
    """Weighted root mean square; NaN where nothing was weighed."""
    total = weight.sum()
    return float(np.sqrt((weight * difference.astype(np.float64) ** 2).sum() / total)) if total > 0 else float("nan")


def tangent_normals(height: Floats, pitch: Floats) -> Floats:
    """Unit normals (S, S, 3) of heights (S, S) in metres over a plane of `pitch` (S, S) metres per texel; +Y is up."""
    down, across = np.gradient(height)
    normals = np.stack([-across / pitch, down / pitch, np.ones_like(height)], -1)
    return np.asarray(normals / np.linalg.norm(normals, axis=-1, keepdims=True), np.float32)


def normal_angle(ours: Floats, truth: Floats) -> Floats:
    """Degrees between normals (..., 3), which need not be of unit length."""
    a, b = (n / np.maximum(np.linalg.norm(n, axis=-1, keepdims=True), 1e-9) for n in (ours, truth))
    return np.asarray(np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1))), np.float32)


def origin_of(pixels: NDArray[np.uint8], confidence: bool) -> dict[str, Bools]:
    """Masks "seen", "mirrored" and "filled" of channel `origin`, or of `confidence` where a package has no other."""
    seen, mirrored = (191, 64) if not confidence else (178, 51)
    return {"seen": pixels > seen, "mirrored": (pixels <= seen) & (pixels > mirrored), "filled": pixels <= mirrored}
