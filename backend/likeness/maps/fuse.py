"""Several photos become one: slow colours agree by averaging, fine detail comes from the photo that sees it best."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas, enlarge
from likeness.maps.chromophores import pigment_in
from likeness.maps.field import Surface
from likeness.maps.folds import folds_in
from likeness.maps.highlights import gloss_in
from likeness.maps.light import Light, fit_light
from likeness.maps.lips import lip_colour
from likeness.maps.places import smoothstep
from likeness.maps.skin import SkinSeen
from likeness.maps.sun import Sun, find_sun
from likeness.maps.tone import tone_of
from likeness.maps.transfer import Beams
from likeness.maps.unwrap import Unwrapped

__all__ = ["Fused", "Layer", "fuse", "make_layer"]

Floats = NDArray[np.float32]

SMOOTH = 0.008
"""Metres: slower changes of colour are the base, faster ones detail."""
TURNS = 2
CLIPPED = (0.7, 0.95)
"""Linear light of the brightest channel from which on a camera shows less than there is."""
CREASE, DEEPEST = 0.006, 0.25
"""Metres around a place, and how much less log light than bare skin gets there it may get: nostrils and the corners of
eyes are not quite where the fitted head has them, and what is taken for shade beside them would shine."""
HARD = 2.0
"""Log light that a lamp's shadow differs by from the usual."""
LID = (-0.22, 0.05)
"""Bounds of the log luminance of lids' folds on top of the skin."""
LASHES = (-0.8, -0.4)
"""Log luminance on top of the skin below which something beside an eye is a lash or a painted line, not its lid."""
MOIST = (0.03, -0.045, -0.02)
"""Log colour of lids' edges, which are moist and pink, on top of the skin."""
FEATURES = ("lips", "brows", "nostrils", "lids", "eyes", "mouth")


@dataclass(frozen=True, eq=False)
class Layer:
    """A photo freed of light and gloss.

    Attributes:
        photo: laid out.
        skin: where it shows skin.
        weight: (L, L) float32: shows skin and shows it well.
        bare: (L, L) float32: the same without lips, brows and lids.
        light: the photo's, the shape of its lamp included; sun: that lamp, where there is one; shading: (L, L, 3) log
            colours of both, to subtract.
        gloss: (L, L, 3) log colours of gloss, to subtract.
        base: (V, 3) log colours of bare skin, smooth; known: (V,) square metres of evidence.
    """

    photo: Unwrapped
    skin: SkinSeen
    weight: Floats
    bare: Floats
    light: Light
    sun: Sun | None
    shading: Floats
    gloss: Floats
    base: Floats
    known: Floats


@dataclass(frozen=True, eq=False)
class Fused:
    """All photos together.

    Attributes:
        base: (V, 3) log colours of bare skin, smooth; known: (V,) square metres of evidence.
        detail: (S, S, 3) log colours on top of the base, 0 where nothing was seen.
        seen: (S, S) float32 in 0..1.
        areas: (L, L) masks, see `likeness.maps.places.draw_areas`.
        feature: (V, 3) log colours on top of the base of lips and lids, where no photo shows their folds.
        lip: (V, 3) log colours of lips on top of the base; lips: (V,) 0..1, where they are.
    """

    base: Floats
    known: Floats
    detail: Floats
    seen: Floats
    areas: dict[str, Floats]
    feature: Floats
    lip: Floats
    lips: Floats


