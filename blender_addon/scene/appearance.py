# SPDX-License-Identifier: GPL-3.0-or-later
"""How the skin of a head looks. The values sit on nodes of its materials; nothing here is needed to keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .head import Head
from .materials.skin_controls import KNOBS, NODE, built_value

__all__ = ["MAPS", "has_confidence", "has_map", "knob", "limit_textures", "reset", "set_confidence", "set_map", "skins"]

MAPS = {
    "albedo": "Albedo map",
    "specular": "Specular map",
    "roughness": "Roughness map",
    "normal": "Normal map",
    "normal.diffuse": "Diffuse normals",
    "displacement": "Displacement",
}
"""Channels that can be switched, and their knobs."""


def skins(head: Head) -> Iterator[bpy.types.Material]:
    """The head's materials with the skin's node group."""
    for material in head.mesh.data.materials:
        node: Any = material.node_tree.nodes.get(NODE) if material and material.node_tree else None
        if node is not None and node.bl_idname == "ShaderNodeGroup" and KNOBS.keys() <= set(node.inputs.keys()):
            yield material


def knob(material: bpy.types.Material, name: str) -> Any:
    """The socket whose default value is a knob's value; names are those of `KNOBS`."""
    return material.node_tree.nodes[NODE].inputs[name]


def has_map(material: bpy.types.Material, channel: str) -> bool:
    """Whether the avatar came with that map."""
    return channel in material.node_tree.nodes


def set_map(head: Head, channel: str, on: bool) -> None:
    """Switch a map on or off."""
    for material in skins(head):
        if has_map(material, channel):
            knob(material, MAPS[channel]).default_value = 1.0 if on else 0.0


def set_confidence(head: Head, on: bool) -> None:
    """Show what was seen and what was invented."""
    for material in skins(head):
        knob(material, "Confidence view").default_value = 1.0 if on else 0.0


def reset(head: Head) -> None:
    """The skin as it was reconstructed."""
    for material in skins(head):
        for name in KNOBS:
            knob(material, name).default_value = built_value(material.node_tree.nodes[NODE], name)


def has_confidence(material: bpy.types.Material) -> bool:
    """Whether the avatar tells what was seen."""
    return has_map(material, "confidence")


def limit_textures(scene: bpy.types.Scene, preferences: bpy.types.Preferences, side: int) -> None:
    """No textures longer than ``side`` pixels in viewports, 0 for no limit: Blender's own and Cycles'."""
    limit: Any = preferences.system
    limit.gl_texture_limit = f"CLAMP_{side}" if side else "CLAMP_OFF"
    cycles: Any = getattr(scene, "cycles", None)
    if cycles is not None:
        if side:
            scene.render.use_simplify = True
        cycles.texture_limit = str(side) if side else "OFF"
