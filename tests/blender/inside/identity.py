"""A head may come with the person's coefficients as keys; another shape's joints are then the model's own."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from mathutils import Matrix
from measure import EXTENSION, from_blender, posed_vertices
from recording import draw


@pytest.fixture(scope="module")
def head(add_on: ModuleType, room: Path) -> Any:
    """Two of the three coefficients as keys; bones free of limits."""
    done = bpy.ops.likeness.import_avatar(filepath=str(room / "Bending.likeness"), shapes=2)
    assert done == {"FINISHED"}
    built = importlib.import_module(f"{EXTENSION}.scene.find").head_of(bpy.context)
    for bone in built.rig.pose.bones:
        for constraint in bone.constraints:
            constraint.mute = True
    return built


@pytest.fixture(scope="module")
def package(add_on: ModuleType, room: Path) -> Any:
    reader = importlib.import_module(f"{EXTENSION}.link.package")
    with reader.open_package(room / "Bending.likeness") as opened:
        return opened


@pytest.fixture(scope="module")
def numbers(room: Path) -> Any:
    return np.load(room / "bending.npz")


def keys(head: Any) -> Any:
    return head.mesh.data.shape_keys.key_blocks


def take(head: Any, package: Any, pose: np.ndarray, view: Any) -> None:
    """Pose and expression."""
    turn = importlib.import_module(f"{EXTENSION}.scene.rig").pose_rotation
    importlib.import_module(f"{EXTENSION}.scene.views").apply_view(head.mesh, head.rig, package, view)
    for joint, rotation in zip(package.joints, pose, strict=True):
        bone = head.rig.pose.bones[joint.name]
        bone.rotation_mode = "QUATERNION"
        bone.matrix_basis = Matrix(np.array(turn(bone.bone, rotation)).tolist()).to_4x4()


def farthest(head: Any, vertices: np.ndarray) -> float:
    return float(np.linalg.norm(from_blender(posed_vertices(head.mesh)) - vertices, axis=1).max())


def test_the_basis_is_the_mean_head_and_the_keys_make_the_person(head: Any, package: Any) -> None:
    person = package.identity
    assert [k.name for k in keys(head) if k.name.startswith("FLAME shape")] == ["FLAME shape 000", "FLAME shape 001"]
    assert [keys(head)[n].value for n in person.names[:2]] == pytest.approx(person.weights[:2])
    assert farthest(head, package.vertices) < 2e-6
    basis = np.array([tuple(p.co) for p in keys(head)[0].data])
    mean = package.vertices - np.tensordot(person.weights[:2], person.deltas[:2], 1)
    assert np.abs(from_blender(basis) - mean).max() < 2e-6
    assert np.abs(mean - package.vertices).max() > 2e-3


def test_they_are_no_expressions(head: Any, package: Any) -> None:
    before = {k.name: k.value for k in keys(head) if "shape" in k.name}
    bpy.ops.likeness.expression_random(seed=3)
    bpy.ops.likeness.expression_mirror()
    bpy.ops.likeness.expression_reset()
    importlib.import_module(f"{EXTENSION}.scene.views").rest(head.mesh, head.rig)
    assert {k.name: k.value for k in keys(head) if "shape" in k.name} == before


def test_posed_as_the_model_says(head: Any, package: Any, numbers: Any) -> None:
    take(head, package, numbers["pose"][0], package.views[0])
    assert farthest(head, numbers["vertices"][0]) < 2e-5


def test_another_person_bends_about_its_own_joints(head: Any, package: Any, numbers: Any) -> None:
    """Shape keys alone leave the bones behind; with them fitted, the head is the model's to 0.02 mm."""
    for name, weight in zip(package.identity.names, numbers["other_weights"], strict=False):
        keys(head)[name].value = float(weight)
    take(head, package, numbers["pose"][0], package.views[0])
    assert farthest(head, numbers["other"]) > 1e-3
    assert bpy.ops.likeness.fit_bones() == {"FINISHED"}
    for joint, place in zip(package.joints, numbers["other_joints"], strict=True):
        bone = head.rig.data.bones[joint.name]
        assert np.abs(from_blender(np.array([bone.head_local])) - place).max() < 1e-5
    assert farthest(head, numbers["other"]) < 2e-5


def test_back_to_the_person(head: Any, package: Any, numbers: Any) -> None:
    assert bpy.ops.likeness.identity(to="MEAN") == {"FINISHED"}
    assert keys(head)["FLAME shape 001"].value == 0
    assert bpy.ops.likeness.identity(to="PERSON") == {"FINISHED"}
    take(head, package, numbers["pose"][1], package.views[0])
    assert farthest(head, numbers["vertices"][1]) < 2e-5


def test_from_pose_mode_too(head: Any) -> None:
    bpy.context.view_layer.objects.active = head.rig
    bpy.ops.object.mode_set(mode="POSE")
    assert bpy.ops.likeness.fit_bones() == {"FINISHED"}
    assert head.rig.mode == "POSE"
    bpy.ops.object.mode_set(mode="OBJECT")


def test_sliders_of_the_identity(head: Any) -> None:
    module = importlib.import_module(f"{EXTENSION}.ui.identity")
    bpy.context.view_layer.objects.active = head.mesh
    assert module.LIKENESS_PT_identity.poll(bpy.context)
    drawn = draw(module.LIKENESS_PT_identity)
    assert drawn.operators.count("likeness.identity") == 2
    assert "likeness.fit_bones" in drawn.operators
    assert "FLAME shape 001" in drawn.said


def test_a_frozen_person_has_none(add_on: ModuleType, room: Path) -> None:
    bpy.ops.likeness.import_avatar(filepath=str(room / "Bending.likeness"))
    built = importlib.import_module(f"{EXTENSION}.scene.find").head_of(bpy.context)
    assert not [k.name for k in keys(built) if k.name.startswith("FLAME shape")]
    assert not importlib.import_module(f"{EXTENSION}.ui.identity").LIKENESS_PT_identity.poll(bpy.context)
    assert not bpy.ops.likeness.fit_bones.poll()
