"""Tells a person's skin from hair, glasses, clothes and background by its colour and by the light on it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas
from likeness.maps.fringe import fringe_over_brows
from likeness.maps.glasses import frame_of
from likeness.maps.light import Light, fit_light
from likeness.maps.places import smoothstep
from likeness.maps.unwrap import Unwrapped

__all__ = ["SkinColour", "SkinSeen", "find_skin"]

Floats = NDArray[np.float32]

ROUNDS = 3
MOLE = 0.007  # metres across
COVERED = 0.6
"""Share of an eye's surroundings that is dark where sunglasses cover it."""


@dataclass(frozen=True, eq=False)
class SkinColour:
    """The colour of a person's skin in one photo.

    Attributes:
        chroma: (2,) mean of ln(R/G) and ln(B/G) in linear light; precision: (2, 2) inverse covariance.
        spread: robust standard deviation of ln(luminance) about what the light predicts.
        light: the light of the photo, such that ``transfer @ light`` is the luminous skin itself.
    """

    chroma: NDArray[np.float64]
    precision: NDArray[np.float64]
    spread: float
    light: Light

    def distance(self, log: Floats) -> Floats:
        """Squared Mahalanobis distance of the chroma of log colours (..., 3)."""
        d = _chroma(log) - self.chroma.astype(np.float32)
        result: Floats = np.einsum("...i,ij,...j->...", d, self.precision.astype(np.float32), d, optimize=True)
        return result


@dataclass(frozen=True, eq=False)
class SkinSeen:
    """Where a photo shows skin, in the atlas it was laid out in.

    Attributes:
        share: (L, L) float32, 0..1, how sure it is that the texel is skin, lips, brow or beard of the person.
        hair: (L, L) float32, 0..1, how much the texel looks like hair.
        colour: of the skin.
    """

    share: Floats
    hair: Floats
    colour: SkinColour


