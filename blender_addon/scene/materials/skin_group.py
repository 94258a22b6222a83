# SPDX-License-Identifier: GPL-3.0-or-later
"""The skin as one node group: maps and sliders go in, a surface for Cycles, one for EEVEE and a displacement come out.

Cycles: random walk below the surface, the skin's own reflection, and the narrow one of sebum above it. Where the avatar
has normals for diffuse light (AvatarMe), what comes from below the surface follows them, and gloss the sharp ones.
EEVEE: one closure for each kind of light, one normal, the two reflections joined.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..mesh import THIN_ATTRIBUTE, UV_NAME
from .formula import Formula
from .skin_controls import GROUP, add_inputs

__all__ = ["skin_group"]

VERSION = "likeness_version", 6
IOR = 1.4
F0 = ((IOR - 1) / (IOR + 1)) ** 2
"""Reflectance straight on of specular level 0.5."""
SCATTER = (1.0, 0.37, 0.19)
"""Mean free paths of red, green and blue relative to red: Jensen et al. 2001, skin1 (3.67, 1.37, 0.68 mm)."""
FILM = 0.32
"""Roughness of sebum: a narrow second lobe, which skin shows wherever its reflection has been measured. Lips and nose
have more of it than cheeks, stubble hardly any."""
LIDS = 0.1
"""Share of the scattering depth that lids have: they are thinner than red light wanders, and the head is hollow behind
them, so what red light is lost there would leave them blue."""
STUBBLE = 0.16
"""Specular level of what has no film: the film is what a texel has above it."""
SEEN, MIRRORED, INVENTED = (0.1, 0.75, 0.45), (0.16, 0.42, 1.0), (1.0, 0.32, 0.06)


def skin_group() -> bpy.types.NodeTree:
    """The node group, made once for all heads: the sliders' values sit on each material's own node."""
    for group in bpy.data.node_groups:
        if group.library is None and group.get(VERSION[0]) == VERSION[1]:
            return group
    tree: Any = bpy.data.node_groups.new(GROUP, "ShaderNodeTree")
    tree[VERSION[0]] = VERSION[1]
    for name, kind in (("Cycles", "Shader"), ("EEVEE", "Shader"), ("Displacement", "Vector")):
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=f"NodeSocket{kind}")
    add_inputs(tree)
    _wire(tree)
    return tree


def _wire(tree: Any) -> None:
    f = Formula(tree, -5)
    look = _colour_and_gloss(f)
    look["sharp"], look["soft"], displacement = _relief(f)
    look["depth"] = _depth(f)
    glow = _false_colours(f, look["Base Color"])
    found = {"Cycles": _cycles(f, look), "EEVEE": _eevee(f, look)}
    f.begin("Skin or confidence", 2)
    output = f.add("NodeGroupOutput", "Outputs", 3, 0)
    for name, surface in found.items():
        shown = f.blend(f"{name}: skin or confidence", f.given["Confidence view"], surface, glow)
        tree.links.new(shown, output.inputs[name])
    tree.links.new(displacement, output.inputs["Displacement"])


def _colour_and_gloss(f: Formula) -> dict[str, Any]:
    """What both surfaces share, by the names of a Principled BSDF's inputs, and the film's weight."""
    f.begin("Colour and gloss", -4)
    given = f.given
    base = f.mix("RGBA", "Albedo", given["Albedo map"], given["Plain albedo"], given["Albedo"])
    shade = f.math("MULTIPLY", given["Shade"], given["Photo shade"], label="Share of the shade")
    base = f.scaled(base, f.math("EXPONENT", shade, label="Shade"), label="Shaded")
    share = f.math("DIVIDE", 0.5, given["Specular mean"], label="0.5 / mean")
    level = f.math("MULTIPLY", given["Specular"], share, clamp=True, label="Specular level")
    level = f.mix("FLOAT", "Specular", given["Specular map"], given["Plain specular"], level)
    rough = f.mix("FLOAT", "Roughness", given["Roughness map"], given["Plain roughness"], given["Roughness"])
    oily = f.math("MULTIPLY_ADD", given["Gloss"], -0.5, 1.5, label="Oil smooths")
    above = f.math("SUBTRACT", level, STUBBLE, clamp=True, label="Above stubble")
    return {
        "Base Color": base,
        "Specular IOR Level": level,
        "Roughness": f.math("MULTIPLY", rough, oily, clamp=True, label="Roughness with oil"),
        "film": f.math("MULTIPLY", above, given["Gloss"], clamp=True, label="Film of sebum"),
    }


def _depth(f: Formula) -> Any:
    """How far red light wanders, metres."""
    f.begin("Colour and gloss", -4)
    thin = f.node("ShaderNodeAttribute", "Thin", attribute_name=THIN_ATTRIBUTE).outputs["Fac"]
    share = f.math("MULTIPLY_ADD", thin, LIDS - 1, 1.0, clamp=True, label="Share of the depth")
    return f.math("MULTIPLY", f.given["Scattering depth"], share, label="Depth")


def _relief(f: Formula) -> tuple[Any, Any, Any]:
    """Normals of gloss, normals of diffuse light, displacement.

    Maps of normals and of heights show the same relief, so one slider shares it out between them. Wrinkles that
    expressions bring come on top of either. What of a displacement the mesh is too coarse for is shown as bump, so that
    EEVEE and the viewport show it as well.
    """
    f.begin("Relief", -3)
    given = f.given
    rest = f.math("SUBTRACT", 1.0, given["Displacement"], label="Not displaced")
    deep = f.math("MULTIPLY", rest, given["Detail"], label="Depth by normals")
    strength = f.math("MULTIPLY", deep, given["Normal map"], label="Normal strength")
    maps = [
        f.shader(
            "ShaderNodeNormalMap", label, {"Color": given[name], "Strength": strength}, space="TANGENT", uv_map=UV_NAME
        )
        for label, name in (("Normal map", "Normal"), ("Diffuse normal map", "Normal for diffuse"))
    ]
    wrinkled = f.shader(
        "ShaderNodeBump",
        "Wrinkles",
        {"Height": given["Wrinkles"], "Distance": 1.0, "Strength": strength, "Normal": maps[0]},  # metres
    )
    tilt = f.vector("SUBTRACT", wrinkled, maps[0], label="Tilt by wrinkles")
    soft = f.vector("ADD", maps[1], tilt, label="Diffuse, wrinkled")

    f.begin("Displacement", -2)
    height = f.math("ADD", given["Height"], given["Wrinkles"], label="Height with wrinkles")
    share = f.math("MULTIPLY", given["Detail"], given["Displacement"], label="Displacement strength")
    moved = f.shader(
        "ShaderNodeDisplacement",
        "Displacement in metres",
        {"Height": height, "Midlevel": 0.0, "Scale": share},
        space="OBJECT",
    )
    return wrinkled, soft, moved


def _towards(f: Formula, look: dict[str, Any], share: Any) -> Any:
    """Normals between sharp (0) and soft (1)."""
    between = f.mix("VECTOR", "Sharp to soft", share, look["sharp"], look["soft"])
    return f.vector("NORMALIZE", between, label="Unit normal")


def _cycles(f: Formula, look: dict[str, Any]) -> Any:
    """One Principled BSDF; or, with diffuse normals, one for what is below the surface and one for what is above."""
    given = f.given
    f.begin("Cycles", -1)
    scattered = {
        "Base Color": look["Base Color"],
        "Roughness": look["Roughness"],
        "IOR": IOR,
        "Subsurface Weight": given["Subsurface"],
        "Subsurface Radius": SCATTER,
        "Subsurface Scale": look["depth"],
        "Subsurface IOR": IOR,
    }
    glossy = {
        "Roughness": look["Roughness"],
        "IOR": IOR,
        "Specular IOR Level": look["Specular IOR Level"],
        "Coat Weight": look["film"],
        "Coat Roughness": FILM,
        "Coat IOR": IOR,
        "Normal": look["sharp"],
        "Coat Normal": look["sharp"],
    }
    kind, method = "ShaderNodeBsdfPrincipled", {"subsurface_method": "RANDOM_WALK_SKIN"}
    one = f.shader(kind, "Skin", scattered | glossy, **method)

    f.begin("Cycles: two normals", 0)
    soft = _towards(f, look, given["Diffuse normals"])
    below = f.shader(kind, "Below", scattered | {"Specular IOR Level": 0.0, "Normal": soft}, **method)
    above = f.shader(kind, "Above", glossy | {"Base Color": (0.0, 0.0, 0.0, 1.0)})
    dimmed = f.blend("What gloss leaves", _mirrored(f, look), below, None)
    both = f.node("ShaderNodeAddShader", "Below and above")
    f.feed(both.inputs[0], dimmed)
    f.feed(both.inputs[1], above)
    f.begin("Cycles", 1)
    two = f.math("GREATER_THAN", given["Diffuse normals"], 0.0, label="Two normals?")
    return f.blend("One or two normals", two, one, both.outputs[0])


def _mirrored(f: Formula, look: dict[str, Any]) -> Any:
    """Share of the light from the camera's direction that skin and film mirror and that never goes below: 0..1."""
    f.begin("Light that gloss takes", -1)
    geometry = f.node("ShaderNodeNewGeometry", "View")
    cosine = f.vector("DOT_PRODUCT", look["sharp"], geometry.outputs["Incoming"], label="Cosine")
    cosine = f.math("ADD", cosine, 0.0, clamp=True, label="In front")
    rim = f.math("POWER", f.math("SUBTRACT", 1.0, cosine), 4.06)
    rim = f.math("MULTIPLY", rim, 0.98, label="Rim")
    level = f.math("MULTIPLY", look["Specular IOR Level"], 2 * F0, label="Reflectance straight on")
    left = [
        f.math("MULTIPLY_ADD", _albedo(f, F0, FILM, cosine, rim), f.math("MULTIPLY", look["film"], -1.0), 1.0),
        f.math("SUBTRACT", 1.0, _albedo(f, level, look["Roughness"], cosine, rim), label="Left by skin"),
    ]
    return f.math("SUBTRACT", 1.0, f.math("MULTIPLY", *left, label="Left by both"), clamp=True, label="Mirrored")


