# SPDX-License-Identifier: GPL-3.0-or-later
"""The eye: a matt ball with iris and pupil below a clear wet cornea that stands out from it.

Everything is placed by the angle from the optical axis (attribute `EYE_ATTRIBUTE`), so it needs no more than the
eyeball's centre and works on any head; where the avatar has a painted eye, that gives the colours.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from ...link.package import Material, Package
from ..graph import Graph, put
from ..mesh import EYE_ATTRIBUTE

__all__ = ["eye_shader"]

IRIS_ANGLE = math.radians(29.0)
"""Half the visible iris (11.7 mm) seen from the centre of an eyeball of 12 mm radius."""
PUPIL = 0.36
"""Radius of the pupil as a share of the iris."""
LID_SHADE, LID_SHARE = 0.006, 0.65
"""Metres from which on lids shade the ball no more, and how much of that shade is taken."""
CORNEA_HEIGHT = 0.09
"""How far the cornea's apex stands out from the ball, in eyeball radii (about 1.1 mm)."""


def eye_shader(material: bpy.types.Material, data: Material, package: Package) -> None:
    """Principled BSDF below a coat whose normals bulge over the iris."""
    graph = Graph(material)
    surface = graph.add("ShaderNodeBsdfPrincipled", "Eyeball", 0, 0, "Surface", subsurface_method="RANDOM_WALK")
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    put(surface, "Roughness", 0.55)
    put(surface, "Specular IOR Level", 0.05)
    put(surface, "Subsurface Weight", 0.1)
    put(surface, "Subsurface Radius", (1.0, 0.5, 0.35))
    put(surface, "Subsurface Scale", 0.0004)  # more would wash the iris out with the white's light
    put(surface, "Coat Weight", 0.5)  # lamps are small and stay bright, a pale room would veil the pupil
    put(surface, "Coat Roughness", 0.015)
    put(surface, "Coat IOR", 1.376)  # of the cornea

    iris, bulge = _measure(package, data)
    angle = _angle(graph, iris)
    if "albedo" in data.maps:
        graph.value(data, "albedo", (0.8, 0.77, 0.74), surface, "Base Color", 4)
    else:
        _paint(graph, data, angle, surface)
    _shade(graph, surface)
    if bulge < CORNEA_HEIGHT:
        _bulge(graph, angle, (CORNEA_HEIGHT - bulge), surface)


def _shade(graph: Graph, surface: bpy.types.Node) -> None:
    """Lids and lashes darken the ball below them: lashes are thinner here than the shade that they throw."""
    colour: Any = surface.inputs["Base Color"]
    if not colour.is_linked:
        return
    source = colour.links[0].from_socket
    shade = graph.add("ShaderNodeAmbientOcclusion", "Shade of the lids", -1.4, 1, "Shade", samples=8, only_local=False)
    put(shade, "Distance", LID_SHADE)
    mix = graph.add("ShaderNodeMix", "In the shade", -0.7, 1, "Shade", data_type="RGBA")
    put(mix, "Factor", LID_SHARE)
    graph.tree.links.new(source, shade.inputs["Color"])
    graph.tree.links.new(source, _socket(mix, "A"))
    graph.tree.links.new(shade.outputs["Color"], _socket(mix, "B"))
    graph.tree.links.new(_output(mix), colour)


def _measure(package: Package, data: Material) -> tuple[float, float]:
    """Angle of the iris from the optical axis, radians, and how far the mesh's own cornea stands out, in radii."""
    centres = {j.name: j.position for j in package.joints}
    angles, bulges = [], []
    for i, (region, _) in enumerate(package.regions):
        if region not in centres or not region.startswith("eye."):
            continue
        mine = package.polygon_region == i
        corner = package.polygons[mine] >= 0
        vertex, uv = package.polygons[mine][corner], package.polygons_uv[mine][corner]
        offset = package.vertices[vertex] - centres[region]
        length = np.linalg.norm(offset, axis=1)
        angle = np.arccos(np.clip(offset[:, 2] / np.maximum(length, 1e-9), -1, 1))
        # Against the visible white around the iris: behind the lids some eyeballs are no ball.
        white = (angle > 0.6) & (angle < 0.95)
        bulges.append(float(length[np.argmin(angle)] / np.median(length[white]) - 1) if white.any() else 0.0)
        radius = data.values.get("iris_radius")
        if isinstance(radius, float) and 0 < radius < 0.5:
            away = np.linalg.norm(package.uv[uv] - package.uv[uv[np.argmin(angle)]], axis=1)
            order = np.argsort(away)
            angles.append(float(np.interp(radius, away[order], angle[order])))
    iris = float(np.median(angles)) if angles else IRIS_ANGLE
    return (iris if 0.2 < iris < 0.9 else IRIS_ANGLE), (min(bulges) if bulges else 0.0)


def _angle(graph: Graph, iris: float) -> Any:
    """A node whose Value is the angle from the optical axis, 1 at the iris's rim."""
    place = graph.add("ShaderNodeAttribute", "Place on the eye", -6, 2, "Angle", attribute_name=EYE_ATTRIBUTE)
    unit = graph.add("ShaderNodeVectorMath", "Direction", -5.4, 2, "Angle", operation="NORMALIZE")
    axis = graph.add("ShaderNodeVectorMath", "Along the axis", -4.8, 2, "Angle", operation="DOT_PRODUCT")
    arc = graph.add("ShaderNodeMath", "Angle", -4.2, 2, "Angle", operation="ARCCOSINE")
    share = graph.add("ShaderNodeMath", "Irises", -3.6, 2, "Angle", operation="DIVIDE")
    graph.link(place, "Vector", unit, "Vector")
    graph.link(unit, "Vector", axis, "Vector")
    axis.inputs[1].default_value = (0.0, -1.0, 0.0)
    graph.link(axis, "Value", arc, "Value")
    graph.tree.links.new(arc.outputs["Value"], share.inputs[0])
    share.inputs[1].default_value = iris
    return share


