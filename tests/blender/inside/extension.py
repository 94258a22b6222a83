"""The importer as users meet it: what stands in the scene afterwards, replaced, refused, saved, switched off."""

import importlib
from pathlib import Path
from types import ModuleType

import bpy
import numpy as np
import pytest
from measure import EXTENSION

KINDS = (
    "objects",
    "meshes",
    "armatures",
    "cameras",
    "materials",
    "images",
    "actions",
    "collections",
    "lights",
    "worlds",
)


def counts() -> dict[str, int]:
    return {kind: len(getattr(bpy.data, kind)) for kind in KINDS}


@pytest.fixture(scope="module")
def imported(add_on: ModuleType, room: Path) -> bpy.types.Object:
    assert bpy.ops.likeness.import_avatar(filepath=str(room / "Egg.likeness" / "avatar.json")) == {"FINISHED"}
    return bpy.data.objects["Egg"]


def test_a_build_that_fails_leaves_nothing(add_on: ModuleType, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = importlib.import_module(f"{add_on.__name__}.scene")
    reader = importlib.import_module(f"{add_on.__name__}.link.package")

    def fail(*_: object) -> None:
        raise RuntimeError("a disk that is full")

    monkeypatch.setattr(scene.provenance, "write", fail)  # the last step
    before = counts()
    with reader.open_package(room / "Egg.likeness") as package, pytest.raises(RuntimeError, match="full"):
        scene.build(package)
    assert counts() == before


def test_collection(imported: bpy.types.Object) -> None:
    top = bpy.context.scene.collection.children["Egg"]
    assert [c.name for c in top.children] == ["Egg photos"]
    assert {o.name for o in top.objects} == {"Egg", "Egg rig"}
    assert bpy.context.scene.camera is None
    assert bpy.context.scene.world is None


def test_mesh(imported: bpy.types.Object, expected: dict[str, np.ndarray]) -> None:
    mesh = imported.data
    co = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.vertices.foreach_get("co", co)
    x, y, z = expected["vertices"].T
    np.testing.assert_allclose(co.reshape(-1, 3), np.stack([x, -z, y], 1), atol=1e-7)
    assert [list(p.vertices) for p in mesh.polygons] == [
        [v for v in p if v >= 0] for p in expected["polygons"].tolist()
    ]
    assert all(p.use_smooth for p in mesh.polygons)
    # Outward normals: the nose's side of the egg looks along -Y.
    front = max(mesh.polygons, key=lambda p: -p.center.y if expected["region"][p.index] == 0 else -1)
    assert front.normal.y < -0.9
    assert [m.name for m in mesh.materials] == ["Skin", "Eye", "Teeth"]
    slot = np.array([p.material_index for p in mesh.polygons])
    np.testing.assert_array_equal(slot, np.array([0, 1, 1, 2])[expected["region"]])


def test_uvs(imported: bpy.types.Object, room: Path) -> None:
    arrays = np.load(room / "Egg.likeness" / "geometry.npz")
    corners = arrays["polygons_uv"]
    uv = np.empty(2 * len(imported.data.loops), np.float32)
    imported.data.uv_layers["UVMap"].uv.foreach_get("vector", uv)
    np.testing.assert_allclose(uv.reshape(-1, 2), arrays["uv"][corners[corners >= 0]], atol=1e-7)


def test_shape_keys(imported: bpy.types.Object, room: Path) -> None:
    keys = imported.data.shape_keys.key_blocks
    names = [k.name for k in keys]
    assert names[0] == "Basis"
    assert len(names) == 54
    assert {"jawOpen", "mouthSmileLeft", "eyeBlinkRight", "tongueOut", "FLAME exp 000"} <= set(names)
    assert all((k.slider_min, k.slider_max, k.value) == (0, 1, 0) for k in keys[1:])
    arrays = np.load(room / "Egg.likeness" / "geometry.npz")
    row = names.index("jawOpen") - 1
    part = slice(*arrays["expression_start"][row : row + 2])
    moved = np.empty(3 * len(imported.data.vertices), np.float32)
    rest = moved.copy()
    keys["jawOpen"].points.foreach_get("co", moved)
    keys["Basis"].points.foreach_get("co", rest)
    delta = (moved - rest).reshape(-1, 3)[arrays["expression_vertex"][part]]
    value = arrays["expression_value"][part]
    np.testing.assert_allclose(delta, np.stack([value[:, 0], -value[:, 2], value[:, 1]], 1), atol=1e-6)


def test_armature(imported: bpy.types.Object, expected: dict[str, np.ndarray]) -> None:
    rig = bpy.data.objects["Egg rig"]
    parents = {b.name: b.parent.name if b.parent else None for b in rig.data.bones}
    head = {"jaw": "head", "eye.L": "head", "eye.R": "head"}
    assert parents == {"root": None, "neck": "root", "head": "neck"} | head
    assert [m.type for m in imported.modifiers] == ["ARMATURE", "SUBSURF"]
    assert imported.modifiers[0].object == rig
    assert imported.parent == rig
    left = {imported.vertex_groups["eye.L"].index}
    eye = np.unique(expected["polygons"][expected["region"] == 1])
    for v in eye[eye >= 0].tolist():
        assert {g.group for g in imported.data.vertices[v].groups if g.weight > 0.999} == left
    bones = {imported.vertex_groups[n].index for n in parents if n in imported.vertex_groups}
    total = [sum(g.weight for g in v.groups if g.group in bones) for v in imported.data.vertices]
    np.testing.assert_allclose(total, 1, atol=1e-4)
    assert {"face area", "neck area"} <= {g.name for g in imported.vertex_groups}


def test_materials(imported: bpy.types.Object) -> None:
    skin = imported.data.materials["Skin"]
    group = skin.node_tree.nodes["Skin"]
    for socket in ("Albedo", "Specular", "Roughness", "Normal", "Height", "Confidence", "Origin", "Shade"):
        assert group.inputs[socket].is_linked, socket
    assert not group.inputs["Normal for diffuse"].is_linked
    assert not group.inputs["Wrinkles"].is_linked
    spaces = {i.name: i.colorspace_settings.name for i in bpy.data.images if i.name.startswith("Skin ")}
    assert spaces.pop("Skin albedo") == "sRGB"
    assert len(spaces) == 7
    assert set(spaces.values()) == {"Non-Color"}
    assert all(i.packed_file for i in bpy.data.images if i.source == "FILE")
    # The map runs from -0.5 to 0.5 mm, and shows the same relief as the normal map.
    height = group.inputs["Height"].links[0].from_node
    scale, offset = (height.inputs[i].default_value for i in (1, 2))
    np.testing.assert_allclose([offset, offset + scale], [-0.0005, 0.0005], atol=2e-6)
    assert group.inputs["Displacement"].default_value == 0
    assert group.inputs["Diffuse normals"].default_value == 0
    ends = {"CYCLES": "Cycles", "EEVEE": "EEVEE"}
    for engine, output in ends.items():
        end = skin.node_tree.get_output_node(engine)
        assert end.inputs["Surface"].links[0].from_socket == group.outputs[output]
        assert end.inputs["Displacement"].links[0].from_socket == group.outputs["Displacement"]


def test_cameras(imported: bpy.types.Object) -> None:
    cameras = bpy.data.collections["Egg photos"].objects
    assert [c.name for c in cameras] == ["Egg photo egg (1)", "Egg photo wide", "Egg photo flat"]
    sizes = [tuple(c.data.background_images[0].image.size) for c in cameras]
    assert sizes == [(90, 120), (160, 100), (80, 110)]
    assert all(c.data.show_background_images for c in cameras)
    assert [c.data.type for c in cameras] == ["PERSP", "PERSP", "ORTHO"]


def test_imported_again(imported: bpy.types.Object, room: Path) -> None:
    """The head is replaced; what the user made stays, even what hangs on the head."""
    own = bpy.data.objects.new("hat", None)
    bpy.context.scene.collection.objects.link(own)
    shared = bpy.data.objects.new("copy", bpy.data.meshes.new("block"))
    shared.data.materials.append(bpy.data.materials["Skin"])
    before = counts()
    assert bpy.ops.likeness.import_avatar(filepath=str(room / "Egg.likeness")) == {"FINISHED"}
    after = counts()
    assert [o.name for o in bpy.data.objects if o.name.startswith("Egg")] == sorted(
        ["Egg", "Egg rig", "Egg photo egg (1)", "Egg photo wide", "Egg photo flat"]
    )
    assert bpy.data.objects["hat"] == own
    assert shared.data.materials[0].name.startswith("Skin")
    # Only the material that the user's mesh still shows was kept, with its pictures.
    assert after["objects"] == before["objects"]
    assert after["actions"] == before["actions"]
    assert after["materials"] == before["materials"] + 1
    bpy.data.meshes.remove(shared.data)


@pytest.mark.parametrize("name", ["outside", "broken", "absent"])
def test_refused(imported: bpy.types.Object, room: Path, name: str) -> None:
    before = counts()
    with pytest.raises(RuntimeError, match="package"):
        bpy.ops.likeness.import_avatar(filepath=str(room / f"{name}.likeness"))
    assert counts() == before
    assert bpy.data.objects["Egg"].data.shape_keys


def test_studio_and_zip(add_on: ModuleType, room: Path) -> None:
    assert bpy.ops.likeness.import_avatar(filepath=str(room / "zipped.zip"), studio=True) == {"FINISHED"}
    studio = bpy.data.collections["Egg studio"].objects
    assert {o.type for o in studio} == {"CAMERA", "LIGHT", "MESH"}
    assert bpy.context.scene.camera is None, "the user's camera stays"
    pixels = bpy.data.images["Skin albedo"].pixels[:4]
    np.testing.assert_allclose(np.array(pixels[:3]) * 255, (205, 160, 140), atol=25)


def test_saved_and_opened(add_on: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "Egg.blend"
    before = counts()
    assert bpy.ops.wm.save_as_mainfile(filepath=str(path)) == {"FINISHED"}
    assert bpy.ops.wm.open_mainfile(filepath=str(path)) == {"FINISHED"}
    after = counts()
    assert {k: after[k] for k in ("objects", "meshes", "cameras", "lights")} == {
        k: before[k] for k in ("objects", "meshes", "cameras", "lights")
    }
    head = bpy.data.objects["Egg"]
    assert len(head.data.shape_keys.key_blocks) == 54
    assert bpy.data.images["Skin albedo"].packed_file
    assert any(a.name.startswith("photo egg") for a in bpy.data.actions)


def test_off_and_on(add_on: ModuleType) -> None:
    import addon_utils

    assert bpy.ops.preferences.addon_disable(module=EXTENSION) == {"FINISHED"}
    assert not hasattr(bpy.types, "LIKENESS_OT_import_avatar")
    assert addon_utils.check(EXTENSION)[1] is False
    assert bpy.ops.preferences.addon_enable(module=EXTENSION) == {"FINISHED"}
    assert bpy.ops.likeness.import_avatar.poll()
