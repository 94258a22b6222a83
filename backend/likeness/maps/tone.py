"""How dark a person's skin is, and what of a photo's brightness and tint is light: no photo of skin alone can tell.

The likeliest skins (`likeness.maps.chromophores`) are weighed by what is known besides: cameras bring faces towards a
middle grey, but not all the way; light is white to reddish-yellow or bluish, seldom green; and the white of the eye is
much the same in everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.chromophores import BLOOD_RANGE, MELANIN_RANGE, reflectance
from likeness.maps.eyes import RINGS, WHITE
from likeness.maps.unwrap import log_light
from likeness.methods.base import View
from likeness.photos.srgb import LUMINANCE

__all__ = ["Tone", "tone_of", "whites_of"]

Floats = NDArray[np.float64]

METERED, MIDDLE, EXPOSED = 0.4, 0.25, 0.22
"""How far cameras bring a face to the middle grey, that grey in linear light, and the deviation of what they do."""
WARM, GREEN = 0.16, 0.035
"""Deviations of the log tint of light, along red minus blue and along green, both axes of unit length."""
USUAL_BLOOD, BLOODY = 0.012, 0.4
"""Median share of blood in plain skin, and the deviation of its logarithm."""
SHADED = np.array([-0.26, -0.35, -0.44])
"""Log light that reaches the white of an eye between its lids, which redden it, against the skin around."""
WHITENESS, STAINED = 0.45, 0.08
"""Deviations of its mean, and of its tint along `WARM`'s and `GREEN`'s axes."""
PALER = 0.14
"""How much less red than blue, in log light over the root of two, the white of an eye is at least than the skin."""
DOUBT = 0.02
"""How likely it is that what was taken for the white is lids, lashes or a mirrored lamp."""
FEWEST = 12
"""Pixels of white from which an eye counts."""
_WARM = np.array([1.0, 0.0, -1.0]) / np.sqrt(2)
_GREEN = np.array([1.0, -2.0, 1.0]) / np.sqrt(6)


@dataclass(frozen=True, eq=False)
class Tone:
    """Plain skin of a person.

    Attributes:
        melanin, blood: amounts as in `likeness.maps.chromophores`.
        colour: (3,) log of its linear reflectance; tint: (3,) log of the light's colour, which the photo adds to it.
    """

    melanin: float
    blood: float
    colour: Floats
    tint: Floats


def tone_of(shown: Floats, whites: list[Floats], metered: float | None = None) -> Tone:
    """The likely skin under a photo's colours.

    Args:
        shown: (3,) log of linear light of plain skin as the photo shows it, evenly lit.
        whites: (3,) each, log of linear light of an eye's white under the same light, see `whites_of`.
        metered: log of the face's mean luminance as the camera saw it, light and shade together; that of `shown` where
            it is not given.
    """
    melanin, blood, colour, weight = _skins()
    rest = shown - colour
    metered = float(np.log(np.exp(shown) @ LUMINANCE)) if metered is None else metered
    usual = (1 - METERED) * np.log(np.exp(colour) @ LUMINANCE) + METERED * np.log(MIDDLE)
    cost = ((metered - usual) / EXPOSED) ** 2
    cost = cost + (rest @ _WARM / WARM) ** 2 + (rest @ _GREEN / GREEN) ** 2
    whites = [white for white in whites if (shown - white) @ _WARM > PALER]
    if whites:
        # One eye that tells the truth is enough, and many tell little more.
        likely = np.zeros(len(colour))
        for white in whites:
            away = rest - (white - SHADED - np.log(WHITE))
            apart = (away.mean(-1) / WHITENESS) ** 2
            apart += (away @ _WARM / STAINED) ** 2 + (away @ _GREEN / STAINED) ** 2
            likely += np.exp(-0.5 * apart) / len(whites)
        cost = cost - 2 * np.log(likely + DOUBT)
    share = weight * np.exp(-0.5 * (cost - cost.min()))
    share /= share.sum()
    mean = share @ colour
    return Tone(
        float(np.exp(share @ np.log(melanin))), float(np.exp(share @ np.log(blood))), mean, np.asarray(shown - mean)
    )


def whites_of(view: View) -> tuple[Floats | None, Floats | None]:
    """(3,) log of linear light of the white of the right eye and of the left, None where a photo shows too little."""
    landmarks, photo = view.face.landmarks, view.face.photo.pixels
    found: list[Floats | None] = []
    for centre, ring, lids in RINGS:
        middle = landmarks[centre, :2]
        radius = float(np.linalg.norm(landmarks[list(ring), :2] - middle, axis=1).mean())
        outline = landmarks[list(lids), :2]
        low = np.maximum(np.floor(outline.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(outline.max(0)).astype(int) + 1, photo.shape[1::-1])
        if (high - low).min() < 3:
            found.append(None)
            continue
        inside = np.zeros((high - low)[::-1], np.uint8)
        cv2.fillPoly(inside, [np.rint((outline - low - 0.5) * 8).astype(np.int32)], 1, cv2.LINE_8, 3)
        inside = cv2.erode(inside, np.ones((3, 3), np.uint8))
        y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
        away = np.hypot(x - middle[0], y - middle[1])
        pixels = log_light(photo[low[1] : high[1], low[0] : high[0]][(inside > 0) & (away > 1.2 * radius)])
        if len(pixels) < FEWEST:
            found.append(None)
            continue
        # Above the median lie neither lashes nor lids, and below the last tenth no mirrored lamps.
        bright = pixels.mean(1)
        kept = pixels[(bright >= np.percentile(bright, 50)) & (bright <= np.percentile(bright, 90))]
        found.append(np.median(kept, axis=0).astype(np.float64))
    return found[0], found[1]


@cache
def _skins() -> tuple[Floats, Floats, Floats, Floats]:
    """Melanin (K,), blood (K,), log colour (K, 3) and prior weight (K,) of the skins there are."""
    amount = np.geomspace(*MELANIN_RANGE, 64)
    blood = np.geomspace(*BLOOD_RANGE, 20)
    m, b = (grid.ravel() for grid in np.meshgrid(amount, blood, indexing="ij"))
    colour = np.log(reflectance(m, b))
    # Every lightness is as likely as any other.
    plain = np.cbrt(np.exp(np.log(reflectance(amount, np.full(64, USUAL_BLOOD)))) @ LUMINANCE)
    steps = abs(np.gradient(plain))
    weight = np.repeat(steps, 20) * np.exp(-0.5 * (np.log(b / USUAL_BLOOD) / BLOODY) ** 2)
    return m, b, colour, weight / weight.sum()
