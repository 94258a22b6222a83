"""Brows: single hairs, which few photos resolve, in the brow that a photo shows, and a brow where glasses hide it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas
from likeness.maps.places import smoothstep

__all__ = ["brow_hairs", "covered_brows", "drawn_in"]

Floats = NDArray[np.float32]

WIDE = 0.004
"""Metres from the middle of a brow to its edge."""
HAIRS, STEPS = 700, 6
"""On one side, and the places on a hair that a line joins."""
LONG = (0.005, 0.009)
"""Metres that they are long."""
RISE = ((0.0, 65.0), (0.2, 42.0), (0.6, 14.0), (1.0, 2.0))
"""Degrees by which hairs rise from the line of the brow, outwards, at shares of its length from its inner end; above
its middle they lie down by `LAID` to meet those from below."""
LAID = 32.0
AROUND = 0.0022
"""Metres around a place whose mean the hairs keep."""
MOST = 2.2
"""Times the mean that a hair is as dark as at most."""
STRENGTH = 0.5
"""Share of a seen brow's darkness that single hairs make."""
HAIRY = (-0.08, -0.25)
"""Log luminance on top of the skin from which on a texel of a brow holds hair, and only that."""
DOTS = 0.0005
"""Metres over which a seen brow is smoothed: a photo's pixels make dots of it."""


def brow_hairs(brows: Floats, lids: Floats, small: Atlas, full: Atlas, seed: int) -> Floats:
    """How dark hairs are over a brow's mean (S, S): near 0 between them, 1 away from brows.

    Args:
        brows, lids: (L, L) 0..1 in the small atlas, both sides; lids have no hairs.
    """
    ratio = np.ones((full.size, full.size), np.float32)
    random = np.random.default_rng(seed)
    half = small.size // 2
    scale = full.size / small.size
    for side in (0, 1):
        part = brows.copy()
        part[:, half:] *= side
        part[:, :half] *= 1 - side
        rows, columns = np.nonzero(part > 0.5)
        if len(rows) < 12:
            continue
        reach = round(LONG[1] / small.texel) + 2
        first = np.maximum([columns.min() - reach, rows.min() - reach], 0)
        last = np.minimum([columns.max() + reach, rows.max() + reach], small.size)
        box = tuple(slice(round(a * scale), round(b * scale)) for a, b in ((first[1], last[1]), (first[0], last[0])))
        inside = np.column_stack([columns, rows]).astype(np.float64)
        drawn = _drawn((inside - first + 0.5) * scale, side == 1, full.texel, ratio[box].shape, random)
        mean = cv2.GaussianBlur(drawn, (0, 0), AROUND / full.texel)
        share = cv2.resize(part * _middle(part, small.texel) * (1 - lids), (full.size, full.size))[box]
        hairs = np.minimum(drawn / np.maximum(mean, 0.08), MOST)
        ratio[box] += smoothstep(0.05, 0.5, share) * (hairs - 1)
    return ratio


def _drawn(
    inside: NDArray[np.float64], outwards: bool, texel: float, shape: tuple[int, ...], random: np.random.Generator
) -> Floats:
    """Hairs (h, w) 0..1 rooted in a brow.

    Args:
        inside: (N, 2) columns and rows of the brow; outwards: whether columns grow from its inner end to its tail.
    """
    x, y = inside.T
    sign = 1.0 if outwards else -1.0
    bend = np.polyfit(x, y, 2) if np.ptp(x) > 4 else np.array([0.0, 0.0, y.mean()])
    start, end = (x.min(), x.max()) if outwards else (x.max(), x.min())
    canvas = np.zeros(shape, np.uint8)
    roots = inside[random.integers(0, len(inside), HAIRS)] + random.uniform(-2, 2, (HAIRS, 2))
    along = np.clip((roots[:, 0] - start) / (end - start), 0, 1)
    slope = np.degrees(np.arctan(sign * np.polyval(np.polyder(bend), roots[:, 0])))
    rise = np.interp(along, *np.transpose(RISE)) + random.normal(0, 7, HAIRS)
    above = np.clip((np.polyval(bend, roots[:, 0]) - roots[:, 1]) * texel / WIDE, 0, 1)
    length = random.uniform(*LONG, HAIRS) / texel * (1 - 0.35 * along)
    angle = np.radians(rise - slope - LAID * above * (0.4 + along))
    # A hair begins steeper than it ends, and is thickest at its root.
    turn = angle[:, None] + np.radians(12) * (0.5 - np.linspace(0, 1, STEPS))
    steps = np.stack([sign * np.cos(turn), -np.sin(turn)], -1) * (length / STEPS)[:, None, None]
    paths = np.rint((np.cumsum(steps, 1) + roots[:, None]) * 16).astype(np.int32)
    shades = random.uniform(190, 255, HAIRS)
    for path, shade in zip(paths, shades, strict=True):
        for first, share in ((0, 1.0), (STEPS // 2, 0.6)):
            part = path[first : first + STEPS // 2 + 1]
            cv2.polylines(canvas, [part], False, float(share * shade), 1, cv2.LINE_AA, 4)
    drawn: Floats = canvas.astype(np.float32) / 255
    return drawn


def drawn_in(detail: Floats, hairs: Floats, seen: Floats, full: Atlas) -> None:
    """Give the brows in log colours (S, S, 3) on top of the skin hairs, as dark on the whole as they are, in place.

    Args:
        hairs: (S, S), see `brow_hairs`; seen: (S, S) 0..1 where detail is a photo's.
    """
    rows, columns = np.flatnonzero((hairs != 1).any(1)), np.flatnonzero((hairs != 1).any(0))
    if not len(rows):
        return
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    smooth = cv2.GaussianBlur(detail[box], (0, 0), DOTS / full.texel)
    around = cv2.GaussianBlur(abs(hairs[box] - 1), (0, 0), DOTS / full.texel)
    share = smoothstep(*HAIRY, smooth.mean(-1)) * smoothstep(0.0, 0.2, around) * seen[box]
    strands = 1 + STRENGTH * (hairs[box] - 1)
    detail[box] += share[..., None] * (smooth * strands[..., None] - detail[box])


def _middle(brows: Floats, texel: float) -> Floats:
    """(L, L) 0..1 without the strips of a brow's area that reach into the lids' folds: they are none."""
    middle: Floats = smoothstep(0.8, 1.02, cv2.GaussianBlur(brows, (0, 0), 0.0045 / texel)).astype(np.float32)
    return middle


def covered_brows(brows: Floats, small: Atlas, shape: tuple[int, ...]) -> Floats:
    """Opacity (S, S) of brows painted where glasses hide them: along the middle of their area, soft at the edge."""
    deep = cv2.distanceTransform((brows > 0.5).astype(np.uint8), cv2.DIST_L2, 5) * small.texel
    reach = 2 * round(2 * WIDE / small.texel) + 1
    crest = cv2.dilate(deep, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
    middle = smoothstep(1.4 * WIDE, 0.5 * WIDE, crest - deep) * smoothstep(0, WIDE, deep)
    middle *= _middle(brows, small.texel)
    middle = cv2.GaussianBlur(middle.astype(np.float32), (0, 0), 0.2 * WIDE / small.texel)
    opacity: Floats = cv2.resize(0.5 * middle, shape[::-1])
    return opacity
