"""From specular normals to what goes with them: the softer normals of light that went through the skin, and relief."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["decoded", "encoded", "relief_of", "scattered"]

Floats = NDArray[np.float32]
Words = NDArray[np.uint16]

REACH = (0.0015, 0.0006, 0.0003)
"""Metres over which skin scatters red, green and blue light (standard deviations)."""
BAND = 512
COARSEST = 0.003
"""Metres: slower relief is the head's shape."""
HIGHEST = 0.0004
"""Metres that skin's relief goes up and down at most."""


def decoded(pixels: NDArray[Any]) -> Floats:
    """Normals (H, W, 3) of a normal map's codes."""
    most = {"uint8": 255.0, "uint16": 65535.0}.get(pixels.dtype.name, 1.0)
    normals: Floats = pixels.astype(np.float32) * np.float32(2 / most) - 1
    return normals


def encoded(normals: Floats) -> Words:
    """Normals (H, W, 3) as 16 bits, 0.5 + 0.5 n: 8 would show steps on foreheads."""
    return np.clip(normals * np.float32(32767.5) + np.float32(32768), 0, 65535).astype(np.uint16)


def scattered(codes: NDArray[Any], texel: float, colour: NDArray[np.float32]) -> Words:
    """The normals that diffuse light follows: specular ones blurred as skin scatters red, green and blue.

    A light stage measures one such map for each colour (Ma et al., "Rapid Acquisition of Specular and Diffuse Normal
    Maps from Polarized Spherical Gradient Illumination", EGSR 2007). Here the three are one mean, in which a colour
    counts as much as skin reflects of it: red most.

    Args:
        codes: (S, S, 3) tangent-space normals, uint8 or uint16.
        texel: metres; colour: (3,) linear albedo of the skin.

    Returns:
        (S, S, 3) uint16.
    """
    side = len(codes)
    shares = colour / max(float(colour.sum()), 1e-6)
    margin = int(np.ceil(3 * max(REACH) / texel))
    made = np.empty(codes.shape, np.uint16)
    for top in range(0, side, BAND):
        low, high = max(top - margin, 0), min(top + BAND + margin, side)
        normals = decoded(codes[low:high])
        soft = np.zeros_like(normals)
        for share, reach in zip(shares, REACH, strict=True):
            soft += np.float32(share) * _blurred(normals, reach / texel)
        soft /= np.maximum(np.linalg.norm(soft, axis=2, keepdims=True), 1e-6)
        bottom = min(top + BAND, side)
        made[top:bottom] = encoded(soft[top - low : bottom - low])
    return made


def relief_of(codes: NDArray[Any], texel: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Heights in metres whose slopes are those of tangent-space normals, without what is slower than skin's relief.

    Source: Frankot and Chellappa, "A Method for Enforcing Integrability in Shape from Shading Algorithms", PAMI 1988.

    Args:
        codes: (S, S, 3) uint8 or uint16; texel: (S, S) metres; inside: (S, S) bool.

    Returns:
        (S, S) float32, within `HIGHEST`.
    """
    normals = decoded(codes)
    upright = np.maximum(normals[..., 2], 0.2)
    across = np.where(inside, -normals[..., 0] / upright * texel, 0)
    down = np.where(inside, normals[..., 1] / upright * texel, 0)
    size = len(codes)
    v, u = (2 * np.pi * f for f in (np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None]))
    # The derivative of a sampled wave, by differences as normals of heights are made.
    u, v = np.sin(u), np.sin(v)
    power = u * u + v * v
    power[power < 1e-9] = np.inf
    height = np.fft.irfft2(-1j * (u * np.fft.rfft2(across) + v * np.fft.rfft2(down)) / power, (size, size))
    result = height.astype(np.float32)
    weight = inside.astype(np.float32)
    sigma = COARSEST / float(np.median(texel[inside])) if inside.any() else 1.0
    slow = _blurred(result * weight, sigma) / np.maximum(_blurred(weight, sigma), 1e-3)
    bounded: Floats = (HIGHEST * np.tanh((result - slow) / np.float32(HIGHEST)) * weight).astype(np.float32)
    return bounded


def _blurred(picture: Floats, sigma: float) -> Floats:
    if sigma < 0.2:
        return picture
    soft: Floats = cv2.GaussianBlur(picture, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101)
    return soft
