"""DECA from a photo to a picture: a real backend over HTTP, the add-on's own operators, Cycles.

Its weights are invented, so the face is nobody's; the path is the one that the official files take.
"""

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from measure import EXTENSION

PHOTO = Path(__file__).parents[2] / "data" / "astronaut.png"
FACE = (slice(24, 60), slice(24, 50))
"""Rows and columns of the small portrait."""


@pytest.fixture(scope="module")
def head(add_on: ModuleType) -> Any:
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.kind, preferences.own = "OWN", os.environ["LIKENESS_TEST_BACKEND"]
    preferences.home = os.environ["LIKENESS_TEST_HOME"]
    bpy.ops.likeness.agree()
    settings = bpy.context.scene.likeness
    settings.method, settings.texture_size, settings.studio = "deca", "512", True
    settings.flame_expressions, settings.flame_shapes = 20, 5
    bpy.ops.likeness.add_photos(filepath=str(PHOTO))
    assert bpy.ops.likeness.reconstruct() == {"FINISHED"}
    bpy.ops.likeness.stop()
    return importlib.import_module(f"{EXTENSION}.scene.find").head_of(bpy.context)


@pytest.fixture(scope="module")
def shoot(head: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], np.ndarray]:
    """Takes a small portrait, (96, 72, 3) linear."""
    render = importlib.import_module(f"{EXTENSION}.scene.render")
    scene = bpy.context.scene
    render.use_studio(scene, head.studio, 96)
    scene.render.resolution_x = 72
    head.mesh.modifiers["Subdivision"].render_levels = 1  # bump shows the rest
    scene.cycles.samples, scene.cycles.use_denoising = 8, False
    path = tmp_path_factory.mktemp("shots") / "portrait.png"

    def take() -> np.ndarray:
        image = bpy.data.images.load(str(render.still(scene, path)), check_existing=False)
        pixels = np.empty(96 * 72 * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        return pixels.reshape(96, 72, 4)[::-1, :, :3]

    return take


def knob(head: Any, name: str) -> Any:
    appearance = importlib.import_module(f"{EXTENSION}.scene.appearance")
    return appearance.knob(next(appearance.skins(head)), name)


def test_the_head_has_flames_keys(head: Any) -> None:
    keys = [key.name for key in head.mesh.data.shape_keys.key_blocks]
    assert [k for k in keys if k.startswith("FLAME exp")] == [f"FLAME exp {i:03}" for i in range(20)]
    assert [k for k in keys if k.startswith("FLAME shape")] == [f"FLAME shape {i:03}" for i in range(5)]
    assert any(k.startswith("FLAME pose jaw") for k in keys)
    assert {"jawOpen", "mouthSmileLeft", "eyeBlinkRight"} <= set(keys)
    assert len(head.mesh.data.vertices) == 5023


def test_its_relief_moves_a_surface_that_is_fine_enough(head: Any) -> None:
    assert head.mesh.modifiers["Subdivision"].render_levels == 2
    assert knob(head, "Displacement").default_value == 1
    skin = next(m for m in head.mesh.data.materials if m.name.startswith("Skin"))
    assert skin.displacement_method == "BOTH"


def test_the_picture_shows_the_displacement(head: Any, shoot: Callable[[], np.ndarray]) -> None:
    """Without displacement it is another picture, where there is skin."""
    shown = shoot()
    assert shown[FACE].std() > 0.02
    knob(head, "Displacement").default_value, knob(head, "Normal map").default_value = 0.0, 0.0
    smooth = np.abs(shoot() - shown)
    knob(head, "Displacement").default_value, knob(head, "Normal map").default_value = 1.0, 1.0
    assert smooth[FACE].mean() > 0.003
    assert smooth[FACE].mean() > 3 * smooth[:8].mean()


def test_an_expression_brings_its_wrinkles(head: Any) -> None:
    keys = head.mesh.data.shape_keys.key_blocks
    keys["jawOpen"].value, keys["mouthSmileLeft"].value = 0.5, 0.25
    bpy.context.view_layer.update()
    skin = next(m for m in head.mesh.data.materials if m.name.startswith("Skin"))
    tree = skin.evaluated_get(bpy.context.evaluated_depsgraph_get()).node_tree
    found = {}
    for node in tree.nodes:
        if node.bl_idname == "ShaderNodeCombineXYZ":
            values = (socket.default_value for socket in node.inputs)
            found |= dict(zip(node["likeness_expressions"].split(", "), values, strict=False))
    assert len(found) == 16
    assert {name: value for name, value in found.items() if value} == pytest.approx(
        {"jawOpen": 0.5, "mouthSmileLeft": 0.25}, abs=1e-6
    )


def test_licences_come_along(head: Any) -> None:
    provenance = importlib.import_module(f"{EXTENSION}.scene.provenance")
    assert "non-commercial" in provenance.line(head.mesh)
