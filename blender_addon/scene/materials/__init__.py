# SPDX-License-Identifier: GPL-3.0-or-later
"""Shaders by material slot. A slot without a shader of its own gets the skin's."""

from __future__ import annotations

from collections.abc import Callable

import bpy

from ...link.package import Material, Package
from .eye import eye_shader
from .lashes import lashes_shader, wet_shader
from .mouth import gums_shader, mouth_shader, teeth_shader, tongue_shader
from .skin import skin_shader

__all__ = ["clay", "make_materials"]

Shader = Callable[[bpy.types.Material, Material, Package], None]

SHADERS: dict[str, Shader] = {
    "Skin": skin_shader,
    "Eye": eye_shader,
    "Teeth": teeth_shader,
    "Gums": gums_shader,
    "Tongue": tongue_shader,
    "Mouth": mouth_shader,
    "Lashes": lashes_shader,
    "Wet": wet_shader,
}

VIEWPORT = {
    "Skin": (0.62, 0.42, 0.34, 1.0),
    "Eye": (0.85, 0.82, 0.8, 1.0),
    "Teeth": (0.85, 0.8, 0.7, 1.0),
    "Gums": (0.6, 0.25, 0.25, 1.0),
    "Tongue": (0.6, 0.25, 0.25, 1.0),
    "Mouth": (0.25, 0.06, 0.06, 1.0),
    "Lashes": (0.03, 0.02, 0.02, 1.0),
    "Wet": (0.9, 0.9, 0.9, 0.1),
}
"""Colours of the solid view."""


def make_materials(package: Package) -> dict[str, bpy.types.Material]:
    """The materials the head's regions ask for, in the order of the regions."""
    made: dict[str, bpy.types.Material] = {}
    for _, name in package.regions:
        if name not in made:
            material = bpy.data.materials.new(name)
            SHADERS.get(name, skin_shader)(material, package.materials.get(name, Material({}, {})), package)
            material.diffuse_color = VIEWPORT.get(name, VIEWPORT["Skin"])
            made[name] = material
    return made


def clay() -> bpy.types.Material:
    """Plain grey, to look at the shape alone."""
    from ..graph import Graph, put

    material = bpy.data.materials.new("Clay")
    graph = Graph(material)
    surface = graph.add("ShaderNodeBsdfPrincipled", "Clay", 0, 0)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    put(surface, "Base Color", (0.36, 0.36, 0.36))
    put(surface, "Roughness", 0.65)
    put(surface, "Specular IOR Level", 0.25)
    return material
