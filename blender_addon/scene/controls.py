# SPDX-License-Identifier: GPL-3.0-or-later
"""Where expressions are animated: on the shape keys themselves, or on the rig.

A shape key that a driver sets cannot be keyed, and a pose asset holds nothing but channels of bones. So a head is in
one of two states. As built, the keys are free: key them, feed them from motion capture. With face controls on, the head
bone has a custom property for each key, with its name and a driver to it: pose assets and the rig's actions then carry
expressions. Switching takes values and assigned animation along, both ways.
"""

from __future__ import annotations

from typing import Any

import bpy

from .correctives import PREFIX
from .curves import LAYERED, copy_curve, curves_of, remove_curve
from .head import Head
from .identity import identity_of

__all__ = ["are_on", "control_bone", "control_path", "expression_keys", "key_path", "switch_off", "switch_on"]


def are_on(head: Head) -> bool:
    """Whether the rig drives the shape keys."""
    animation = head.mesh.data.shape_keys.animation_data
    keys = expression_keys(head)
    return bool(animation and keys) and animation.drivers.find(key_path(keys[0].name)) is not None


def expression_keys(head: Head) -> list[bpy.types.ShapeKey]:
    """The shape keys that are expressions: all but the rest, what bones drive by themselves, and identity."""
    others = identity_of(head.mesh)
    blocks = head.mesh.data.shape_keys.key_blocks[1:]
    return [key for key in blocks if not key.name.startswith(PREFIX) and key.name not in others]


def control_bone(head: Head) -> bpy.types.PoseBone:
    """The bone that bears the controls."""
    bones = head.rig.pose.bones
    return bones["head"] if "head" in bones else bones[0]


def control_path(head: Head, name: str) -> str:
    """Of a control, from the rig."""
    return (
        f'pose.bones["{bpy.utils.escape_identifier(control_bone(head).name)}"]["{bpy.utils.escape_identifier(name)}"]'
    )


def key_path(name: str) -> str:
    """Of a shape key's value, from the `Key` datablock."""
    return f'key_blocks["{bpy.utils.escape_identifier(name)}"].value'


def switch_on(head: Head) -> None:
    """Controls on the head bone drive the shape keys."""
    if are_on(head):
        return
    keys: Any = head.mesh.data.shape_keys
    bone: Any = control_bone(head)
    for key in expression_keys(head):
        bone[key.name] = float(key.value)
        bone.id_properties_ui(key.name).update(
            min=key.slider_min,
            max=key.slider_max,
            soft_min=key.slider_min,
            soft_max=key.slider_max,
            default=0.0,
            description=f"Drives the shape key {key.name}",
        )
        bone.property_overridable_library_set(f'["{bpy.utils.escape_identifier(key.name)}"]', True)
    _move_animation(keys, head.rig, [(key_path(k.name), control_path(head, k.name)) for k in expression_keys(head)])
    for key in expression_keys(head):
        driver: Any = key.driver_add("value").driver
        driver.type = "AVERAGE"  # of one: needs no expression, so no permission to run scripts
        variable = driver.variables.new()
        variable.name = "control"
        variable.targets[0].id = head.rig
        variable.targets[0].data_path = control_path(head, key.name)
    head.rig.update_tag()


def switch_off(head: Head) -> None:
    """The shape keys are free again and keep what the controls said."""
    if not are_on(head):
        return
    keys: Any = head.mesh.data.shape_keys
    bone: Any = control_bone(head)
    for key in expression_keys(head):
        key.driver_remove("value")
        key.value = float(bone.get(key.name, key.value))
    _move_animation(head.rig, keys, [(control_path(head, k.name), key_path(k.name)) for k in expression_keys(head)])
    for key in expression_keys(head):
        if key.name in bone:
            del bone[key.name]
    head.rig.update_tag()


def _move_animation(source: Any, target: Any, paths: list[tuple[str, str]]) -> None:
    """Curves of the source's assigned action become curves of the target's."""
    new_paths = dict(paths)
    moving = [curve for curve in curves_of(source) if curve.data_path in new_paths]
    if not moving:
        return
    animation = target.animation_data_create()
    if animation.action is None:
        shared = source.animation_data.action
        animation.action = shared if LAYERED else bpy.data.actions.new(f"{shared.name} of {target.name}")
    for path in [curve.data_path for curve in moving]:
        # Found again each time: a list of curves moves in memory when it grows.
        curve = next(c for c in curves_of(source) if c.data_path == path)
        copy_curve(curve, target, new_paths[path])
        remove_curve(source, path)
