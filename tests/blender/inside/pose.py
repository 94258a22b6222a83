"""Pose operators: the eyes follow a target as far as they can turn."""

import importlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Vector

OPS = bpy.ops.likeness
FARTHEST = math.radians(46)


@pytest.fixture(scope="module")
def find(add_on: ModuleType, room: Path) -> Any:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    return importlib.import_module(f"{add_on.__name__}.scene.find")


@pytest.fixture
def head(find: Any) -> Iterator[Any]:
    yield find.head_of(bpy.context)
    OPS.look_at(on=False)
    OPS.pose_reset()


def gaze(head: Any, side: str) -> tuple[Vector, Vector]:
    """An eye's centre and the direction in which it looks, in the world."""
    bpy.context.view_layer.update()
    bone = head.rig.evaluated_get(bpy.context.evaluated_depsgraph_get()).pose.bones[f"eye.{side}"]
    matrix = head.rig.matrix_world @ bone.matrix
    return matrix.translation, (matrix.to_3x3() @ Vector((0, 1, 0))).normalized()


@pytest.mark.parametrize("place", [(0.0, -0.6, 0.15), (0.1, -0.4, 0.2), (-0.15, -0.5, 0.05)])
def test_both_eyes_look_at_the_target(find: Any, head: Any, place: tuple[float, float, float]) -> None:
    assert OPS.look_at(on=True) == {"FINISHED"}
    target = find.head_of(bpy.context).target
    assert target.parent == head.rig
    target.location = place
    for side in "LR":
        centre, direction = gaze(head, side)
        assert direction.angle(target.matrix_world.translation - centre) < math.radians(1.5)


def test_they_converge(find: Any, head: Any) -> None:
    OPS.look_at(on=True)
    find.head_of(bpy.context).target.location = (0.0, -0.2, 0.135)
    (_, left), (_, right) = gaze(head, "L"), gaze(head, "R")
    assert left.x < -0.1 < 0.1 < right.x


def test_they_stop_at_their_limits(find: Any, head: Any) -> None:
    rest = gaze(head, "L")[1]
    OPS.look_at(on=True)
    find.head_of(bpy.context).target.location = (1.0, 0.2, 0.15)
    for side in "LR":
        assert math.radians(20) < gaze(head, side)[1].angle(rest) < FARTHEST


def test_half_a_follow_and_the_end_of_it(find: Any, head: Any) -> None:
    rest = gaze(head, "R")[1]
    OPS.look_at(on=True)
    target = find.head_of(bpy.context).target
    target.location = (0.2, -0.4, 0.135)
    full = gaze(head, "R")[1].angle(rest)
    target["follow"] = 0.5
    target.update_tag()
    assert 0.3 * full < gaze(head, "R")[1].angle(rest) < 0.7 * full
    OPS.look_at(on=False)
    assert find.head_of(bpy.context).target is None
    assert gaze(head, "R")[1].angle(rest) < 1e-3
    assert [c.type for c in head.rig.pose.bones["eye.R"].constraints] == ["LIMIT_ROTATION"]
    assert not [o for o in bpy.data.objects if o.name.endswith("look at")]


def test_reset_and_key(find: Any, head: Any) -> None:
    OPS.look_at(on=True)
    target, bone = find.head_of(bpy.context).target, head.rig.pose.bones["head"]
    ahead = target.location.copy()
    target.location.x += 0.3
    bone.rotation_euler = (0.1, 0.2, 0.3)
    bone.location = (0.01, 0, 0)
    assert OPS.pose_key() == {"FINISHED"}
    assert OPS.pose_reset() == {"FINISHED"}
    np.testing.assert_allclose([*bone.rotation_euler, *bone.location], 0, atol=1e-7)
    np.testing.assert_allclose(target.location, ahead, atol=1e-6)
    bpy.context.scene.frame_set(bpy.context.scene.frame_current)
    np.testing.assert_allclose(bone.rotation_euler, (0.1, 0.2, 0.3), atol=1e-6)
    assert target.location.x == pytest.approx(ahead.x + 0.3)
    head.rig.animation_data.action = None
    target.animation_data_clear()


def test_the_target_goes_with_the_head(find: Any, head: Any, room: Path) -> None:
    """Importing the avatar again leaves no second target behind."""
    OPS.look_at(on=True)
    OPS.import_avatar(filepath=str(room / "Egg.likeness"))
    assert find.head_of(bpy.context).target is None
    assert not [o for o in bpy.data.objects if "look at" in o.name]
