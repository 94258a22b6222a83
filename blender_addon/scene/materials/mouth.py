# SPDX-License-Identifier: GPL-3.0-or-later
"""What is inside the mouth: teeth, gums, tongue, and the dark behind them."""

from __future__ import annotations

import bpy

from ...link.package import Material, Package
from ..graph import Graph, put

__all__ = ["gums_shader", "mouth_shader", "teeth_shader", "tongue_shader"]


def teeth_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Enamel over dentine: warm, a little translucent, a wet gloss."""
    _wet_flesh(material, data, (0.86, 0.80, 0.70), roughness=0.3, scatter=(1.0, 0.8, 0.6), depth=0.0015, coat=0.35)


def gums_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Pink, wet."""
    _wet_flesh(material, data, (0.62, 0.26, 0.26), roughness=0.4, scatter=(1.0, 0.3, 0.2), depth=0.003, coat=0.5)


def tongue_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Pink with fine papillae, wet."""
    graph, surface = _wet_flesh(
        material, data, (0.66, 0.33, 0.31), roughness=0.5, scatter=(1.0, 0.3, 0.2), depth=0.003, coat=0.25
    )
    if "normal" in data.maps:
        return
    place = graph.add("ShaderNodeTexCoord", "Place", -3, 3, "Papillae")
    grain = graph.add("ShaderNodeTexVoronoi", "Grain", -2, 3, "Papillae")
    bump = graph.add("ShaderNodeBump", "Bump", -1, 3, "Papillae")
    put(grain, "Scale", 900.0)
    put(bump, "Strength", 0.35)
    put(bump, "Distance", 0.0004)
    graph.link(place, "Object", grain, "Vector")
    graph.link(grain, "Distance", bump, "Height")
    graph.link(bump, "Normal", surface, "Normal")


def mouth_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """The lining of the mouth: dark red and wet; it darkens by itself where little light comes in."""
    _wet_flesh(material, data, (0.34, 0.10, 0.09), roughness=0.45, scatter=(1.0, 0.25, 0.2), depth=0.003, coat=0.4)


def _wet_flesh(
    material: bpy.types.Material,
    data: Material,
    colour: tuple[float, float, float],
    roughness: float,
    scatter: tuple[float, float, float],
    depth: float,
    coat: float,
) -> tuple[Graph, bpy.types.Node]:
    graph = Graph(material)
    surface = graph.add("ShaderNodeBsdfPrincipled", material.name, 0, 0, "Surface", subsurface_method="RANDOM_WALK")
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    put(surface, "Subsurface Weight", 1.0)
    put(surface, "Subsurface Radius", scatter)
    put(surface, "Subsurface Scale", depth)
    put(surface, "Coat Weight", coat)
    put(surface, "Coat Roughness", 0.12)
    put(surface, "Coat IOR", 1.33)
    graph.value(data, "albedo", colour, surface, "Base Color", 0)
    graph.value(data, "specular", 0.5, surface, "Specular IOR Level", 1)
    graph.value(data, "roughness", roughness, surface, "Roughness", 2)
    return graph, surface
