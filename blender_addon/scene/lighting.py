# SPDX-License-Identifier: GPL-3.0-or-later
"""Light set-ups of the portrait studio: lamps, surroundings and the shade of the backdrop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .find import ROLE, give_role
from .graph import add_world
from .head import Studio
from .owned import MARK, adopt
from .photo_light import strongest

__all__ = ["PHOTO_SETUP", "SETUPS", "SetUp", "light_as_photo", "light_up", "make_lamps", "setup_of", "studio_world"]

SETUP, WORLD, PHOTO_WORLD = "likeness_setup", "likeness_world", "likeness_photo_world"
"""Custom properties of the studio's camera: the set-up in use, its world, and a photo's where that is in use."""
PHOTO_SETUP = "PHOTO"
"""Name of the set-up that is a photo's light."""

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Lamp:
    """A lamp around the face.

    left, up: degrees to the person's left and above the face; distance, side: metres (a sun's ``side`` is the degrees
    that it fills in the sky); power: watts (a sun's in W/m²).
    """

    name: str
    left: float
    up: float
    distance: float
    side: float
    power: float
    colour: Colour
    kind: str = "AREA"


@dataclass(frozen=True)
class SetUp:
    """All of a set-up. ``sky``: radiance (linear) at zenith, horizon and nadir. ``shades``: of the backdrop, at its
    rim and behind the head.
    """

    title: str
    description: str
    lamps: tuple[Lamp, ...]
    sky: tuple[Colour, Colour, Colour]
    shades: tuple[Colour, Colour]


KEY_DISTANCE, GLOSS = 1.2, 0.5
"""Metres between the face and the lamp that a photo's light gets, and that lamp's share of the light that comes from
there, to be mirrored; in Cycles the world itself is not."""
EVEN = (0.081, 0.0855, 0.09)

SETUPS: dict[str, SetUp] = {
    "SOFT": SetUp(
        "Soft",
        "A large soft key light, fill and rim: every feature can be read",
        (
            Lamp("key", 38, 28, 1.0, 0.42, 13.0, (1.0, 0.96, 0.92)),
            Lamp("fill", -48, 4, 1.3, 1.0, 4.0, (0.93, 0.96, 1.0)),
            Lamp("rim", -148, 34, 1.0, 0.4, 9.0, (1.0, 0.98, 0.96)),
        ),
        (EVEN, EVEN, EVEN),
        ((0.022, 0.024, 0.027), (0.17, 0.175, 0.18)),
    ),
    "DRAMATIC": SetUp(
        "Dramatic",
        "Rembrandt's light: one small key high from the side, a lit triangle on the cheek in shadow, a cool rim",
        (
            Lamp("key", 41, 38, 1.1, 0.2, 16.0, (1.0, 0.9, 0.78)),
            Lamp("fill", -60, 0, 1.5, 1.2, 0.9, (0.75, 0.85, 1.0)),
            Lamp("rim", -140, 30, 1.0, 0.25, 6.0, (0.8, 0.9, 1.0)),
        ),
        ((0.008, 0.009, 0.011), (0.008, 0.009, 0.011), (0.008, 0.008, 0.008)),
        ((0.004, 0.004, 0.005), (0.035, 0.032, 0.03)),
    ),
    "OUTDOOR": SetUp(
        "Outdoor",
        "A clear afternoon: the sun from the side, blue sky above, warm light back from the ground",
        (
            Lamp("key", 40, 34, 3.0, 3.0, 3.3, (1.0, 0.86, 0.66), "SUN"),
            Lamp("rim", -145, 30, 1.2, 0.6, 10.0, (0.85, 0.93, 1.0)),
        ),
        ((0.16, 0.27, 0.5), (0.3, 0.34, 0.36), (0.13, 0.11, 0.07)),
        ((0.05, 0.085, 0.05), (0.38, 0.42, 0.24)),
    ),
}


def setup_of(studio: Studio) -> str:
    """The set-up in use."""
    return str(studio.camera.get(SETUP, "SOFT"))


def studio_world(studio: Studio) -> bpy.types.World | None:
    """The set-up's world, which lights the head as well."""
    world = studio.camera.get(PHOTO_WORLD if setup_of(studio) == PHOTO_SETUP else WORLD)
    return world if isinstance(world, bpy.types.World) else None


def light_up(studio: Studio, name: str, aim: Vector, place: Matrix) -> list[bpy.types.Object]:
    """Put a set-up's lamps, world and backdrop in the place of those that are there; returns the lamps.

    Args:
        studio: whose lamps are replaced.
        name: a key of `SETUPS`.
        aim: of the lamps, the face's middle in the rig's frame.
        place: of the rig in the world.
    """
    setup = SETUPS[name]
    avatar = str(studio.camera.get(MARK, ""))
    studio.camera[SETUP] = name
    lamps = _change_lamps(studio, setup, aim, place)
    world = studio_world(studio)
    if world is None:
        world, _ = add_world(f"{avatar} studio")
        adopt(world, avatar)
        studio.camera[WORLD] = world
    _paint_sky(world, setup)
    return lamps


