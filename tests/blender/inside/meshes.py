"""Meshes of the scene as files and as heads: what is written of them, and the way to a rigged head and back."""

from __future__ import annotations

import json
import os
import struct
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from driven import now, part, until
from measure import EXTENSION

CANCELLED_WITHIN = 2.0
"""Seconds."""


def mesh_object(name: str, vertices: np.ndarray, polygons: list[list[int]]) -> bpy.types.Object:
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], polygons)
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    bpy.context.view_layer.objects.active = thing
    return thing


@pytest.fixture
def sheet(add_on: ModuleType) -> Any:
    """A 16 x 16 sheet with UVs, away from the origin."""
    column, row = np.meshgrid(np.arange(17), np.arange(17))
    places = np.stack([column.ravel() / 16, row.ravel() / 16, np.zeros(289)], 1)
    a = [r * 17 + c for r in range(16) for c in range(16)]
    thing = mesh_object("Sheet", places, [[i, i + 1, i + 18, i + 17] for i in a])
    layer = thing.data.uv_layers.new(name="UVMap")
    corners = [v for polygon in thing.data.polygons for v in polygon.vertices]
    layer.uv.foreach_set("vector", places[corners][:, :2].astype(np.float32).ravel())
    thing.location = (1, 2, 3)
    bpy.context.view_layer.update()
    yield thing
    bpy.data.objects.remove(thing)


def written(thing: bpy.types.Object, folder: Path, scale: float = 1.0) -> Path:
    path: Path = part("scene.mesh_out").write_mesh(thing, bpy.context.evaluated_depsgraph_get(), folder, scale)
    return path


def ply_of(path: Path) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
    head, _, body = path.read_bytes().partition(b"end_header\n")
    count = int(head.split(b"element vertex ")[1].split()[0])
    kind: list[Any] = [("place", "<f4", 3)] + ([("colour", "u1", 3)] if b"uchar red" in head else [])
    points = np.frombuffer(body, kind, count)
    faces = np.frombuffer(body[points.nbytes :], [("n", "u1"), ("corner", "<i4", 3)])
    return points["place"], points["colour"] if len(kind) > 1 else None, faces["corner"]


def test_a_mesh_is_written_as_it_stands(sheet: bpy.types.Object, tmp_path: Path) -> None:
    """Y up, in metres, with what modifiers do to it; a mirrored one keeps its outside."""
    places, colours, faces = ply_of(written(sheet, tmp_path, 0.5))
    assert colours is None
    assert len(faces) == 512
    assert np.allclose(places.min(0), [0.5, 1.5, -1.5])
    assert np.allclose(places.max(0), [1.0, 1.5, -1.0])

    def outwards() -> float:
        v, _, f = ply_of(written(sheet, tmp_path))
        a, b, c = (v[f[:, k]] for k in range(3))
        return float(np.cross(b - a, c - a)[:, 1].min())

    assert outwards() > 0, "Blender's up is the file's Y"
    sheet.scale.x = -1
    bpy.context.view_layer.update()
    assert outwards() > 0
    modifier: Any = sheet.modifiers.new("Fine", "SUBSURF")
    modifier.levels = 1
    bpy.context.view_layer.update()
    assert len(ply_of(written(sheet, tmp_path))[2]) == 2048


@pytest.mark.parametrize("domain", ["POINT", "CORNER"])
def test_colours_of_vertices_come_along(sheet: bpy.types.Object, tmp_path: Path, domain: str) -> None:
    attribute: Any = sheet.data.color_attributes.new("Colour", "BYTE_COLOR", domain)
    for i, item in enumerate(attribute.data):
        vertex = i if domain == "POINT" else sheet.data.loops[i].vertex_index
        item.color_srgb = (0.8, 0.4, 0.2, 1) if vertex % 17 < 8 else (0.1, 0.1, 0.6, 1)
    places, colours, _ = ply_of(written(sheet, tmp_path))
    assert colours is not None
    left = places[:, 0] < 1.49
    assert np.abs(colours[left].astype(int) - [204, 102, 51]).max() <= 1
    assert np.abs(colours[~left].astype(int) - [26, 26, 153]).max() <= 1


def glb_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (size,) = struct.unpack_from("<I", data, 12)
    return json.loads(data[20 : 20 + size]), data[28 + size :]


