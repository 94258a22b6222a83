"""Studio operators: light set-ups, cameras, the portrait in a scene of its own."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from measure import load

OPS = bpy.ops.likeness


@pytest.fixture(scope="module")
def find(add_on: ModuleType, room: Path) -> Any:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    return importlib.import_module(f"{add_on.__name__}.scene.find")


def test_no_studio_until_asked(find: Any) -> None:
    assert find.head_of(bpy.context).studio is None
    assert OPS.lighting(setup="SOFT") == {"FINISHED"}
    studio = find.head_of(bpy.context).studio
    assert [light["likeness_role"] for light in studio.lights] == ["light key", "light fill", "light rim"]
    assert bpy.context.scene.camera is None, "light alone does not take the camera over"
    assert OPS.studio() == {"FINISHED"}
    assert bpy.context.scene.camera == studio.camera
    assert bpy.context.scene.render.engine == "CYCLES"


def test_three_lights_differ(find: Any, tmp_path: Path) -> None:
    shots = {}
    for setup in ("SOFT", "DRAMATIC", "OUTDOOR"):
        OPS.lighting(setup=setup)
        path = tmp_path / f"{setup}.png"
        assert OPS.render_portrait(height=160, samples=8, filepath=str(path)) == {"FINISHED"}
        shots[setup] = load(path)[..., :3]
        assert shots[setup].shape == (160, 120, 3)
        assert len(find.head_of(bpy.context).studio.lights) == {"OUTDOOR": 2}.get(setup, 3)
    assert len([o for o in bpy.data.objects if o.type == "LIGHT"]) == 2
    assert len(bpy.data.lights) == 2, "no lamp is left behind"
    # The key stands to the person's left, the picture's right.
    sides = {k: s[60:110, 66:84].mean() / s[60:110, 36:54].mean() for k, s in shots.items()}
    assert sides["DRAMATIC"] > 1.1 * sides["SOFT"]
    assert sides["SOFT"] > 1.02
    corner = {k: s[:12, :12].mean((0, 1)) for k, s in shots.items()}
    assert corner["DRAMATIC"].mean() < corner["SOFT"].mean() < corner["OUTDOOR"].mean()
    assert corner["OUTDOOR"][1] > corner["OUTDOOR"][0], "green"
    for shot in shots.values():
        assert 0.1 < shot[60:110, 66:84].mean() < 0.95
        assert (shot.max(2) > 0.999).mean() < 0.02


def test_the_portrait_changes_nothing(find: Any, tmp_path: Path) -> None:
    scene = bpy.context.scene
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.camera, scene.world = None, None
    scene.render.resolution_x = 77
    OPS.expression_preset(preset="SMILE")
    cube = bpy.data.objects.new("cube", bpy.data.meshes.new("cube"))
    scene.collection.objects.link(cube)
    scenes, images = len(bpy.data.scenes), {i.name for i in bpy.data.images if i.source == "FILE"}
    path = tmp_path / "new" / "face.png"
    assert OPS.render_portrait(height=96, samples=2, filepath=str(path)) == {"FINISHED"}
    assert load(path)[..., :3].shape == (96, 72, 3)
    assert [p.name for p in path.parent.iterdir()] == ["face.png"]
    assert (scene.render.engine, scene.camera, scene.world) == ("BLENDER_WORKBENCH", None, None)
    assert scene.render.resolution_x == 77
    assert len(bpy.data.scenes) == scenes
    assert bpy.data.objects["Egg"].data.shape_keys.key_blocks["mouthSmileLeft"].value > 0.5
    assert {i.name for i in bpy.data.images if i.source == "FILE"} - images <= {"Egg portrait"}
    image = bpy.data.images["Egg portrait"]
    assert image.packed_file
    assert tuple(image.size) == (72, 96)
    assert OPS.render_portrait(height=64, samples=1) == {"FINISHED"}
    assert tuple(bpy.data.images["Egg portrait"].size) == (48, 64)
    assert "Egg portrait.001" not in bpy.data.images


def test_only_what_belongs_to_the_head_is_in_the_picture(add_on: ModuleType, find: Any, tmp_path: Path) -> None:
    """Blender's first cube would swallow the head; a hat that hangs on it is wanted."""
    portrait = importlib.import_module(f"{add_on.__name__}.scene.portrait")
    bpy.ops.mesh.primitive_cube_add()
    cube = bpy.context.object
    hat = bpy.data.objects.new("hat", bpy.data.meshes.new("hat"))
    bpy.context.scene.collection.objects.link(hat)
    head = find.head_of_object(bpy.data.objects["Egg"])
    hat.parent = head.mesh
    for everything, expected in ((False, {hat}), (True, {hat, cube})):
        with portrait.portrait_scene(bpy.context.scene, head, height=32, samples=1, everything=everything) as room:
            assert set(room.objects) & {hat, cube} == expected
            assert head.mesh in set(room.objects)
    bpy.data.objects.remove(cube)
    bpy.data.objects.remove(hat)


def test_unwritable_portrait(find: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    scenes = len(bpy.data.scenes)
    with pytest.raises(RuntimeError, match="not rendered"):
        OPS.render_portrait(height=32, samples=1, filepath=str(tmp_path / "file" / "x.png"))
    assert len(bpy.data.scenes) == scenes


def test_photos_cameras(find: Any) -> None:
    scene = bpy.context.scene
    OPS.expression_reset()
    assert OPS.photo_camera(photo="wide.png", light=True, expression=False) == {"FINISHED"}
    head = find.head_of(bpy.context)
    assert scene.camera == head.cameras["wide.png"]
    assert (scene.render.resolution_x, scene.render.resolution_y) == (160, 100)
    assert scene.world == head.lights["wide.png"]
    assert scene.camera.data.background_images[0].image.size[:] == (160, 100)
    assert head.mesh.data.shape_keys.key_blocks["jawOpen"].value == 0
    OPS.photo_camera()
    assert scene.camera == head.cameras["egg (1).png"]
    assert head.mesh.data.shape_keys.key_blocks["jawOpen"].value == pytest.approx(0.5)
    with pytest.raises(RuntimeError, match="no photo absent"):
        OPS.photo_camera(photo="absent.png")
    OPS.pose_reset()
    OPS.expression_reset()


def test_the_studio_stands_where_the_head_stands(find: Any) -> None:
    head = find.head_of_object(bpy.data.objects["Egg"])
    OPS.lighting(setup="SOFT")
    near = np.array(find.head_of(bpy.context).studio.lights[0].matrix_world.translation)
    head.rig.location = (1.0, 2.0, 0.5)
    bpy.context.view_layer.update()
    OPS.lighting(setup="SOFT")
    moved = np.array(find.head_of(bpy.context).studio.lights[0].matrix_world.translation)
    np.testing.assert_allclose(moved - near, (1.0, 2.0, 0.5), atol=1e-5)
    head.rig.location = (0, 0, 0)
    bpy.context.view_layer.update()