def light_as_photo(studio: Studio, world: bpy.types.World, aim: Vector, place: Matrix) -> list[bpy.types.Object]:
    """Put a photo's light in the place of a set-up; returns the one lamp.

    What was estimated from skin is too soft to be mirrored, so a lamp where most light comes from is there for what
    mirrors, eyes and gloss, and lights nothing else.

    Args:
        studio: whose lamps are replaced.
        world: with the photo's light.
        aim, place: as for `light_up`.
    """
    direction, power, mean = strongest(world)
    turn = math.degrees(math.atan2(direction[0], -direction[1]))
    rise = math.degrees(math.asin(max(-1.0, min(1.0, direction[2]))))
    brightness = max(*power, 1e-6)
    watts = GLOSS * math.pi * KEY_DISTANCE**2 * brightness
    colour: Any = tuple(channel / brightness for channel in power)
    shades: Any = tuple(tuple(share * channel for channel in mean) for share in (0.08, 0.5))
    key = Lamp("key", turn, rise, KEY_DISTANCE, 0.35, watts, colour)
    setup = SetUp("Photo", "The light of a photo", (key,), (EVEN, EVEN, EVEN), shades)
    studio.camera[SETUP], studio.camera[PHOTO_WORLD] = PHOTO_SETUP, world
    lamps = _change_lamps(studio, setup, aim, place)
    for lamp in lamps:
        lamp.visible_diffuse = False
    return lamps


def _change_lamps(studio: Studio, setup: SetUp, aim: Vector, place: Matrix) -> list[bpy.types.Object]:
    for lamp in [o for o in studio.collection.objects if str(o.get(ROLE, "")).startswith("light ")]:
        data: Any = lamp.data
        bpy.data.objects.remove(lamp)
        if data.users == 0:
            bpy.data.lights.remove(data)
    _shade_backdrop(studio.backdrop, setup)
    return make_lamps(setup, str(studio.camera.get(MARK, "")), aim, place, studio.collection)


def make_lamps(
    setup: SetUp, avatar: str, aim: Vector, place: Matrix, collection: bpy.types.Collection
) -> list[bpy.types.Object]:
    """The lamps of a set-up, marked, in a collection."""
    scale = place.median_scale
    made = []
    for lamp in setup.lamps:
        kind: Any = lamp.kind
        data: Any = adopt(bpy.data.lights.new(f"{avatar} {lamp.name}", kind), avatar)
        light = adopt(bpy.data.objects.new(data.name, data), avatar)
        give_role(light, f"light {lamp.name}")
        collection.objects.link(light)
        data.color = lamp.colour
        if lamp.kind == "SUN":
            data.energy, data.angle = lamp.power, math.radians(lamp.side)
        else:
            data.energy = lamp.power * scale**2
            data.shape = "RECTANGLE"
            data.size, data.size_y = lamp.side * scale, lamp.side * 1.3 * scale
        turn, rise = math.radians(lamp.left), math.radians(lamp.up)
        direction = Vector((math.sin(turn) * math.cos(rise), -math.cos(turn) * math.cos(rise), math.sin(rise)))
        spin = place.to_quaternion() @ direction.to_track_quat("Z", "Y")
        light.matrix_world = Matrix.LocRotScale(place @ (aim + direction * lamp.distance), spin, None)
        made.append(light)
    return made


def _shade_backdrop(backdrop: bpy.types.Object, setup: SetUp) -> None:
    for material in backdrop.data.materials:
        node: Any = material.node_tree.nodes.get("Shades") if material else None
        if node:
            for stop, shade in zip(node.color_ramp.elements, setup.shades, strict=True):
                stop.color = (*shade, 1.0)


def _paint_sky(world: bpy.types.World, setup: SetUp) -> None:
    """Radiance by height above the horizon."""
    tree: Any = world.node_tree
    ramp = tree.nodes.get("Sky by height")
    if ramp is None:
        place = tree.nodes.new("ShaderNodeTexCoord")
        axes = tree.nodes.new("ShaderNodeSeparateXYZ")
        height = tree.nodes.new("ShaderNodeMapRange")
        ramp = tree.nodes.new("ShaderNodeValToRGB")
        ramp.name = ramp.label = "Sky by height"
        for i, node in enumerate((place, axes, height, ramp)):
            node.location = (-1100 + 220 * i, 0)
        height.inputs["From Min"].default_value = -1.0
        tree.links.new(place.outputs["Generated"], axes.inputs["Vector"])
        tree.links.new(axes.outputs["Z"], height.inputs["Value"])
        tree.links.new(height.outputs["Result"], ramp.inputs[0])
        sky = next(n for n in tree.nodes if n.bl_idname == "ShaderNodeBackground")
        tree.links.new(ramp.outputs["Color"], sky.inputs["Color"])
        ramp.color_ramp.elements.new(0.5)
    zenith, horizon, nadir = setup.sky
    for stop, (at, colour) in zip(
        ramp.color_ramp.elements, ((0.3, nadir), (0.5, horizon), (0.85, zenith)), strict=True
    ):
        stop.position, stop.color = at, (*colour, 1.0)