def find_skin(photo: Unwrapped, atlas: Atlas, transfer: Floats) -> SkinSeen:
    """Tell skin from everything else.

    Args:
        photo: laid out in the atlas.
        transfer: (V, 9), see `likeness.maps.transfer`.
    """
    areas, log = photo.areas, photo.log
    features = np.maximum.reduce([areas[n] for n in ("eyes", "mouth", "lips", "brows", "nostrils", "lids")])
    core = areas["oval"] * (1 - features) * photo.weight
    # The outline of the landmarks runs along hair and background.
    core = core * cv2.erode(areas["oval"], np.ones((5, 5), np.uint8), iterations=max(atlas.size // 128, 1))
    core[core < 0.3] = 0
    if (core > 0).sum() < 30:
        core = areas["oval"] * photo.weight
    if not (core > 0).any():  # a face too small, or cut off, for a texel of it to be seen well
        core = atlas.inside.astype(np.float32)
    colour = _learn(log, core, atlas, transfer)

    predicted = atlas.texels(np.log(np.maximum(colour.light.shading(transfer).mean(1), 1e-3)).astype(np.float32))
    residual = log.mean(-1) - predicted
    distance = colour.distance(log)

    # Inside the face only what is plainly something else goes; outside, only what is plainly skin stays.
    deep = max(atlas.size // 64, 1)
    inner = cv2.erode(areas["oval"], np.ones((3, 3), np.uint8), iterations=deep)
    inner = cv2.GaussianBlur(inner, (0, 0), deep / 2)
    loose = 1 + 1.6 * inner
    darkest = -0.40 - 0.55 * inner - 1.0 * colour.spread
    skin = smoothstep(14 * loose, 6 * loose, distance)
    skin *= smoothstep(darkest - 0.2, darkest + 0.15, residual) * smoothstep(1.4, 0.9, residual)

    # A beard is dark and of little colour; bright or colourful things below the chin are not.
    beard = areas["beard"] * smoothstep(0.25, 0.0, residual) * smoothstep(60, 30, distance)
    kept = np.maximum(_kept(areas, residual, distance, photo.weight), 0.9 * beard * (1 - areas["lips"]))
    opening = np.maximum(areas["mouth"], areas["eyes"])
    kept *= smoothstep(0.5, 0.05, opening)
    texel = atlas.texel
    frame = frame_of(residual, areas, photo.weight, texel)
    fringe = (
        areas["brows"] * fringe_over_brows(residual, areas, photo.weight * (1 - frame), texel) * (1 - areas["lids"])
    )
    kept *= (1 - frame) * (1 - fringe)
    skin = np.maximum(skin * (1 - fringe), kept) * (1 - opening) * (1 - frame)

    grey = smoothstep(5, 14, distance) * smoothstep(0.3, 0.0, residual)
    hair = np.maximum(smoothstep(-0.25, -0.6, residual), grey) * (1 - areas["oval"])
    return SkinSeen(_tidied(skin, kept, atlas), hair.astype(np.float32), colour)


def _kept(areas: dict[str, Floats], residual: Floats, distance: Floats, weight: Floats) -> Floats:
    """What belongs to the face whatever its colour; eyes behind sunglasses, and brows behind those, do not."""
    kept = np.maximum(areas["lips"], areas["nostrils"])
    half = np.arange(residual.shape[1]) < residual.shape[1] // 2
    dark, strange = smoothstep(-0.7, -0.9, residual), smoothstep(7, 11, distance)
    shares = []
    for side in (half, ~half):
        around = areas["lids"] * side * (weight > 0.2)
        if around.sum() > 0:
            shares.append(((around * dark).sum() / around.sum(), (around * strange).sum() / around.sum()))
    if shares and np.mean(shares, axis=0).min() > COVERED and min(d for d, _ in shares) > 0.85:
        return kept
    # What mirrors in the glasses, or the frame's metal.
    glare = smoothstep(0.1, 0.5, residual) * smoothstep(9, 25, distance)
    result: Floats = np.maximum(kept, np.maximum(areas["brows"], areas["lids"]) * (1 - glare))
    return result


def _tidied(skin: Floats, kept: Floats, atlas: Atlas) -> Floats:
    """Rims of what is not skin go with it, and specks on either side vanish."""
    reach = max(atlas.size // 128, 1)
    around = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    skin = _with_moles(cv2.morphologyEx(skin, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), atlas)
    skin = cv2.erode(skin, around, iterations=2)
    skin = cv2.morphologyEx(skin, cv2.MORPH_OPEN, around, iterations=2)
    soft = cv2.GaussianBlur(skin, (0, 0), reach * 0.75)
    result: Floats = np.maximum(np.minimum(soft, cv2.dilate(skin, around)), kept * (skin.max() > 0))
    return result


def _with_moles(skin: Floats, atlas: Atlas) -> Floats:
    """Small marks are skin, whatever their colour; frames of glasses are longer."""
    texel = atlas.texel
    _, parts, stats, _ = cv2.connectedComponentsWithStats((skin < 0.6).astype(np.uint8), connectivity=8)
    small = (stats[:, 2:4].max(1) * texel < MOLE) & (np.arange(len(stats)) > 0)
    result: Floats = np.where(small[parts], np.float32(1), skin)
    return result


def _learn(log: Floats, core: Floats, atlas: Atlas, transfer: Floats) -> SkinColour:
    weight = core[core > 0].astype(np.float64)
    samples = _chroma(log[core > 0]).astype(np.float64)
    bright = log.mean(-1)[core > 0]
    # The darkest part of a face is hair, frames and shadow.
    dark = np.percentile(bright, 15)
    weight = weight * np.where(bright < dark, 0.2, 1.0)
    # And what the camera clipped has no colour left.
    weight = weight * (1 - 0.85 * smoothstep(0.7, 0.95, np.exp(log[core > 0].max(-1))))
    centre = np.median(samples, axis=0)
    covariance = np.diag(np.maximum(1.48 * np.median(abs(samples - centre), axis=0), 0.04) ** 2)
    floor = np.diag([0.045**2, 0.055**2])
    for _ in range(ROUNDS):
        d = samples - centre
        distance = np.einsum("ni,ij,nj->n", d, np.linalg.inv(covariance), d)
        w = weight / (1 + distance / 4)  # Student's t with four degrees of freedom
        centre = (w[:, None] * samples).sum(0) / w.sum()
        d = samples - centre
        covariance = np.einsum("n,ni,nj->ij", w, d, d) / w.sum() + floor
    precision = np.linalg.inv(covariance)
    d = samples - centre
    trusted = np.zeros_like(core)
    trusted[core > 0] = weight * smoothstep(14, 6, np.einsum("ni,ij,nj->n", d, precision, d))
    light = fit_light(log, trusted, atlas, transfer)
    predicted = atlas.texels(np.log(np.maximum(light.shading(transfer).mean(1), 1e-3)).astype(np.float32))
    residual = (log.mean(-1) - predicted)[trusted > 0.2]
    spread = 1.48 * float(np.median(abs(residual - np.median(residual)))) if len(residual) else 0.2
    return SkinColour(centre, precision, min(spread, 0.35), light)


def _chroma(log: Floats) -> Floats:
    result: Floats = np.stack([log[..., 0] - log[..., 1], log[..., 2] - log[..., 1]], -1)
    return result
