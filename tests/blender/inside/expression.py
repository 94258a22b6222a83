"""Expression operators: presets, mirror, random, keys, and the rig's controls over the shape keys."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

OPS = bpy.ops.likeness


@pytest.fixture(scope="module")
def imported(add_on: ModuleType, room: Path) -> Any:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    return importlib.import_module(f"{add_on.__name__}.scene.find")


@pytest.fixture
def head(imported: Any) -> Iterator[Any]:
    """The egg's head, put back afterwards."""
    found = imported.head_of(bpy.context)
    yield found
    OPS.face_controls(on=False)
    for owner in (found.mesh.data.shape_keys, found.rig):
        owner.animation_data_clear() if owner is not found.rig else None
    found.rig.animation_data.action = None
    OPS.expression_reset()


def value(head: Any, name: str) -> float:
    bpy.context.view_layer.update()
    return head.mesh.data.shape_keys.key_blocks[name].value


def weights(head: Any) -> dict[str, float]:
    return {k.name: round(k.value, 5) for k in head.mesh.data.shape_keys.key_blocks[1:] if k.value}


def test_found_by_whatever_is_active(imported: Any) -> None:
    for name in ("Egg", "Egg rig", "Egg photo wide"):
        bpy.context.view_layer.objects.active = bpy.data.objects[name]
        assert imported.head_of(bpy.context).mesh.name == "Egg"
    hat = bpy.data.objects.new("hat", None)
    bpy.context.scene.collection.objects.link(hat)
    assert imported.head_of_object(hat) is None
    hat.parent = bpy.data.objects["Egg"]
    assert imported.head_of_object(hat).mesh.name == "Egg"
    bpy.data.objects.remove(hat)


def test_preset_rules_its_part_of_the_face(head: Any) -> None:
    assert OPS.expression_preset(preset="SMILE") == {"FINISHED"}
    assert value(head, "mouthSmileLeft") == value(head, "mouthSmileRight") > 0.5
    OPS.expression_preset(preset="WINK_LEFT")
    assert value(head, "eyeBlinkLeft") == 1
    assert value(head, "eyeBlinkRight") == 0
    assert value(head, "mouthSmileLeft") > 0.5, "a wink leaves the mouth alone"
    OPS.expression_preset(preset="SURPRISE", strength=0.5)
    assert value(head, "eyeBlinkLeft") == value(head, "mouthSmileLeft") == 0
    assert 0.3 < value(head, "browInnerUp") < 0.5
    OPS.expression_preset(preset="NEUTRAL")
    assert not weights(head)


def test_every_preset_speaks_arkit(add_on: ModuleType, head: Any) -> None:
    presets = importlib.import_module(f"{add_on.__name__}.scene.expression_presets").PRESETS
    names = [k.name for k in head.mesh.data.shape_keys.key_blocks[1:]]
    assert {"SMILE", "SURPRISE", "SAD", "ANGRY", "BLINK"} <= set(presets)
    seen = set()
    for key, preset in presets.items():
        values = {n: v for n, v in preset.values(names).items() if v}
        both = {n.removesuffix("Left").removesuffix("Right") for n in values} | set(values)
        assert set(preset.weights) <= both, f"{key} has names that no head knows"
        assert all(0 < v <= 1 for v in values.values())
        assert tuple(sorted(values.items())) not in seen, f"{key} is another preset's twin"
        seen.add(tuple(sorted(values.items())))


def test_mirror(head: Any) -> None:
    OPS.expression_preset(preset="CONTEMPT")
    before = weights(head)
    OPS.expression_mirror(to="SWAP")
    assert value(head, "mouthRight") == pytest.approx(before["mouthLeft"])
    assert value(head, "mouthSmileRight") == pytest.approx(before["mouthSmileLeft"])
    assert value(head, "mouthSmileLeft") == 0
    OPS.expression_mirror(to="SWAP")
    assert weights(head) == before
    OPS.expression_mirror(to="RIGHT")
    assert value(head, "mouthSmileRight") == value(head, "mouthSmileLeft") > 0


def test_random_is_seeded_and_plausible(head: Any) -> None:
    OPS.expression_random("EXEC_DEFAULT", seed=5)
    first = weights(head)
    OPS.expression_reset()
    OPS.expression_random("EXEC_DEFAULT", seed=5)
    assert weights(head) == first
    faces = []
    for seed in range(30):
        OPS.expression_random("EXEC_DEFAULT", seed=seed)
        faces.append(weights(head))
        now = faces[-1]
        assert len(now) >= 3
        assert now.get("jawLeft", 0) * now.get("jawRight", 0) == 0
        assert abs(now.get("mouthSmileLeft", 0) - now.get("mouthSmileRight", 0)) < 0.4
    assert len({tuple(f.items()) for f in faces}) == 30
    OPS.expression_random("EXEC_DEFAULT", seed=5, strength=0.3)
    assert sum(weights(head).values()) < 0.5 * sum(first.values())


def test_reset_of_one_area(head: Any) -> None:
    OPS.expression_preset(preset="SURPRISE")
    OPS.expression_reset(area="brow")
    assert value(head, "browInnerUp") == 0
    assert value(head, "jawOpen") > 0


