# SPDX-License-Identifier: GPL-3.0-or-later
"""The armature. Every bone's X axis points to the person's left: about +X it nods, opens the jaw, lowers the eyes."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils import Matrix, Vector

from ..link.package import Package
from .frames import to_blender

__all__ = ["make_rig", "pose_rotation"]

SHORTEST = 0.01
COLOURS: dict[str, Any] = {
    "root": "THEME09",
    "neck": "THEME03",
    "head": "THEME03",
    "jaw": "THEME01",
    "eye.L": "THEME04",
    "eye.R": "THEME04",
}


def make_rig(package: Package, name: str, collection: bpy.types.Collection) -> bpy.types.Object:
    """An armature object linked to ``collection``; needs object mode, and leaves selection and active object alone."""
    armature = bpy.data.armatures.new(name)
    rig = bpy.data.objects.new(name, armature)
    collection.objects.link(rig)
    armature.display_type = "STICK"  # thin: the face stays in sight
    rig.show_in_front = True

    layer = bpy.context.view_layer
    active, selected = layer.objects.active, [o for o in layer.objects if o.select_get()]
    layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    try:
        _add_bones(armature, package)
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        layer.objects.active = active
        for other in layer.objects:
            other.select_set(other in selected)
    for bone in rig.pose.bones:
        bone.rotation_mode = "XYZ"
        bone.color.palette = COLOURS.get(bone.name, "DEFAULT")
    return rig


def _add_bones(armature: bpy.types.Armature, package: Package) -> None:
    heads = to_blender(np.array([j.position for j in package.joints], float))
    bones: list[bpy.types.EditBone] = []
    for i, joint in enumerate(package.joints):
        bone = armature.edit_bones.new(joint.name)
        bone.head = Vector(heads[i].tolist())
        bone.tail = Vector(_tail(package, i, heads).tolist())
        direction = (bone.tail - bone.head).normalized()
        upright = Vector((1, 0, 0)).cross(direction)
        if upright.length > 1e-3:
            bone.align_roll(upright)
        if joint.parent >= 0:
            bone.parent = bones[joint.parent]
            bone.use_connect = (bone.head - bone.parent.tail).length < 1e-6
        bone.use_deform = len(package.skin.row(i)[0]) > 0
        bones.append(bone)


def _tail(package: Package, index: int, heads: np.ndarray) -> np.ndarray:
    """Where a bone ends, (3,) metres in Blender's frame."""
    name = package.joints[index].name
    head: np.ndarray = heads[index]
    points = to_blender(package.vertices)
    if name == "root":
        return head + np.array([0.0, -0.06, 0.0])
    if name == "head":
        return np.array([head[0], head[1], max(points[:, 2].max(), head[2] + 0.05)])
    if name.startswith("eye"):
        return head + np.array([0.0, -0.025, 0.0])
    if name == "jaw":
        vertex, weight = package.skin.row(index)
        near = points[vertex[weight > 0.5]]
        near = near[abs(near[:, 0] - head[0]) < 0.01]
        if len(near):
            chin = near[np.argmin(near[:, 1] + near[:, 2])]  # the foremost and lowest
            if chin[1] < head[1] - SHORTEST:
                return np.array([head[0], chin[1], chin[2]])
        return head + np.array([0.0, -0.07, -0.04])
    children = [heads[i] for i, j in enumerate(package.joints) if j.parent == index]
    if children and np.linalg.norm(np.mean(children, axis=0) - head) > SHORTEST:
        return np.mean(children, axis=0)
    return head + np.array([0.0, 0.0, 0.03])


def pose_rotation(bone: bpy.types.Bone, rotation: np.ndarray) -> Matrix:
    """A joint's rotation vector (3,) radians in the package's frame as the 3x3 basis of its pose bone."""
    vector = Vector(to_blender(rotation).tolist())
    turn = Matrix.Rotation(vector.length, 3, vector.normalized()) if vector.length > 1e-9 else Matrix.Identity(3)
    rest = bone.matrix_local.to_3x3()
    return rest.inverted() @ turn @ rest
