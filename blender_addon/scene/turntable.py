# SPDX-License-Identifier: GPL-3.0-or-later
"""A turntable: the head, or the light about it, turns once round, in a scene of its own.

Nothing of the user's scene is changed or keyed. The head does not turn itself, for it may be animated: camera, lamps
and backdrop, copies of the studio's, go round it the other way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .curves import new_curve
from .find import ROLE
from .head import Head, Studio
from .lighting import studio_world
from .owned import MARK, adopt
from .quality import TURNTABLES, Turntable
from .render import as_png, use_studio

__all__ = ["frames_heard", "make_turntable", "pictures", "refuse_taken", "render_turntable", "turntable_of"]

TURNTABLE = "likeness_turntable"
"""Custom property of a turntable's scene: whose it is."""


def make_turntable(
    scene: bpy.types.Scene, head: Head, *, turning: str = "LIGHT", quality: Turntable = TURNTABLES["GOOD"]
) -> bpy.types.Scene:
    """A scene in which ``turning``, "LIGHT" (the key light; with a photo's light all of it) or "HEAD", turns once.

    An earlier turntable of the head is replaced.

    Args:
        scene: whose render device is taken over.
        head: with a studio, whose light set-up it gets.
        turning: what turns.
        quality: size, samples, frames of the whole turn and their rate.
    """
    if head.studio is None:
        raise ValueError("the head has no studio")
    if turning not in ("LIGHT", "HEAD"):
        raise ValueError(f"{turning!r} cannot turn; LIGHT or HEAD can")
    device = scene.cycles.device
    _remove(head)  # it may be the scene that was given
    room = adopt(bpy.data.scenes.new(f"{head.name} turntable"), head.name)
    room[TURNTABLE] = head.name
    room.collection.children.link(head.collection)
    for thing in [*head.mesh.children_recursive, *head.rig.children_recursive]:
        if thing.name not in room.collection.all_objects:
            room.collection.objects.link(thing)
    for view_layer in room.view_layers:
        view_layer.update()  # Blender 5.2 has no layer collections before
        _leave_out(view_layer.layer_collection, head)

    stage = adopt(bpy.data.collections.new(room.name), head.name)
    room.collection.children.link(stage)
    pivot = adopt(bpy.data.objects.new(room.name, None), head.name)
    stage.objects.link(pivot)
    pivot.empty_display_size = 0.1
    middle = _axis(head)
    pivot.matrix_world = middle
    studio = head.studio
    copies = {thing: _copy(thing, stage, head.name) for thing in (studio.camera, studio.backdrop, *studio.lights)}
    for thing in copies.values() if turning == "HEAD" else [copies[light] for light in studio.lights[:1]]:
        thing.parent = pivot
        thing.matrix_parent_inverse = middle.inverted()
    _turn(pivot, quality.frames, -1 if turning == "HEAD" else 1)

    use_studio(room, studio, quality.height, quality.samples)
    room.camera = copies[studio.camera]
    room.world = _turned(studio, pivot, head.name)
    room.cycles.device = device
    room.render.fps, room.render.fps_base = quality.fps, 1.0
    room.frame_start, room.frame_end = 1, quality.frames
    room.frame_set(1)
    return room


def turntable_of(head: Head) -> bpy.types.Scene | None:
    """The head's turntable, None where there is none."""
    return next((s for s in bpy.data.scenes if s.library is None and s.get(TURNTABLE) == head.name), None)


def pictures(avatar: str, frames: int, folder: Path) -> list[Path]:
    """The files that a turntable is rendered to, in order."""
    return [folder / f"{_stem(avatar)}{frame:04}.png" for frame in range(1, frames + 1)]


def refuse_taken(paths: list[Path]) -> None:
    """Raises FileExistsError where there are files already."""
    there = [path for path in paths if path.exists()]
    if there:
        more = f" and {len(there) - 1} more exist" if len(there) > 1 else " exists"
        raise FileExistsError(f"{there[0]}{more} already; choose another folder, or tick Overwrite")


def render_turntable(room: bpy.types.Scene, folder: Path, *, beside: bool = False) -> None:
    """Render a turntable to PNG pictures in a folder, which is made where it is missing; those there are replaced.

    Args:
        room: from `make_turntable`.
        folder: for the pictures.
        beside: the user goes on working meanwhile, in Blender's own render job; needs a window.
    """
    folder.mkdir(parents=True, exist_ok=True)
    as_png(room)
    room.render.use_overwrite, room.render.use_placeholder = True, False
    room.render.filepath = str(folder / _stem(room[TURNTABLE]))
    how: Any = ("INVOKE_DEFAULT",) if beside else ()
    bpy.ops.render.render(*how, animation=True, scene=room.name)


