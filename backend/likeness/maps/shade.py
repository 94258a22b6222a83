"""What a photo shows of the skin beyond its colour under the light that was fitted: the shade of the true shape.

Soft light on a smooth head does not make a face. What it leaves, the shade of folds that the expression presses, of
lids and wings of the nose, of cheeks that are rounder than the fitted ones, is no colour of the skin, so the albedo
goes without it; in the photo's own light it is part of how the face looks. A ratio image carries it: Liu, Shan and
Zhang, "Expressive Expression Mapping with Ratio Images", SIGGRAPH 2001.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of, enlarge
from likeness.maps.fuse import FEATURES, Layer
from likeness.maps.places import smoothstep
from likeness.photos.srgb import LUMINANCE, srgb_decoded

__all__ = ["SHADE", "photo_shade", "with_shades"]

Floats = NDArray[np.float32]

SHADE = "shade."
"""Beginning of the channels, before the photo's number."""
SIDE = 1024
"""Side of the map at most: a texel is 0.4 mm of the face then, and noise is finer."""
MOST = 1.2
"""Log light up and down that the map can code."""
CERTAIN = (0.15, 0.7)
"""Share of a texel that is seen to be skin from which on its shade is believed, and fully."""
BORDER, BESIDE_HAIR = (0.001, 0.006), (0.004, 0.016)
"""Metres inside the border of what is seen over which light sets in, and darkness: hair and collars throw lines."""


def with_shades(skin: Material, layers: list[Layer], head: HeadModel) -> Material:
    """A finished skin with the shade of each of its photos, as channels "shade.1" and so on."""
    albedo = skin.maps["albedo"].pixels
    shades = {f"{SHADE}{i}": photo_shade(layer, albedo, head) for i, layer in enumerate(layers, 1)}
    return replace(skin, maps=skin.maps | shades)


def photo_shade(layer: Layer, albedo: NDArray[Any], head: HeadModel) -> Map:
    """The shade of one photo on a skin.

    Args:
        layer: the photo.
        albedo: (H, W, 3) sRGB, the finished skin; uint8, uint16 or float in 0..1.

    Returns:
        (L, L) uint8, L at most `SIDE`; its data values are natural logarithms of light over the light on smooth skin of
        that colour, 0 where the photo shows no skin; their median over bare skin is 0.
    """
    small = atlas_of(head, "Skin", layer.weight.shape[0])
    side = min(SIDE, albedo.shape[0])
    atlas = atlas_of(head, "Skin", side)
    log = layer.photo.colours(atlas)
    log -= enlarge(layer.shading + layer.gloss, small, atlas)
    colour = cv2.resize(albedo, (side, side), interpolation=cv2.INTER_AREA)
    shade = _log_luminance(np.exp(log)) - _log_luminance(_linear(colour))

    certain = smoothstep(*CERTAIN, layer.photo.weight * layer.skin.share)
    features = np.maximum.reduce([layer.photo.areas[n] for n in FEATURES])
    solid = ((certain > 0.5) | (features > 0.5)).astype(np.uint8)
    away = cv2.distanceTransform(solid, cv2.DIST_L2, 5) * small.texel
    dark = certain * smoothstep(*BESIDE_HAIR, away)
    certain = certain * smoothstep(*BORDER, away)
    masks = (certain * (1 - features), certain, dark)
    bare, certain, dark = (cv2.resize(m.astype(np.float32), (side, side)) for m in masks)
    known = bare > 0.5
    if not known.any():
        return _coded(np.zeros((side, side), np.float32))
    shade -= np.median(shade[known])
    return _coded(MOST * np.tanh(shade / MOST) * np.where(shade < 0, dark, certain) * atlas.inside)


def _linear(srgb: NDArray[Any]) -> Floats:
    most = 1 if srgb.dtype.kind == "f" else np.iinfo(srgb.dtype).max
    return np.asarray(srgb_decoded(srgb / most), np.float32)


def _log_luminance(linear: Floats) -> Floats:
    result: Floats = np.log(np.maximum(cv2.transform(linear, LUMINANCE[None].astype(np.float32)), 1e-3))
    return result


def _coded(shade: Floats) -> Map:
    codes = np.rint(128 + (127 / MOST) * shade).clip(1, 255).astype(np.uint8)
    scale = 255 * MOST / 127
    return Map(codes, "linear", scale=scale, offset=-128 / 255 * scale)