def make_layer(
    photo: Unwrapped,
    skin: SkinSeen,
    atlas: Atlas,
    beams: Beams,
    surface: Surface,
    vertices: Floats,
    triangles: torch.Tensor,
) -> Layer:
    """Free a photo of its light and gloss.

    Args:
        vertices: (V, 3) metres, the head as the photo shows it; triangles: (T, 3) of what throws shadows.
    """
    weight = photo.weight * skin.share
    features = np.maximum.reduce([photo.areas[n] for n in FEATURES])
    bare = weight * (1 - features)
    light = skin.colour.light
    prior = np.log(np.maximum(light.level, 1e-3)).astype(np.float32)

    def base_of(log: Floats, weight: Floats) -> tuple[Floats, Floats]:
        evidence = weight * atlas.area
        known = atlas.vertices(evidence)
        mean = atlas.vertices(log * evidence[..., None]) / np.maximum(known, 1e-12)[:, None]
        return surface.spread(mean, known, SMOOTH, prior), known

    # Light and skin in turn: what is red or brown stays with the skin, what is grey goes to the light.
    true = bare * (1 - 0.85 * smoothstep(*CLIPPED, np.exp(photo.log.max(-1))))
    plain = tone_of(np.log(np.maximum(light.level, 1e-3)), [])
    for _ in range(TURNS):
        smooth = base_of(photo.log - light.correction(atlas.texels(light.shading(beams.transfer))), bare)[0]
        own = atlas.texels(pigment_in(smooth - prior, plain.melanin, plain.blood))
        light = fit_light(photo.log - own, true, atlas, beams.transfer)
    sun = find_sun(photo.log - own, true, atlas, beams, light, vertices, triangles)
    if sun is None:
        shading = light.correction(atlas.texels(light.shading(beams.transfer)))
    else:
        shading = light.correction(sun.shading, HARD)
        light = Light(sun.coefficients(), light.level)
        # A brow is darker than any shadow's edge.
        weight, bare = weight * np.maximum(sun.trust, photo.areas["brows"]), bare * sun.trust
    shading = _shallow(shading, bare, atlas)
    matt = photo.log - shading
    prior = np.log(np.maximum(light.level, 1e-3)).astype(np.float32)

    first = base_of(matt, bare)[0]
    # What an expression folds looks otherwise without it: it is not the skin that was seen there.
    folds = folds_in(matt - atlas.texels(first), photo.areas["squeezed"] * bare, atlas.texel)
    weight, bare = weight * (1 - folds), bare * (1 - folds)
    gloss = gloss_in(matt, atlas.texels(first), weight * (1 - photo.areas["eyes"]))
    # What shone most is known least.
    base, known = base_of(matt - gloss, bare * weight * np.exp(-4 * gloss.mean(-1)))
    return Layer(photo, skin, weight, bare, light, sun, shading, gloss, base, known)


def _shallow(shading: Floats, bare: Floats, atlas: Atlas) -> Floats:
    """The shading (L, L, 3), creases no deeper below the bare skin (L, L) around them than can be trusted."""
    texel = atlas.texel
    weight = (bare + 1e-3 * atlas.inside).astype(np.float32)

    def around(picture: Floats) -> Floats:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), CREASE / texel), np.float32)

    usual = around(shading * weight[..., None]) / np.maximum(around(weight), 1e-9)[..., None]
    depth = (usual - shading).mean(-1)
    # Softly: up to half of it nothing changes.
    over = np.maximum(depth - DEEPEST / 2, 0)
    excess = over - DEEPEST / 2 * np.tanh(over / (DEEPEST / 2))
    result: Floats = shading + excess[..., None].astype(np.float32)
    return result


def fuse(layers: list[Layer], small: Atlas, atlas: Atlas, surface: Surface) -> Fused:
    """Fuse layers, made in a small atlas, onto one of full size."""
    gains = _gains(layers)
    known = np.sum([layer.known for layer in layers], axis=0)
    base = sum((layer.base + gain) * layer.known[:, None] for layer, gain in zip(layers, gains, strict=True))
    mean = np.mean([layer.base + gain for layer, gain in zip(layers, gains, strict=True)], axis=0)
    base = np.where(known[:, None] > 1e-9, base / np.maximum(known, 1e-9)[:, None], mean).astype(np.float32)

    total = seen = shares = None
    size = (atlas.size, atlas.size)
    for layer, share in zip(layers, _shares(layers), strict=True):
        detail = layer.photo.colours(atlas)
        detail -= enlarge(layer.shading + small.texels(layer.base) + layer.gloss, small, atlas)
        here = np.minimum(cv2.resize(layer.weight, size, interpolation=cv2.INTER_LINEAR), atlas.inside)
        if len(layers) == 1:
            total, seen = detail, here
            break
        share = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
        detail *= share[..., None]
        total = detail if total is None else total + detail
        shares = share if shares is None else shares + share
        seen = here if seen is None else np.maximum(seen, here)
    assert total is not None
    assert seen is not None
    if shares is not None:
        total /= np.maximum(shares, 1e-4)[..., None]
    total *= (seen > 0)[..., None]
    areas = {n: np.maximum.reduce([layer.photo.areas[n] for layer in layers]) for n in layers[0].photo.areas}
    return Fused(base, known, total, seen, areas, *_features(layers, small, surface))


