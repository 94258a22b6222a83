"""A picture's own noise, which looks like blotches on the skin where one of its pixels is a millimetre or more.

What changes over few pixels, and no more than in the calmest parts of the face, or of something calmer beside it
that is as bright, is taken for noise: skin has freckles and pores nearly everywhere. Files keep colour more coarsely
than brightness, so there it reaches farther. Each band is shrunk as Wiener's filter would by its local variance (Lee,
"Digital Image Enhancement and Noise Filtering by Use of Local Statistics", PAMI 1980).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Noise", "noise_in", "without_noise"]

Floats = NDArray[np.float32]

BRIGHTNESS, COLOUR = (0.8, 1.6), (0.8, 1.6, 3.2)
"""Pixels: standard deviations of the blurs between the bands of log luminance, and of log red and blue over green."""
AROUND = 2.5
"""Size of the surroundings that tell a local variance, in the blurs' sizes."""
CALM = 30
"""Percentile of the face's local variances that is the noise's."""
SURE = 1.3
"""Times the noise's variance below which nothing of a band is kept: local variances scatter."""
FEWEST = 200
"""Pixels of bare skin from which noise can be told."""
ALIKE, CALMER = 0.5, 15
"""Log luminance that something beside the face is off the skin's at most to tell the noise there, and the percentile of
its local variances that does: most of it may be hair or leaves."""
AWAY = 8.0
"""Pixels between it and the face."""
LEAST = 0.35
"""Share of the face's calmest variance that is noise at least: what is blurred behind a face has none of a file's own
ripples, which small, hard compressed photos have all over the skin."""


@dataclass(frozen=True)
class Noise:
    """Variance of a picture's noise in each band of log light, finest first, and where (h, w) the face is."""

    brightness: tuple[float, ...]
    colour: tuple[tuple[float, ...], tuple[float, ...]]
    face: NDArray[np.bool_]


def noise_in(log: Floats, bare: NDArray[np.bool_], face: NDArray[np.bool_]) -> Noise | None:
    """The noise of a picture of a face.

    Args:
        log: (h, w, 3) log of linear light; bare: (h, w) where bare skin is, too little of which tells nothing.
        face: (h, w) where the face is, brows and all.
    """
    if bare.sum() < FEWEST:
        return None
    alone, whole = _planes(_alone(log, face)), _planes(log)
    away = cv2.distanceTransform((~face).astype(np.uint8), cv2.DIST_L2, 3) > AWAY
    beside = away & (abs(whole[0] - np.median(whole[0][bare])) < ALIKE)
    told = beside.sum() >= FEWEST

    def calm(k: int, sizes: tuple[float, ...]) -> tuple[float, ...]:
        levels = [float(np.percentile(variance[bare], CALM)) for _, variance in _bands(alone[k], sizes)[0]]
        if told:
            wall = [float(np.percentile(variance[beside], CALMER)) for _, variance in _bands(whole[k], sizes)[0]]
            levels = [min(face, max(calmer, LEAST * face)) for face, calmer in zip(levels, wall, strict=True)]
        return tuple(levels)

    return Noise(calm(0, BRIGHTNESS), (calm(1, COLOUR), calm(2, COLOUR)), face)


def without_noise(log: Floats, noise: Noise) -> Floats:
    """The picture (h, w, 3), log of linear light, without the noise of its face."""
    sizes = (BRIGHTNESS, COLOUR, COLOUR)
    light, red, blue = (
        _stilled(plane, size, levels)
        for plane, size, levels in zip(
            _planes(_alone(log, noise.face)), sizes, (noise.brightness, *noise.colour), strict=True
        )
    )
    green = light - (red + blue) / 3
    still = cv2.merge([red + green, green, blue + green])
    result: Floats = np.where(noise.face[..., None], still, log)
    return result


def _alone(log: Floats, face: NDArray[np.bool_]) -> Floats:
    """The face goes on beyond its outline as it is there, so that what stands behind has no say."""
    if face.all() or not face.any():
        return log
    _, nearest = cv2.distanceTransformWithLabels(
        (~face).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(nearest.max() + 1, np.int64)
    source[nearest[face]] = np.flatnonzero(face)
    result: Floats = log.reshape(-1, 3)[source[nearest]]
    return result


def _planes(log: Floats) -> tuple[Floats, Floats, Floats]:
    """Log luminance, and red and blue over green."""
    light = np.ascontiguousarray(log.mean(-1), np.float32)
    return light, log[..., 0] - log[..., 1], log[..., 2] - log[..., 1]


def _bands(plane: Floats, sizes: tuple[float, ...]) -> tuple[list[tuple[Floats, Floats]], Floats]:
    """Each band with its local variance, and what is slower than all of them."""
    found: list[tuple[Floats, Floats]] = []
    rest = plane
    for size in sizes:
        smooth = cv2.GaussianBlur(rest, (0, 0), size)
        band = rest - smooth
        found.append((band, cv2.GaussianBlur(band * band, (0, 0), AROUND * size)))
        rest = np.asarray(smooth, np.float32)
    return found, rest


def _stilled(plane: Floats, sizes: tuple[float, ...], levels: tuple[float, ...]) -> Floats:
    bands, total = _bands(plane, sizes)
    for (band, variance), level in zip(bands, levels, strict=True):
        total = total + band * np.clip(1 - SURE * level / np.maximum(variance, 1e-12), 0, 1)
    return total
