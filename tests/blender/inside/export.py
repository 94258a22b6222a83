"""Exports, read back: names, counts, sizes, materials, and where the head comes from."""

import json
import shutil
import struct
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest
from measure import posed_vertices

OPS = bpy.ops.likeness
# Blender 5.2's own FBX exporter, with the newest numpy.
pytestmark = pytest.mark.filterwarnings("ignore:Setting the shape on a NumPy array:DeprecationWarning")
BONES = {"root", "neck", "head", "jaw", "eye.L", "eye.R"}
FILES = {"glb": "egg.glb", "fbx": "egg.fbx", "usd": "egg.usdz"}


def snapshot(head: bpy.types.Object) -> dict[str, Any]:
    """What must come back."""
    keys = head.data.shape_keys.key_blocks
    points = posed_vertices(head)
    return {
        "keys": [k.name for k in keys],
        "polygons": len(head.data.polygons),
        "low": points.min(0),
        "high": points.max(0),
        "materials": [m.name for m in head.data.materials],
        "opening": opening(head),
    }


def opening(head: bpy.types.Object) -> float:
    """How far `jawOpen` moves what it moves most, in the mesh's own units."""
    keys = head.data.shape_keys.key_blocks
    flat = np.empty((2, 3 * len(head.data.vertices)), np.float32)
    keys["jawOpen"].points.foreach_get("co", flat[0])
    keys[0].points.foreach_get("co", flat[1])
    return float(np.linalg.norm((flat[0] - flat[1]).reshape(-1, 3), axis=1).max())


