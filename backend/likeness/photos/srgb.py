"""The curve between sRGB codes and linear light (IEC 61966-2-1) for arrays; `likeness.render.light` has it in torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["LUMINANCE", "srgb_decoded", "srgb_encoded"]

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])
"""Shares of linear red, green and blue in luminance (ITU-R BT.709)."""


def srgb_decoded(codes: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """Linear light of sRGB codes in 0..1, any shape."""
    return np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4)


def srgb_encoded(light: NDArray[np.floating[Any]]) -> NDArray[Any]:
    """SRGB codes of linear light; 0..1 becomes 0..1, any shape."""
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
