"""Head and expressions as assets: previews, and poses that move the face of another file's head."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

OPS = bpy.ops.likeness


@pytest.fixture(scope="module")
def find(add_on: ModuleType, room: Path) -> Any:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    return importlib.import_module(f"{add_on.__name__}.scene.find")


def picture(thing: Any) -> np.ndarray:
    width, height = thing.preview.image_size
    pixels = np.empty(width * height * 4, np.float32)
    thing.preview.image_pixels_float.foreach_get(pixels)
    return pixels.reshape(height, width, 4)[..., :3]


def apply(rig: bpy.types.Object, action: bpy.types.Action) -> None:
    rig.pose.apply_pose_from_action(action)
    rig.update_tag()
    bpy.context.view_layer.update()


def test_head(find: Any) -> None:
    assert OPS.mark_head(samples=4) == {"FINISHED"}
    collection = bpy.data.collections["Egg"]
    assert collection.asset_data is not None
    assert "Reconstructed" in collection.asset_data.description or "[ 1,  2 ]" in collection.asset_data.description
    assert collection.asset_data.license == "CC0-1.0"
    assert "likeness" in [t.name for t in collection.asset_data.tags]
    shown = picture(collection)
    assert shown.shape == (256, 256, 3)
    assert shown.std() > 0.05
    middle = shown[100:160, 100:156].mean((0, 1))
    assert middle[0] > middle[2] + 0.05, "skin in the middle"


@pytest.fixture(scope="module")
def actions(find: Any) -> dict[str, Any]:
    OPS.expression_preset(preset="KISS")
    assert OPS.mark_expressions(previews=False) == {"FINISHED"}
    return {a.name: a for a in bpy.data.actions if a.asset_data}


def test_poses_move_the_face(find: Any, actions: dict[str, Any]) -> None:
    assert {"Smile", "Surprise", "Sad", "Angry", "Blink", "Neutral"} <= set(actions)
    head = find.head_of(bpy.context)
    keys = head.mesh.data.shape_keys.key_blocks
    bpy.context.view_layer.update()
    assert keys["mouthPucker"].value > 0.5, "the expression stayed while the assets were made"
    apply(head.rig, actions["Smile"])
    assert keys["mouthSmileLeft"].value == pytest.approx(0.7)
    assert keys["mouthPucker"].value == 0
    apply(head.rig, actions["Blink"])
    assert keys["eyeBlinkLeft"].value == 1
    assert keys["mouthSmileLeft"].value == pytest.approx(0.7), "a blink leaves the smile"
    apply(head.rig, actions["Neutral"])
    assert all(k.value == 0 for k in keys[1:])


def test_no_pose_is_assigned(find: Any, actions: dict[str, Any]) -> None:
    animation = find.head_of(bpy.context).rig.animation_data
    assert animation.action is None
    assert all(a.use_fake_user for a in actions.values())


def test_made_anew_without_doubles(find: Any, actions: dict[str, Any]) -> None:
    before = len(bpy.data.actions)
    OPS.mark_expressions(previews=False)
    assert len(bpy.data.actions) == before
    assert "Smile" in bpy.data.actions
    assert "Smile.001" not in bpy.data.actions


def test_previews_show_the_expression(add_on: ModuleType, find: Any) -> None:
    assets = importlib.import_module(f"{add_on.__name__}.scene.assets")
    presets = importlib.import_module(f"{add_on.__name__}.scene.expression_presets").PRESETS
    few = {key: presets[key] for key in ("NEUTRAL", "SHOUT")}
    head, heard = find.head_of(bpy.context), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assets, "PRESETS", few)
        made = assets.mark_expressions(bpy.context.scene, head, samples=8, progress=heard.append)
    assert heard == [0.5, 1.0]
    neutral, shout = (picture(a) for a in made)
    assert neutral.shape == (128, 128, 3)
    assert neutral.std() > 0.05
    assert np.abs(neutral - shout).max() > 0.1
    assert head.mesh.modifiers["Subdivision"].show_render
    assert [s.name for s in bpy.data.scenes] == ["Scene"]


def test_in_another_file(add_on: ModuleType, find: Any, room: Path, tmp_path: Path) -> None:
    """A head dragged in from a library, and a pose from that library, work together."""
    path = str(tmp_path / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=path)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    with bpy.data.libraries.load(path, assets_only=True) as (there, wanted):
        assert there.collections == ["Egg"]
        assert "Smile" in there.actions
        wanted.collections, wanted.actions = ["Egg"], ["Surprise"]
    bpy.context.scene.collection.children.link(wanted.collections[0])
    bpy.context.view_layer.objects.active = bpy.data.objects["Egg"]
    head = find.head_of(bpy.context)
    apply(head.rig, wanted.actions[0])
    assert head.mesh.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.4)
    assert OPS.face_controls(on=False) == {"FINISHED"}


def test_imported_again(find: Any, room: Path) -> None:
    """A new head of that name takes the place of all of it, assets too."""
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    assert not [a.name for a in bpy.data.actions if a.asset_data]
    assert [o.name for o in bpy.data.objects if o.type == "MESH"] == ["Egg"]
