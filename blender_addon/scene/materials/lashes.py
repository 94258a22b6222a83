# SPDX-License-Identifier: GPL-3.0-or-later
"""Lashes, and the film of tears along the lids."""

from __future__ import annotations

import bpy

from ...link.package import Material, Package
from ..graph import Graph, put

__all__ = ["lashes_shader", "wet_shader"]

SHADE = 0.4
"""Lashes are cards, lit as evenly as paper; the fibres that they stand for shade each other."""


def lashes_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Dark hair; the avatar's alpha map thins it out where it has one."""
    graph = Graph(material)
    surface = graph.add("ShaderNodeBsdfPrincipled", "Lashes", 0, 0, "Surface")
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    graph.value(data, "albedo", (0.06, 0.045, 0.035), surface, "Base Color", 0)
    if "albedo" not in data.maps:
        put(surface, "Base Color", tuple(SHADE * c for c in surface.inputs["Base Color"].default_value[:3]))
    graph.value(data, "specular", 0.3, surface, "Specular IOR Level", 1)
    graph.value(data, "roughness", 0.55, surface, "Roughness", 2)
    graph.value(data, "alpha", 1.0, surface, "Alpha", 3)


def wet_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Clear water: reflects, lets everything else straight through, so that Cycles needs no caustics for it."""
    graph = Graph(material)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    mix = graph.add("ShaderNodeMixShader", "Water", 0, 0, "Surface")
    fresnel = graph.add("ShaderNodeFresnel", "Grazing light", -1, 0, "Surface")
    clear = graph.add("ShaderNodeBsdfTransparent", "Clear", -1, 1, "Surface")
    gloss = graph.add("ShaderNodeBsdfAnisotropic", "Gloss", -1, 2, "Surface")
    put(fresnel, "IOR", 1.33)
    put(gloss, "Roughness", 0.04)
    graph.link(fresnel, "Fac", mix, "Fac")
    graph.tree.links.new(clear.outputs["BSDF"], mix.inputs[1])
    graph.tree.links.new(gloss.outputs["BSDF"], mix.inputs[2])
    graph.link(mix, "Shader", output, "Surface")
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"
