# SPDX-License-Identifier: GPL-3.0-or-later
"""The photos: a camera that sees the head as the photo did, the photo behind it, and the expression it shows."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import bpy
import numpy as np
from mathutils import Matrix

from ..link.package import Camera, Package, View
from . import expression
from .curves import LAYERED, new_curve
from .find import PHOTO, PHOTO_ACTIONS, PHOTO_LIGHT, give_role
from .frames import to_blender
from .head import Head
from .identity import identity_of
from .pictures import load_picture
from .rig import pose_rotation

__all__ = ["apply_photo", "apply_view", "make_action", "make_camera", "remember", "rest", "use_camera"]

SENSOR = 36.0
ORTHOGRAPHIC_DISTANCE = 2.0
SIZE = "likeness_photo_size"
"""Custom property of a photo's camera: width, height in pixels and pixel aspect x, y."""
EXPRESSION, POSE = "likeness_expression", "likeness_pose"
"""Custom properties of a photo's camera: weights by expression, and (x, y, z) Euler angles by bone."""


def make_camera(view: View, package: Package, collection: bpy.types.Collection) -> bpy.types.Object:
    """A camera object linked to ``collection`` that projects as the photo's camera does."""
    name = f"{package.name} photo {PurePath(view.name).stem}"
    data = bpy.data.cameras.new(name)
    camera = bpy.data.objects.new(name, data)
    collection.objects.link(camera)
    _project_alike(data, view.camera)
    camera.matrix_world = _place(view.camera, package.vertices)
    camera.lock_location = camera.lock_rotation = camera.lock_scale = (True, True, True)
    camera[SIZE] = [view.camera.width, view.camera.height, *_aspect(view.camera)]

    data.clip_start, data.clip_end = 0.01, 100.0
    data.display_size = 0.1
    data.show_background_images = True
    background = data.background_images.new()
    background.image = load_picture(view.photo, name, "srgb")
    background.frame_method = "FIT"
    background.display_depth = "BACK"
    background.alpha = 1.0
    return camera


def _aspect(camera: Camera) -> tuple[float, float]:
    """Blender has one focal length: unequal ones become pixels that are not square."""
    return max(1.0, camera.fy / camera.fx), max(1.0, camera.fx / camera.fy)


def _project_alike(data: bpy.types.Camera, c: Camera) -> None:
    aspect_x, aspect_y = _aspect(c)
    wide = c.width * aspect_x >= c.height * aspect_y
    # Sizes and focal length in a common unit, in which pixels are square.
    width, height = c.width * aspect_x, c.height * aspect_y
    focal = c.fx * aspect_x
    side = width if wide else height
    data.sensor_fit = "HORIZONTAL" if wide else "VERTICAL"
    data.sensor_width = data.sensor_height = SENSOR
    if c.kind == "orthographic":
        data.type = "ORTHO"
        data.ortho_scale = side / focal
    else:
        data.type = "PERSP"
        data.lens = focal / side * SENSOR
    data.shift_x = (c.width / 2 - c.cx) * aspect_x / side
    data.shift_y = (c.cy - c.height / 2) * aspect_y / side


def _place(c: Camera, vertices: np.ndarray) -> Matrix:
    """World matrix; an orthographic camera, whose distance means nothing, is set in front of the head."""
    translation = c.translation.copy()
    if c.kind == "orthographic":
        depth = vertices @ c.rotation[2]
        translation[2] = ORTHOGRAPHIC_DISTANCE - float(depth.mean())
    centre = -c.rotation.T @ translation
    # Rows of the rotation are the camera's axes in the world; Blender's camera has y up and looks along -z.
    right, down, forward = c.rotation
    axes = to_blender(np.stack([right, -down, -forward]))
    matrix = np.eye(4)
    matrix[:3, :3] = axes.T
    matrix[:3, 3] = to_blender(centre)
    return Matrix(matrix.tolist())


