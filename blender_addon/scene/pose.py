# SPDX-License-Identifier: GPL-3.0-or-later
"""How neck, head, jaw and eyes turn, and an empty that the eyes follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import bpy
from mathutils import Matrix, Vector

from .find import give_role
from .head import Head
from .owned import adopt

__all__ = ["FOLLOW", "TURNS", "add_target", "key", "posable", "remove_target", "reset"]

TURNS: dict[str, tuple[tuple[int, str], ...]] = {
    "neck": ((0, "Nod"), (1, "Turn"), (2, "Tilt")),
    "head": ((0, "Nod"), (1, "Turn"), (2, "Tilt")),
    "jaw": ((0, "Open"), (2, "Sideways")),
    "eye.L": ((0, "Down"), (2, "Sideways")),
    "eye.R": ((0, "Down"), (2, "Sideways")),
}
"""Axes of rotation of the bones that people pose, and what they do. Every bone's X axis points to the person's left."""
FOLLOW = "follow"
"""Custom property of the target: how much the eyes follow it, 0..1."""
CONSTRAINT = "Look at"
AHEAD = 0.6
"""Metres from the eyes to a new target: where somebody talked to would stand."""


def posable(head: Head) -> Iterator[bpy.types.PoseBone]:
    """The bones of `TURNS` that the rig has."""
    for name in TURNS:
        if name in head.rig.pose.bones:
            yield head.rig.pose.bones[name]


def reset(head: Head) -> None:
    """All bones at rest, and the target straight ahead."""
    for bone in head.rig.pose.bones:
        bone.matrix_basis = Matrix.Identity(4)
    if head.target:
        head.target.matrix_basis = Matrix.Translation(_ahead(head))


def key(head: Head, frame: float) -> int:
    """Key the turns of all bones, and the target, at a frame; returns the number of bones."""
    bones = list(posable(head))
    for bone in bones:
        bone.keyframe_insert(_rotation(bone), frame=frame, group=bone.name)
    if head.target:
        head.target.keyframe_insert("location", frame=frame)
        head.target.keyframe_insert(f'["{FOLLOW}"]', frame=frame)
    return len(bones)


def _rotation(bone: bpy.types.PoseBone) -> str:
    modes = {"QUATERNION": "rotation_quaternion", "AXIS_ANGLE": "rotation_axis_angle"}
    return modes.get(bone.rotation_mode, "rotation_euler")


def add_target(head: Head) -> Head:
    """An empty in front of the face that both eyes look at, as far as their limits let them; the head that has it.

    The limits come after it in the bones' constraints, so that an eye follows to its corner and stops there.
    """
    eyes = [bone for bone in posable(head) if bone.name.startswith("eye.")]
    if head.target or not eyes:
        return head
    target = adopt(bpy.data.objects.new(f"{head.name} look at", None), head.name)
    give_role(target, "target")
    head.collection.objects.link(target)
    target.empty_display_type = "SPHERE"
    target.empty_display_size = 0.02
    target.show_name = True
    target.parent = head.rig
    target.location = _ahead(head)
    owner: Any = target
    owner[FOLLOW] = 1.0
    owner.id_properties_ui(FOLLOW).update(min=0.0, max=1.0, description="How much the eyes follow, 0 not at all")
    for bone in eyes:
        track: Any = bone.constraints.new("DAMPED_TRACK")
        track.name = CONSTRAINT
        track.target, track.track_axis = target, "TRACK_Y"
        bone.constraints.move(len(bone.constraints) - 1, 0)
        driver: Any = track.driver_add("influence").driver
        driver.type = "AVERAGE"
        variable = driver.variables.new()
        variable.targets[0].id = target
        variable.targets[0].data_path = f'["{FOLLOW}"]'
    return replace(head, target=target)


def remove_target(head: Head) -> Head:
    """The eyes follow nothing; their own turns count again."""
    for bone in posable(head):
        for constraint in [c for c in bone.constraints if c.name == CONSTRAINT and c.type == "DAMPED_TRACK"]:
            constraint.driver_remove("influence")
            bone.constraints.remove(constraint)
    if head.target:
        bpy.data.objects.remove(head.target)
    return replace(head, target=None)


def _ahead(head: Head) -> Vector:
    """In front of the eyes, in the rig's frame."""
    places = [b.bone.head_local for b in posable(head) if b.name.startswith("eye.")]
    if not places:
        return Vector((0.0, -AHEAD, 0.15))
    middle: Vector = sum(places, Vector()) / len(places)
    return middle + Vector((0.0, -AHEAD, 0.0))
