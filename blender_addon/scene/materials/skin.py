# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin: light that wanders below the surface, an oily layer above it."""

from __future__ import annotations

import bpy

from ...link.package import Material, Package
from ..graph import Graph, put
from ..mesh import UV_NAME

__all__ = ["skin_shader"]

IOR = 1.4
SCATTER = (1.0, 0.37, 0.19)
"""Mean free paths of red, green and blue relative to red: Jensen et al. 2001, skin1 (3.67, 1.37, 0.68 mm)."""
SCATTER_SCALE = 0.0022
"""Metres for red; below the measured 3.67 mm, which looks like wax on a face without its fine hair."""
SEBUM = 0.22
STUBBLE = 0.16
"""Specular level of what has no film: the film is what a texel has above it."""


def skin_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Principled BSDF with all maps the avatar has."""
    graph = Graph(material)
    surface = graph.add("ShaderNodeBsdfPrincipled", "Skin", 0, 0, "Surface", subsurface_method="RANDOM_WALK_SKIN")
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    put(surface, "IOR", IOR)
    put(surface, "Subsurface Weight", 1.0)
    put(surface, "Subsurface Radius", SCATTER)
    put(surface, "Subsurface Scale", SCATTER_SCALE)
    put(surface, "Subsurface IOR", IOR)
    # The film of sebum: a narrow second lobe, which skin shows wherever its reflection has been measured.
    put(surface, "Coat Weight", SEBUM)
    put(surface, "Coat Roughness", 0.27)
    put(surface, "Coat IOR", IOR)
    graph.value(data, "albedo", (0.62, 0.42, 0.34), surface, "Base Color", 0)
    graph.value(data, "specular", 0.4, surface, "Specular IOR Level", 1)
    if "specular" in data.maps:
        # Lips and nose have more of it than cheeks, stubble hardly any.
        film = graph.add("ShaderNodeMath", "Film", -2, 1.5, "Maps", operation="SUBTRACT", use_clamp=True)
        film.inputs[1].default_value = STUBBLE
        graph.tree.links.new(graph.tree.nodes["specular"].outputs["Color"], film.inputs[0])
        graph.link(film, "Value", surface, "Coat Weight")
    graph.value(data, "roughness", 0.48, surface, "Roughness", 2)
    add_relief(graph, data, surface, output)
    if "confidence" in data.maps:
        # Feeds nothing; it tells an artist what was seen in a photo (white) and what was invented (black).
        graph.image(data.maps["confidence"], "confidence: seen or invented", -3, 5, "Maps")


def add_relief(graph: Graph, data: Material, surface: bpy.types.Node, output: bpy.types.Node) -> None:
    """Normal map and displacement. Both show the same relief, so one knob shares it out between them."""
    displaced = data.maps.get("displacement")
    if displaced and displaced.scale == 0:
        displaced = None
    knob = None
    if displaced and "normal" in data.maps:
        knob = graph.add("ShaderNodeValue", "Relief: 0 normal map, 1 displacement", -3, 6, "Relief")
        knob.outputs[0].default_value = 0.0  # the mesh has to be dense to show pores by displacement
    if "normal" in data.maps:
        image = graph.image(data.maps["normal"], "normal", -3, 3, "Maps")
        normal = graph.add("ShaderNodeNormalMap", "Normal map", -1, 3, "Relief", space="TANGENT", uv_map=UV_NAME)
        graph.link(image, "Color", normal, "Color")
        graph.link(normal, "Normal", surface, "Normal")
        if knob:
            rest = graph.add("ShaderNodeMath", "Share of the normal map", -2, 3, "Relief", operation="SUBTRACT")
            rest.inputs[0].default_value = 1.0
            graph.tree.links.new(knob.outputs[0], rest.inputs[1])
            graph.link(rest, "Value", normal, "Strength")
    if displaced:
        image = graph.image(displaced, "displacement", -3, 4, "Maps")
        node = graph.add("ShaderNodeDisplacement", "Displacement in metres", -1, 4, "Relief", space="OBJECT")
        graph.link(image, "Color", node, "Height")
        # Blender displaces by (height - midlevel) * scale.
        put(node, "Midlevel", -displaced.offset / displaced.scale)
        put(node, "Scale", displaced.scale)
        if knob:
            share = graph.add("ShaderNodeMath", "Share of the displacement", -2, 4, "Relief", operation="MULTIPLY")
            share.inputs[0].default_value = displaced.scale
            graph.tree.links.new(knob.outputs[0], share.inputs[1])
            graph.link(share, "Value", node, "Scale")
        graph.link(node, "Displacement", output, "Displacement")
        graph.material.displacement_method = "DISPLACEMENT" if knob else "BUMP"
