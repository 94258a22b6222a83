"""Bones and keys move the head as the backend says, and jaw bone and `jawOpen` share one opening."""

import importlib
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from measure import from_blender, posed_vertices


@pytest.fixture(scope="module")
def package(add_on: ModuleType, room: Path) -> Iterator[Any]:
    reader = importlib.import_module(f"{add_on.__name__}.link.package")
    with reader.open_package(room / "Egg.likeness") as opened:
        yield opened


@pytest.fixture(scope="module")
def built(add_on: ModuleType, package: Any) -> Any:
    return importlib.import_module(f"{add_on.__name__}.scene").build(package, studio=False)


@pytest.fixture
def head(add_on: ModuleType, built: Any) -> Iterator[Any]:
    """The head at rest, put back afterwards."""
    yield built
    importlib.import_module(f"{add_on.__name__}.scene.views").rest(built.mesh, built.rig)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_photos_expression_and_pose(
    add_on: ModuleType, head: Any, package: Any, expected: dict[str, np.ndarray], index: int
) -> None:
    views = importlib.import_module(f"{add_on.__name__}.scene.views")
    views.apply_view(head.mesh, head.rig, package, package.views[index])
    np.testing.assert_allclose(from_blender(posed_vertices(head.mesh)), expected[f"posed_{index}"], atol=2e-6)


def test_a_photos_action(head: Any, expected: dict[str, np.ndarray]) -> None:
    actions = [a for a in head.actions if a.name.startswith("photo egg")]
    assert all(a.use_fake_user for a in actions)
    keys = head.mesh.data.shape_keys
    for owner, action, slot in ((head.rig, actions[0], "OB"), (keys, actions[-1], "KE")):
        owner.animation_data.action = action
        if bpy.app.version >= (4, 4, 0):  # one action for both; before, one each
            owner.animation_data.action_slot = next(s for s in action.slots if s.identifier.startswith(slot))
    bpy.context.scene.frame_set(1)
    try:
        np.testing.assert_allclose(from_blender(posed_vertices(head.mesh)), expected["posed_0"], atol=2e-6)
    finally:
        for owner in (head.rig, keys):
            owner.animation_data.action = None


def chin(head: Any, expected: dict[str, np.ndarray]) -> np.ndarray:
    """A vertex that only the jaw moves, (3,) metres in the package's frame."""
    group = head.mesh.vertex_groups["jaw"].index
    firm = [v.index for v in head.mesh.data.vertices if any(g.group == group and g.weight > 0.99 for g in v.groups)]
    foremost = max(firm, key=lambda v: expected["vertices"][v, 2])
    return from_blender(posed_vertices(head.mesh))[foremost]


def test_jaw_bone_and_key_share_one_opening(head: Any, expected: dict[str, np.ndarray]) -> None:
    key = head.mesh.data.shape_keys.key_blocks["jawOpen"]
    bone = head.rig.pose.bones["jaw"]
    rest = chin(head, expected)
    key.value = 1.0
    by_key = chin(head, expected)
    assert by_key[1] < rest[1] - 0.015
    bone.rotation_euler.x = 0.5
    np.testing.assert_allclose(chin(head, expected), by_key, atol=1e-5, err_msg="the mouth opened twice")
    key.value = 0.0
    by_bone = chin(head, expected)
    assert by_bone[1] < rest[1] - 0.01
    bone.rotation_euler.x = 2.0
    np.testing.assert_allclose(chin(head, expected), by_bone, atol=0.02, err_msg="the jaw has no limit")
    key.value = 0.5
    half = chin(head, expected)
    assert half[1] > min(by_bone[1], by_key[1]) - 0.006


def test_limit_needs_no_script_permission(head: Any) -> None:
    (curve,) = head.rig.animation_data.drivers
    assert curve.data_path == 'pose.bones["jaw"].constraints["Limit Rotation"].max_x'
    assert curve.driver.is_valid
    assert curve.driver.is_simple_expression


@pytest.mark.parametrize("side", ["L", "R"])
def test_eye_bones(head: Any, expected: dict[str, np.ndarray], side: str) -> None:
    bone = head.rig.pose.bones[f"eye.{side}"]
    region = {"L": 1, "R": 2}[side]
    eye = np.unique(expected["polygons"][expected["region"] == region])
    eye = eye[eye >= 0]
    rest = from_blender(posed_vertices(head.mesh))
    centre = rest[eye].mean(0)
    pupil = eye[np.argmax(rest[eye, 2])]
    gaze = rest[pupil] - centre

    for axis, turned in (
        (0, [0, -math.sin(0.3), math.cos(0.3)]),
        (2, None),
    ):
        bone.rotation_euler = (0, 0, 0)
        bone.rotation_euler[axis] = 0.3
        now = from_blender(posed_vertices(head.mesh))
        direction = (now[pupil] - now[eye].mean(0)) / np.linalg.norm(gaze)
        if turned:
            np.testing.assert_allclose(direction, turned, atol=1e-3)  # it looks down
        else:
            assert abs(abs(direction[0]) - math.sin(0.3)) < 1e-3
            assert abs(direction[1]) < 1e-3
        np.testing.assert_allclose(now[eye].mean(0), centre, atol=1e-5)
        others = np.setdiff1d(np.arange(len(rest)), eye)
        np.testing.assert_array_equal(now[others], rest[others])


def test_head_bone_carries_all_of_the_head(head: Any) -> None:
    rest = from_blender(posed_vertices(head.mesh))
    head.rig.pose.bones["head"].rotation_euler.y = 0.5
    moved = np.linalg.norm(from_blender(posed_vertices(head.mesh)) - rest, axis=1)
    assert moved[rest[:, 1] > 0.12].max() > 0.02
    neck = head.mesh.vertex_groups["neck"].index
    still = [v.index for v in head.mesh.data.vertices if any(g.group == neck and g.weight > 0.999 for g in v.groups)]
    assert len(still) > 5
    assert moved[still].max() < 1e-5


def test_skin_around_lids_is_thin(add_on: ModuleType, package: Any, built: Any) -> None:
    mesh_module = importlib.import_module(f"{add_on.__name__}.scene.mesh")
    slots = dict.fromkeys((name for _, name in package.regions), built.mesh.data.materials[0])

    def thin(groups: list[str]) -> np.ndarray:
        head = mesh_module.make_mesh(replace(package, groups=groups), slots)
        values = np.empty(len(head.data.vertices), np.float32)
        head.data.attributes[mesh_module.THIN_ATTRIBUTE].data.foreach_get("value", values)
        bpy.data.meshes.remove(head.data)
        return values

    assert not thin(package.groups).any()
    first = thin(["eyelids", *package.groups[1:]])
    vertex, weight = package.group.row(0)
    lids = package.vertices[vertex[weight > 0.5]]
    away = np.linalg.norm(package.vertices[:, None] - lids, axis=2).min(1)
    assert (first[away < mesh_module.NEAR] == 1).all()
    assert not first[away > mesh_module.FAR].any()
    assert len(np.unique(first)) > 2
