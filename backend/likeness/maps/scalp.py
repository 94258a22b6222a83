"""Cropped hair on the scalp, in the colour of the person's hair, and nothing where the photo shows a bald head."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.maps.atlas import Atlas
from likeness.maps.field import Surface
from likeness.maps.fuse import Layer
from likeness.maps.places import HeadFrame, smoothstep

__all__ = ["Hair", "hair_of", "hairline", "stubble"]

Floats = NDArray[np.float32]

CRANIUM = -1.3
"""Where the middle of the skull lies behind the eyes, in distances between the eyes."""
LINE = np.array([
    (0, 1.22), (22, 1.24), (38, 1.16), (50, 0.86), (58, 0.56), (68, 0.34), (77, -0.12), (84, -0.12), (90, 0.3),
    (112, 0.3), (122, -0.1), (135, -0.75), (155, -1.0), (180, -1.05),
])  # fmt: skip
"""The lower edge of hair: degrees from the front around the skull, height over the eyes in distances between them."""
BARE = np.log(np.array([0.35, 0.22, 0.15]))


@dataclass(frozen=True, eq=False)
class Hair:
    """Cropped hair: cover (V,) float32 in 0..1, colour (3,) log of linear light."""

    cover: Floats
    colour: Floats


def hairline(frame: HeadFrame) -> Floats:
    """(V,) float32 in 0..1: where hair grows on a head that has it, 0.5 on the hairline."""
    x, y, z = frame.points.T
    around = np.degrees(np.arctan2(abs(x), z - CRANIUM))
    edge = np.interp(around, LINE[:, 0], LINE[:, 1])
    result: Floats = smoothstep(-0.16, 0.16, y - edge).astype(np.float32)
    return result


def hair_of(layers: list[Layer], atlas: Atlas, frame: HeadFrame, surface: Surface) -> Hair:
    """What the photos say about the hair."""
    usual = hairline(frame)
    place = atlas.texels(usual)
    evidence = hair = 0.0
    colours, brows = [], []
    for layer in layers:
        # The photo's skin has soft, safe borders; between hair and skin stands nothing.
        seen = layer.photo.weight * atlas.area
        bald = np.clip(layer.weight / np.maximum(layer.photo.weight, 1e-6), 0, 1)
        evidence = evidence + atlas.vertices(seen)
        hair = hair + atlas.vertices(seen * (1 - bald))
        log = layer.photo.log - atlas.texels(layer.shading)
        colours.append(log[(place > 0.8) & (layer.photo.weight > 0.3) & (bald < 0.2)])
        brows.append(log[layer.photo.areas["brows"] * layer.photo.weight > 0.5])
    share = np.asarray(hair / np.maximum(evidence, 1e-12), np.float32)
    weight = np.asarray(evidence, np.float32) * (usual > 0.3)
    field = surface.spread(share, weight, 0.02, 1.0)
    cover = usual * smoothstep(0.25, 0.6, field)
    return Hair(cover.astype(np.float32), _colour(colours, brows))


def _colour(colours: list[Floats], brows: list[Floats]) -> Floats:
    hair, brow = np.concatenate(colours), np.concatenate(brows)
    if len(hair) > 40:
        # The roots are darker than what the light catches.
        mean = np.percentile(hair, 35, axis=0)
    elif len(brow) > 20:
        mean = np.percentile(brow, 25, axis=0)
    else:
        mean = BARE - 1.5
    return np.clip(mean, np.log(0.006), np.log(0.5)).astype(np.float32)


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
    wide, long = max(0.00016 / texel, 0.35), max(0.0006 / texel, 0.5)
    strands = _unit(cv2.GaussianBlur(noise, (0, 0), sigmaX=wide, sigmaY=long, borderType=cv2.BORDER_REFLECT))
    tufts = _unit(cv2.GaussianBlur(noise, (0, 0), 5 * long, borderType=cv2.BORDER_REFLECT))
    count = -(-size // side)
    strands, tufts = (np.tile(n, (count, count))[:size, :size] for n in (strands, tufts))
    # Few strands stand at the edge and many behind it.
    edge = cover + 0.1 * tufts * cover * (1 - cover) * 4
    opacity = smoothstep(-0.9, 0.9, 4.2 * (edge - 0.5) + strands) * smoothstep(0.02, 0.2, cover)
    opacity *= 0.86 + 0.07 * np.clip(strands, -2, 2)
    result: Floats = np.clip(opacity, 0, 1).astype(np.float32)
    return result, (0.5 + 0.25 * np.clip(strands, -2, 2)).astype(np.float32)


def _unit(noise: Floats) -> Floats:
    result: Floats = (noise - noise.mean()) / max(float(noise.std()), 1e-6)
    return result