def _features(layers: list[Layer], atlas: Atlas, surface: Surface) -> tuple[Floats, Floats, Floats]:
    """What lips and lids have in the folds that no photo shows.

    Returns:
        Log colours (V, 3) on top of the base; (V, 3) those of lips alone; (V,) 0..1 where lips are.
    """
    count = len(layers[0].known)
    shown, placed = np.zeros(count, np.float32), np.zeros((count, 3), np.float32)
    evidence, sums = np.zeros(count, np.float32), np.zeros((count, 3), np.float32)
    colours, weights = [], []
    for layer in layers:
        areas = layer.photo.areas
        on_top = layer.photo.log - layer.gloss - layer.shading - atlas.texels(layer.base)
        # Both areas hold their openings, so they reach inside.
        there = layer.photo.weight * atlas.area
        share = layer.weight * smoothstep(*LASHES, on_top.mean(-1)) * (1 - areas["brows"]) * atlas.area
        shown += atlas.vertices(there)
        placed += atlas.vertices(np.dstack([areas["lips"], areas["lids"], areas["eyes"]]) * there[..., None])
        evidence += atlas.vertices(share)
        sums += atlas.vertices(on_top * share[..., None])
        colours.append(on_top)
        weights.append(layer.weight * smoothstep(0.7, 0.95, areas["lips"]) * smoothstep(0.15, 0.02, areas["mouth"]))
    lips, lids, edges = np.clip(surface.spread(placed / np.maximum(shown, 1e-12)[:, None], shown, 0.002), 0, 1).T
    around = surface.spread(sums / np.maximum(evidence, 1e-12)[:, None], evidence.astype(np.float32), 0.006)
    grey = around.mean(1, keepdims=True)
    lid = np.clip(grey, *LID) + np.clip(around - grey, -0.1, 0.1) + edges[:, None] * np.array(MOIST)
    lip = lip_colour(colours, weights, atlas, surface)
    result: Floats = (lips[:, None] * lip + ((1 - lips) * lids)[:, None] * lid).astype(np.float32)
    return result, lip, lips


def _gains(layers: list[Layer]) -> list[Floats]:
    """Log colour (3,) per layer that brings it to the first choice: the layer that shows most."""
    best = int(np.argmax([layer.known.sum() * layer.photo.scale for layer in layers]))
    gains = []
    for layer in layers:
        both = np.minimum(layer.known, layers[best].known)
        use = both > 0.05 * both.max() if both.max() > 0 else np.zeros(len(both), bool)
        if use.sum() > 50:
            gain = np.median((layers[best].base - layer.base)[use], axis=0)
        else:
            gain = np.log(layers[best].light.level / layer.light.level)
        gains.append(gain.astype(np.float32))
    return gains


def _shares(layers: list[Layer]) -> list[Floats]:
    """How much each layer gives to a texel's detail, (L, L): nearly all to the best one, with soft borders."""
    if len(layers) == 1:
        return [layers[0].weight]
    most = max(layer.photo.scale for layer in layers)
    worth = np.stack([layer.weight * (0.3 + 0.7 * layer.photo.scale / most) for layer in layers])
    share = (worth / np.maximum(worth.max(0), 1e-6)) ** 6 * worth
    sigma = worth.shape[-1] / 512 * 2
    return [cv2.GaussianBlur(s.astype(np.float32), (0, 0), sigma) * (w > 0) for s, w in zip(share, worth, strict=True)]