def _paint(graph: Graph, data: Material, angle: bpy.types.Node, surface: bpy.types.Node) -> None:
    """Pupil, fibres of the iris, limbal ring and sclera, where there is no painted eye."""
    colour = data.values.get("iris")
    colour = tuple(colour) if isinstance(colour, (list, tuple)) and len(colour) == 3 else (0.19, 0.11, 0.06)
    tree = graph.tree
    place = tree.nodes["Place on the eye"]
    # Fibres run from the pupil outwards: noise over the direction around the axis alone.
    flat = graph.add("ShaderNodeVectorMath", "Around the axis", -4.8, 3, "Iris", operation="MULTIPLY")
    flat.inputs[1].default_value = (1.0, 0.0, 1.0)
    ring = graph.add("ShaderNodeVectorMath", "Direction around", -4.2, 3, "Iris", operation="NORMALIZE")
    fibres = graph.add("ShaderNodeTexNoise", "Fibres", -3.6, 3, "Iris")
    put(fibres, "Scale", 9.0)
    put(fibres, "Detail", 6.0)
    graph.link(place, "Vector", flat, "Vector")
    graph.link(flat, "Vector", ring, "Vector")
    graph.link(ring, "Vector", fibres, "Vector")
    dark, light = (tuple(c * f for c in colour) for f in (0.45, 1.7))
    iris = _ramp(graph, "Iris", -2.8, 3, [(0.35, (*dark, 1)), (0.65, (*light, 1))])
    # Factor first: with "Fac" or "Factor" as its name, it is number 0 in every version.
    tree.links.new(fibres.outputs[0], iris.inputs[0])
    rings = _ramp(
        graph,
        "Pupil and limbus",
        -2.8,
        4,
        [
            (0.0, (0, 0, 0, 1)),
            (PUPIL - 0.02, (0, 0, 0, 1)),
            (PUPIL + 0.03, (1, 1, 1, 1)),
            (0.8, (0.9,) * 3 + (1,)),
            (1.0, (0.1,) * 3 + (1,)),
        ],
    )
    tree.links.new(angle.outputs["Value"], rings.inputs[0])
    shaded = graph.add("ShaderNodeMix", "Iris with pupil", -2, 3, "Iris", data_type="RGBA", blend_type="MULTIPLY")
    put(shaded, "Factor", 1.0)
    tree.links.new(iris.outputs["Color"], _socket(shaded, "A"))
    tree.links.new(rings.outputs["Color"], _socket(shaded, "B"))
    white = data.values.get("sclera")
    white = tuple(white) if isinstance(white, (list, tuple)) and len(white) == 3 else (0.78, 0.72, 0.68)
    edge = _ramp(graph, "Edge of the iris", -2, 4, [(0.94, (0, 0, 0, 1)), (1.06, (1, 1, 1, 1))])
    tree.links.new(angle.outputs["Value"], edge.inputs[0])
    whole = graph.add("ShaderNodeMix", "Iris in sclera", -1, 3, "Iris", data_type="RGBA")
    tree.links.new(edge.outputs["Color"], whole.inputs[0])
    tree.links.new(_output(shaded), _socket(whole, "A"))
    put(whole, "B", white)
    tree.links.new(_output(whole), surface.inputs["Base Color"])


def _bulge(graph: Graph, angle: bpy.types.Node, height: float, surface: bpy.types.Node) -> None:
    """A clear dome over the iris: the catch light sits on it, the iris below stays flat."""
    curve = graph.add("ShaderNodeFloatCurve", "Dome of the cornea", -2, 6, "Cornea")
    # Height over the ball by angle, both as shares: a cap that leaves the ball smoothly at the limbus.
    points = curve.mapping.curves[0].points
    steps = np.linspace(0, 1, 9)
    for i, x in enumerate(steps):
        t = min(x * 1.5 / 1.12, 1.0)  # the dome ends just outside the iris
        y = (1 - t * t) ** 2 if t < 1 else 0.0
        if i in (0, len(steps) - 1):
            points[0 if i == 0 else -1].location = (x, y)
        else:
            points.new(x, y)
    curve.mapping.update()
    scaled = graph.add("ShaderNodeMath", "Up to 1.5 irises", -2.8, 6, "Cornea", operation="DIVIDE")
    graph.tree.links.new(angle.outputs["Value"], scaled.inputs[0])
    scaled.inputs[1].default_value = 1.5
    graph.link(scaled, "Value", curve, "Value")
    bump = graph.add("ShaderNodeBump", "Cornea", -1, 6, "Cornea")
    put(bump, "Strength", 1.0)
    put(bump, "Distance", height * 0.012)
    graph.link(curve, "Value", bump, "Height")
    graph.link(bump, "Normal", surface, "Coat Normal")


def _ramp(graph: Graph, label: str, column: float, row: float, stops: list[tuple[float, tuple[float, ...]]]) -> Any:
    node = graph.add("ShaderNodeValToRGB", label, column, row, "Iris")
    elements = node.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(0.5)
    for element, (position, colour) in zip(elements, stops, strict=True):
        element.position, element.color = position, colour
    return node


def _socket(node: bpy.types.Node, name: str) -> bpy.types.NodeSocket:
    return next(s for s in node.inputs if s.name == name and s.enabled)


def _output(node: bpy.types.Node) -> bpy.types.NodeSocket:
    return next(s for s in node.outputs if s.enabled)
