# SPDX-License-Identifier: GPL-3.0-or-later
"""Skin: light that wanders below the surface, an oily layer above it."""

from __future__ import annotations

import bpy

from ...link.package import Material, Package
from ..graph import Graph, plain, put
from ..mesh import UV_NAME
from ..subdivision import DEEP
from .skin_controls import AS_BUILT, NODE, skin_controls
from .wrinkles import add_wrinkles

__all__ = ["skin_shader"]

IOR = 1.4
SCATTER = (1.0, 0.37, 0.19)
"""Mean free paths of red, green and blue relative to red: Jensen et al. 2001, skin1 (3.67, 1.37, 0.68 mm)."""
SCATTER_SCALE = 0.0022
"""Metres for red; below the measured 3.67 mm, which looks like wax on a face without its fine hair."""
ALBEDO, SPECULAR, ROUGHNESS = (0.62, 0.42, 0.34), 0.38, 0.48
"""Where the avatar does not say."""
SEEN, INVENTED = (0.1, 0.75, 0.45), (1.0, 0.32, 0.06)


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
    # The film of sebum: a narrow second lobe, which skin shows wherever its reflection has been measured. Lips and nose
    # have more of it than cheeks, stubble hardly any.
    put(surface, "Coat Roughness", 0.27)
    put(surface, "Coat IOR", IOR)
    knobs = graph.add("ShaderNodeGroup", NODE, -1, 0, "Surface", node_tree=skin_controls())
    graph.value(data, "albedo", ALBEDO, knobs, "Albedo", 0)
    graph.value(data, "specular", SPECULAR, knobs, "Specular", 1)
    graph.value(data, "roughness", ROUGHNESS, knobs, "Roughness", 2)
    for channel, fallback in (("albedo", ALBEDO), ("specular", SPECULAR), ("roughness", ROUGHNESS)):
        put(knobs, f"Plain {channel}", plain(data, channel, fallback))
    for output_of, socket in (
        ("Base Color", "Base Color"),
        ("Specular", "Specular IOR Level"),
        ("Film", "Coat Weight"),
        ("Roughness", "Roughness"),
    ):
        graph.link(knobs, output_of, surface, socket)
    add_relief(graph, data, surface, output, knobs, add_wrinkles(graph, data, package))
    if "confidence" in data.maps:
        add_confidence(graph, data, surface, output, knobs)


def add_confidence(
    graph: Graph, data: Material, surface: bpy.types.Node, output: bpy.types.Node, knobs: bpy.types.Node
) -> None:
    """A second look that shines in false colours over the skin's own brightness."""
    image = graph.image(data.maps["confidence"], "confidence: seen or invented", -3, 5, "Maps")
    colours = graph.add("ShaderNodeValToRGB", "Invented to seen", -2, 7, "Confidence")
    for stop, colour in zip(colours.color_ramp.elements, (INVENTED, SEEN), strict=True):
        stop.color = (*colour, 1.0)
    grey = graph.add("ShaderNodeRGBToBW", "Brightness", -2, 8, "Confidence")
    glow = graph.add("ShaderNodeEmission", "False colours", -1, 7, "Confidence")
    shown = graph.add("ShaderNodeMixShader", "Skin or confidence", 0.6, 0)
    graph.tree.links.new(image.outputs["Color"], colours.inputs[0])
    graph.tree.links.new(knobs.outputs["Base Color"], grey.inputs[0])
    graph.link(colours, "Color", glow, "Color")
    bright = graph.add("ShaderNodeMath", "Brighter", -1.4, 8, "Confidence", operation="MULTIPLY")
    bright.inputs[1].default_value = 1.3
    graph.tree.links.new(grey.outputs[0], bright.inputs[0])
    graph.link(bright, "Value", glow, "Strength")
    graph.tree.links.new(knobs.outputs["Confidence view"], shown.inputs[0])
    graph.tree.links.new(surface.outputs["BSDF"], shown.inputs[1])
    graph.tree.links.new(glow.outputs["Emission"], shown.inputs[2])
    graph.link(shown, "Shader", output, "Surface")


def add_relief(
    graph: Graph,
    data: Material,
    surface: bpy.types.Node,
    output: bpy.types.Node,
    knobs: bpy.types.Node,
    wrinkles: bpy.types.NodeSocket | None,
) -> None:
    """Normal map and displacement. Both show the same relief, so one knob shares it out between them.

    Wrinkles that expressions bring, in metres, come on top of either. What of a displacement the mesh is too coarse for
    is shown as bump, so that EEVEE and the viewport show it as well.
    """
    displaced = data.maps.get("displacement")
    if displaced and displaced.scale == 0:
        displaced = None
    both = displaced is not None and "normal" in data.maps
    deep = displaced is not None and displaced.scale > DEEP
    share = 1.0 if deep or (displaced and not both) else 0.0
    put(knobs, "Displacement", share)
    knobs[AS_BUILT] = share
    if "normal" in data.maps:
        image = graph.image(data.maps["normal"], "normal", -3, 3, "Maps")
        normal = graph.add("ShaderNodeNormalMap", "Normal map", -1, 3, "Relief", space="TANGENT", uv_map=UV_NAME)
        graph.link(image, "Color", normal, "Color")
        graph.link(normal, "Normal", surface, "Normal")
        graph.link(knobs, "Normal strength", normal, "Strength")
        if wrinkles:
            bump = graph.add("ShaderNodeBump", "Wrinkles", -0.5, 3, "Relief")
            put(bump, "Distance", 1.0)  # the height is in metres
            graph.tree.links.new(wrinkles, bump.inputs["Height"])
            graph.link(knobs, "Normal strength", bump, "Strength")
            graph.link(normal, "Normal", bump, "Normal")
            graph.link(bump, "Normal", surface, "Normal")
    if displaced:
        image = graph.image(displaced, "displacement", -3, 4, "Maps")
        node = graph.add("ShaderNodeDisplacement", "Displacement in metres", -1, 4, "Relief", space="OBJECT")
        graph.link(image, "Color", node, "Height")
        if wrinkles:
            more = graph.add("ShaderNodeMath", "With wrinkles", -1.5, 4, "Relief", operation="MULTIPLY_ADD")
            more.inputs[1].default_value = 1 / displaced.scale
            graph.tree.links.new(wrinkles, more.inputs[0])
            graph.tree.links.new(image.outputs["Color"], more.inputs[2])
            graph.link(more, "Value", node, "Height")
        # Blender displaces by (height - midlevel) * scale.
        put(node, "Midlevel", -displaced.offset / displaced.scale)
        put(node, "Scale", displaced.scale)
        shared = graph.add("ShaderNodeMath", "Share of the displacement", -2, 4, "Relief", operation="MULTIPLY")
        shared.inputs[0].default_value = displaced.scale
        graph.tree.links.new(knobs.outputs["Displacement strength"], shared.inputs[1])
        graph.link(shared, "Value", node, "Scale")
        graph.link(node, "Displacement", output, "Displacement")
        graph.material.displacement_method = "BOTH"
