"""The skin's maps, from photos to pixels: the main path of `likeness.maps` on one page."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.maps.atlas import Atlas, atlas_of, material_triangles
from likeness.maps.complete import Whole, complete
from likeness.maps.field import Surface
from likeness.maps.fuse import Fused, Layer, fuse, make_layer
from likeness.maps.gloss import gloss_fields
from likeness.maps.places import HeadFrame
from likeness.maps.relief import height_of, micro_relief, normals_of
from likeness.maps.scalp import Hair, hair_of, stubble
from likeness.maps.skin import find_skin
from likeness.maps.transfer import transfer_of
from likeness.maps.unwrap import unwrap
from likeness.methods.base import Reconstruction, Settings
from likeness.progress import Progress

__all__ = ["skin_material"]

Floats = NDArray[np.float32]

SMALL = 512
"""Side of the atlas in which everything slow is decided."""
RANGE = 0.0004
"""Metres up and down that the displacement map can code."""
HAIR_HEIGHT = 0.00012
_CODES = np.linspace(0, 1, 4097)
_SRGB = np.rint(
    255 * np.where(_CODES <= 0.0031308, 12.92 * _CODES, 1.055 * np.maximum(_CODES, 1e-9) ** (1 / 2.4) - 0.055)
).astype(np.uint8)


def skin_material(reconstruction: Reconstruction, settings: Settings, progress: Progress) -> tuple[Material, Hair]:
    """The skin's material, and the hair that was found on the way."""
    head = reconstruction.head
    assert head is not None
    size = settings.texture_size
    small = atlas_of(head, "Skin", min(SMALL, size))
    full = atlas_of(head, "Skin", size)
    transfer = transfer_of(head)
    surface = Surface(reconstruction.vertices, head.triangles[material_triangles(head, "Skin")])
    left, right = (reconstruction.joints[head.joint_names.index(n)] for n in ("eye.L", "eye.R"))
    frame = HeadFrame.of(reconstruction.vertices, left, right)

    layers: list[Layer] = []
    for i, view in enumerate(reconstruction.views):
        progress("maps", 0.05 + 0.3 * i / len(reconstruction.views), f"Reading {view.face.photo.path.name}")
        photo = unwrap(reconstruction, view, small)
        layers.append(make_layer(photo, find_skin(photo, small, transfer), small, transfer, surface))
    progress("maps", 0.4, "Joining the photos")
    fused = fuse(layers, small, full, surface)
    hair = hair_of(layers, small, frame, surface)
    progress("maps", 0.6, "Completing what no photo shows")
    whole = complete(fused, head, frame, small, full, surface)
    progress("maps", 0.75, "Pores, relief and gloss")
    sharp = max(layer.photo.scale for layer in layers)
    return _paint(fused, whole, hair, frame, small, full, sharp, settings.seed), hair


def _paint(
    fused: Fused, whole: Whole, hair: Hair, frame: HeadFrame, small: Atlas, full: Atlas, sharp: float, seed: int
) -> Material:
    """All maps; sharp: pixels per metre of the sharpest photo."""
    size = (full.size, full.size)
    texel = float(np.sqrt(np.median(full.area[full.area > 0])))
    made_up = full.inside * (1 - whole.seen - whole.mirrored)
    both = {
        n: np.maximum(a, small.flipped(a)) for n, a in fused.areas.items() if n in ("lips", "brows", "lids", "beard")
    }
    lips = np.clip(small.vertices(both["lips"] * small.area) / np.maximum(small.vertices(small.area), 1e-12), 0, 1)
    fields = full.texels(np.concatenate([hair.cover[:, None], gloss_fields(frame, lips, hair.cover), whole.base], 1))
    cover, roughness, specular, base = fields[..., 0], fields[..., 1], fields[..., 2], fields[..., 3:]
    opacity, tufts = stubble(cover, texel, seed)

    micro = micro_relief(full, seed)
    luminance = whole.detail.mean(-1)
    flat = cv2.resize(np.maximum(both["brows"], 0.8 * both["lids"]), size)
    flat = np.maximum(flat, cover)
    height = height_of(luminance, flat, np.maximum(made_up, 0.45), micro, texel, sharp)
    height = height * (1 - opacity) + HAIR_HEIGHT * tufts * opacity

    log = base + whole.detail
    log += (0.018 * micro * made_up)[..., None]
    log += (hair.colour + 0.25 * (tufts - 0.5)[..., None] - log) * opacity[..., None]
    log[~full.inside] = whole.typical
    albedo = _SRGB[np.clip(np.exp(log, out=log) * 4096 + 0.5, 0, 4096).astype(np.uint16)]

    rough = roughness - 0.04 * micro * (1 - cover)
    shine = specular * (1 + 0.18 * micro)
    grey = cv2.resize(np.where(small.area > 0, small.area, np.median(small.area[small.area > 0])), size)
    pitch = np.sqrt(np.maximum(grey, 1e-12)) * (small.size / full.size)
    normal = normals_of(height, pitch)
    return Material(
        {
            "albedo": Map(albedo, "srgb"),
            "specular": Map(_bytes(shine), "linear"),
            "roughness": Map(_bytes(rough), "linear"),
            "normal": Map(_bytes(0.5 * normal + 0.5), "linear"),
            "displacement": Map(
                np.clip((height / (2 * RANGE) + 0.5) * 65535 + 0.5, 0, 65535).astype(np.uint16),
                "linear",
                scale=2 * RANGE,
                offset=-RANGE,
            ),
            "confidence": Map(_bytes(whole.seen * (1 - opacity) + 0.5 * whole.mirrored * (1 - opacity)), "linear"),
        },
        {"albedo": [round(float(c), 4) for c in np.exp(whole.typical)]},
    )


def _bytes(values: Floats) -> NDArray[np.uint8]:
    return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)
