"""Appearance: every knob changes the picture in the way that it says."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

OPS = bpy.ops.likeness
FACE = (slice(50, 110), slice(35, 85))


@pytest.fixture(scope="module")
def scene(add_on: ModuleType, room: Path) -> bpy.types.Scene:
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness"), studio=True) == {"FINISHED"}
    OPS.studio()
    return bpy.context.scene


@pytest.fixture
def skin(scene: bpy.types.Scene) -> Iterator[Any]:
    yield bpy.data.materials["Skin"].node_tree.nodes
    OPS.appearance_reset()


@pytest.fixture(scope="module")
def shoot(add_on: ModuleType, scene: bpy.types.Scene, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    """Takes a small portrait: (160, 120, 3), row 0 at the top, as a PNG holds it."""
    render = importlib.import_module(f"{add_on.__name__}.scene.render")
    path = tmp_path_factory.mktemp("shots") / "shot.png"

    def take() -> np.ndarray:
        scene.render.resolution_x, scene.render.resolution_y = 120, 160
        scene.cycles.samples, scene.cycles.use_denoising = 8, False
        image = bpy.data.images.load(str(render.still(scene, path)), check_existing=False)
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(160 * 120 * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        return pixels.reshape(160, 120, 4)[::-1, :, :3]

    return take


def test_maps_can_be_switched(skin: Any) -> None:
    knobs = skin["Skin"].inputs
    for channel in ("albedo", "specular", "roughness", "normal"):
        assert OPS.map(channel=channel, on=False) == {"FINISHED"}
        assert knobs[f"{channel.capitalize()} map"].default_value == 0
        OPS.map(channel=channel, on=True)
        assert knobs[f"{channel.capitalize()} map"].default_value == 1
    OPS.map(channel="displacement", on=True)
    assert knobs["Displacement"].default_value == 1


def test_albedo_off_is_one_colour(skin: Any, shoot: Callable[[], np.ndarray]) -> None:
    skin["albedo"].image.pixels.foreach_set(np.tile(np.array([0.1, 0.1, 0.9, 1], np.float32), 32 * 32))
    try:
        blue = shoot()[FACE].mean((0, 1))
        OPS.map(channel="albedo", on=False)
        plain = shoot()[FACE].mean((0, 1))
    finally:
        skin["albedo"].image.reload()
    assert blue[2] > blue[0] + 0.2
    assert plain[0] > plain[2] + 0.05, "without the map the skin is skin-coloured"


def test_gloss_goes_from_powder_to_oil(skin: Any, shoot: Callable[[], np.ndarray]) -> None:
    knob = skin["Skin"].inputs["Gloss"]
    brightest = []
    for value in (0.0, 1.0, 2.0):
        knob.default_value = value
        brightest.append(np.percentile(shoot()[FACE].mean(2), 99))
    assert brightest[0] < brightest[1] < brightest[2]


def test_confidence_shows_seen_and_invented(skin: Any, shoot: Callable[[], np.ndarray]) -> None:
    """The egg's map runs from invented (left of the picture) to seen; a stripe in the middle is mirrored."""
    before = shoot()
    assert OPS.confidence(on=True) == {"FINISHED"}
    shot = shoot()[FACE]
    redness = (shot[..., 0] - shot[..., 1]).mean(0)
    assert redness[:8].mean() > 0.05 > 0 > redness[-8:].mean()
    blueness = (shot[..., 2] - shot[..., :2].max(2)).mean(0)
    assert blueness.max() > 0.05
    assert 8 < blueness.argmax() < len(blueness) - 8
    assert blueness[[0, -1]].max() < 0
    assert abs(shot - before[FACE]).mean() > 0.03
    OPS.confidence(on=False)
    assert abs(shoot() - before).mean() < 0.02


def test_detail_reaches_both_kinds_of_relief(skin: Any) -> None:
    group = skin["Skin"].node_tree.nodes

    def feeds(socket: Any) -> set[str]:
        """All inputs of the group that a socket depends on."""
        found: set[str] = set()
        for link in socket.links:
            if link.from_node == group["Inputs"]:
                found.add(link.from_socket.name)
            else:
                found |= {name for s in link.from_node.inputs for name in feeds(s)}
        return found

    assert feeds(group["Normal map"].inputs["Strength"]) == {"Displacement", "Detail", "Normal map"}
    assert feeds(group["Displacement in metres"].inputs["Scale"]) == {"Displacement", "Detail"}
    height = skin["Skin"].inputs["Height"].links[0].from_node
    assert height.inputs[1].default_value == pytest.approx(0.001)


def test_reset(skin: Any) -> None:
    knobs = skin["Skin"].inputs
    before = {s.name: s.default_value for s in knobs if s.type == "VALUE"}
    assert 0.5 < before["Subsurface"] < 1, "a photo's freckles went through the skin once already"
    for name in ("Detail", "Gloss", "Albedo map", "Subsurface", "Scattering depth", "Diffuse normals", "Displacement"):
        knobs[name].default_value = 0.01
    assert OPS.appearance_reset() == {"FINISHED"}
    assert {s.name: s.default_value for s in knobs if s.type == "VALUE"} == before


def test_adaptive_subdivision(skin: Any, scene: bpy.types.Scene) -> None:
    """Where this version of Blender has it: on the object, or on the modifier."""
    head = bpy.context.object
    modifier = head.modifiers["Subdivision"]
    owner = head.cycles if bpy.app.version < (5, 0, 0) else modifier
    assert not owner.use_adaptive_subdivision
    assert OPS.adaptive(on=True) == {"FINISHED"}
    assert owner.use_adaptive_subdivision
    assert bpy.app.version >= (5, 0, 0) or scene.cycles.feature_set == "EXPERIMENTAL"
    assert OPS.adaptive(on=False) == {"FINISHED"}
    assert not owner.use_adaptive_subdivision
    head.modifiers.remove(modifier)
    assert not OPS.adaptive.poll()


@pytest.mark.parametrize("size", ["1024", "256", "0"])
def test_texture_size_in_the_viewport(skin: Any, scene: bpy.types.Scene, size: str) -> None:
    assert OPS.texture_limit(size=size) == {"FINISHED"}
    limit = "OFF" if size == "0" else size
    assert bpy.context.preferences.system.gl_texture_limit == f"CLAMP_{limit}"
    assert scene.cycles.texture_limit == limit
    assert scene.cycles.texture_limit_render == "OFF", "pictures are rendered in full"


def test_solid_view_shows_the_skins_colour(skin: Any) -> None:
    tree = bpy.data.materials["Skin"].node_tree
    assert tree.nodes.active == skin["albedo"]
