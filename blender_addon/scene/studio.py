# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait studio around the head: camera, lights (see `lighting`), a backdrop."""

from __future__ import annotations

import math
from dataclasses import replace

import bpy
import numpy as np
from mathutils import Vector

from .find import give_role
from .graph import Graph, put
from .head import Studio
from .lighting import light_as_photo, light_up
from .owned import adopt

__all__ = ["change_light", "make_studio", "match_photo"]

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


def make_studio(
    avatar: str, mesh: bpy.types.Object, rig: bpy.types.Object, collection: bpy.types.Collection, setup: str = "SOFT"
) -> Studio:
    """Fill ``collection`` around the head at rest, wherever its rig stands.

    The scene's world, camera and render settings stay as they are: see `render.use_studio`.
    """
    points, face = _measure(mesh, rig)
    camera = _camera(avatar, collection, points, face)
    backdrop = _backdrop(avatar, face, collection)
    place = rig.matrix_world
    for thing, role in ((camera, "camera"), (backdrop, "backdrop")):
        give_role(adopt(thing, avatar), role)
        thing.matrix_world = place @ thing.matrix_basis
    # A camera's and a backdrop's scale mean nothing to what they show but their distance, which came along.
    camera.scale = (1, 1, 1)
    studio = Studio(collection, camera, [], backdrop)
    return replace(studio, lights=change_light(studio, mesh, rig, setup))


def change_light(studio: Studio, mesh: bpy.types.Object, rig: bpy.types.Object, setup: str) -> list[bpy.types.Object]:
    """Another light set-up; returns its lamps, key light first."""
    _, face = _measure(mesh, rig)
    return light_up(studio, setup, _aim(face), rig.matrix_world)


def match_photo(
    studio: Studio, mesh: bpy.types.Object, rig: bpy.types.Object, world: bpy.types.World
) -> list[bpy.types.Object]:
    """A photo's light in place of a set-up; returns its lamp."""
    _, face = _measure(mesh, rig)
    return light_as_photo(studio, world, _aim(face), rig.matrix_world)


def _measure(mesh: bpy.types.Object, rig: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (V, 3) of the head at rest and the point (3,) between the eyes on its foremost plane, metres."""
    flat = np.empty(3 * len(mesh.data.vertices), np.float32)
    mesh.data.shape_keys.reference_key.points.foreach_get("co", flat)
    points = flat.reshape(-1, 3).astype(float)
    eyes = [rig.data.bones[n].head_local.z for n in ("eye.L", "eye.R") if n in rig.data.bones]
    height = float(np.mean(eyes)) if eyes else float(points[:, 2].max()) - 0.11
    return points, np.array([0.0, float(points[:, 1].min()), height])


def _aim(face: np.ndarray) -> Vector:
    return Vector((0.0, face[1] + 0.03, face[2] - 0.03))


def _camera(avatar: str, collection: bpy.types.Collection, points: np.ndarray, face: np.ndarray) -> bpy.types.Object:
    data = adopt(bpy.data.cameras.new(f"{avatar} portrait"), avatar)
    camera = bpy.data.objects.new(data.name, data)
    collection.objects.link(camera)
    data.sensor_fit = "VERTICAL"
    data.sensor_width, data.sensor_height = FILM
    data.lens = LENS
    data.clip_start, data.clip_end = 0.05, 50.0
    data.display_size = 0.1
    upper = float(points[:, 2].max()) + HAIR
    lower = max(float(face[2]) - COLLAR, float(points[:, 2].min()) + 0.01)
    distance = LENS * (upper - lower) / FILM[1]
    camera.location = (0.0, float(face[1]) + 0.05 - distance, (upper + lower) / 2)
    camera.rotation_euler = (math.pi / 2, 0.0, 0.0)
    return camera


def _backdrop(name: str, face: np.ndarray, collection: bpy.types.Collection) -> bpy.types.Object:
    """Paper that glows behind the head and darkens outwards. Only the camera sees it: it lights and shadows nothing."""
    mesh = adopt(bpy.data.meshes.new(f"{name} backdrop"), name)
    half = 2.5
    mesh.from_pydata([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)], [], [(0, 1, 2, 3)])
    material = adopt(bpy.data.materials.new(f"{name} backdrop"), name)
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
    graph.link(shades, "Color", surface, "Color")
    graph.link(surface, "Emission", output, "Surface")
    mesh.materials.append(material)
    backdrop = bpy.data.objects.new(mesh.name, mesh)
    aim = _aim(face)
    backdrop.location = (0.0, aim.y + 1.1, aim.z - 0.05)
    for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
        setattr(backdrop, f"visible_{ray}", False)
    collection.objects.link(backdrop)
    return backdrop