def test_textures_come_along(sheet: bpy.types.Object, tmp_path: Path) -> None:
    """A picture goes as its pixels where it is no file, a plain material as its colour."""
    image = bpy.data.images.new("skin", 8, 4)
    image.pixels = [v for _ in range(32) for v in (0.2, 0.6, 0.4, 1.0)]
    plain = bpy.data.materials.new("Plain")
    plain.diffuse_color = (1, 0, 0, 1)
    skin = bpy.data.materials.new("Skin")
    if bpy.app.version < (5, 0, 0):
        skin.use_nodes = True
    tree: Any = skin.node_tree
    node = tree.nodes.new("ShaderNodeTexImage")
    node.image = image
    surface = next(n for n in tree.nodes if n.type == "BSDF_PRINCIPLED")
    tree.links.new(node.outputs["Color"], surface.inputs["Base Color"])
    for material in (skin, plain):
        sheet.data.materials.append(material)
    for polygon in sheet.data.polygons:
        polygon.material_index = int(polygon.index % 16 >= 8)
    told, content = glb_of(written(sheet, tmp_path))
    primitives = told["meshes"][0]["primitives"]
    counts = [told["accessors"][p["attributes"]["POSITION"]]["count"] for p in primitives]
    assert counts == [9 * 17, 9 * 17], "corners of one texture are shared"
    seen = []
    for picture in told["images"]:
        view = told["bufferViews"][picture["bufferView"]]
        data = content[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
        (tmp_path / "look.png").write_bytes(data)
        loaded = bpy.data.images.load(str(tmp_path / "look.png"))
        seen.append((*loaded.size, *(round(v, 2) for v in loaded.pixels[:3])))
        bpy.data.images.remove(loaded)
    assert seen == [(8, 4, 0.2, 0.6, 0.4), (8, 8, 1.0, 0.0, 0.0)]


def test_what_is_no_face_is_told(add_on: ModuleType) -> None:
    why = part("scene.mesh_out").why_not
    assert "Select a mesh" in why(None)
    few = mesh_object("Few", np.eye(3), [[0, 1, 2]])
    assert "too few" in why(few)
    few["likeness_role"] = "head"
    assert "rigged already" in why(few)
    bpy.data.objects.remove(few)


@pytest.fixture(scope="module")
def backend(add_on: ModuleType) -> ModuleType:
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.kind, preferences.own = "OWN", os.environ["LIKENESS_TEST_BACKEND"]
    preferences.home = os.environ["LIKENESS_TEST_HOME"]
    bpy.ops.likeness.agree()
    bpy.context.scene.likeness.texture_size = "512"
    return add_on


@pytest.fixture(scope="module")
def scan(backend: ModuleType) -> bpy.types.Object:
    """Somebody's face in metres, as a file that was imported."""
    with np.load(Path(os.environ["LIKENESS_TEST_ROOM"]) / "face.npz") as face:
        return mesh_object("Scan", face["vertices"], face["triangles"].tolist())


def chosen(thing: bpy.types.Object) -> None:
    bpy.context.view_layer.objects.active = thing


def test_it_is_cancelled_and_the_scene_is_as_before(scan: bpy.types.Object) -> None:
    chosen(scan)
    before = set(bpy.data.objects)
    task = part("ui.rig_mesh").begin(bpy.context)
    until(lambda: task.job.get("stage") == "head", 200)
    assert not bpy.ops.likeness.rig_mesh.poll(), "one at a time"
    start = time.monotonic()
    bpy.ops.likeness.cancel()
    until(lambda: not task.going, 10)
    assert time.monotonic() - start < CANCELLED_WITHIN
    assert (task.state, task.package) == ("cancelled", None)
    assert set(bpy.data.objects) == before


def test_a_mesh_becomes_a_head(scan: bpy.types.Object) -> None:
    chosen(scan)
    assert bpy.ops.likeness.rig_mesh() == {"FINISHED"}
    task = now().task
    assert (task.state, task.error) == ("done", "")
    head = bpy.context.view_layer.objects.active
    assert head.name == "Scan_rigged"
    assert "jawOpen" in head.data.shape_keys.key_blocks
    assert "Scan" in bpy.data.objects, "the mesh stays"
    job = now().jobs[task.job["id"]]
    assert (job["method"], job["photos"], job["mesh"]) == ("rig", [], "Scan.ply")
    assert any("A mesh" in line for line in part("ui.results")._facts(job))


def test_a_mesh_without_a_face_is_told(backend: ModuleType) -> None:
    bpy.ops.mesh.primitive_uv_sphere_add(segments=32, ring_count=16)
    with pytest.raises(RuntimeError, match="No face was seen"):
        bpy.ops.likeness.rig_mesh()
    assert now().problem
    bpy.data.objects.remove(bpy.context.view_layer.objects.active)
    assert not bpy.ops.likeness.rig_mesh.poll()
