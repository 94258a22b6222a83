"""Wrinkles come with the shape keys that cause them."""

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

NAMES = ("jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp")


@pytest.fixture(scope="module")
def head(add_on: ModuleType, room: Path) -> Any:
    reader = importlib.import_module(f"{add_on.__name__}.link.package")
    with reader.open_package(room / "Bending.likeness") as package:
        return importlib.import_module(f"{add_on.__name__}.scene").build(package)


def skin(head: Any) -> bpy.types.Material:
    return next(m for m in head.mesh.data.materials if m.name.startswith("Skin"))


def weight_nodes(tree: bpy.types.NodeTree) -> list[bpy.types.Node]:
    return [n for n in tree.nodes if n.bl_idname == "ShaderNodeCombineXYZ"]


def test_three_maps_share_a_picture(head: Any) -> None:
    tree = skin(head).node_tree
    assert [n["likeness_expressions"] for n in weight_nodes(tree)] == [", ".join(NAMES[:3]), NAMES[3]]
    pictures = [n.image for n in tree.nodes if n.bl_idname == "ShaderNodeTexImage" and "Wrinkles" in n.image.name]
    assert [tuple(p.size) for p in pictures] == [(64, 64)] * 2
    assert all(p.packed_file for p in pictures)
    values = np.empty(64 * 64 * 4, np.float32)
    pictures[0].pixels.foreach_get(values)
    waves = np.sin(np.linspace(0, 60, 64))[::-1]  # rows from below
    for channel in range(3):
        column = values.reshape(64, 64, 4)[:, 5, channel]
        np.testing.assert_allclose(column, waves * (1 + channel), atol=2e-3)  # millimetres


def test_keys_drive_the_weights(head: Any) -> None:
    keys = head.mesh.data.shape_keys.key_blocks
    for i, name in enumerate(NAMES):
        keys[name].value = 0.2 * (i + 1)
    bpy.context.view_layer.update()
    tree = skin(head).evaluated_get(bpy.context.evaluated_depsgraph_get()).node_tree
    first, second = weight_nodes(tree)
    found = [s.default_value for s in first.inputs] + [second.inputs[0].default_value]
    np.testing.assert_allclose(found, [0.2, 0.4, 0.6, 0.8], atol=1e-6)
    for name in NAMES:
        keys[name].value = 0


@pytest.mark.parametrize("displacement", [0.0, 1.0])
def test_a_key_that_moves_nothing_shows_its_wrinkles(
    add_on: ModuleType, head: Any, tmp_path: Path, displacement: float
) -> None:
    render = importlib.import_module(f"{add_on.__name__}.scene.render")
    appearance = importlib.import_module(f"{add_on.__name__}.scene.appearance")
    scene = bpy.context.scene
    render.use_studio(scene, head.studio, 96)
    scene.cycles.samples = 8
    for material in appearance.skins(head):
        appearance.knob(material, "Displacement").default_value = displacement
    pictures = []
    for value in (0.0, 1.0, 0.0):
        head.mesh.data.shape_keys.key_blocks["browInnerUp"].value = value
        path = render.still(scene, tmp_path / f"{len(pictures)}.png")
        loaded = bpy.data.images.load(str(path))
        pixels = np.empty(4 * loaded.size[0] * loaded.size[1], np.float32)
        loaded.pixels.foreach_get(pixels)
        pictures.append(pixels)
        bpy.data.images.remove(loaded)
    assert np.abs(pictures[0] - pictures[2]).mean() < 1e-3
    assert np.abs(pictures[0] - pictures[1]).mean() > 5e-3
