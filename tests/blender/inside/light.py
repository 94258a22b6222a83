"""A photo's light in Cycles: a white ball under it shows what the spherical harmonics say."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

SIDE = 64
LIGHTS = {
    "even": ((0, (0.5, 0.5, 0.5)),),
    "front": ((0, (0.5, 0.5, 0.5)), (2, (0.3, 0.3, 0.3))),
    "left, red": ((0, (0.5, 0.5, 0.5)), (3, (0.3, 0.0, -0.1))),
    "above": ((0, (0.5, 0.5, 0.5)), (1, (0.3, 0.3, 0.3)), (6, (0.1, 0.1, 0.1))),
}
"""Radiance by coefficient, as shares of what one coefficient alone would do; none swings below zero."""


@pytest.fixture(scope="module")
def view(add_on: ModuleType, room: Path) -> Iterator[Any]:
    reader = importlib.import_module(f"{add_on.__name__}.link.package")
    with reader.open_package(room / "Egg.likeness") as package:
        yield package.views[0]


@pytest.mark.parametrize("name", LIGHTS)
def test_a_ball_is_lit_as_computed(add_on: ModuleType, view: Any, tmp_path: Path, name: str) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    module = importlib.import_module(f"{add_on.__name__}.scene.photo_light")
    light = np.zeros((9, 3))
    for i, colour in LIGHTS[name]:
        light[i] = np.array(colour) / 0.282095
    scene = bpy.context.scene
    scene.world = module.make_photo_light(replace(view, light=light), "light")
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=1.0)
    ball = bpy.context.object
    bpy.ops.object.shade_smooth()
    white = bpy.data.materials.new("white")
    if bpy.app.version < (5, 0, 0):
        white.use_nodes = True
    white.node_tree.nodes.clear()
    diffuse = white.node_tree.nodes.new("ShaderNodeBsdfDiffuse")
    diffuse.inputs["Color"].default_value = (0.8, 0.8, 0.8, 1)
    output = white.node_tree.nodes.new("ShaderNodeOutputMaterial")
    white.node_tree.links.new(diffuse.outputs[0], output.inputs["Surface"])
    ball.data.materials.append(white)
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 2.0
    camera.location, camera.rotation_euler = (0, -5, 0), (np.pi / 2, 0, 0)
    scene.camera = camera
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", 64, False
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.filepath = str(tmp_path / "ball.exr")
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(scene.render.filepath)
    pixels = np.empty(SIDE * SIDE * 4, np.float32)
    image.pixels.foreach_get(pixels)
    seen = pixels.reshape(SIDE, SIDE, 4)[::-1, :, :3]

    place = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    x, y = np.meshgrid(place, -place)  # the head's frame: its left is the picture's right
    inside = x**2 + y**2 < 0.8**2
    z = np.sqrt(np.maximum(1 - x**2 - y**2, 0))
    # Ramamoorthi and Hanrahan 2001: a Lambertian surface's share of each degree over pi is 1, 2/3, 1/4.
    basis = {0: 0.282095 + 0 * x, 1: 0.488603 * 2 / 3 * y, 2: 0.488603 * 2 / 3 * z, 3: 0.488603 * 2 / 3 * x,
             6: 0.315392 / 4 * (3 * z**2 - 1)}  # fmt: skip
    wanted = 0.8 * sum(basis[i][..., None] * light[i] for i, _ in LIGHTS[name])
    assert np.abs(seen - wanted)[inside].mean() < 0.02 * wanted[inside].mean()
