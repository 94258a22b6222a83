"""The margins of the lids, from the ball to where lashes grow, are as dark as the photo's line of lashes.

A camera sees that line as one: the roots of the lashes, their shade and the margin that hides behind them. On a head
whose upper lids turn their margins forwards it would be a pale rim.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.heads.uv import boundary_loops
from likeness.maps.atlas import atlas_of
from likeness.maps.places import smoothstep
from likeness.photos.srgb import srgb_decoded, srgb_encoded

__all__ = ["with_lash_lines"]

Floats = NDArray[np.float32]

NEAR = 0.03  # metres between an eye's joint and the middle of the border of its lids
UPPER, LOWER = (0.35, 1.1), (0.0, 0.45)
"""Log luminance that a margin is darker by where lashes are fair, and what it is more where they are black."""
FADES = (0.0002, 0.0013)
"""Metres beyond the margin's front edge over which that fades."""
CORNER = 0.3
"""Height above the line of the corners, as a share of the opening's, from which on a lid is fully itself."""


def with_lash_lines(skin: Material, head: HeadModel, vertices: Floats, dark: float) -> Material:
    """The skin's material with darker margins of the lids.

    Args:
        vertices: (V, 3) metres, neutral.
        dark: 0..1, how dark the line of lashes is in the photos, see `likeness.maps.lash_line`.
    """
    field = _margins(head, vertices, dark)
    if not field.any():
        return skin
    albedo = skin.maps["albedo"]
    size = albedo.pixels.shape[0]
    darker = atlas_of(head, "Skin", size).texels(field)
    rows, columns = np.flatnonzero(darker.any(1)), np.flatnonzero(darker.any(0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    linear = srgb_decoded(albedo.pixels[box] / 255.0) * np.exp(-darker[box])[..., None]
    pixels = albedo.pixels.copy()
    pixels[box] = np.rint(255 * srgb_encoded(linear))
    return replace(skin, maps=skin.maps | {"albedo": Map(pixels, albedo.colour)})


def _margins(head: HeadModel, vertices: Floats, dark: float) -> Floats:
    """(V,) log luminance to take off; all 0 on a head whose skin has no borders at its eyes."""
    field = np.zeros(len(vertices), np.float32)
    polygons = head.polygons.numpy()[head.polygon_region.numpy() == head.region_names.index("skin")]
    joints = [head.joint_names.index(n) for n in ("eye.L", "eye.R") if n in head.joint_names]
    eyes = head.joints.numpy()[joints]
    rest = head.template.numpy()
    for loop in boundary_loops(polygons):
        if not len(eyes) or np.linalg.norm(rest[loop].mean(0) - eyes, axis=1).min() > NEAR:
            continue
        front = _next(polygons, loop, loop)
        mine = np.flatnonzero(np.linalg.norm(rest - rest[loop].mean(0), axis=1) < NEAR)
        mine = np.intersect1d(mine, polygons)
        away = cKDTree(rest[np.concatenate([loop, front])]).query(rest[mine])[0]
        a, b = loop[np.argmin(rest[loop, 0])], loop[np.argmax(rest[loop, 0])]

        def height(points: NDArray[np.int64], a: int = a, b: int = b) -> Floats:
            along = np.clip((rest[points, 0] - rest[a, 0]) / (rest[b, 0] - rest[a, 0]), 0, 1)
            return np.asarray(rest[points, 1] - rest[a, 1] - along * (rest[b, 1] - rest[a, 1]), np.float32)

        high = height(mine) / (CORNER * float(np.abs(height(loop)).max()))
        amount = np.clip(high, 0, 1) * (UPPER[0] + UPPER[1] * dark) + np.clip(-high, 0, 1) * (
            LOWER[0] + LOWER[1] * dark
        )
        field[mine] = np.maximum(field[mine], amount * smoothstep(FADES[1], FADES[0], away))
    return field


def _next(polygons: NDArray[np.int64], ring: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
    """Vertices that share a polygon with a ring and are not among those before."""
    touched = np.unique(polygons[np.isin(polygons, ring).any(1)])
    return np.setdiff1d(touched[touched >= 0], before)
