"""Turntable, quality presets and a photo's light: what turns, what stays as it was, and which files are written."""

import importlib
import math
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from measure import load

OPS = bpy.ops.likeness
SMALL = {"quality": "CUSTOM", "height": 64, "samples": 2, "fps": 12}


@pytest.fixture(scope="module")
def find(add_on: ModuleType, room: Path) -> Any:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness"), studio=True) == {"FINISHED"}
    return importlib.import_module(f"{add_on.__name__}.scene.find")


def head(find: Any) -> Any:
    return find.head_of_object(bpy.data.objects["Egg"])


def turntable() -> Any:
    return bpy.data.scenes["Egg turntable"]


def part(scene: Any, name: str) -> Any:
    """The turntable's own copy of an object of the studio."""
    (stage,) = [c for c in scene.collection.children if c.name.startswith("Egg turntable")]
    return next(o for o in stage.objects if o.name.startswith(name))


def at(scene: Any, thing: Any, frame: int) -> np.ndarray:
    """Where an object is about the axis: degrees to the person's left of the face."""
    scene.frame_set(frame)
    graph = scene.view_layers[0].depsgraph
    graph.update()
    place = bpy.data.objects["Egg turntable"].matrix_world.translation
    x, y, _ = thing.evaluated_get(graph).matrix_world.translation - place
    return np.degrees(math.atan2(x, -y))


def turned(angle: float) -> float:
    return (angle + 180) % 360 - 180


def test_the_light_goes_round(find: Any) -> None:
    scene = bpy.context.scene
    keyed = {o.name for o in bpy.data.objects if o.animation_data}
    assert OPS.turntable(turning="LIGHT", frames=8, **SMALL) == {"FINISHED"}
    room = turntable()
    assert (room.frame_start, room.frame_end, room.render.fps) == (1, 8, 12)
    assert (room.render.resolution_x, room.render.resolution_y, room.cycles.samples) == (48, 64, 2)
    key, fill = part(room, "Egg key"), part(room, "Egg fill")
    first = at(room, key, 1)
    assert first == pytest.approx(38, abs=8)
    for frame in (3, 5, 9):
        assert turned(at(room, key, frame) - first) == pytest.approx(turned(45 * (frame - 1)), abs=0.1)
    assert at(room, fill, 5) == pytest.approx(at(room, fill, 1), abs=1e-3)
    assert bpy.context.scene == scene
    assert {o.name for o in bpy.data.objects if o.animation_data} == keyed | {"Egg turntable"}
    assert at(scene, head(find).studio.lights[0], 5) == pytest.approx(first, abs=1e-3)


def test_only_what_is_to_be_seen_is_in_the_scene(find: Any) -> None:
    room = turntable()
    shown = {o.name for o in room.view_layers[0].objects}
    assert {"Egg", "Egg rig"} <= shown
    studio = head(find).studio
    assert not shown & {o.name for o in (studio.camera, studio.backdrop, *studio.lights)}
    assert room.camera.name in shown
    assert find.heads_in(room)[0].mesh == head(find).mesh


def test_the_head_turns_once(find: Any, tmp_path: Path) -> None:
    """Whatever stands around it goes the other way; an earlier turntable is replaced."""
    folder = tmp_path / "new" / "turn"
    scenes = len(bpy.data.scenes)
    assert OPS.turntable(turning="HEAD", frames=4, folder=str(folder), **SMALL) == {"FINISHED"}
    assert len(bpy.data.scenes) == scenes
    assert len([o for o in bpy.data.objects if o.name.startswith("Egg turntable")]) == 1
    room = turntable()
    for name in ("Egg portrait", "Egg key", "Egg rim", "Egg backdrop"):
        thing = part(room, name)
        assert turned(at(room, thing, 2) - at(room, thing, 1)) == pytest.approx(-90, abs=0.1), name
    shots = sorted(folder.iterdir())
    assert [p.name for p in shots] == [f"Egg turntable {i:04}.png" for i in range(1, 5)]
    front, left, back, _ = (load(p)[..., :3] for p in shots)
    assert front.shape == (64, 48, 3)
    assert np.abs(front - left).mean() > 0.005
    # An egg has a face before, and none behind; its outline stays about where it is.
    assert np.abs(front[24:44, 14:34] - back[24:44, 14:34]).mean() > 0.01
    assert np.abs(front[:6] - back[:6]).mean() < 0.02


def test_pictures_are_not_replaced_unasked(find: Any, tmp_path: Path) -> None:
    taken = tmp_path / "Egg turntable 0002.png"
    taken.write_text("mine")
    before = turntable()
    with pytest.raises(RuntimeError, match="exists already"):
        OPS.turntable(frames=2, folder=str(tmp_path), **SMALL)
    assert taken.read_text() == "mine"
    assert turntable() == before
    assert OPS.turntable(frames=2, folder=str(tmp_path), overwrite=True, **SMALL) == {"FINISHED"}
    assert load(taken)[..., :3].shape == (64, 48, 3)
    portrait = tmp_path / "portrait.png"
    portrait.write_text("mine")
    with pytest.raises(RuntimeError, match="exists already"):
        OPS.render_portrait(height=32, samples=1, filepath=str(portrait))
    assert portrait.read_text() == "mine"
    assert OPS.render_portrait(height=96, samples=1, filepath=str(portrait), overwrite=True) == {"FINISHED"}
    assert load(portrait)[..., :3].shape == (96, 72, 3)


