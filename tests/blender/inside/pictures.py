"""What cameras see and Cycles renders."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from measure import load, posed_vertices

SIDE = 300


@pytest.fixture(scope="module")
def package(add_on: ModuleType, room: Path) -> Iterator[Any]:
    reader = importlib.import_module(f"{add_on.__name__}.link.package")
    with reader.open_package(room / "Egg.likeness") as opened:
        yield opened


@pytest.fixture(scope="module")
def head(add_on: ModuleType, package: Any) -> Any:
    return importlib.import_module(f"{add_on.__name__}.scene").build(package)


def module(add_on: ModuleType, name: str) -> Any:
    return importlib.import_module(f"{add_on.__name__}.scene.{name}")


@pytest.mark.parametrize("index", [0, 1, 2])
def test_photos_cameras_project_alike(
    add_on: ModuleType, head: Any, package: Any, expected: dict[str, np.ndarray], index: int
) -> None:
    views = module(add_on, "views")
    view = package.views[index]
    scene, camera = bpy.context.scene, head.cameras[view.name]
    views.use_camera(scene, camera)
    assert (scene.render.resolution_x, scene.render.resolution_y) == (view.camera.width, view.camera.height)
    views.apply_view(head.mesh, head.rig, package, view)
    points = posed_vertices(head.mesh)
    from mathutils import Vector

    seen = np.array([world_to_camera_view(scene, camera, Vector(p))[:2] for p in points.tolist()])
    pixels = np.stack([seen[:, 0] * view.camera.width, (1 - seen[:, 1]) * view.camera.height], 1)
    np.testing.assert_allclose(pixels, expected[f"pixels_{index}"], atol=0.01)
    views.rest(head.mesh, head.rig)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_render_from_a_photos_camera_lines_up(
    add_on: ModuleType, head: Any, package: Any, expected: dict[str, np.ndarray], tmp_path: Path, index: int
) -> None:
    head.mesh.modifiers["Subdivision"].show_render = False
    render, path = module(add_on, "render"), tmp_path / "photo.png"
    name = package.views[index].name
    render.picture(bpy.context.scene, head, package, kind="photo", path=str(path), height=SIDE, samples=4, view=name)
    head.mesh.modifiers["Subdivision"].show_render = True
    cover, truth = load(path)[..., 3], expected[f"silhouette_{index}"]
    assert cover.shape == truth.shape
    assert 0.02 < truth.mean() < 0.9
    off = (cover > 0.5) != truth
    outline = truth ^ np.logical_and.reduce([np.roll(truth, s, (0, 1)) for s in ((1, 0), (-1, 0), (0, 1), (0, -1))])
    assert off.sum() < 0.2 * outline.sum(), f"{off.sum() / outline.sum():.2f} pixels off along the outline"


def test_part_of_a_photo(add_on: ModuleType, head: Any, package: Any, tmp_path: Path) -> None:
    render = module(add_on, "render")
    whole, part = tmp_path / "whole.png", tmp_path / "part.png"
    common = {"kind": "photo", "samples": 4, "view": package.views[0].name}
    render.picture(bpy.context.scene, head, package, path=str(whole), height=240, **common)
    render.picture(bpy.context.scene, head, package, path=str(part), height=120, crop=(0.25, 0.1, 0.75, 0.6), **common)
    a, b = load(whole)[24:144, 45:135, 3], load(part)[..., 3]
    assert a.shape == b.shape
    assert np.abs(a - b).mean() < 0.02


def test_a_photos_shade_is_in_its_view_alone(add_on: ModuleType, head: Any, package: Any, tmp_path: Path) -> None:
    """The egg's photo shows one half of it darker, by exp(-0.75)."""
    render, shade = module(add_on, "render"), module(add_on, "photo_shade")
    [(node, slider)] = shade.shade_nodes(head)
    assert slider.default_value == 0
    view = package.views[0].name
    common = {"samples": 16, "view": view, "height": 120, "kind": "photo"}
    render.picture(bpy.context.scene, head, package, path=str(tmp_path / "with.png"), **common)
    assert (node.image, slider.default_value) == (head.cameras[view][shade.KEPT], 0), "all as it was"
    kept = head.cameras[view].pop(shade.KEPT)
    render.picture(bpy.context.scene, head, package, path=str(tmp_path / "without.png"), **common)
    head.cameras[view][shade.KEPT] = kept
    shaded, plain = (load(tmp_path / name) for name in ("with.png", "without.png"))
    inside = (plain[..., 3] > 0.99) & (plain[..., :3].min(2) > 0.1) & (plain[..., 0] > plain[..., 2] + 0.03)
    ratio = (shaded[..., :3].sum(2) / np.maximum(plain[..., :3].sum(2), 1e-3))[inside]
    assert np.percentile(ratio, 5) < 0.8
    assert 0.93 < np.percentile(ratio, 95) < 1.05


def test_studio_pictures(add_on: ModuleType, head: Any, package: Any, tmp_path: Path) -> None:
    render, scene = module(add_on, "render"), bpy.context.scene
    shots = {}
    heard: list[float] = []
    for kind in ("portrait", "clay"):
        path = tmp_path / f"{kind}.png"
        with render.samples_heard(heard.append):
            render.picture(scene, head, package, kind=kind, path=str(path), height=160, samples=8)
        shots[kind] = load(path)
        assert shots[kind].shape == (160, 120, 4)
        face = shots[kind][60:110, 45:75, :3]
        assert 0.15 < face.mean() < 0.9
        assert (face.max(2) > 0.999).mean() < 0.02, "more is burnt out than a catch light"
        assert shots[kind][..., :3].std() > 0.02
    skin, clay = (shots[k][70:100, 50:70, :3].mean((0, 1)) for k in ("portrait", "clay"))
    assert skin[0] > skin[2] + 0.08, "skin is warm"
    assert np.ptp(clay) < 0.06, "clay is grey"
    assert heard
    assert max(heard) == 1
    assert [m.name for m in head.mesh.data.materials] == ["Skin", "Eye", "Teeth"]
    assert not [m.name for m in bpy.data.materials if m.name.startswith(("Clay", "Nothing"))]


def test_the_scene_is_left_in_the_studios_look(add_on: ModuleType, head: Any, package: Any) -> None:
    scene = bpy.context.scene
    module(add_on, "render").use_studio(scene, head.studio)
    assert scene.camera == head.studio.camera
    assert (scene.render.resolution_x, scene.render.resolution_y) == (768, 1024)
    assert not scene.render.use_border
    assert not scene.render.film_transparent
    assert not head.studio.backdrop.hide_render
    assert all(k.value == 0 for k in head.mesh.data.shape_keys.key_blocks)
