"""How strongly and how broadly a person's skin mirrors, where a lamp makes clear highlights on it.

The highlights' sizes and strengths are those of microfacets (Walter et al., "Microfacet Models for Refraction through
Rough Surfaces", EGSR 2007: GGX; Schlick's Fresnel): two numbers for all of a face, in bounds that skin keeps to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.camera import Camera
from likeness.maps.atlas import Atlas
from likeness.maps.fuse import CLIPPED, Layer
from likeness.maps.places import smoothstep
from likeness.render.view import vertex_normals

__all__ = ["Glints", "Shine", "glints_of", "lobe", "shine_of"]

Floats = NDArray[np.float32]

F0 = 0.028
"""What skin mirrors straight on (an index of 1.4)."""
ROUGHNESS = np.linspace(0.32, 0.62, 16)
"""Roughnesses tried, as Blender has them: the root of GGX's alpha."""
NEAR = np.cos(np.radians(40))
"""Cosine between normal and half way to the lamp within which a highlight is looked for."""
CLEAR = 0.6
"""Correlation between a highlight and its model from which on it is believed."""
BRIGHT = 0.04
"""Deviation over a face of mirrored light, as a share of diffuse light that faces the lamp, of a clear highlight."""
FEWEST = 100
"""Texels from which a highlight can be told."""
GAIN = (0.7, 1.4)
"""Bounds of the strength over the usual one."""


@dataclass(frozen=True, eq=False)
class Glints:
    """What a photo's texels (N,) mirror of a lamp.

    Attributes:
        mirrored: light over what skin that faces the lamp sends back diffusely.
        half, seeing: cosines of the normal to half way between lamp and camera, and to the camera; fresnel: of half way
            to the camera; weight: 0 where nothing is known.
    """

    mirrored: Floats
    half: Floats
    seeing: Floats
    fresnel: Floats
    weight: Floats


@dataclass(frozen=True)
class Shine:
    """Strength over that of usual skin, and roughness (Blender's)."""

    gain: float
    roughness: float


def glints_of(layer: Layer, camera: Camera, vertices: Floats, triangles: torch.Tensor, atlas: Atlas) -> Glints | None:
    """What a layer's photo mirrors of its lamp, None where it has none.

    Args:
        camera: of the photo; vertices: (V, 3) metres, the head as the photo shows it; triangles: (T, 3).
    """
    if layer.sun is None:
        return None
    log, to = layer.photo.log, layer.sun.direction.astype(np.float32)
    normal = vertex_normals(torch.from_numpy(np.asarray(vertices, np.float32)), triangles).numpy()
    if camera.kind == "perspective":
        away = camera.centre().astype(np.float32) - vertices
    else:
        away = np.broadcast_to(-camera.rotation[2].astype(np.float32), vertices.shape)
    away = away / np.maximum(np.linalg.norm(away, axis=1, keepdims=True), 1e-9)
    half = away + to
    half /= np.maximum(np.linalg.norm(half, axis=1, keepdims=True), 1e-9)
    cosines = np.stack([(normal * half).sum(1), (normal * away).sum(1), (away * half).sum(1), normal @ to], 1)
    half_way, seeing, fresnel, lit = np.moveaxis(atlas.texels(cosines.astype(np.float32)), -1, 0)
    light = np.exp(log)
    mirrored = (light - np.exp(log - layer.gloss)).mean(-1) / max(float(layer.sun.strength.mean()), 1e-6)
    weight = layer.bare * (lit > 0.1) * (1 - smoothstep(*CLIPPED, light.max(-1)))
    return Glints(*(a[atlas.inside] for a in (mirrored, half_way, seeing, fresnel, weight.astype(np.float32))))


def lobe(glints: Glints, roughness: float) -> NDArray[np.float64]:
    """(N,) light mirrored by skin of usual strength, over the light that falls on a surface facing the lamp."""
    alpha = roughness**2
    half = glints.half.astype(np.float64)
    spread = alpha**2 / (np.pi * (half**2 * (alpha**2 - 1) + 1) ** 2)
    fresnel = F0 + (1 - F0) * (1 - np.clip(glints.fresnel, 0, 1)) ** 5
    made: NDArray[np.float64] = spread * fresnel / (4 * np.maximum(glints.seeing, 0.2))
    return made


def shine_of(glints: Glints, albedo: float) -> Shine | None:
    """The shine of a skin whose diffuse albedo is given, None where no highlight is clear."""
    used = (glints.weight > 0.2) & (glints.half > NEAR)
    if used.sum() < FEWEST:
        return None
    near = Glints(*(getattr(glints, name)[used] for name in ("mirrored", "half", "seeing", "fresnel", "weight")))
    weight = near.weight.astype(np.float64) / near.weight.sum()
    seen = near.mirrored - (near.mirrored * weight).sum()
    deviation = float(np.sqrt((seen**2 * weight).sum()))
    if deviation < BRIGHT:
        return None
    best, found = CLEAR, None
    for roughness in ROUGHNESS:
        model = lobe(near, float(roughness)) * np.pi / albedo
        model -= (model * weight).sum()
        power = float((model**2 * weight).sum())
        slope = float((model * seen * weight).sum()) / max(power, 1e-12)
        alike = slope * np.sqrt(power) / deviation
        if alike > best:
            best, found = alike, Shine(float(np.clip(slope, *GAIN)), float(roughness))
    return found
