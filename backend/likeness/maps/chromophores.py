"""What skin can look like: its reflectance from melanin and blood, by public optical constants alone.

Light passes the epidermis, where melanin takes some of it, is scattered back by the dermis, where blood takes some,
and passes the epidermis again. Melanin lies in grains and unevenly, so that dense skin is less colourful than an even
film of the same pigment would be (the sieve effect: Duysens, Biochimica et Biophysica Acta 1956); so does blood in
vessels.
The spectrum is weighed with daylight (D65) and the eye's response.

Sources: melanin, scattering and the absorption of bloodless skin: Jacques, "Optical properties of biological tissues: a
review", Physics in Medicine and Biology 2013, and his Skin Optics Summary (omlc.org); haemoglobin: Prahl's table
(omlc.org); light scattered back: Jensen et al., "A Practical Model for Subsurface Light Transport", SIGGRAPH 2001,
equation 15; colour matching: Wyman, Sloan and Shirley, "Simple Analytic Approximations to the CIE XYZ Color Matching
Functions", JCGT 2013; daylight: CIE D65.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["BLOOD_RANGE", "MELANIN_RANGE", "axes", "pigment_in", "reflectance"]

Floats = NDArray[np.float64]

MELANIN_RANGE = (0.01, 2.5)
"""Very pale to very dark skin: about the share of the epidermis that melanosomes fill while it is small, and more than
that where they shade each other."""
BLOOD_RANGE = (0.002, 0.07)
"""Share of the dermis that blood fills."""
EPIDERMIS = 0.006  # centimetres thick
SLANT = 1.5
"""Mean way through the epidermis over its thickness: light crosses it at all angles, twice."""
HORNY = 0.02
"""Share of light that the outermost layer scatters back before it meets any pigment. With it, and melanin spread
exponentially, measured skin from an individual typology angle of 62 to -69 degrees (Del Bino and Bernerd, British
Journal of Dermatology 2013) lies within 2.3 CIELAB units of these colours."""
SCATTERED = 60.0
"""Reduced scattering at 500 nm, 1/cm; Jacques lists 30 to 69 for skin."""
VESSEL = 0.0015  # centimetres, radius
OXYGEN = 0.75
"""Share of haemoglobin that carries oxygen."""
HAEMOGLOBIN = 150.0 / 64500  # moles per litre of blood
INNER = 3.25
"""Jensen's A: what the boundary throws back inside, for a refractive index of 1.4."""

LEFT, PATCHY, FLUSHED, ODD = 0.2, 0.12, 0.5, 0.02
"""Deviations over a face of the log light that a fit leaves, of the logs of melanin and blood, and of anything else."""

WAVES = np.arange(400, 701, 10.0)  # nanometres
# Molar extinction, 1/(cm M), every 10 nm from 400 to 700.
OXY = np.array([
    266232, 466840, 480360, 246072, 102580, 62816, 44480, 33209, 26629, 23684, 20933, 20035, 24202, 39957, 53236, 43016,
    32613, 44496, 50104, 14401, 3200, 1506, 942, 610, 442, 368, 320, 294, 278, 276, 290,
])  # fmt: skip
DEOXY = np.array([
    223296, 303956, 407560, 528600, 413280, 103292, 23389, 16156, 14550, 16684, 20862, 25774, 31590, 39036, 46592,
    53412, 53788, 45072, 37020, 28324, 14677, 9444, 6510, 5149, 4345, 3750, 3227, 2795, 2408, 2052, 1794,
])  # fmt: skip
D65 = np.array([
    82.75, 91.49, 93.43, 86.68, 104.86, 117.01, 117.81, 114.86, 115.92, 108.81, 109.35, 107.80, 104.79, 107.69, 104.41,
    104.05, 100.00, 96.33, 95.79, 88.69, 90.01, 89.60, 87.70, 83.29, 83.70, 80.03, 80.21, 82.28, 78.28, 69.72, 71.61,
])  # fmt: skip
TO_SRGB = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])


def reflectance(melanin: Floats, blood: Floats) -> Floats:
    """Linear sRGB (..., 3) of skin under daylight.

    Args:
        melanin: (...) see `MELANIN_RANGE`; blood: (...) share of the dermis, see `BLOOD_RANGE`.
    """
    m, b = np.asarray(melanin, float)[..., None], np.asarray(blood, float)[..., None]
    bloodless = 0.244 + 85.3 * np.exp(-(WAVES - 154) / 66.2)  # 1/cm
    way = 2 * SLANT * EPIDERMIS
    crossed = np.exp(-way * bloodless) / (1 + way * m * 6.6e11 * WAVES**-3.33)
    haemoglobin = 2.303 * HAEMOGLOBIN * (OXYGEN * OXY + (1 - OXYGEN) * DEOXY)
    packed = -np.expm1(-2 * VESSEL * haemoglobin) / (2 * VESSEL)
    dermis = b * packed + (1 - b) * bloodless
    scattering = SCATTERED * (WAVES / 500) ** -1.421
    whiteness = scattering / (scattering + dermis)
    depth = np.sqrt(3 * (1 - whiteness))
    back = whiteness / 2 * (1 + np.exp(-4 / 3 * INNER * depth)) * np.exp(-depth)
    colour: Floats = HORNY + (1 - HORNY) * np.clip((crossed * back) @ _response(), 0, 1)
    return colour


def axes(melanin: float, blood: float) -> Floats:
    """(2, 3) how log red, green and blue change with a relative change of melanin, and of blood, at a skin's colour."""
    step = 0.05
    at = np.log(
        reflectance(np.array([melanin, melanin * (1 + step), melanin]), np.array([blood] * 2 + [blood * (1 + step)]))
    )
    change: Floats = (at[1:] - at[0]) / step
    return change


def pigment_in(away: NDArray[np.float32], melanin: float, blood: float) -> NDArray[np.float32]:
    """What of slow changes of log colour is the skin's; light that was left, which is grey, is the rest.

    Args:
        away: (..., 3) log colours on top of plain skin, whose amounts of melanin and blood are given.
    """
    sources = np.vstack([np.ones(3), axes(melanin, blood)]) * np.array([LEFT, PATCHY, FLUSHED])[:, None]
    shared = np.linalg.inv(sources.T @ sources + ODD**2 * np.eye(3))
    # Of each source the likeliest amount, and of these the pigments.
    kept: NDArray[np.float32] = (away @ (shared @ sources[1:].T @ sources[1:])).astype(np.float32)
    return kept


@cache
def _response() -> Floats:
    """(31, 3) a reflectance's linear sRGB under D65; white is 1."""

    def lobe(centre: float, below: float, above: float) -> Floats:
        width = np.where(centre > WAVES, below, above)
        value: Floats = np.exp(-0.5 * ((WAVES - centre) * width) ** 2)
        return value

    x = 0.362 * lobe(442, 0.0624, 0.0374) + 1.056 * lobe(599.8, 0.0264, 0.0323) - 0.065 * lobe(501.1, 0.0490, 0.0382)
    y = 0.821 * lobe(568.8, 0.0213, 0.0247) + 0.286 * lobe(530.9, 0.0613, 0.0322)
    z = 1.217 * lobe(437, 0.0845, 0.0278) + 0.681 * lobe(459, 0.0385, 0.0725)
    weighed = np.stack([x, y, z], 1) * D65[:, None]
    rgb = (weighed / weighed[:, 1].sum()) @ TO_SRGB.T
    response: Floats = rgb / rgb.sum(0)
    return response
