"""The skin's node group on a ball: what its maps and sliders do to light, in numbers."""

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

SIDE, SAMPLES = 40, 32
FLAT = (0.5, 0.5, 1.0)
Shoot = Callable[..., np.ndarray]


@pytest.fixture(scope="module")
def controls(add_on: ModuleType) -> ModuleType:
    return importlib.import_module(f"{add_on.__name__}.scene.materials.skin_controls")


@pytest.fixture(scope="module")
def material(add_on: ModuleType) -> bpy.types.Material:
    """Of a ball of a face's size, before an orthographic camera, in a world whose light comes from one side."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    bpy.ops.mesh.primitive_uv_sphere_add(segments=64, ring_count=32, radius=0.1)
    bpy.ops.object.shade_smooth()
    ball = bpy.context.object
    ball.data.uv_layers[0].name = importlib.import_module(f"{add_on.__name__}.scene.mesh").UV_NAME
    made = bpy.data.materials.new("ball")
    ball.data.materials.append(made)
    graph = importlib.import_module(f"{add_on.__name__}.scene.graph")
    group = importlib.import_module(f"{add_on.__name__}.scene.materials.skin_group").skin_group()
    tree = graph.Graph(made)
    node = tree.add("ShaderNodeGroup", "Skin", 0, 0, node_tree=group)
    tree.link(node, "Cycles", tree.add("ShaderNodeOutputMaterial", "Output", 1, 0), "Surface")
    camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
    scene.collection.objects.link(camera)
    camera.data.type, camera.data.ortho_scale = "ORTHO", 0.2
    camera.location, camera.rotation_euler = (0, -1, 0), (np.pi / 2, 0, 0)
    scene.camera = camera
    scene.world, _ = graph.add_world("world")
    scene.render.engine, scene.cycles.samples, scene.cycles.use_denoising = "CYCLES", SAMPLES, False
    scene.cycles.use_adaptive_sampling = False
    scene.render.resolution_x = scene.render.resolution_y = SIDE
    scene.render.film_transparent = True
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "OPEN_EXR"
    lamp = bpy.data.objects.new("lamp", bpy.data.lights.new("lamp", "SUN"))
    lamp.data.energy, lamp.data.angle = 2.0, 0.3
    lamp.rotation_euler = (np.pi / 2, 0, np.pi / 4)
    scene.collection.objects.link(lamp)
    return made


@pytest.fixture
def shoot(material: bpy.types.Material, controls: ModuleType, tmp_path: Path) -> Shoot:
    """Radiance (pixels of the ball's middle, 3), with some inputs set and all others at their defaults."""
    place = (np.arange(SIDE) + 0.5) / SIDE * 2 - 1
    inside = np.hypot(*np.meshgrid(place, place)) < 0.85

    def take(sky: float = 0.0, **inputs: Any) -> np.ndarray:
        scene: Any = bpy.context.scene
        bpy.data.objects["lamp"].hide_render = bool(sky)
        background = next(n for n in scene.world.node_tree.nodes if n.bl_idname == "ShaderNodeBackground")
        background.inputs["Color"].default_value = (sky, sky, sky, 1)
        node = material.node_tree.nodes["Skin"]
        values = {n: k.default for n, k in controls.KNOBS.items()} | {n: v for n, (_, v) in controls.SOCKETS.items()}
        for name, value in (values | {k.replace("_", " "): v for k, v in inputs.items()}).items():
            socket = node.inputs[name]
            for link in list(socket.links):
                material.node_tree.links.remove(link)
            if isinstance(value, bpy.types.Node):
                material.node_tree.links.new(value.outputs["Color"], socket)
            else:
                socket.default_value = (*value, 1.0) if np.shape(value) == (3,) else value
        scene.render.filepath = str(tmp_path / "ball.exr")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath, check_existing=False)
        pixels = np.empty(SIDE * SIDE * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
        seen: np.ndarray = pixels.reshape(SIDE, SIDE, 4)[inside, :3]
        return seen

    return take


@pytest.fixture(scope="module")
def bumpy(material: bpy.types.Material) -> bpy.types.Node:
    """A texture of tilted normals, eight waves round the ball."""
    side = 128
    wave = 0.35 * np.sin(np.arange(side) / side * 16 * np.pi)
    x, y = np.meshgrid(wave, wave)
    normal = np.stack([x, y, np.sqrt(1 - x**2 - y**2)], -1)
    image = bpy.data.images.new("bumpy", side, side, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(np.dstack([normal * 0.5 + 0.5, np.ones((side, side))]).astype(np.float32).ravel())
    image.pack()
    return _texture(material, image)


def _texture(material: bpy.types.Material, image: bpy.types.Image) -> bpy.types.Node:
    node = material.node_tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    return node


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Mean difference as a share of the mean."""
    return float(np.abs(a - b).mean() / np.mean([a, b]))


def test_a_flat_map_changes_nothing(shoot: Shoot) -> None:
    without = shoot(Normal_map=0.0)
    assert without.mean() > 0.1
    assert apart(without, shoot(Normal=FLAT)) < 0.002
    two = shoot(Normal_map=0.0, Diffuse_normals=1.0)
    assert apart(two, shoot(Normal=FLAT, Normal_for_diffuse=FLAT, Diffuse_normals=1.0)) < 0.002


def test_two_normals_that_agree_are_as_bright_as_one(shoot: Shoot, bumpy: bpy.types.Node) -> None:
    """What gloss takes from the light below it comes from a formula there, and from Cycles' tables here."""
    for gloss in (1.0, 2.0):
        one = shoot(sky=0.8, Gloss=gloss, Specular=0.5)
        two = shoot(sky=0.8, Gloss=gloss, Specular=0.5, Diffuse_normals=1.0)
        assert two.mean() == pytest.approx(one.mean(), rel=0.012)
    one = shoot(Normal=bumpy, Normal_for_diffuse=bumpy)
    two = shoot(Normal=bumpy, Normal_for_diffuse=bumpy, Diffuse_normals=1.0)
    assert two.mean() == pytest.approx(one.mean(), rel=0.012)
    assert apart(one, shoot()) > 4 * apart(one, two)


def test_skin_gives_no_more_light_than_it_gets(shoot: Shoot, bumpy: bpy.types.Node) -> None:
    """White skin that mirrors much, in a world as bright on all sides."""
    white = {"Albedo": (1.0, 1.0, 1.0), "Specular": 1.0, "Gloss": 2.0, "Subsurface": 0.0, "sky": 1.0}
    for normals in (FLAT, bumpy):
        seen = shoot(**white, Normal=normals, Diffuse_normals=1.0)
        assert 0.85 < seen.mean() < 1.01
        assert np.percentile(seen, 95) < 1.06


def test_slider_from_one_normal_map_to_two(shoot: Shoot, bumpy: bpy.types.Node) -> None:
    """Without gloss, skin with flat diffuse normals looks flat; half of the way lies between."""
    matt = {"Specular": 0.0, "Gloss": 0.0, "Subsurface": 0.0}
    flat = shoot(**matt)
    away = [apart(flat, shoot(**matt, Normal=bumpy, Diffuse_normals=share)) for share in (0.0, 0.5, 1.0)]
    assert away[0] > 0.1
    assert 0.3 * away[0] < away[1] < 0.8 * away[0]
    assert away[2] < 0.02
    glossy = {"Specular": 1.0, "Gloss": 2.0, "Albedo": (0.0, 0.0, 0.0)}
    sharp = shoot(**glossy, Normal=bumpy)
    assert apart(sharp, shoot(**glossy, Normal=bumpy, Diffuse_normals=1.0)) < 0.05, "gloss keeps the sharp normals"


def test_specular_albedo_is_measured_by_its_mean(shoot: Shoot) -> None:
    dark = {"Albedo": (0.0, 0.0, 0.0)}
    level = shoot(**dark, Specular=0.75)
    assert apart(level, shoot(**dark, Specular=0.3, Specular_mean=0.2)) < 1e-3
    assert apart(level, shoot(**dark, Specular=0.5)) > 0.1


def test_wrinkles_bend_both_normals(shoot: Shoot, material: bpy.types.Material) -> None:
    """Waves of 16 mm, three pixels, round the ball's equator."""
    rows = 0.001 * np.sin(np.arange(256) / 256 * 40 * 2 * np.pi)
    image = bpy.data.images.new("waves", 256, 256, float_buffer=True)
    image.colorspace_settings.name = "Non-Color"
    pixels = np.ones((256, 256, 4), np.float32)
    pixels[..., :3] = rows[None, :, None]
    image.pixels.foreach_set(pixels.ravel())
    waves = _texture(material, image)
    matt = {"Specular": 0.0, "Gloss": 0.0, "Subsurface": 0.0}
    for two in (0.0, 1.0):
        assert apart(shoot(**matt, Diffuse_normals=two), shoot(**matt, Diffuse_normals=two, Wrinkles=waves)) > 0.03


def test_eevees_surface_looks_alike(shoot: Shoot, material: bpy.types.Material) -> None:
    """Seen by Cycles, since software takes minutes to compile it for EEVEE: one closure is as bright as the rest."""
    tree: Any = material.node_tree
    node, end = tree.nodes["Skin"], tree.nodes["Output"].inputs["Surface"]
    matt, black = {"Subsurface": 0.0}, {"Albedo": (0.0, 0.0, 0.0), "Gloss": 2.0}
    lights: tuple[dict[str, Any], ...] = (matt, matt | {"sky": 0.8}, black | {"sky": 0.8})
    truth = [shoot(**light) for light in lights]
    tree.links.new(node.outputs["EEVEE"], end)
    try:
        seen = [shoot(**light) for light in lights]
    finally:
        tree.links.new(node.outputs["Cycles"], end)
    for one, other, share in zip(truth, seen, (0.03, 0.02, 0.12), strict=True):
        assert other.mean() == pytest.approx(one.mean(), rel=share)
    group = node.node_tree.nodes
    assert group["Skin for EEVEE"].inputs["Coat Weight"].default_value == 0
    assert not group["Skin for EEVEE"].inputs["Coat Weight"].is_linked


def test_thin_skin_scatters_less(material: bpy.types.Material, controls: ModuleType, shoot: Shoot) -> None:
    """Red light would be lost behind lids, and leave them blue."""
    depth = controls.KNOBS["Scattering depth"].default
    (ball,) = (o for o in bpy.context.scene.objects if o.type == "MESH")
    full, shallow = shoot(), shoot(Scattering_depth=0.1 * depth)
    attribute = ball.data.attributes.new("thin", "FLOAT", "POINT")
    attribute.data.foreach_set("value", np.ones(len(ball.data.vertices), np.float32))
    thin = shoot()
    ball.data.attributes.remove(ball.data.attributes["thin"])
    assert np.abs(thin - shallow).mean() < 0.1 * np.abs(full - shallow).mean()


def test_one_group_for_all(add_on: ModuleType, material: bpy.types.Material) -> None:
    group = importlib.import_module(f"{add_on.__name__}.scene.materials.skin_group").skin_group
    assert group() == material.node_tree.nodes["Skin"].node_tree
    assert len(bpy.data.node_groups) == 1
    labels = [n.label for n in group().nodes]
    assert all(labels)
    unused = [n.name for n in group().nodes if n.outputs and not any(s.is_linked for s in n.outputs)]
    assert not unused