def _albedo(f: Formula, f0: Any, roughness: Any, cosine: Any, rim: Any) -> Any:
    """Directional albedo of the reflection of a Principled BSDF.

    f0 * (1 - 0.34 r²) + 0.98 * (36 f0)^(0.51 cosine) * (1 - cosine)^4.06 / (1 + 6.76 r²), fitted to what Cycles gives
    at IOR 1.4, levels from 0.25 to 1, r from 0.24 to 0.7 and cosines from 0.2, to 0.009 (root mean square).
    """
    square = f.math("MULTIPLY", roughness, roughness, label="Roughness²")
    straight = f.math("MULTIPLY", f.math("MULTIPLY_ADD", square, -0.34, 1.0), f0, label="Straight on")
    raised = f.math("POWER", f.math("MULTIPLY", f0, 36.0), f.math("MULTIPLY", cosine, 0.51))
    narrow = f.math("DIVIDE", rim, f.math("MULTIPLY_ADD", square, 6.76, 1.0))
    return f.math("MULTIPLY_ADD", raised, narrow, straight, label="Albedo of gloss")


def _eevee(f: Formula, look: dict[str, Any]) -> Any:
    """One Principled BSDF without coat: its reflection is as strong as skin's and film's, and between them in width.

    EEVEE blurs diffuse light on the screen instead of following it, and a normal serves all light: half of the way
    towards the diffuse normals is what lies between.
    """
    f.begin("EEVEE", 0)
    given = f.given
    film = f.math("MULTIPLY", look["film"], 0.5, label="Film as level")
    level = f.math("ADD", look["Specular IOR Level"], film, clamp=True, label="Level with film")
    share = f.math("DIVIDE", film, f.math("MAXIMUM", level, 1e-3), label="Film's share")
    rough = f.mix("FLOAT", "Roughness with film", share, look["Roughness"], FILM)
    half = f.math("MULTIPLY", given["Diffuse normals"], 0.5, label="Half the way")
    return f.shader(
        "ShaderNodeBsdfPrincipled",
        "Skin for EEVEE",
        {
            "Base Color": look["Base Color"],
            "Roughness": rough,
            "IOR": IOR,
            "Specular IOR Level": level,
            "Subsurface Weight": given["Subsurface"],
            "Subsurface Radius": SCATTER,
            "Subsurface Scale": look["depth"],
            "Normal": _towards(f, look, half),
        },
    )


def _false_colours(f: Formula, base: Any) -> Any:
    """A second look that shines in false colours over the skin's own brightness."""
    f.begin("Confidence", -2)
    colours = f.node("ShaderNodeValToRGB", "Invented to seen")
    for stop, colour in zip(colours.color_ramp.elements, (INVENTED, SEEN), strict=True):
        stop.color = (*colour, 1.0)
    f.feed(colours.inputs[0], f.given["Confidence"])
    # An origin of one half is what was taken from the other side; narrow, as between 0 and 1 a texture passes it, too.
    off = f.math("ABSOLUTE", f.math("MULTIPLY_ADD", f.given["Origin"], 8.0, -4.0, label="From one half"), label="Off")
    mirrored = f.math("SUBTRACT", 1.0, off, clamp=True, label="Mirrored")
    told = f.mix("RGBA", "Mirrored or not", mirrored, colours.outputs[0], (*MIRRORED, 1.0))
    grey = f.node("ShaderNodeRGBToBW", "Brightness")
    f.feed(grey.inputs[0], base)
    bright = f.math("MULTIPLY", grey.outputs[0], 1.3, label="Brighter")
    return f.shader("ShaderNodeEmission", "False colours", {"Color": told, "Strength": bright})