def test_presets_grow(add_on: ModuleType, find: Any) -> None:
    quality = importlib.import_module(f"{add_on.__name__}.scene.quality")
    dialog = importlib.import_module(f"{add_on.__name__}.ui.turntable")
    for presets in (quality.STILLS, quality.TURNTABLES):
        assert ["CUSTOM", *presets] == [name for name, *_ in dialog.QUALITIES]
        for less, more in zip(list(presets.values()), list(presets.values())[1:], strict=False):
            assert less.height < more.height
            assert less.samples < more.samples
    assert OPS.turntable(quality="DRAFT") == {"FINISHED"}
    draft = quality.TURNTABLES["DRAFT"]
    room = turntable()
    assert (room.render.resolution_y, room.cycles.samples) == (draft.height, draft.samples)
    assert (room.frame_end, room.render.fps) == (draft.frames, draft.fps)


def test_a_photos_light(add_on: ModuleType, find: Any, tmp_path: Path) -> None:
    """The egg's photos are lit from the front; the studio takes that over, and gives it back."""
    photo_light = importlib.import_module(f"{add_on.__name__}.scene.photo_light")
    lighting = importlib.import_module(f"{add_on.__name__}.scene.lighting")
    world = head(find).lights["wide.png"]
    direction, power, mean = photo_light.strongest(world)
    np.testing.assert_allclose(direction, (0, -1, 0), atol=0.02)
    # Spherical harmonics of degree 1 and 0: pi * 2 / 3 * Y and Y.
    np.testing.assert_allclose(power, 2 * np.pi * 2 / 3 * 0.488603 * np.array([1.0, 0.9, 0.8]), rtol=0.02)
    np.testing.assert_allclose(mean, 3.5 * 0.282095, rtol=0.02)

    OPS.studio()
    soft = tmp_path / "soft.png"
    OPS.render_portrait(height=64, samples=4, filepath=str(soft))
    assert OPS.match_light(photo="wide.png") == {"FINISHED"}
    studio = head(find).studio
    assert bpy.context.scene.world == world
    assert [light["likeness_role"] for light in studio.lights] == ["light key"]
    assert not studio.lights[0].visible_diffuse
    shade = importlib.import_module(f"{add_on.__name__}.scene.photo_shade")
    [(_, slider)] = shade.shade_nodes(head(find))
    assert slider.default_value == 0, "nothing is known of this photo's shade"
    assert lighting.setup_of(studio) == "PHOTO"
    lit = tmp_path / "lit.png"
    OPS.render_portrait(height=64, samples=4, filepath=str(lit))
    assert np.abs(load(lit)[..., :3] - load(soft)[..., :3])[20:44, 14:34].mean() > 0.03

    assert OPS.turntable(turning="LIGHT", frames=8, **SMALL) == {"FINISHED"}
    room = turntable()
    assert room.world != world
    for frame, angle in ((1, 0), (3, 90)):
        room.frame_set(frame)
        graph = room.view_layers[0].depsgraph
        graph.update()
        turn = room.world.evaluated_get(graph).node_tree.nodes["Turn"].inputs["Rotation"].default_value[2]
        assert np.degrees(turn) == pytest.approx(angle, abs=0.1)
        assert turned(at(room, part(room, "Egg key"), frame) - angle) == pytest.approx(0, abs=3)
    OPS.match_light(photo="egg (1).png")
    assert slider.default_value == 1, "a photo's shade comes with its light"
    OPS.lighting(setup="SOFT")
    assert slider.default_value == 0
    assert lighting.studio_world(head(find).studio) != world
    assert bpy.context.scene.world != world
    with pytest.raises(RuntimeError, match="not known"):
        OPS.match_light(photo="absent.png")


def test_the_world_turns_as_the_lamp(find: Any, tmp_path: Path) -> None:
    """Light from the front alone, a quarter round: it comes from the person's left, the picture's right."""
    OPS.match_light(photo="wide.png")
    folder = tmp_path / "round"
    assert OPS.turntable(turning="LIGHT", frames=4, folder=str(folder), **SMALL | {"samples": 8}) == {"FINISHED"}
    shots = [load(p)[..., :3][20:44] for p in sorted(folder.iterdir())]
    left, right = ([s[:, half].mean() for s in shots] for half in (slice(12, 22), slice(26, 36)))
    assert right[1] > 1.1 * left[1]
    assert left[3] > 1.1 * right[3]
    assert abs(left[0] - right[0]) < 0.05
    OPS.lighting(setup="SOFT")


def test_a_head_that_is_imported_again_takes_its_turntable_along(room: Path, find: Any) -> None:
    assert OPS.turntable(frames=2, **SMALL) == {"FINISHED"}
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness"), studio=True) == {"FINISHED"}
    assert "Egg turntable" not in bpy.data.scenes
    assert not [o for o in bpy.data.objects if "turntable" in o.name]
