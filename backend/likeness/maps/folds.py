"""Folds that an expression presses into the skin: they are its shape, not the skin's colour."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.maps.places import smoothstep

__all__ = ["folds_in", "squeeze"]

Floats = NDArray[np.float32]

SQUEEZED = (0.03, 0.12)
"""Shortening across from which on dark lines are taken for folds."""
WIDEST = 0.009
"""Metres across that a fold's shade may be; wider shade is light."""
LONGER = 0.0065
"""Metres that folds are long at least; freckles, moles and pores are not."""
BENT = (0.25, 0.7)
"""Share of a dip's depth found along a straight line from which on it is a fold's; folds bend, and vary in depth."""
FAINT = (0.09, 0.2)
"""Log luminance by which lines are darker at least: fainter ones are the skin's own grain."""
DIRECTIONS = 12
BESIDE, SOFT = 0.002, 0.0012
"""Metres around a fold that belong to it, its bright rims, and over which it ends."""


def squeeze(rest: Floats, posed: Floats, triangles: torch.Tensor) -> Floats:
    """How much an expression shortens the skin in the direction that it shortens most, (V,) 0..1 smooth.

    Args:
        rest, posed: (V, 3) metres, without and with the expression; triangles: (T, 3).
    """
    corners = triangles.numpy()

    def edges(points: Floats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        p = points.astype(np.float64)[corners]
        return p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]

    def metric(u: NDArray[np.float64], v: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        return (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)

    a, b, c = metric(*edges(rest))
    d, e, f = metric(*edges(posed))
    # Smallest eigenvalue of rest^-1 posed: the squared stretch.
    determinant = np.maximum(a * c - b * b, 1e-20)
    trace = (c * d - 2 * b * e + a * f) / determinant
    product = (d * f - e * e) / determinant
    least = trace / 2 - np.sqrt(np.maximum(trace**2 / 4 - product, 0))
    shortened = 1 - np.sqrt(np.clip(least, 0, 1))
    area = np.sqrt(determinant) / 2
    count = len(rest)
    for _ in range(3):
        weight = np.bincount(corners.ravel(), np.repeat(area, 3), count)
        mean = np.bincount(corners.ravel(), np.repeat(area * shortened, 3), count) / np.maximum(weight, 1e-12)
        shortened = mean[corners].mean(1)
    result: Floats = mean.astype(np.float32)
    return result


def folds_in(log: Floats, squeezed: Floats, texel: float) -> Floats:
    """(L, L) 0..1 where folds lie, and so nothing is known of the skin's colour.

    Shade between two walls of skin is darker and redder than the skin, its rims catch the light: what is taken for the
    one or the other never quite matches the skin beside it.

    Args:
        log: (L, L, 3) log colours on top of smooth skin; squeezed: (L, L), see `squeeze`.
        texel: metres per texel.
    """
    share: Floats = smoothstep(*SQUEEZED, squeezed).astype(np.float32)
    found: Floats = np.zeros_like(share)
    rows, columns = np.flatnonzero((share > 0.02).any(1)), np.flatnonzero((share > 0.02).any(0))
    if not len(rows):
        return found
    reach = round(LONGER / texel) + 1
    box = (
        slice(max(rows[0] - reach, 0), rows[-1] + reach + 1),
        slice(max(columns[0] - reach, 0), columns[-1] + reach + 1),
    )
    luminance = np.ascontiguousarray(log[box].mean(-1))
    deep = cv2.morphologyEx(luminance, cv2.MORPH_CLOSE, _disc(WIDEST / 2 / texel)) - luminance
    long = np.zeros_like(deep)
    for k in range(DIRECTIONS):
        line = _line(max(round(LONGER / texel), 3), np.pi * k / DIRECTIONS)
        np.maximum(long, cv2.morphologyEx(deep, cv2.MORPH_OPEN, line), out=long)
    # A straight line leaves out a bent fold here and there.
    long = np.minimum(cv2.dilate(long, np.ones((3, 3), np.uint8)), deep)
    part = smoothstep(*BENT, cv2.GaussianBlur(long / np.maximum(deep, 1e-3), (0, 0), 0.8)).astype(np.float32)
    part *= smoothstep(*FAINT, cv2.GaussianBlur(long, (0, 0), 0.8)) * share[box]
    wide = cv2.dilate(part.astype(np.float32), _disc(BESIDE / texel))
    found[box] = np.clip(1.3 * cv2.GaussianBlur(wide, (0, 0), SOFT / texel), 0, 1)
    return found


def _disc(radius: float) -> NDArray[np.uint8]:
    side = 2 * max(round(radius), 1) + 1
    disc: NDArray[np.uint8] = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)).astype(np.uint8)
    return disc


def _line(length: int, angle: float) -> NDArray[np.uint8]:
    side = length | 1
    line = np.zeros((side, side), np.uint8)
    middle, half = side // 2, length / 2
    step = np.array([np.cos(angle), np.sin(angle)]) * half
    first, last = (tuple(int(n) for n in np.rint(middle + s * step)) for s in (-1, 1))
    cv2.line(line, first, last, 1)
    # Folds bend: a line is two texels wide.
    wide: NDArray[np.uint8] = cv2.dilate(line, np.ones((2, 2), np.uint8))
    return wide
