"""What a fitted texture says of skin that no photo shows: blended in by its differences, never by its values.

The fitted colours and those of the maps differ in level and in what light was left; that difference is known where a
photo shows the skin, and is carried on over the surface (in the manner of Perez, Gangnet and Blake, "Poisson Image
Editing", SIGGRAPH 2003). So no border shows, and pores and hair stay as the maps have them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of, enlarge, material_triangles
from likeness.maps.field import Surface
from likeness.maps.latent import FITTED
from likeness.maps.places import smoothstep
from likeness.maps.unwrap import log_light
from likeness.methods.base import Reconstruction, Settings
from likeness.photos.srgb import srgb_decoded, srgb_encoded
from likeness.progress import Progress

__all__ = ["with_fitted"]

Floats = NDArray[np.float32]

SIDE = 512
SLOW, CARRIED = 0.006, 0.02
"""Metres below which detail is left to the maps, and over which the known difference is smoothed."""
FEATURES = (0.010, 0.018)
"""Metres from brows, eyes, nostrils and lips up to which the maps know better, and from which on they do not."""
MOST = 0.35
"""Log colour that is changed at most: what differs more is hair or cloth rather than skin."""


def with_fitted(
    made: Reconstruction,
    skin: Material,
    lights: tuple[NDArray[np.float64], ...],
    settings: Settings,
    progress: Progress,
) -> Material:
    """The skin's material with its invented parts after the map `FITTED` of the reconstruction.

    A `likeness.methods.base.Refine`.
    """
    head = made.head
    if head is None or FITTED not in made.maps:
        return skin
    progress("maps", 0.97, "Filling what no photo shows as it was fitted")
    albedo = skin.maps["albedo"].pixels
    size = albedo.shape[0]
    small, full = (atlas_of(head, "Skin", side) for side in (min(SIDE, size), size))
    side = (small.size, small.size)
    shown = cv2.resize(_known(skin), side, interpolation=cv2.INTER_AREA)
    apart = log_light(cv2.resize(made.maps[FITTED], side, interpolation=cv2.INTER_AREA))
    apart -= log_light(cv2.resize(albedo, side, interpolation=cv2.INTER_AREA))

    surface = Surface(made.vertices, head.triangles[material_triangles(head, "Skin")])
    bare = small.area * small.texels(_plain(head)).clip(0, 1)

    seen = bare * shown
    total = max(float(seen.sum()), 1e-12)
    level = ((apart * seen[..., None]).sum((0, 1)) / total).astype(np.float32)
    apart = np.clip(apart - level, -2 * MOST, 2 * MOST)

    def spread(weight: Floats, length: float) -> Floats:
        known = small.vertices(weight)
        mean = small.vertices(apart * weight[..., None]) / np.maximum(known, 1e-12)[:, None]
        return surface.spread(mean, known, length)

    change = spread(bare, SLOW) - spread(seen, CARRIED)
    share = (1 - shown) * bare / np.maximum(small.area, 1e-12)
    factor = np.exp(np.clip(small.texels(change), -MOST, MOST) * share[..., None]).astype(np.float32)
    return replace(skin, maps=skin.maps | {"albedo": _scaled(skin.maps["albedo"], enlarge(factor, small, full))})


def _plain(head: HeadModel) -> Floats:
    """(V,) 1 on skin without features or hair."""
    plain = np.ones(len(head.template), np.float32)
    if "scalp" in head.groups:
        plain -= head.groups["scalp"].numpy()
    marks = head.landmarks.get("ibug68")
    if marks is not None:
        points = marks.on(head.template, head.triangles).numpy()
        features = np.concatenate([points[17:27], points[31:68]])
        plain *= smoothstep(*FEATURES, cKDTree(features).query(head.template.numpy())[0])
    return plain.clip(0, 1)


def _known(skin: Material) -> Floats:
    """(S, S) 1 where a photo shows the skin or its other side, 0 where it is made up."""
    if "origin" in skin.maps:
        return (skin.maps["origin"].pixels.astype(np.float32) / 127).clip(0, 1)
    return (2 * skin.maps["confidence"].pixels.astype(np.float32) / 255).clip(0, 1)


def _scaled(albedo: Map, factor: Floats) -> Map:
    """A picture (S, S, 3) uint8 sRGB whose linear light is multiplied."""
    linear = srgb_decoded(np.arange(256) / 255).astype(np.float32)
    pixels: NDArray[Any] = albedo.pixels.copy()
    changed = (np.abs(factor - 1) > 1e-3).any(-1)
    light = np.clip(linear[pixels[changed]] * factor[changed], 0, 1)
    pixels[changed] = np.rint(255 * srgb_encoded(light)).astype(np.uint8)
    return replace(albedo, pixels=pixels)
