"""A sheet of random people drawn from a head's prior at one sigma: ``python benchmarks/head_sheet.py anny -o FILE``.

Every one from the front and turned a little, plain skin under three lamps, Cycles. For looking at: these shapes are all
that a photo is fitted with.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import torch
from mathutils import Euler, Vector
from numpy.typing import NDArray
from PIL import Image

from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.heads.base import HeadModel
from likeness.heads.library import open_head
from truth.eyes import IRIS, eye_picture
from truth.scene import SPREAD, add_mesh, blender, eye, material, plain

__all__ = ["main"]

COLUMNS, ROWS = 4, 3
WIDTH, HEIGHT = 232, 300  # pixels of one picture
VIEWS = ((0.0, 0.0), (35.0, -0.022))  # degrees turned, and metres moved aside to stay in the middle
SKIN, LIPS = (0.56, 0.34, 0.25), (0.42, 0.17, 0.14)  # linear
BROWN = (0.10, 0.05, 0.025)
LENS, FILM, DISTANCE = 112.0, 36.0, 1.0  # millimetres, millimetres, metres
AIM = Vector((0.0, -0.06, 0.12))
# degrees to the person's left, degrees up, metres away, metres wide, watts, colour
LAMPS = (
    (38, 30, 1.0, 0.45, 13.0, (1.0, 0.96, 0.92)),
    (-50, 5, 1.3, 1.0, 6.0, (0.93, 0.96, 1.0)),
    (-150, 35, 1.0, 0.4, 9.0, (1.0, 0.98, 0.96)),
)


def main() -> None:
    """Draw, render, put together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("head", help="anny or ict")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--samples", type=int, default=32)
    arguments = parser.parse_args()
    head = open_head(arguments.head)
    draws = np.random.default_rng(arguments.seed).normal(size=(COLUMNS * ROWS, len(head.identity)))
    objects = _build(head)
    _light_and_camera(arguments.samples)
    sheet = Image.new("RGB", (COLUMNS * len(VIEWS) * WIDTH, ROWS * HEIGHT))
    with tempfile.TemporaryDirectory() as room:
        for k, draw in enumerate(draws):
            shape = head.template + torch.tensordot(torch.from_numpy(draw).float(), head.identity, 1)
            points = blender(shape.numpy())
            for made, used in objects:
                made.data.vertices.foreach_set("co", points[used].astype(np.float32).ravel())
                made.data.update()
            for j, (yaw, aside) in enumerate(VIEWS):
                for made, _ in objects:
                    made.rotation_euler = Euler((0, 0, math.radians(yaw)))
                    made.location.x = aside
                path = Path(room) / "picture.png"
                bpy.context.scene.render.filepath = str(path)
                bpy.ops.render.render(write_still=True)
                column = (k % COLUMNS) * len(VIEWS) + j
                with Image.open(path) as picture:
                    sheet.paste(picture.convert("RGB"), (column * WIDTH, (k // COLUMNS) * HEIGHT))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(arguments.output, optimize=True)


def _build(head: HeadModel) -> list[tuple[Any, NDArray[np.int64]]]:
    """One object per region, with the head's vertices that it uses."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    polygons, polygons_uv = head.polygons.numpy(), head.polygons_uv.numpy()
    uv = head.uv.numpy().astype(np.float64)
    shades = {
        "skin": _skin(),
        "eye": eye({"iris": eye_picture(BROWN, np.random.default_rng(0))}),
        "lashes": plain("lashes", (0.02, 0.013, 0.01), 0.6, 0.25),
    }
    shades |= {name: plain(name, *look) for name, look in SPREAD.items()}
    found = []
    for index, name in enumerate(head.region_names):
        chosen = (head.polygon_region == index).numpy()
        kind = name.split(".")[0]
        if kind not in shades:
            continue
        # The painter of eyes has the iris a little larger in its picture than the head has it in its UV square.
        layout = 0.5 + (uv - 0.5) * 0.48 * IRIS / IRIS_UV_RADIUS if kind == "eye" else uv
        made, used = add_mesh(name, polygons[chosen], layout, polygons_uv[chosen])
        made.data.materials.append(shades[kind])
        if kind == "skin":
            made.modifiers.new("Subdivision", "SUBSURF").render_levels = 1
            lips = made.data.attributes.new("lips", "FLOAT", "POINT")
            lips.data.foreach_set("value", head.groups["lips"].numpy()[used].astype(np.float32))
        found.append((made, used))
    return found


def _skin() -> Any:
    """Plain scattering skin, redder on the lips."""
    made, surface = material("skin")
    tree = made.node_tree
    lips, mix = tree.nodes.new("ShaderNodeAttribute"), tree.nodes.new("ShaderNodeMixRGB")
    lips.attribute_name = "lips"
    mix.inputs[1].default_value, mix.inputs[2].default_value = (*SKIN, 1), (*LIPS, 1)
    tree.links.new(lips.outputs["Fac"], mix.inputs[0])
    tree.links.new(mix.outputs[0], surface.inputs["Base Color"])
    surface.inputs["Roughness"].default_value = 0.5
    surface.inputs["Specular IOR Level"].default_value = 0.4
    surface.subsurface_method = "BURLEY"
    surface.inputs["Subsurface Weight"].default_value = 0.35
    surface.inputs["Subsurface Radius"].default_value = (1.0, 0.35, 0.18)
    surface.inputs["Subsurface Scale"].default_value = 0.004
    return made


def _light_and_camera(samples: int) -> None:
    scene = bpy.context.scene
    for left, up, distance, width, watts, colour in LAMPS:
        lamp: Any = bpy.data.lights.new("lamp", "AREA")
        lamp.shape, lamp.size, lamp.energy, lamp.color = "SQUARE", width, watts, colour
        turn, rise = math.radians(left), math.radians(up)
        direction = Vector((math.sin(turn) * math.cos(rise), -math.cos(turn) * math.cos(rise), math.sin(rise)))
        made = bpy.data.objects.new("lamp", lamp)
        made.location = AIM + direction * distance
        made.rotation_euler = direction.to_track_quat("Z", "Y").to_euler()
        scene.collection.objects.link(made)
    world = bpy.data.worlds.new("room")
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs["Color"].default_value = (0.09, 0.095, 0.1, 1)
    scene.world = world
    lens = bpy.data.cameras.new("camera")
    lens.sensor_fit, lens.sensor_height, lens.lens = "VERTICAL", FILM, LENS
    camera = bpy.data.objects.new("camera", lens)
    camera.location = AIM + Vector((0, -DISTANCE, 0))
    camera.rotation_euler = Euler((math.pi / 2, 0, 0))
    scene.collection.objects.link(camera)
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.max_bounces = samples, True, 4
    scene.render.resolution_x, scene.render.resolution_y = WIDTH, HEIGHT
    scene.view_settings.view_transform = "AgX"
    scene.view_settings.look = "AgX - Medium High Contrast"


if __name__ == "__main__":
    main()
