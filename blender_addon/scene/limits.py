# SPDX-License-Identifier: GPL-3.0-or-later
"""How far jaw and eyes turn. Jaw bone and the key `jawOpen` share one opening: what the key takes, the bone has not."""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np

from ..link.package import Package
from .rig import pose_rotation

__all__ = ["add_limits"]

OPENING = math.radians(22.0)
"""A wide open mouth, where the head has no key that tells."""
NARROWEST, WIDEST = math.radians(8.0), math.radians(38.0)
CLOSING, SIDEWAYS = math.radians(2.0), math.radians(10.0)
GAZE_X, GAZE_Z = math.radians(35.0), math.radians(45.0)
"""Up and down; left and right."""


def add_limits(rig: bpy.types.Object, head: bpy.types.Object, package: Package) -> None:
    """Limit the rotation of jaw and eye bones, so that no pose pushes them through the face."""
    if "jaw" in rig.pose.bones:
        opening = max(_opening(package), _opening_in_photos(rig, package))
        limit = _limit(rig.pose.bones["jaw"], (-CLOSING, opening), SIDEWAYS)
        if "jawOpen" in package.expressions:
            _share(rig, head, limit, opening)
    for name in ("eye.L", "eye.R"):
        if name in rig.pose.bones:
            _limit(rig.pose.bones[name], (-GAZE_X, GAZE_X), GAZE_Z)


def _limit(bone: bpy.types.PoseBone, nod: tuple[float, float], turn: float) -> Any:
    limit: Any = bone.constraints.new("LIMIT_ROTATION")
    limit.owner_space = "LOCAL"
    limit.use_transform_limit = True
    limit.use_limit_x = limit.use_limit_y = limit.use_limit_z = True
    limit.min_x, limit.max_x = nod
    limit.min_y, limit.max_y = limit.min_z, limit.max_z = -turn, turn
    return limit


def _share(rig: bpy.types.Object, head: bpy.types.Object, limit: Any, opening: float) -> None:
    """The more the key opens, the less is left for the bone."""
    driver: Any = limit.driver_add("max_x").driver
    variable = driver.variables.new()
    variable.name = "jawOpen"
    variable.targets[0].id_type = "KEY"
    variable.targets[0].id = head.data.shape_keys
    variable.targets[0].data_path = 'key_blocks["jawOpen"].value'
    # A simple expression: Blender evaluates it without asking whether scripts may run.
    driver.expression = f"{opening:.4f} * (1 - jawOpen)"


def _opening(package: Package) -> float:
    """The angle by which the key `jawOpen` turns the jaw about its joint, radians."""
    names = [j.name for j in package.joints]
    if "jawOpen" not in package.expressions:
        return OPENING
    jaw = names.index("jaw")
    vertex, weight = package.skin.row(jaw)
    delta = np.zeros_like(package.vertices)
    moved, by = package.expression.row(package.expressions.index("jawOpen"))
    delta[moved] = by
    firm = vertex[weight > 0.5]
    _, y, z = (package.vertices[firm] - package.joints[jaw].position).T
    _, dy, dz = delta[firm].T
    angle = float(np.arctan2((y * (z + dz) - z * (y + dy)).sum(), (y * (y + dy) + z * (z + dz)).sum()))
    return min(max(angle, NARROWEST), WIDEST)


def _opening_in_photos(rig: bpy.types.Object, package: Package) -> float:
    """The least opening with which every photo's pose is within reach."""
    index = [j.name for j in package.joints].index("jaw")
    bone = rig.data.bones["jaw"]
    need = [
        pose_rotation(bone, view.pose[index]).to_euler("XYZ").x / max(1 - view.expression.get("jawOpen", 0.0), 0.05)
        for view in package.views
    ]
    return min(max([0.0, *need]), math.pi / 2)
