"""The whole skin from what was seen of it: the other side, then the person's own skin spread over the rest."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, enlarge
from likeness.maps.chromophores import pigment_in
from likeness.maps.field import Surface
from likeness.maps.fuse import FEATURES, SMOOTH, Fused
from likeness.maps.lips import matt_lips
from likeness.maps.marks import marks_in
from likeness.maps.places import HeadFrame, smoothstep
from likeness.maps.tone import tone_of

__all__ = ["Whole", "complete"]

Floats = NDArray[np.float32]

BORDER = (0.001, 0.008)
"""Metres inside the border of what was seen over which a photo takes over."""
FOLD = (0.0006, 0.003)
"""The same beside the openings of eyes and lips, whose edges show lashes and teeth."""
RIM = 0.005
"""Metres: what changes more slowly than that is taken off near borders."""
SLOW = 0.6
"""Share of it that is taken off everywhere else, as light that the fit left."""
TINT = 0.16
"""Log colour that skin, hair of brows and marks may be off from the skin around beyond its luminance."""
SOCKET = 0.22
"""Log luminance that lids may be darker than the skin around."""
EVEN = 0.9
"""Share of the difference between left and right that is taken for light rather than skin."""


@dataclass(frozen=True, eq=False)
class Whole:
    """A skin without holes.

    Attributes:
        base: (V, 3) log colours, smooth; typical: (3,) the bare skin of the face.
        detail: (S, S, 3) log colours on top, seen or mirrored; the colour of lips and lids in their folds.
        seen, mirrored: (S, S) float32: shares of a texel that come from a photo, and from the other side.
    """

    base: Floats
    typical: Floats
    detail: Floats
    seen: Floats
    mirrored: Floats


def complete(fused: Fused, head: HeadModel, frame: HeadFrame, small: Atlas, atlas: Atlas, surface: Surface) -> Whole:
    """Complete fused photos over a head; the small atlas serves for what is slow. Uses up the fused detail."""
    base, typical = _base(fused, head, frame, surface)
    seen, rim, bound = _trusted(fused, frame, small, atlas)
    detail = fused.detail
    detail -= rim
    # Hair over the cheek, a collar, a chain: the farther out, the less a photo may differ from smooth skin.
    detail /= bound[..., None]
    np.tanh(detail, out=detail)
    detail *= bound[..., None]
    _bound_tint(detail, cv2.resize(TINT + 0.6 * fused.areas["lips"], detail.shape[1::-1]))
    matt_lips(detail, fused.areas["lips"] * (1 - fused.areas["mouth"]), fused.lip, small, atlas)
    detail *= seen[..., None]
    missing = 1 - seen
    there = atlas.flipped(seen)
    mirrored = missing * there
    if mirrored.max() > 0:
        other = detail * (1 - _marks(detail, seen, fused, small))[..., None]
        other = atlas.flipped(other)
        other *= missing[..., None]
        detail += other
    folds = enlarge(small.texels(fused.feature), small, atlas)
    folds *= (missing - mirrored)[..., None]
    detail += folds
    return Whole(base, typical, detail, seen, mirrored)


def _marks(detail: Floats, seen: Floats, fused: Fused, small: Atlas) -> Floats:
    """(S, S) in 0..1: moles and spots, which the other side need not have."""
    side = (small.size, small.size)
    features = np.maximum.reduce([fused.areas[n] for n in FEATURES])
    bare = cv2.resize(seen, side, interpolation=cv2.INTER_AREA) * (1 - features)
    luminance = cv2.resize(detail, side, interpolation=cv2.INTER_AREA).mean(-1)
    texel = small.texel
    grown: Floats = cv2.resize(marks_in(luminance, bare, texel), seen.shape[::-1])
    return grown


def _bound_tint(detail: Floats, most: Floats) -> None:
    """Bound in place how far log colours (S, S, 3) are from grey: strong colours are fringes of lens and file."""
    grey = cv2.transform(detail, np.full((1, 3), 1 / 3, np.float32))
    for channel in range(3):
        colour = detail[..., channel]
        colour -= grey
        np.clip(colour, -most, most, out=colour)
        colour += grey


def _trusted(fused: Fused, frame: HeadFrame, small: Atlas, atlas: Atlas) -> tuple[Floats, Floats, Floats]:
    """Weights as shares with soft borders, (S, S), the slow colour to take off near them, (S, S, 3), and how far a
    texel may differ from the smooth skin, (S, S).

    A border shows only where its two sides differ slowly: so the slower part of the detail fades before it ends.
    """
    side = (small.size, small.size)
    seen = cv2.resize(fused.seen, side, interpolation=cv2.INTER_AREA)
    features = np.maximum.reduce([fused.areas[n] for n in FEATURES])
    shares = np.minimum(smoothstep(0.08, 0.5, seen), small.inside).astype(np.float32)
    texel = small.texel
    # Eyes and mouth are holes in the skin, not borders of what was seen.
    solid = ((shares > 0.5) | (features > 0.5)).astype(np.uint8)
    away = cv2.distanceTransform(solid, cv2.DIST_L2, 5) * texel
    shares = shares * np.maximum(smoothstep(*BORDER, away), features)
    # Along parted lips and lids what was seen gives way softly to what lies in their folds.
    inside = (shares > 0.3) & (np.maximum(fused.areas["mouth"], fused.areas["eyes"]) < 0.3)
    deep = cv2.distanceTransform(inside.astype(np.uint8), cv2.DIST_L2, 5) * texel
    shares = shares * smoothstep(*FOLD, deep)
    detail = cv2.resize(fused.detail, side, interpolation=cv2.INTER_AREA)
    bare = shares * (1 - features)
    sigma = RIM / texel
    weight = cv2.GaussianBlur(bare, (0, 0), sigma)
    slow = cv2.GaussianBlur(detail * bare[..., None], (0, 0), sigma) / np.maximum(weight, 1e-3)[..., None]
    fade = 1 - (1 - SLOW) * smoothstep(0.006, 0.045, away)
    slow *= (fade * (1 - features) * smoothstep(0, 0.05, weight))[..., None]
    # Deep sockets are shade as well; what is left of it belongs to the lids.
    sockets = fused.areas["lids"] * (1 - fused.areas["brows"]) * shares
    weight = cv2.GaussianBlur(shares, (0, 0), sigma)
    shade = cv2.GaussianBlur(detail.mean(-1) * shares, (0, 0), sigma) / np.maximum(weight, 1e-3)
    slow += (0.8 * sockets * np.minimum(shade + SOCKET, 0))[..., None]
    face = small.texels(_face(frame))
    bound = 0.07 + 0.55 * smoothstep(0.004, 0.022, away) * face
    bound = np.maximum(bound, 2.5 * cv2.GaussianBlur(features, (0, 0), 0.002 / texel)).astype(np.float32)
    # Shoulders and neck are seldom bare: their colour counts, their detail hardly.
    shares = shares * (0.25 + 0.75 * face)
    full = (atlas.size, atlas.size)
    return np.minimum(cv2.resize(shares, full), atlas.inside), cv2.resize(slow, full), cv2.resize(bound, full)


def _face(frame: HeadFrame) -> Floats:
    """(V,) 1 on face, forehead and ears, 0 on neck and shoulders and behind."""
    _, y, z = frame.points.T
    result: Floats = (smoothstep(-2.3, -1.75, y) * smoothstep(-1.9, -1.3, z)).astype(np.float32)
    return result


def _base(fused: Fused, head: HeadModel, frame: HeadFrame, surface: Surface) -> tuple[Floats, Floats]:
    other = head.mirror.numpy()
    known, base = fused.known.astype(np.float64), fused.base
    area = np.maximum(surface.area, 1e-12)
    share = np.clip(known / area, 0, 1)
    face = share > 0.3
    typical = np.median(base[face], axis=0) if face.any() else np.median(base, axis=0)

    both = np.minimum(share, share[other])[:, None]
    odd = surface.spread(base - base[other], (np.minimum(share, share[other]) * area), 0.012, 0.0)
    base = base - EVEN * 0.5 * odd * smoothstep(0, 0.3, both)

    weight = known + 0.4 * known[other] * (1 - share)
    mean = (base * known[:, None] + base[other] * (0.4 * known[other] * (1 - share))[:, None]) / np.maximum(
        weight, 1e-12
    )[:, None]
    # Away from what was seen the skin tends to its usual colour over a hand's breadth.
    pull = 0.02 * area
    mean = (mean * weight[:, None] + typical * pull[:, None]) / (weight + pull)[:, None]
    base = surface.spread(mean.astype(np.float32), (weight + pull).astype(np.float32), SMOOTH, typical)

    # Slow changes that are grey are light and shade that was left; what melanin and blood do is skin, in the face.
    p = frame.points
    inner = smoothstep(-2.0, -1.5, p[:, 1]) * smoothstep(0.2, 0.6, p[:, 2] + 0.9)
    plain = tone_of(typical.astype(np.float64), [])
    own = pigment_in(base - typical, plain.melanin, plain.blood)
    even = typical + (0.4 + 0.6 * inner)[:, None] * np.clip(own, -0.5, 0.3)
    return even.astype(np.float32), typical.astype(np.float32)
