# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin: the avatar's maps, the node group that makes a surface of them, an output for Cycles and one for EEVEE."""

from __future__ import annotations

import bpy

from ...link.package import Material, Package
from ..graph import Graph, plain, put
from ..subdivision import DEEP
from .skin_controls import BUILT, NODE
from .skin_group import skin_group
from .wrinkles import add_wrinkles

__all__ = ["SHADE", "skin_shader"]

ALBEDO, SPECULAR, ROUGHNESS = (0.62, 0.42, 0.34), 0.38, 0.48
"""Where the avatar does not say."""
MAPS = {
    "albedo": "Albedo",
    "specular": "Specular",
    "roughness": "Roughness",
    "normal": "Normal",
    "normal.diffuse": "Normal for diffuse",
    "displacement": "Height",
    "confidence": "Confidence",
    "origin": "Origin",
}
"""Channels, in their order on the sheet, and the group's inputs."""
SHADE = "shade."
"""Beginning of the channels with what photos show beyond their light, by the photo's number from 1. The material shows
one at a time, the first as it is built; see `scene.photo_shade`."""


def skin_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """All maps the avatar has, through the skin's node group. Blender takes for each engine the output made for it."""
    graph = Graph(material)
    skin = graph.add("ShaderNodeGroup", NODE, -1, 0, node_tree=skin_group(), width=240)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 0.2, 0)
    quick = graph.add("ShaderNodeOutputMaterial", "Output for EEVEE", 0.2, 0.7, target="EEVEE")
    graph.link(skin, "Cycles", output, "Surface")
    graph.link(skin, "EEVEE", quick, "Surface")
    fallbacks = {"albedo": ALBEDO, "specular": SPECULAR, "roughness": ROUGHNESS}
    for channel, fallback in fallbacks.items():
        put(skin, f"Plain {channel}", plain(data, channel, fallback))
        put(skin, channel.capitalize(), plain(data, channel, fallback))
    # A specular albedo tells where skin shines more and where less, a level, 0.5 where the IOR rules, how much.
    put(skin, "Specular mean", max(plain(data, "specular_mean", 0.5), 1e-3))

    displaced = data.maps.get("displacement")
    if displaced and displaced.scale == 0:
        displaced = None
    for row, (channel, socket) in enumerate(MAPS.items()):
        if channel in data.maps and (channel != "displacement" or displaced):
            graph.value(data, channel, None, skin, socket, row)
    if f"{SHADE}1" in data.maps:
        graph.value(data, f"{SHADE}1", None, skin, "Shade", len(MAPS))
    wrinkles = add_wrinkles(graph, data, package)
    if wrinkles:
        graph.tree.links.new(wrinkles, skin.inputs["Wrinkles"])
    if displaced:
        for end in (output, quick):
            graph.link(skin, "Displacement", end, "Displacement")
        material.displacement_method = "BOTH"
    deep = displaced is not None and displaced.scale > DEEP
    built = {
        "Displacement": 1.0 if deep or (displaced and "normal" not in data.maps) else 0.0,
        "Diffuse normals": 1.0 if "normal.diffuse" in data.maps else 0.0,
    }
    for name, value in built.items():
        put(skin, name, value)
    skin[BUILT] = built
