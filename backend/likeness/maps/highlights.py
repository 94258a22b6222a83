"""Takes the gloss off a photo: white light mirrored by the skin's surface, which is no part of its colour.

Source: the dichromatic model (Shafer, "Using color to separate reflection components", 1985), with the diffuse colour
known from the skin around.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["gloss_in"]

Floats = NDArray[np.float32]

LARGEST = 0.75
"""Share of a texel's light that may be gloss."""


def gloss_in(log: Floats, base: Floats, weight: Floats) -> Floats:
    """The log colours to subtract where skin shines.

    Args:
        log: (L, L, 3) log of linear light, shading taken off.
        base: (L, L, 3) the skin's own colour around, same scale.
        weight: (L, L) where both are known.

    Returns:
        (L, L, 3) float32.
    """
    light, diffuse = np.exp(log), np.exp(base)
    low, high = diffuse.argmin(-1)[..., None], diffuse.argmax(-1)[..., None]

    def at(picture: Floats, channel: NDArray[np.int_]) -> Floats:
        picked: Floats = np.take_along_axis(picture, channel, -1)[..., 0]
        return picked

    span = np.maximum(at(diffuse, high) - at(diffuse, low), 1e-3)
    amount = np.maximum(at(light, high) - at(light, low), 0) / span  # of the diffuse colour
    white = at(light, low) - amount * at(diffuse, low)
    # Clipped highlights have lost their colour: what is brighter than the skin around is gloss as well.
    clipped = np.clip((light.min(-1) - 0.8) / 0.15, 0, 1)
    white = np.maximum(white, clipped * (light.min(-1) - diffuse.min(-1)))
    # Only what shines above the skin around, and well above its noise.
    bright = light.mean(-1) / np.maximum(diffuse.mean(-1), 1e-3)
    known = weight > 0.3
    usual = float(np.median(white[known])) if known.any() else 0.0
    white = np.clip(white - max(usual, 0.0) - 0.04 * diffuse.mean(-1), 0, None)
    white = white * np.clip((bright - 1.02) / 0.2, 0, 1) * np.clip(weight / 0.3, 0, 1)
    # Matt skin is no darker than the skin around it.
    white = np.minimum(white, np.clip(light.mean(-1) - diffuse.mean(-1), 0, None))
    white = cv2.GaussianBlur(white, (0, 0), log.shape[0] / 512 * 1.2)[..., None]
    matt = np.maximum(light - white, (1 - LARGEST) * light)
    # The more gloss was there, the less is known of the colour below: it is taken from around.
    guessed = np.clip(4 * white / np.maximum(light.mean(-1, keepdims=True), 1e-3), 0, 0.9)
    around = diffuse * (matt.mean(-1, keepdims=True) / np.maximum(diffuse.mean(-1, keepdims=True), 1e-3))
    matt = np.maximum(matt + guessed * (around - matt), 1e-3)
    result: Floats = np.log(light / matt)
    return result
