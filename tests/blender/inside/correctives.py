"""Bones bend a head as its model does: skinning and pose correctives, whatever the bone's rotation mode."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from measure import from_blender, posed_vertices


@pytest.fixture(scope="module")
def head(add_on: ModuleType, room: Path) -> Any:
    """A head with correctives in its photo's expression, its bones free of limits."""
    reader = importlib.import_module(f"{add_on.__name__}.link.package")
    scene = importlib.import_module(f"{add_on.__name__}.scene")
    views = importlib.import_module(f"{add_on.__name__}.scene.views")
    with reader.open_package(room / "Bending.likeness") as package:
        built = scene.build(package, studio=False)
        views.apply_view(built.mesh, built.rig, package, package.views[0])
        names = [j.name for j in package.joints]
    for bone in built.rig.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
    return built, names


@pytest.fixture(scope="module")
def poses(room: Path) -> Any:
    return np.load(room / "bending.npz")


@pytest.mark.parametrize("mode", ["XYZ", "QUATERNION", "ZXY"])
def test_200_random_poses(add_on: ModuleType, head: Any, poses: Any, mode: str) -> None:
    turn = importlib.import_module(f"{add_on.__name__}.scene.rig").pose_rotation
    built, names = head
    worst = 0.0
    for pose, vertices in list(zip(poses["pose"], poses["vertices"], strict=True))[:: 1 if mode == "XYZ" else 20]:
        for name, rotation in zip(names, pose, strict=True):
            bone = built.rig.pose.bones[name]
            bone.rotation_mode = mode
            bone.matrix_basis = Matrix(np.array(turn(bone.bone, rotation)).tolist()).to_4x4()
        worst = max(worst, float(np.linalg.norm(from_blender(posed_vertices(built.mesh)) - vertices, axis=1).max()))
    print(f"worst vertex {1000 * worst:.5f} mm")
    assert worst < 2e-5


def test_keys_and_their_drivers(head: Any) -> None:
    built, _ = head
    keys = built.mesh.data.shape_keys
    names = [k.name for k in keys.key_blocks if k.name.startswith("FLAME pose")]
    assert len(names) == 26  # an entry without displacement has no key
    assert "FLAME pose neck 11" not in names
    assert {"FLAME pose neck 00", "FLAME pose jaw 21", "FLAME pose eye.L 22"} <= set(names)
    curves = [c for c in keys.animation_data.drivers if "FLAME pose" in c.data_path]
    assert len(curves) == len(names)
    # Blender evaluates simple expressions without asking whether scripts may run.
    assert all(c.driver.is_valid and c.driver.is_simple_expression for c in curves)


def test_range_of_an_expression_below_zero(head: Any) -> None:
    key = head[0].mesh.data.shape_keys.key_blocks["FLAME exp 000"]
    assert (key.slider_min, key.slider_max, key.value) == (-3, 3, -1.5)


def test_a_photos_camera_remembers_weights_below_zero(add_on: ModuleType, head: Any) -> None:
    built, _ = head
    key = built.mesh.data.shape_keys.key_blocks["FLAME exp 000"]
    key.value = 0
    (camera,) = built.cameras.values()
    importlib.import_module(f"{add_on.__name__}.scene.views").apply_photo(built, camera)
    assert key.value == -1.5


def test_correctives_follow_the_limits_of_bones(head: Any) -> None:
    """What a constraint takes off a bone is not in the correctives either."""
    built, _ = head
    bone = built.rig.pose.bones["jaw"]
    for other in built.rig.pose.bones:
        other.matrix_basis.identity()
    limit = bone.constraints["Limit Rotation"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler = (0, 0.6, 0)

    def largest(muted: bool) -> float:
        limit.mute = muted
        bpy.context.view_layer.update()
        keys = built.mesh.data.shape_keys.key_blocks
        return max(abs(k.value) for k in keys if k.name.startswith("FLAME pose jaw"))

    free, limited = largest(True), largest(False)
    limit.mute = True
    assert 0 < limited < 0.6 * free