@contextmanager
def frames_heard(room: bpy.types.Scene, tell: Callable[[float], None]) -> Iterator[None]:
    """Inside the block ``tell`` hears the share of the frames that are written, 0..1."""

    def hear(scene: bpy.types.Scene, *_: object) -> None:
        if scene.name == name:
            tell((scene.frame_current - scene.frame_start + 1) / (scene.frame_end - scene.frame_start + 1))

    name = room.name
    listeners: Any = bpy.app.handlers.render_write
    listeners.append(hear)
    try:
        yield
    finally:
        listeners.remove(hear)


def _stem(avatar: str) -> str:
    return f"{avatar} turntable "


def _remove(head: Head) -> None:
    old = turntable_of(head)
    if old is None:
        return
    for stage in [c for c in old.collection.children if c != head.collection]:
        for thing in list(stage.objects):
            bpy.data.objects.remove(thing)
        bpy.data.collections.remove(stage)
    world = old.world
    bpy.data.scenes.remove(old)
    if world is not None and world.get(TURNTABLE) and world.users == 0:
        bpy.data.worlds.remove(world)


def _leave_out(layer: bpy.types.LayerCollection, head: Head) -> None:
    """Without the studio and the photos: the copies stand in for the one, and the others only get in the way."""
    unwanted = {head.studio.collection} if head.studio else set()
    unwanted |= {c for camera in head.cameras.values() for c in camera.users_collection}
    unwanted -= {head.collection}
    for child in layer.children:
        if child.collection in unwanted:
            child.exclude = True
        else:
            _leave_out(child, head)


def _axis(head: Head) -> Matrix:
    """Where in the world the head's joint is."""
    bone = head.rig.data.bones.get("head")
    at = bone.head_local if bone else Vector((0.0, 0.0, 0.1))
    return Matrix.Translation(head.rig.matrix_world @ at)


def _copy(thing: bpy.types.Object, stage: bpy.types.Collection, avatar: str) -> bpy.types.Object:
    """The same camera, lamp or paper in the other scene; their settings stay shared."""
    place = thing.matrix_world.copy()
    made = adopt(thing.copy(), avatar)
    made.pop(ROLE, None)
    made.animation_data_clear()
    made.parent = None
    stage.objects.link(made)
    made.matrix_world = place
    return made


def _turn(pivot: bpy.types.Object, frames: int, sign: int) -> None:
    """A whole turn; the frame after the last would be the first again."""
    action = bpy.data.actions.new(pivot.name)
    pivot.animation_data_create().action = action
    curve = new_curve(pivot, "rotation_euler", 2, [(1.0, 0.0), (1.0 + frames, sign * 2 * math.pi)])
    for key in curve.keyframe_points:
        key.interpolation = "LINEAR"
    curve.extrapolation = "LINEAR"
    adopt(action, str(pivot.get(MARK, "")))


def _turned(studio: Studio, pivot: bpy.types.Object, avatar: str) -> bpy.types.World | None:
    """The studio's world; one with a picture, a photo's light, goes round with the pivot."""
    world: Any = studio_world(studio)
    if world is None or not any(n.bl_idname == "ShaderNodeTexEnvironment" for n in world.node_tree.nodes):
        return world if isinstance(world, bpy.types.World) else None
    made: Any = adopt(world.copy(), avatar)
    made.name, made[TURNTABLE] = f"{avatar} turntable", avatar
    tree = made.node_tree
    place, turn = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeMapping")
    turn.name = turn.label = "Turn"
    turn.vector_type = "TEXTURE"
    place.location, turn.location = (-800, 0), (-550, 0)
    tree.links.new(place.outputs["Generated"], turn.inputs["Vector"])
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeTexEnvironment":
            tree.links.new(turn.outputs["Vector"], node.inputs["Vector"])
    driver = turn.inputs["Rotation"].driver_add("default_value", 2).driver
    driver.type = "SUM"  # evaluated without asking whether scripts may run
    variable = driver.variables.new()
    variable.type = "SINGLE_PROP"
    variable.targets[0].id = pivot
    variable.targets[0].data_path = "rotation_euler[2]"
    return made if isinstance(made, bpy.types.World) else None
