"""Lips: the colour that a person's lips have where no photo shows them, without gloss, and the fine lines across."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas, enlarge
from likeness.maps.field import Surface
from likeness.maps.places import HeadFrame, smoothstep

__all__ = ["USUAL", "across_lips", "lip_colour", "matt_lips"]

Floats = NDArray[np.float32]

USUAL = (-0.15, -0.6, -0.45)
"""Log colour of lips on top of the skin, where none are seen."""
DEEPER = (-0.07, -0.16, -0.12)
"""What the moist inside of lips adds to their log colour."""
BRIGHTER = 0.10
"""Log luminance that a spot on matt lips may be brighter than the lips around."""
LINE = 0.0011
"""Metres between the lines across lips."""


def lip_colour(colours: list[Floats], weights: list[Floats], atlas: Atlas, surface: Surface) -> Floats:
    """Lip colour from what layers show.

    Args:
        colours: per layer (L, L, 3) log colours on top of the base.
        weights: per layer (L, L) in 0..1 where it shows lips.

    Returns:
        (V, 3) log colours on top of the base.
    """
    seen = np.concatenate([c[w > 0.3] for c, w in zip(colours, weights, strict=True)])
    usual = np.array(USUAL)
    if len(seen) > 20:
        # Their outline is drawn a little generously, so the redder part of it.
        redness = seen[:, 0] - seen[:, 1]
        usual = np.clip(np.median(seen[redness >= np.percentile(redness, 55)], axis=0), -1.0, 0.2)
    known = np.sum([atlas.vertices(w * atlas.area) for w in weights], axis=0)
    sums = np.zeros((len(known), 3), np.float32)
    for colour, weight in zip(colours, weights, strict=True):
        near = usual + np.clip(colour - usual, -0.25, 0.22)
        sums += atlas.vertices((near * (weight * atlas.area)[..., None]).astype(np.float32))
    # Each place takes after the lip beside it, and after all of them.
    pull = 0.25 * surface.area.astype(np.float32)
    total = known + pull
    mean = (sums + usual.astype(np.float32) * pull[:, None]) / np.maximum(total, 1e-12)[:, None]
    share = np.clip(known / np.maximum(surface.area, 1e-12), 0, 1).astype(np.float32)
    spread = surface.spread(np.column_stack([mean, share]).astype(np.float32), total.astype(np.float32), 0.0025)
    deep = smoothstep(0.7, 0.1, spread[:, 3]).astype(np.float32)
    field: Floats = spread[:, :3] + deep[:, None] * np.array(DEEPER, np.float32)
    return field


def matt_lips(detail: Floats, lips: Floats, field: Floats, small: Atlas, full: Atlas) -> None:
    """Bound in place how much brighter and paler than the lips around a spot in detail (S, S, 3) is: that is gloss.

    Args:
        lips: (L, L) 0..1, where a photo shows lips; field: (V, 3) their colour on top of the base.
    """
    box = _box(lips > 0.05, small, full)
    if box is None:
        return
    size = (full.size, full.size)
    share = cv2.resize(smoothstep(0.75, 0.99, lips).astype(np.float32), size)[box][..., None]
    around = enlarge(small.texels(field), small, full)[box]
    apart = detail[box] - around
    bright = apart.mean(-1, keepdims=True)
    tint = apart - bright
    bounded = np.where(bright > 0, BRIGHTER * np.tanh(bright / BRIGHTER), bright)
    shine = smoothstep(0.0, 0.3, bright)
    detail[box] += share * (around + bounded + (0.75 - 0.6 * shine) * tint - detail[box])


def across_lips(lips: Floats, frame: HeadFrame, small: Atlas, full: Atlas, seed: int) -> Floats:
    """Fine upright lines (S, S) of unit deviation on lips (L, L), 0 elsewhere."""
    lines = np.zeros((full.size, full.size), np.float32)
    box = _box(lips > 0.05, small, full)
    if box is None:
        return lines
    random = np.random.default_rng(seed)
    count = 256
    noise = cv2.GaussianBlur(random.standard_normal((8, count)).astype(np.float32), (0, 0), 0.7)
    noise /= noise.std()
    x, y = cv2.split(enlarge(small.texels(frame.points[:, :2]), small, full)[box])
    along = (x * (frame.unit / LINE)) + count / 2
    # They bend and end: the pattern slowly changes from the middle of the lips outwards.
    down = 3.5 + y * (frame.unit / 0.004)
    pattern = cv2.remap(noise, along.astype(np.float32), (down % 7).astype(np.float32), cv2.INTER_LINEAR,
                        borderMode=cv2.BORDER_REFLECT)  # fmt: skip
    lines[box] = pattern * cv2.resize(lips, (full.size, full.size))[box]
    return lines


def _box(there: NDArray[np.bool_], small: Atlas, full: Atlas) -> tuple[slice, slice] | None:
    """Rows and columns of the full atlas around places in the small one."""
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return None
    factor = full.size / small.size
    first = [max(int((n[0] - 2) * factor), 0) for n in (rows, columns)]
    last = [min(int((n[-1] + 3) * factor), full.size) for n in (rows, columns)]
    return slice(first[0], last[0]), slice(first[1], last[1])
