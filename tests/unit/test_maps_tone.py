"""What skin can look like, and what of a photo's colours is light."""

import numpy as np
import pytest

from likeness.maps.chromophores import BLOOD_RANGE, MELANIN_RANGE, axes, reflectance
from likeness.maps.eyes import WHITE
from likeness.maps.tone import SHADED, tone_of

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
AMOUNTS = (0.02, 0.06, 0.15, 0.4, 1.2)


def photographed(colour: np.ndarray, tint: tuple[float, float, float]) -> np.ndarray:
    """Log light of skin as a camera shows it that goes half way to a middle grey, under a tinted light."""
    return np.log(colour) + 0.4 * (np.log(0.25) - np.log(colour @ LUMINANCE)) + tint


def test_pigments_darken_as_they_do_in_skin() -> None:
    amounts = np.geomspace(*MELANIN_RANGE, 30)
    light = reflectance(amounts, np.full(30, 0.012))
    assert (np.diff(light, axis=0) < 0).all(), "melanin takes light of every colour"
    red, green, blue = light.T
    assert ((red > green) & (green > blue)).all()
    assert light[0] @ LUMINANCE > 0.4
    assert light[-1] @ LUMINANCE < 0.06
    flushed = reflectance(np.full(2, 0.05), np.array(BLOOD_RANGE))
    assert flushed[1, 0] / flushed[0, 0] > 1.5 * flushed[1, 1] / flushed[0, 1], "blood takes green, and leaves red"


def test_axes_are_the_slopes_of_the_colours() -> None:
    slopes = axes(0.1, 0.012)
    more = np.log(reflectance(np.array(0.1), np.array(0.012 * 1.1))) - np.log(
        reflectance(np.array(0.1), np.array(0.012))
    )
    assert slopes[1] * 0.1 == pytest.approx(more, rel=0.1)
    assert slopes[0, 2] < slopes[0, 1] < slopes[0, 0] < 0


@pytest.mark.parametrize("amount", AMOUNTS)
def test_level_and_tint_are_told_from_skin(amount: float) -> None:
    colour = reflectance(np.array(amount), np.array(0.012))
    for tint in ((0.0, 0.0, 0.0), (0.12, 0.0, -0.15), (-0.08, 0.0, 0.08)):
        shown = photographed(colour, tint)
        white = np.log(WHITE) + SHADED + shown - np.log(colour)
        alone, beside = (np.abs(tone_of(shown, w).colour - np.log(colour)) for w in ([], [white]))
        assert alone.max() < 0.55
        assert beside.max() < 0.27, "the white of the eye tells more"
        found = tone_of(shown, [white])
        assert found.colour + found.tint == pytest.approx(shown)


def test_lids_are_not_taken_for_the_white_of_the_eye() -> None:
    shown = photographed(reflectance(np.array(0.1), np.array(0.012)), (0.0, 0.0, 0.0))
    assert tone_of(shown, [shown + 0.1]).colour == pytest.approx(tone_of(shown, []).colour)
