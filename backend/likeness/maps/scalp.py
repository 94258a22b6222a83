"""Cropped hair on the scalp, in the colour of the person's hair, and nothing where the photo shows a bald head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas, joined
from likeness.maps.field import Surface
from likeness.maps.fuse import Layer
from likeness.maps.mottle import solid, volume
from likeness.maps.places import HeadFrame, smoothstep

__all__ = ["Hair", "hair_of", "hairline", "stubble"]

Floats = NDArray[np.float32]

CRANIUM = -1.3
"""Where the middle of the skull lies behind the eyes, in distances between the eyes."""
LINE = np.array([
    (0, 1.22), (22, 1.24), (38, 1.16), (50, 0.86), (58, 0.56), (68, 0.40), (77, 0.12), (84, 0.12), (90, 0.4),
    (112, 0.3), (122, -0.1), (135, -0.75), (155, -1.0), (180, -1.05),
])  # fmt: skip
"""The lower edge of hair: degrees from the front around the skull, height over the eyes in distances between them."""
TOP = (0.45, 1.25)
"""Heights over the eyes between which a bald crown begins."""
WAVER = 0.018  # distances between the eyes
BARE = np.log(np.array([0.35, 0.22, 0.15]))


@dataclass(frozen=True, eq=False)
class Hair:
    """Cropped hair: cover (L, L) float32 in 0..1 in the small atlas, colour (3,) log of linear light."""

    cover: Floats
    colour: Floats


def hairline(points: Floats) -> Floats:
    """Where hair grows on a head that has it: points (..., 3) of a `HeadFrame` to (...) float32, 0.5 on the line."""
    x, y, z = np.moveaxis(points, -1, 0)
    around = np.degrees(np.arctan2(abs(x), z - CRANIUM))
    edge = np.interp(around, LINE[:, 0], LINE[:, 1])
    result: Floats = smoothstep(-0.22, 0.26, y - edge).astype(np.float32)
    return result


def hair_of(layers: list[Layer], atlas: Atlas, frame: HeadFrame, surface: Surface, seed: int) -> Hair:
    """What the photos say about the hair; the seed is that of the wavering of its edge."""
    points = atlas.texels(frame.points)
    # The edge wavers by some millimetres.
    cube, metres = volume(seed), points * np.float32(frame.unit)
    points[..., 1] += WAVER * (solid(metres, 0.003, cube) + solid(metres, 0.009, cube))
    place = hairline(points)
    usual = hairline(frame.points)
    evidence, hair = np.zeros(len(usual), np.float32), np.zeros(len(usual), np.float32)
    colours, brows = [], []
    for layer in layers:
        seen = layer.photo.weight * atlas.area
        evidence += atlas.vertices(seen)
        hair += atlas.vertices(seen * layer.skin.hair)
        log = layer.photo.log - layer.shading
        colours.append(log[(place > 0.8) & (layer.photo.weight > 0.3) & (layer.skin.hair > 0.7)])
        brows.append(log[layer.photo.areas["brows"] * layer.photo.weight > 0.5])
    share = hair / np.maximum(evidence, 1e-12)
    weight = evidence * (usual > 0.3)
    # Unseen scalp takes after the seen within a few centimetres, and has hair beyond.
    usually = 0.25 * surface.area.astype(np.float32)
    mean = (share * weight + usually) / np.maximum(weight + usually, 1e-12)
    cover = place * smoothstep(0.25, 0.6, atlas.texels(surface.spread(mean, weight + usually, 0.02, 1.0)))
    seen_top = weight * smoothstep(*TOP, frame.points[:, 1])
    if seen_top.sum() > 0.002:
        # Who is bald above the forehead is bald on the crown; hair stays at the sides and behind.
        haired = float((share * seen_top).sum() / seen_top.sum())
        cover = cover * (1 - smoothstep(*TOP, points[..., 1]) * smoothstep(0.6, 0.35, haired))
    return Hair((cover * atlas.inside).astype(np.float32), _colour(colours, brows))


def _colour(colours: list[Floats], brows: list[Floats]) -> Floats:
    hair, brow = np.concatenate(colours), np.concatenate(brows)
    if len(hair) > 40:
        # The roots are darker than what the light catches.
        mean = np.percentile(hair, 35, axis=0)
    elif len(brow) > 20:
        mean = np.percentile(brow, 25, axis=0)
    else:
        mean = BARE - 1.5
    # Cropped hair shows its shadowed roots: darker and duller than the length of it in the sun.
    grey = mean.mean()
    mean = grey - 0.35 + 0.7 * (mean - grey)
    colour: Floats = np.clip(mean, np.log(0.006), np.log(0.5)).astype(np.float32)
    return colour


def stubble(cover: Floats, texel: float, seed: int) -> tuple[Floats, Floats]:
    """Short hair by texel.

    Args:
        cover: (S, S) 0..1.
        texel: metres per texel.

    Returns:
        opacity (S, S) float32 in 0..1, and height (S, S) in 0..1 of the tufts.
    """
    size = cover.shape[0]
    random = np.random.default_rng(seed)
    side = min(1024, size)
    noise = random.standard_normal((side, side)).astype(np.float32)
    wide, long = max(0.00015 / texel, 0.45), max(0.00035 / texel, 0.6)
    strands = _unit(cv2.GaussianBlur(noise, (0, 0), sigmaX=wide, sigmaY=long, borderType=cv2.BORDER_REFLECT))
    tufts = _unit(cv2.GaussianBlur(noise, (0, 0), 0.0018 / texel, borderType=cv2.BORDER_REFLECT))
    count = -(-size // side)
    strands, tufts = (joined(np.tile(n, (count, count))[:size, :size]) for n in (strands, tufts))
    # Density fades towards the edge, where single strands stand out; scalp shows through everywhere.
    density = np.clip(cover * (1 + 0.03 * np.clip(tufts, -2, 2)), 0, 1) ** 1.25
    ragged = np.clip(strands, -1.8, 1.8)
    opacity = density * (0.72 + 0.15 * ragged + 0.18 * (1 - density) * ragged)
    result: Floats = np.clip(opacity, 0, 0.95).astype(np.float32)
    return result, np.clip(0.5 + 0.22 * strands + 0.10 * tufts, 0, 1).astype(np.float32)


def _unit(noise: Floats) -> Floats:
    result: Floats = (noise - noise.mean()) / max(float(noise.std()), 1e-6)
    return result