def use_camera(scene: bpy.types.Scene, camera: bpy.types.Object, tall: float = 0) -> None:
    """Make a photo's camera the scene's, with the photo's proportions, ``tall`` pixels high, 0 for the photo's size."""
    width, height, aspect_x, aspect_y = camera[SIZE]
    scale = tall / height if tall else 1.0
    render = scene.render
    render.resolution_x, render.resolution_y = max(1, round(width * scale)), max(1, round(height * scale))
    render.resolution_percentage = 100
    render.pixel_aspect_x, render.pixel_aspect_y = aspect_x, aspect_y
    scene.camera = camera


def apply_view(head: bpy.types.Object, rig: bpy.types.Object, package: Package, view: View) -> None:
    """Give the head the expression and pose it has in a photo."""
    for name in package.expressions:
        head.data.shape_keys.key_blocks[name].value = view.expression.get(name, 0.0)
    for joint, rotation in zip(package.joints, view.pose, strict=True):
        bone = rig.pose.bones[joint.name]
        bone.rotation_euler = pose_rotation(bone.bone, rotation).to_euler("XYZ")


def _angles(bone: bpy.types.Bone, rotation: np.ndarray) -> list[tuple[int, float]]:
    euler = pose_rotation(bone, rotation).to_euler("XYZ")
    return [(0, euler.x), (1, euler.y), (2, euler.z)]


def rest(head: bpy.types.Object, rig: bpy.types.Object) -> None:
    """Back to the neutral head."""
    person = identity_of(head)
    for key in head.data.shape_keys.key_blocks[1:]:
        if key.name not in person:
            key.value = 0.0
    for bone in rig.pose.bones:
        bone.rotation_euler = (0, 0, 0)
        bone.location = (0, 0, 0)


def make_action(head: bpy.types.Object, rig: bpy.types.Object, package: Package, view: View) -> list[bpy.types.Action]:
    """The photo's expression and pose as an action "photo NAME", unassigned: one action for bones and shape keys.

    Before Blender 4.4 an action serves one kind of datablock, so the shape keys get "photo NAME keys" there.
    """
    title = f"photo {PurePath(view.name).stem}"
    keys: Any = head.data.shape_keys
    curves: list[tuple[Any, str, int, float]] = [
        (rig, f'pose.bones["{joint.name}"].rotation_euler', i, angle)
        for joint, rotation in zip(package.joints, view.pose, strict=True)
        for i, angle in _angles(rig.data.bones[joint.name], rotation)
    ]
    curves += [(keys, f'key_blocks["{name}"].value', 0, view.expression.get(name, 0.0)) for name in package.expressions]
    actions: dict[Any, Any] = {rig: bpy.data.actions.new(title)}
    actions[keys] = actions[rig] if LAYERED else bpy.data.actions.new(f"{title} keys")
    for owner in (rig, keys):
        animation = owner.animation_data_create()
        before = animation.action
        animation.action = actions[owner]
        for target, path, index, value in curves:
            if target is owner:
                new_curve(owner, path, index, [(1.0, value)])
        animation.action = before
    found = list(dict.fromkeys(actions.values()))
    for action in found:
        action.use_fake_user = True
    return found


def remember(
    camera: bpy.types.Object,
    view: View,
    rig: bpy.types.Object,
    package: Package,
    actions: list[bpy.types.Action],
    light: bpy.types.World | None,
) -> None:
    """Tie to a photo's camera what the photo shows, so that it is there without the package as well."""
    give_role(camera, "photo")
    owner: Any = camera
    owner[PHOTO] = view.name
    for key, action in zip(PHOTO_ACTIONS, actions, strict=False):
        owner[key] = action
    if light is not None:
        owner[PHOTO_LIGHT] = light
    owner[EXPRESSION] = {name: float(value) for name, value in view.expression.items() if value}
    owner[POSE] = {
        joint.name: [angle for _, angle in _angles(rig.data.bones[joint.name], rotation)]
        for joint, rotation in zip(package.joints, view.pose, strict=True)
    }


def apply_photo(head: Head, camera: bpy.types.Object) -> None:
    """Give a head that was found in a scene the expression and pose of a photo."""
    shown = camera.get(EXPRESSION) or {}
    expression.put(head, {name: shown.get(name, 0.0) for name in expression.names(head)})
    for name, angles in (camera.get(POSE) or {}).items():
        if name in head.rig.pose.bones:
            head.rig.pose.bones[name].rotation_euler = list(angles)
