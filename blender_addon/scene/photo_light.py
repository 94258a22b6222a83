# SPDX-License-Identifier: GPL-3.0-or-later
"""The light of a photo, as it was estimated from the skin, around the head."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..link.package import View
from .frames import to_blender
from .graph import add_world

__all__ = ["make_photo_light", "strongest"]

ROWS, COLUMNS = 32, 64
"""Of the picture of the surroundings: light of degree 2 has no finer detail."""


def make_photo_light(view: View, name: str) -> bpy.types.World | None:
    """A world in which the head looks as lit as in the photo; None where the photo's light is not known."""
    if view.light is None:
        return None
    image = bpy.data.images.new(name, COLUMNS, ROWS, float_buffer=True)
    space: Any = "Linear Rec.709"
    image.colorspace_settings.name = space
    pixels = np.ones((ROWS, COLUMNS, 4), np.float32)
    pixels[..., :3] = surroundings(view.light)
    buffer: Any = image.pixels
    buffer.foreach_set(pixels.ravel())
    image.pack()

    world, sky = add_world(name)
    tree: Any = world.node_tree
    picture = tree.nodes.new("ShaderNodeTexEnvironment")
    picture.image, picture.location = image, (-300, 0)
    tree.links.new(picture.outputs["Color"], sky.inputs["Color"])
    # Light told by matt skin has no edges: mirrored, it would veil pupils and skin alike. A lamp is there for gloss.
    seen: Any = getattr(world, "cycles_visibility", None)
    if seen is not None:
        seen.glossy = False
    return world


def strongest(world: bpy.types.World) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where most of a photo's light comes from: unit direction (3,) in the world, the irradiance (3,) from there beyond
    what comes from all sides, and the mean radiance (3,).
    """
    tree: Any = world.node_tree
    picture = next((n.image for n in tree.nodes if n.bl_idname == "ShaderNodeTexEnvironment" and n.image), None)
    if picture is None:
        raise ValueError(f"the world {world.name} has no picture of a photo's light")
    width, height = picture.size
    flat = np.empty(width * height * 4, np.float32)
    picture.pixels.foreach_get(flat)
    seen = flat.reshape(height, width, 4)[..., :3].astype(float)
    rays, solid = _rays(height, width)
    mean = (seen * solid[..., None]).sum((0, 1)) / (4 * np.pi)
    # The net flux through a plane: a cosine, so only light of the first degree counts.
    flux = np.einsum("hwi,hwc,hw->ic", rays, seen, solid)
    length = float(np.linalg.norm(flux.sum(1)))
    direction = flux.sum(1) / length if length > 1e-6 else np.array([0.0, -1.0, 0.0])
    return direction, np.maximum(direction @ flux, 0.0), mean


def _rays(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit directions (H, W, 3) in the world of an equirectangular picture's texels, and their solid angles (H, W)."""
    rise = (np.arange(height) + 0.5) / height * np.pi - np.pi / 2
    turn = np.pi - (np.arange(width) + 0.5) / width * 2 * np.pi
    phi, theta = np.meshgrid(turn, rise)
    rays = np.stack([np.cos(theta) * np.cos(phi), np.cos(theta) * np.sin(phi), np.sin(theta)], -1)
    return rays, np.cos(theta) * (np.pi / height) * (2 * np.pi / width)


def surroundings(light: np.ndarray) -> np.ndarray:
    """An equirectangular picture (32, 64, 3) of linear radiance, lowest row first, as Cycles lays worlds out.

    Args:
        light: (9, 3) spherical harmonics coefficients about the head's +Z.
    """
    rays, _ = _rays(ROWS, COLUMNS)
    # Rows of a rotation are its inverse's columns: from Blender's frame back to the head's.
    x, y, z = np.moveaxis(rays @ to_blender(np.eye(3)).T, -1, 0)
    basis = np.stack(
        [
            np.full_like(x, 0.282095),
            0.488603 * y,
            0.488603 * z,
            0.488603 * x,
            1.092548 * x * y,
            1.092548 * y * z,
            0.315392 * (3 * z * z - 1),
            1.092548 * x * z,
            0.546274 * (x * x - y * y),
        ],
        -1,
    )
    # Light of low degree swings below zero opposite a lamp.
    seen: np.ndarray = np.maximum(basis @ light, 0.0)
    return seen
