# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose correctives: shape keys that bones drive, so that a bent head looks as its model says.

A corrective is linear in the entries of R - I, R being a joint's rotation against its parent in the package's frame
(SMPL, Loper et al. 2015, section 3.2; FLAME, Li et al. 2017, section 3). Every entry has a key "FLAME pose BONE RC"
(row R, column C), and a driver that reads the bone's rotation whatever its rotation mode.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ..link.package import Package
from .frames import to_blender

__all__ = ["PREFIX", "add_correctives"]

PREFIX = "FLAME pose"
FARTHEST = 2.0
"""Entries of R - I lie between -2 and 1."""
NEGLIGIBLE = 5e-5

# Entries of R for a unit quaternion (w, x, y, z): pairs of factors and their sign, all times two.
ENTRIES = {
    (0, 0): ("-", "yy", "-", "zz"),
    (0, 1): ("+", "xy", "-", "wz"),
    (0, 2): ("+", "xz", "+", "wy"),
    (1, 0): ("+", "xy", "+", "wz"),
    (1, 1): ("-", "xx", "-", "zz"),
    (1, 2): ("+", "yz", "-", "wx"),
    (2, 0): ("+", "xz", "-", "wy"),
    (2, 1): ("+", "yz", "+", "wx"),
    (2, 2): ("-", "xx", "-", "yy"),
}


def add_correctives(head: bpy.types.Object, rig: bpy.types.Object, package: Package) -> None:
    """Add the keys of a package's pose correctives to a head, and let its bones drive them."""
    rest = np.empty((len(package.vertices), 3), np.float32)
    head.data.vertices.foreach_get("co", rest.ravel())
    for j, joint in enumerate(package.corrective_joints):
        terms = _terms(rig.data.bones[joint])
        for k, entry in enumerate(ENTRIES):
            vertex, delta = package.corrective.row(9 * j + k)
            if not len(vertex):
                continue
            key = head.shape_key_add(name=f"{PREFIX} {joint} {entry[0]}{entry[1]}", from_mix=False)
            key.slider_min, key.slider_max = -FARTHEST, FARTHEST
            key.value = 0.0
            place = rest.copy()
            place[vertex] += to_blender(delta)
            key.points.foreach_set("co", place.ravel())
            _drive(key, rig, joint, _expression(terms, entry))


def _terms(bone: bpy.types.Bone) -> dict[str, str]:
    """The parts of a joint's quaternion in the package's frame, in terms of its bone's: W, X, Y, Z."""
    # Columns of the rest matrix are the bone's axes in Blender's frame.
    to_blender_frame = np.array(bone.matrix_local.to_3x3())
    to_package = to_blender(np.eye(3)) @ to_blender_frame
    terms = {"w": "W"}
    for name, row in zip(("x", "y", "z"), to_package, strict=True):
        parts = [f"{v:+.5f}*{axis}" for v, axis in zip(row, ("X", "Y", "Z"), strict=True) if abs(v) > NEGLIGIBLE]
        terms[name] = f"({''.join(parts).lstrip('+')})"
    return terms


def _expression(terms: dict[str, str], entry: tuple[int, int]) -> str:
    one, first, other, second = ENTRIES[entry]
    products = [f"{terms[pair[0]]}*{terms[pair[1]]}" for pair in (first, second)]
    return f"2*({one if one == '-' else ''}{products[0]}{other}{products[1]})"


def _drive(key: bpy.types.ShapeKey, rig: bpy.types.Object, bone: str, expression: str) -> None:
    driver: Any = key.driver_add("value").driver
    for axis in ("W", "X", "Y", "Z"):
        if axis not in expression:
            continue
        variable = driver.variables.new()
        variable.name, variable.type = axis, "TRANSFORMS"
        target = variable.targets[0]
        target.id, target.bone_target = rig, bone
        target.transform_type = f"ROT_{axis}"
        target.transform_space = "LOCAL_SPACE"  # after constraints, as the mesh sees the bone
        target.rotation_mode = "QUATERNION"
    driver.expression = expression