def test_keys_are_keyed_and_played(head: Any) -> None:
    scene = bpy.context.scene
    for frame, preset in ((1, "SMILE"), (11, "SAD")):
        scene.frame_set(frame)
        OPS.expression_preset(preset=preset)
        assert OPS.expression_key() == {"FINISHED"}
    scene.frame_set(1)
    assert value(head, "mouthSmileLeft") == pytest.approx(0.7)
    assert value(head, "mouthFrownLeft") == 0
    scene.frame_set(6)
    assert 0.2 < value(head, "mouthSmileLeft") < 0.5
    scene.frame_set(11)
    assert value(head, "mouthFrownLeft") == pytest.approx(0.7)


def test_controls_take_values_and_animation_along_both_ways(head: Any) -> None:
    scene, bone = bpy.context.scene, head.rig.pose.bones["head"]
    for frame, preset in ((1, "SMILE"), (11, "SAD")):
        scene.frame_set(frame)
        OPS.expression_preset(preset=preset)
        OPS.expression_key()
    truth = {}
    for frame in (1, 4, 11):
        scene.frame_set(frame)
        truth[frame] = weights(head)
    assert OPS.face_controls(on=True) == {"FINISHED"}
    assert len([k for k in bone.keys() if k in head.mesh.data.shape_keys.key_blocks]) == 53  # noqa: SIM118
    for state in (True, False):
        for frame, expected in truth.items():
            scene.frame_set(frame)
            now = weights(head)
            assert {k: pytest.approx(v, abs=1e-4) for k, v in expected.items()} == {k: now.get(k, 0) for k in expected}
        assert OPS.face_controls(on=not state) == {"FINISHED"}
        assert OPS.face_controls(on=not state) == {"FINISHED"}, "twice is once"
    assert "jawOpen" in bone, "the loop ended with the controls on"


def test_controls_drive_without_scripts(head: Any) -> None:
    OPS.face_controls(on=True)
    bone, drivers = head.rig.pose.bones["head"], head.mesh.data.shape_keys.animation_data.drivers
    assert len(drivers) == 53
    assert all(d.is_valid and d.driver.type == "AVERAGE" for d in drivers)
    bone["jawOpen"] = 0.6
    head.rig.update_tag()
    assert value(head, "jawOpen") == pytest.approx(0.6)
    OPS.expression_preset(preset="ANGRY")
    assert value(head, "browDownLeft") == pytest.approx(0.95)
    limits = bone.id_properties_ui("jawOpen").as_dict()
    assert (limits["min"], limits["max"]) == (0, 1)
    OPS.face_controls(on=False)
    assert value(head, "browDownLeft") == pytest.approx(0.95), "what the controls said stays"
    assert "jawOpen" not in bone
    head.mesh.data.shape_keys.key_blocks["browDownLeft"].value = 0.1
    assert value(head, "browDownLeft") == pytest.approx(0.1), "the keys are free again"


def test_needs_a_head(imported: Any) -> None:
    scene = bpy.data.scenes.new("empty")
    with bpy.context.temp_override(scene=scene, view_layer=scene.view_layers[0], object=None, active_object=None):
        assert imported.head_of(bpy.context) is None
        assert not OPS.expression_reset.poll()
        with pytest.raises(RuntimeError):
            OPS.expression_reset()
    bpy.data.scenes.remove(scene)


def test_found_after_saving_opening_and_appending(add_on: ModuleType, imported: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "egg.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.open_mainfile(filepath=path)
    bpy.context.view_layer.objects.active = bpy.data.objects["Egg"]
    found = imported.head_of(bpy.context)
    assert list(found.cameras) == ["egg (1).png", "wide.png", "flat.png"]
    assert set(found.lights) == set(found.cameras)
    assert len(found.actions) == 3 * (1 if bpy.app.version >= (4, 4, 0) else 2)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    for _ in range(2):
        with bpy.data.libraries.load(path) as (_, wanted):
            wanted.collections = ["Egg"]
        bpy.context.scene.collection.children.link(wanted.collections[0])
    assert imported.head_of(bpy.context) is None, "which of the two?"
    for mesh, rig in (("Egg", "Egg rig"), ("Egg.001", "Egg rig.001")):
        found = imported.head_of_object(bpy.data.objects[rig])
        assert (found.mesh.name, found.rig.name) == (mesh, rig)
        assert {c.users_collection[0].name for c in found.cameras.values()} == {"Egg photos" + mesh.removeprefix("Egg")}
    bpy.context.view_layer.objects.active = bpy.data.objects["Egg.001"]
    OPS.expression_preset(preset="SMILE")
    assert bpy.data.objects["Egg.001"].data.shape_keys.key_blocks["mouthSmileLeft"].value > 0.5
    assert bpy.data.objects["Egg"].data.shape_keys.key_blocks["mouthSmileLeft"].value == 0


def test_photos_expression_without_its_package(add_on: ModuleType, imported: Any) -> None:
    bpy.context.view_layer.objects.active = bpy.data.objects["Egg"]
    assert OPS.photo_camera(photo="egg (1).png") == {"FINISHED"}
    head = imported.head_of(bpy.context)
    assert weights(head) == {"jawOpen": 0.5, "mouthSmileLeft": 0.25}
    turned = np.array(head.rig.pose.bones["jaw"].rotation_euler)
    assert turned[0] == pytest.approx(0.2, abs=1e-4)
    assert bpy.context.scene.camera == head.cameras["egg (1).png"]
