"""Heads side by side: what was moved is found again, what differs is measured and coloured, nothing else changes."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from driven import part
from measure import EXTENSION


@pytest.fixture
def egg(add_on: ModuleType, room: Path) -> Any:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    importlib.import_module(EXTENSION)
    with part("link.package").open_package(room / "Egg.likeness") as package:
        return part("scene").build(package, studio=False)


def bump(face: Any) -> np.ndarray:
    """(V,) metres: a swelling of the face by up to 3 mm."""
    front = face.vertices[face.face]
    middle = front[front[:, 1].argmin()]
    return 0.003 * np.exp(-(np.linalg.norm(face.vertices - middle, axis=1) ** 2) / (2 * 0.012**2))


def test_a_similarity_is_undone(egg: Any) -> None:
    compare = part("scene.compare")
    face = compare.face_of(egg)
    assert face.face.any()
    turn = compare._rotation(np.array([0.05, -0.08, 0.1]))
    moved = compare.Face(
        1.1 * face.vertices @ turn.T + 0.01, face.triangles, face.face, 1.1 * face.eyes @ turn.T + 0.01
    )
    found = compare.distances(face, moved)
    assert found.scale == pytest.approx(1 / 1.1, abs=2e-3)
    assert np.median(found.to_head) < 2e-4
    assert np.nanmax(found.of_vertices) < 2e-3
    assert np.isnan(found.of_vertices[~face.face]).all()


def test_what_differs_is_measured(egg: Any) -> None:
    compare = part("scene.compare")
    face = compare.face_of(egg)
    swollen = face.vertices.copy()
    swollen[:, 1] -= bump(face)
    found = compare.distances(face, compare.Face(swollen, face.triangles, face.face, face.eyes))
    assert 0.0015 < np.nanmax(found.of_vertices) < 0.0032
    told = found.told()
    assert set(told) == {"median_mm", "mean_mm", "std_mm", "p90_mm", "scale"}
    assert told["median_mm"] < told["p90_mm"] < 3.2


def test_the_operator_sets_copies_up(egg: Any, room: Path) -> None:
    assert not bpy.ops.likeness.compare.poll(), "one head is not enough"
    with part("link.package").open_package(room / "Bending.likeness") as package:
        other = part("scene").build(package, studio=False)
    bpy.context.view_layer.update()
    before = {thing.name for thing in bpy.data.objects}
    places = {thing.name: thing.matrix_world.copy() for thing in bpy.data.objects}
    bpy.context.view_layer.objects.active = egg.mesh
    for _ in range(2):  # the second replaces the first
        assert bpy.ops.likeness.compare() == {"FINISHED"}
    made = {thing.name for thing in bpy.data.objects} - before
    copies = [bpy.data.objects[n] for n in made if bpy.data.objects[n].name.endswith("distances")]
    assert len(copies) == 2
    assert {egg.mesh.name, other.mesh.name} <= {t.data.body for n in made if (t := bpy.data.objects[n]).type == "FONT"}
    for name, place in places.items():
        assert bpy.data.objects[name].matrix_world == place
    for copy in copies:
        mesh: Any = copy.data
        values = np.empty(len(mesh.vertices), np.float32)
        mesh.attributes["distance mm"].data.foreach_get("value", values)
        seen = values[values >= 0]
        assert len(seen)
        if copy.name.startswith(egg.name):
            assert (seen == 0).all(), "the reference is nowhere away from itself"
        colours = np.empty(4 * len(values), np.float32)
        mesh.color_attributes["distance colour"].data.foreach_get("color", colours)
        grey = colours.reshape(-1, 4)[values < 0, :3]
        assert np.ptp(grey, axis=1).max(initial=0) < 0.01


def test_a_job_writes_everything(add_on: ModuleType, room: Path, tmp_path: Path) -> None:
    """As `likeness compare` asks for it."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    told: list[float] = []
    job = {
        "packages": [str(room / f"{name}.likeness") for name in ("Egg", "Bending")],
        "titles": ["open", "other"],
        "reference": 1,
        "result": str(tmp_path / "result.json"),
        "blend": str(tmp_path / "compare.blend"),
        "sheet": str(tmp_path / "compare.png"),
        "height": 120,
        "samples": 1,
    }
    part("scene.compare_job").compare(bpy.context.scene, job, lambda fraction, _: told.append(fraction))
    assert told == sorted(told)
    assert told[-1] == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["heads"][1] is None
    assert result["heads"][0]["median_mm"] >= 0
    heads = part("scene.find").heads_in(bpy.context.scene)
    assert sorted(round(head.rig.matrix_world.translation.x, 3) for head in heads) == [0.0, 0.36]
    picture = bpy.data.images.load(str(tmp_path / "compare.png"))
    pixels = np.array(picture.pixels).reshape(picture.size[1], picture.size[0], -1)[..., :3]
    assert picture.size[0] > 0.8 * picture.size[1]
    assert pixels.max() > 0.3
    assert (tmp_path / "compare.blend").is_file()
