# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait studio around the head: camera, three soft lights, a backdrop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..link.package import Package
from .frames import to_blender
from .graph import Graph, put

__all__ = ["Studio", "make_studio"]

LENS = 110.0
FILM = (24.0, 36.0)
"""An upright 35 mm frame, so that lens lengths read as photographers know them."""
PICTURE = (768, 1024)
HAIR = 0.025
"""Metres of air above the head."""
COLLAR = 0.14
"""Metres below the eyes where the picture ends: it shows the neck and leaves the rim of the bust out."""
GLOW = 0.75
"""Radius in metres of the backdrop's glow."""
SHADES = ((0.022, 0.024, 0.027), (0.17, 0.175, 0.18))
"""Of the backdrop, linear: outside, and behind the head."""


@dataclass(frozen=True)
class Studio:
    """The studio's objects."""

    collection: bpy.types.Collection
    camera: bpy.types.Object
    lights: list[bpy.types.Object]
    backdrop: bpy.types.Object


def make_studio(package: Package, collection: bpy.types.Collection) -> Studio:
    """Fill ``collection``. The scene's world, camera and render settings stay as they are: see `render.use_studio`."""
    points = to_blender(package.vertices)
    joints = {j.name: to_blender(j.position) for j in package.joints}
    top = float(points[:, 2].max())
    face = np.array([0.0, float(points[:, 1].min()), _eye_height(joints, top)])

    camera = _camera(package, collection, top, face)
    aim = Vector((0.0, face[1] + 0.03, face[2] - 0.03))
    lights = [
        # name, degrees to the person's left, degrees up, metres away, side in metres, watts, kelvin-ish colour
        _light("key", aim, 38, 28, 1.0, 0.42, 13.0, (1.0, 0.96, 0.92), collection, package.name),
        _light("fill", aim, -48, 4, 1.3, 1.0, 4.0, (0.93, 0.96, 1.0), collection, package.name),
        _light("rim", aim, -148, 34, 1.0, 0.4, 9.0, (1.0, 0.98, 0.96), collection, package.name),
    ]
    backdrop = _backdrop(package.name, aim, collection)
    return Studio(collection, camera, lights, backdrop)


def _eye_height(joints: dict[str, np.ndarray], top: float) -> float:
    eyes = [joints[n][2] for n in ("eye.L", "eye.R") if n in joints]
    return float(np.mean(eyes)) if eyes else top - 0.11


def _camera(package: Package, collection: bpy.types.Collection, top: float, face: np.ndarray) -> bpy.types.Object:
    data = bpy.data.cameras.new(f"{package.name} portrait")
    camera = bpy.data.objects.new(data.name, data)
    collection.objects.link(camera)
    data.sensor_fit = "VERTICAL"
    data.sensor_width, data.sensor_height = FILM
    data.lens = LENS
    data.clip_start, data.clip_end = 0.05, 50.0
    data.display_size = 0.1
    upper = top + HAIR
    lower = max(float(face[2]) - COLLAR, float(to_blender(package.vertices)[:, 2].min()) + 0.01)
    distance = LENS * (upper - lower) / FILM[1]
    camera.location = (0.0, float(face[1]) + 0.05 - distance, (upper + lower) / 2)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    return camera


def _light(
    kind: str,
    aim: Vector,
    left: float,
    up: float,
    distance: float,
    side: float,
    watts: float,
    colour: tuple[float, float, float],
    collection: bpy.types.Collection,
    name: str,
) -> bpy.types.Object:
    data: Any = bpy.data.lights.new(f"{name} {kind}", "AREA")
    light = bpy.data.objects.new(data.name, data)
    collection.objects.link(light)
    data.shape = "RECTANGLE"
    data.size, data.size_y = side, side * 1.3
    data.energy, data.color = watts, colour
    turn, rise = math.radians(left), math.radians(up)
    direction = Vector((math.sin(turn) * math.cos(rise), -math.cos(turn) * math.cos(rise), math.sin(rise)))
    light.location = aim + direction * distance
    light.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
    return light


def _backdrop(name: str, aim: Vector, collection: bpy.types.Collection) -> bpy.types.Object:
    """Paper that glows behind the head and darkens outwards. Only the camera sees it: it lights and shadows nothing."""
    mesh = bpy.data.meshes.new(f"{name} backdrop")
    half = 2.5
    mesh.from_pydata([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)], [], [(0, 1, 2, 3)])
    material = bpy.data.materials.new(f"{name} backdrop")
    graph = Graph(material)
    place = graph.add("ShaderNodeTexCoord", "Place", -4, 0)
    size = graph.add("ShaderNodeVectorMath", "Size of the glow", -3, 0, operation="SCALE")
    glow = graph.add("ShaderNodeTexGradient", "Glow", -2, 0, gradient_type="QUADRATIC_SPHERE")
    shades = graph.add("ShaderNodeValToRGB", "Shades", -1, 0)
    surface = graph.add("ShaderNodeEmission", "Paper", 0, 0)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(place, "Object", size, "Vector")
    put(size, "Scale", 1 / GLOW)
    graph.link(size, "Vector", glow, "Vector")
    graph.tree.links.new(glow.outputs[0], shades.inputs[0])
    for stop, shade in zip(shades.color_ramp.elements, SHADES, strict=True):
        stop.color = (*shade, 1.0)
    graph.link(shades, "Color", surface, "Color")
    graph.link(surface, "Emission", output, "Surface")
    mesh.materials.append(material)
    backdrop = bpy.data.objects.new(mesh.name, mesh)
    backdrop.location = (0.0, aim.y + 1.1, aim.z - 0.05)
    for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
        setattr(backdrop, f"visible_{ray}", False)
    collection.objects.link(backdrop)
    return backdrop
