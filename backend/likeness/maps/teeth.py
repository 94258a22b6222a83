"""Teeth: the colour of a smile in a photo, freed of its light; what no photo shows is usual enamel."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.avatar import Material
from likeness.maps.mouth import clouds, colour_map
from likeness.maps.places import MOUTH, smoothstep
from likeness.maps.unwrap import log_light
from likeness.methods.base import View
from likeness.render.light import sh_basis

__all__ = ["ENAMEL", "enamel_of", "teeth_material"]

ENAMEL = (0.72, 0.66, 0.55)
"""Linear albedo where no photo shows teeth."""
REACHED = (0.68, 0.63, 0.59)
"""Share of the light on the face that comes back from teeth: lips shade them, and redden what they pass on. Measured on
Cycles renders of both open heads."""
WHITEST, DARKEST = (0.86, 0.83, 0.77), (0.60, 0.54, 0.43)
YELLOW = (0.97, 0.93)
"""Green over red and blue over green of the coldest teeth."""
PARTED = 0.04
"""Distance of the lips, in distances of the outer eye corners, from which on teeth may show."""
PALER = (0.05, 0.25)
"""By how much less red (in ln R/B) than the light on skin something in the mouth is, from which on it is a tooth."""
LEAST = 25.0  # pixels of teeth that a photo shows at least
SURE = 250.0  # pixels of teeth from which on they are believed
SKIN_R, SKIN_L = (50, 101, 118, 117, 123, 187, 205), (280, 330, 347, 346, 352, 411, 425)  # cheeks


def teeth_material(colour: NDArray[np.float64], size: int, seed: int) -> Material:
    """The material of teeth of a linear albedo (3,); size: side of its map in texels."""
    random = np.random.default_rng(seed)
    mottled = np.exp(0.04 * clouds(size, random, (90, 30)))[..., None] * colour
    values = {"albedo": [round(float(c), 4) for c in colour], "roughness": 0.28, "specular": 0.5}
    return Material({"albedo": colour_map(mottled)}, values)


def enamel_of(views: Sequence[View], lights: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Linear albedo (3,) of a person's teeth.

    Args:
        views: the photos; lights: (9, 3) of each, see `likeness.maps.Maps`.
    """
    usual = np.array(ENAMEL)
    found = [_seen(view) for view in views]
    sure = [count for _, count in found]
    if not found or max(sure) < LEAST:
        return usual
    best = int(np.argmax(sure))
    # Light on what looks where the face does.
    ahead = sh_basis(torch.tensor([0.0, 0.0, 1.0])).double().numpy() @ lights[best]
    colour = found[best][0] / np.maximum(ahead, 0.05) / np.array(REACHED)
    belief = min(sure[best] / SURE, 1.0)
    mixed: NDArray[np.float64] = np.clip(usual + belief * (colour - usual), DARKEST, WHITEST)
    for channel, most in enumerate(YELLOW, 1):
        mixed[channel] = min(mixed[channel], most * mixed[channel - 1])
    return mixed


def _seen(view: View) -> tuple[NDArray[np.float64], float]:
    """Linear light (3,) of teeth in a photo, and how many pixels show them."""
    none = np.zeros(3), 0.0
    face = view.face
    lips = face.landmarks[list(MOUTH), :2]
    unit = face.interocular
    if np.linalg.norm(face.landmarks[13, :2] - face.landmarks[14, :2]) < PARTED * unit:
        return none
    height, width = face.photo.pixels.shape[:2]
    around = np.concatenate([lips, face.landmarks[[*SKIN_R, *SKIN_L], :2]])
    low = np.clip(np.floor(around.min(0)).astype(int), 0, (width - 1, height - 1))
    high = np.clip(np.ceil(around.max(0)).astype(int) + 1, low + 1, (width, height))
    crop = log_light(np.ascontiguousarray(face.photo.pixels[low[1] : high[1], low[0] : high[0]]))

    def inside(points: NDArray[np.float64]) -> NDArray[np.bool_]:
        mask = np.zeros(crop.shape[:2], np.uint8)
        cv2.fillPoly(mask, [np.rint(points - low).astype(np.int32)], 1)
        return mask.astype(bool)

    cheeks = inside(face.landmarks[list(SKIN_R), :2]) | inside(face.landmarks[list(SKIN_L), :2])
    mouth = inside(lips)
    if not mouth.any() or not cheeks.any():
        return none
    skin = np.median(crop[cheeks], axis=0)
    colours = crop[mouth].astype(np.float64)
    red = (skin[0] - skin[2]) - (colours[:, 0] - colours[:, 2])
    bright = colours.mean(1) - skin.mean()
    tooth = smoothstep(*PALER, red) * smoothstep(-0.7, -0.2, bright)
    count = float(tooth.sum())
    if count < LEAST:
        return none
    # Gaps and the shade of lips darken teeth, so the brighter half of them; gloss is the brightest tenth.
    order = np.argsort(bright)
    share = np.cumsum(tooth[order]) / count
    use = order[(share > 0.5) & (share < 0.9)]
    return np.average(np.exp(colours[use]), axis=0, weights=tooth[use] + 1e-9), count