@pytest.fixture(scope="module")
def exported(add_on: ModuleType, room: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A folder with the files, and what they were made of."""
    folder = tmp_path_factory.mktemp("exports")
    assert OPS.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    head, rig = bpy.data.objects["Egg"], bpy.data.objects["Egg rig"]
    other = bpy.data.objects.new("other", None)
    bpy.context.scene.collection.objects.link(other)
    bpy.context.view_layer.objects.active = other
    other.select_set(True)
    truth = snapshot(head)
    head.hide_set(True)
    before = state(head, rig)
    for kind, name in FILES.items():
        operator = getattr(OPS, f"export_{kind}")
        assert operator(filepath=str(folder / name)) == {"FINISHED"}
        assert state(head, rig) == before, f"{kind} left something changed"
    assert sorted(p.name for p in folder.iterdir()) == sorted(FILES.values()), "nothing half-written stays"
    return folder, truth


def state(head: bpy.types.Object, rig: bpy.types.Object) -> dict[str, Any]:
    return {
        "materials": [m.name for m in bpy.data.materials],
        "slots": [m.name for m in head.data.materials],
        "images": sorted(i.name for i in bpy.data.images),
        "shown": [(m.show_viewport, m.show_render) for m in head.modifiers],
        "selected": [o.name for o in bpy.context.selected_objects],
        "active": bpy.context.view_layer.objects.active.name,
        "hidden": (head.hide_get(), rig.hide_get()),
        "parent": (head.parent.name, head.parent_type, [list(row) for row in head.matrix_world]),
        "roles": (head.get("likeness_role"), rig.get("likeness_avatar")),
    }


def read_back(folder: Path, kind: str) -> bpy.types.Object:
    """The head as another user would get it, in an empty file."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    path = str(folder / FILES[kind])
    if kind == "glb":
        bpy.ops.import_scene.gltf(filepath=path)
    elif kind == "fbx":
        bpy.ops.import_scene.fbx(filepath=path)
    else:
        bpy.ops.wm.usd_import(filepath=path)
    (head,) = [o for o in bpy.data.objects if o.type == "MESH" and o.data.shape_keys]
    for key in head.data.shape_keys.key_blocks:
        key.value = 0.0
    return head


@pytest.mark.parametrize("kind", FILES)
def test_read_back(exported: tuple[Path, dict[str, Any]], kind: str) -> None:
    folder, truth = exported
    head = read_back(folder, kind)
    now = snapshot(head)
    keys = [k.replace(" ", "_") for k in truth["keys"]] if kind == "usd" else truth["keys"]
    assert set(now["keys"]) == {"basis" if k == "Basis" and "basis" in now["keys"] else k for k in keys}
    assert len(now["keys"]) == 54
    assert now["materials"] == truth["materials"] == ["Skin", "Eye", "Teeth"]
    np.testing.assert_allclose(now["low"], truth["low"], atol=1e-4)
    np.testing.assert_allclose(now["high"], truth["high"], atol=1e-4)
    scale = np.linalg.norm(np.array(head.matrix_world)[:3, 0])
    assert now["opening"] * scale == pytest.approx(truth["opening"], rel=1e-3)
    if kind != "glb":  # glTF holds triangles
        assert now["polygons"] == truth["polygons"]
    rig = next(m.object for m in head.modifiers if m.type == "ARMATURE")
    bones = {b.name for b in rig.data.bones}
    assert bones == ({b.replace(".", "_") for b in BONES} if kind == "usd" else BONES)
    assert len(head.data.uv_layers) == 1


@pytest.mark.parametrize("kind", FILES)
def test_the_jaw_still_opens(exported: tuple[Path, dict[str, Any]], kind: str) -> None:
    head = read_back(exported[0], kind)
    rig = next(m.object for m in head.modifiers if m.type == "ARMATURE")
    rest = posed_vertices(head)
    bone = rig.pose.bones["jaw"]
    bone.rotation_mode = "XYZ"
    bone.rotation_euler.x = 0.3
    moved = np.linalg.norm(posed_vertices(head) - rest, axis=1)
    assert 0.005 < moved.max() < 0.1
    assert (moved > 1e-3).mean() < 0.5, "only the jaw moved"


@pytest.mark.parametrize("kind", FILES)
def test_maps_are_there(exported: tuple[Path, dict[str, Any]], kind: str) -> None:
    head = read_back(exported[0], kind)
    skin, eye = (head.data.materials[n].node_tree for n in ("Skin", "Eye"))
    surface = next(n for n in skin.nodes if n.bl_idname == "ShaderNodeBsdfPrincipled")
    sockets = {"Base Color", "Normal"} | ({"Roughness"} if kind != "fbx" else set())
    for socket in sockets:
        assert surface.inputs[socket].is_linked, socket
    pictures = {n.image.name for n in skin.nodes if n.bl_idname == "ShaderNodeTexImage" and n.image}
    assert len(pictures) >= 2
    assert not [n for n in pictures if any(c in n for c in ("confidence", "origin", "displacement"))]
    (iris,) = [n.image for n in eye.nodes if n.bl_idname == "ShaderNodeTexImage"]
    pixels = np.empty(len(iris.pixels), np.float32)
    iris.pixels.foreach_get(pixels)
    dark = pixels.reshape(-1, 4)[:, :3].max(1)
    assert (dark < 0.2).mean() > 0.002, "a pupil"
    assert (dark > 0.5).mean() > 0.5, "in white"


def test_where_it_comes_from(exported: tuple[Path, dict[str, Any]]) -> None:
    told = {"likeness_note": "[ 1,  2 ] stays", "likeness_method": "made", "likeness_licences": "CC0-1.0"}
    for kind in ("glb", "fbx"):
        head = read_back(exported[0], kind)
        assert {k: head[k] for k in told} == told
        assert "likeness_role" not in head
    read_back(exported[0], "usd")
    holders = [o for o in bpy.data.objects if "likeness_note" in o]
    assert {k: holders[0][k] for k in told} == told


def gltf(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    magic, version, size = struct.unpack_from("<III", data)
    assert (magic, version, size) == (0x46546C67, 2, len(data))
    length, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A
    return dict(json.loads(data[20 : 20 + length]))


def test_what_stands_in_the_glb(exported: tuple[Path, dict[str, Any]]) -> None:
    document = gltf(exported[0] / FILES["glb"])
    assert "method made" in document["asset"]["copyright"]
    (node,) = [n for n in document["nodes"] if "mesh" in n]
    assert node["extras"]["likeness_licences"] == "CC0-1.0"
    mesh = document["meshes"][node["mesh"]]
    assert mesh["extras"]["targetNames"][:2] == ["browDownLeft", "browDownRight"]
    assert len(mesh["extras"]["targetNames"]) == 53
    assert {document["nodes"][j]["name"] for j in document["skins"][node["skin"]]["joints"]} == BONES
    skin = next(m for m in document["materials"] if m["name"] == "Skin")
    assert {"baseColorTexture", "metallicRoughnessTexture"} <= set(skin["pbrMetallicRoughness"])
    assert "normalTexture" in skin
    assert "animations" not in document


def test_khronos_validator(exported: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("needs Node.js, for the package gltf-validator")
    install = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(tmp_path), "gltf-validator@2.0.0-dev.3.10"]
    if subprocess.run(install, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("npm cannot install gltf-validator here")
    script = (
        "const v = require('gltf-validator'), fs = require('fs');"
        "v.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))"
        ".then(r => console.log(JSON.stringify(r.issues)));"
    )
    done = subprocess.run(
        [node, "-e", script, str(exported[0] / FILES["glb"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    issues = json.loads(done.stdout)
    assert issues["numErrors"] == 0, issues["messages"]
    assert not [m["code"] for m in issues["messages"] if m["severity"] == 1]


def test_animation_goes_along(add_on: ModuleType, room: Path, tmp_path: Path) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    OPS.import_avatar(filepath=str(room / "Egg.likeness"))
    scene = bpy.context.scene
    scene.frame_end = 10
    for frame, preset in ((1, "NEUTRAL"), (10, "SMILE")):
        scene.frame_set(frame)
        OPS.expression_preset(preset=preset)
        OPS.expression_key()
    path = tmp_path / "moving.glb"
    OPS.export_glb(filepath=str(path), animation=True)
    channels = [c["target"]["path"] for a in gltf(path)["animations"] for c in a["channels"]]
    assert "weights" in channels


def test_usd_with_textures_beside(add_on: ModuleType, room: Path, tmp_path: Path) -> None:
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    OPS.import_avatar(filepath=str(room / "Egg.likeness"))
    for _ in range(2):  # over what is there as well
        assert OPS.export_usd(filepath=str(tmp_path / "egg.usdc")) == {"FINISHED"}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["egg.usdc", "textures"]
    assert len(list((tmp_path / "textures").iterdir())) >= 3


def test_unwritable(add_on: ModuleType, room: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    with pytest.raises(RuntimeError, match="was not written"):
        OPS.export_glb(filepath=str(tmp_path / "file" / "x.glb"))
    assert (tmp_path / "file").read_text() == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
