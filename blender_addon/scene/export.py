# SPDX-License-Identifier: GPL-3.0-or-later
"""The head for other programs: glTF, FBX, USD, with shape keys, skin, maps and where it comes from."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import bpy

from . import provenance
from .exchange import exchange_materials
from .find import ROLE
from .head import Head
from .identity import JOINTS, WEIGHTS
from .owned import MARK

__all__ = ["FORMATS", "export"]

FORMATS = {"GLB": ".glb", "FBX": ".fbx", "USD": ".usdz"}
"""Formats and the file names that they ask for; USD also writes .usdc, .usda and .usd, with textures beside."""


def export(context: bpy.types.Context, head: Head, path: Path, kind: str, *, animation: bool = False) -> Path:
    """Write the head and its rig, as they stand, to a file that is there at once or not at all.

    Args:
        context: whose scene holds the head.
        head: what to write.
        path: of the file.
        kind: of `FORMATS`.
        animation: write the assigned actions as well.

    Raises:
        OSError: the file cannot be written.
        RuntimeError: Blender's exporter failed.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write = {"GLB": _glb, "FBX": _fbx, "USD": _usd}[kind]
    with tempfile.TemporaryDirectory(prefix=".likeness-", dir=path.parent) as room:
        with _alone(context, head), exchange_materials(head), _beside(head) if kind == "GLB" else nullcontext():
            write(head, Path(room) / path.name, animation)
        for made in sorted(Path(room).iterdir(), key=lambda p: p.name == path.name):
            _move(made, path.parent / made.name)
    return path


def _move(made: Path, target: Path) -> None:
    """Into place; a folder of textures joins one that is there."""
    if made.is_dir():
        target.mkdir(exist_ok=True)
        for inner in made.iterdir():
            _move(inner, target / inner.name)
    else:
        os.replace(made, target)  # noqa: PTH105


@contextmanager
def _alone(context: bpy.types.Context, head: Head) -> Iterator[None]:
    """Inside the block head and rig are all that is selected, and only the armature deforms the head."""
    layer = context.view_layer
    mode = head.rig.mode
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    parts: list[Any] = [head.mesh, head.rig]
    active, selected = layer.objects.active, [o for o in layer.objects if o.select_get()]
    hidden = [(o, o.hide_get(), o.hide_viewport, o.hide_select) for o in parts]
    # Exporters apply modifiers to the mesh or leave its shape keys out.
    shown = [m for m in head.mesh.modifiers if m.type != "ARMATURE" and (m.show_viewport or m.show_render)]
    flags = [(m, m.show_viewport, m.show_render) for m in shown]
    # What only matters in this file stays in it.
    own = [(o, key, o[key]) for o in parts for key in (ROLE, MARK, WEIGHTS, JOINTS) if key in o]
    try:
        for thing in parts:
            thing.hide_viewport = thing.hide_select = False
            thing.hide_set(False)
        for thing in layer.objects:
            thing.select_set(thing in parts)
        layer.objects.active = head.mesh
        for modifier in shown:
            modifier.show_viewport = modifier.show_render = False
        for thing, key, _ in own:
            del thing[key]
        yield
    finally:
        for modifier, viewport, render in flags:
            modifier.show_viewport, modifier.show_render = viewport, render
        for thing, key, value in own:
            thing[key] = value
        for thing, hide, viewport, select in hidden:
            thing.hide_set(hide)
            thing.hide_viewport, thing.hide_select = viewport, select
        for thing in layer.objects:
            thing.select_set(thing in selected)
        layer.objects.active = active
        if mode != "OBJECT" and active == head.rig:
            bpy.ops.object.mode_set(mode=mode)


@contextmanager
def _beside(head: Head) -> Iterator[None]:
    """Inside the block the head is no child of its rig: glTF lets joints alone place a skinned mesh."""
    mesh: Any = head.mesh
    parent, kind, bone, offset = mesh.parent, mesh.parent_type, mesh.parent_bone, mesh.matrix_parent_inverse.copy()
    place, basis = mesh.matrix_world.copy(), mesh.matrix_basis.copy()
    mesh.parent = None
    mesh.matrix_world = place
    try:
        yield
    finally:
        mesh.parent, mesh.parent_type, mesh.parent_bone = parent, kind, bone
        mesh.matrix_parent_inverse, mesh.matrix_basis = offset, basis


def _call(operator: Any, **settings: Any) -> None:
    """Run an exporter with those of the settings that this version of Blender knows."""
    known = operator.get_rna_type().properties.keys()
    operator(**{name: value for name, value in settings.items() if name in known})


def _glb(head: Head, path: Path, animation: bool) -> None:
    _call(
        bpy.ops.export_scene.gltf,
        filepath=str(path),
        check_existing=False,
        export_format="GLB",
        use_selection=True,
        export_copyright=provenance.line(head.mesh),
        export_extras=True,
        export_yup=True,
        export_apply=False,
        export_texcoords=True,
        export_normals=True,
        export_tangents=True,
        export_materials="EXPORT",
        export_image_format="AUTO",
        export_cameras=False,
        export_lights=False,
        export_skins=True,
        export_influence_nb=4,
        export_all_influences=False,
        export_def_bones=False,
        export_morph=True,
        export_morph_normal=True,
        export_morph_tangent=False,
        export_animations=animation,
        export_current_frame=True,
        export_draco_mesh_compression_enable=False,
    )


def _fbx(head: Head, path: Path, animation: bool) -> None:
    _call(
        bpy.ops.export_scene.fbx,
        filepath=str(path),
        check_existing=False,
        use_selection=True,
        object_types={"ARMATURE", "MESH"},
        use_mesh_modifiers=False,  # would leave the shape keys out
        mesh_smooth_type="FACE",
        use_custom_props=True,
        add_leaf_bones=False,
        use_armature_deform_only=False,
        bake_anim=animation,
        path_mode="COPY",
        embed_textures=True,
    )


def _usd(head: Head, path: Path, animation: bool) -> None:
    _call(
        bpy.ops.wm.usd_export,
        filepath=str(path),
        check_existing=False,
        selected_objects_only=True,
        export_animation=animation,
        export_uvmaps=True,
        export_normals=True,
        export_materials=True,
        generate_preview_surface=True,
        export_textures=True,
        export_textures_mode="NEW",
        overwrite_textures=True,
        relative_paths=True,
        export_armatures=True,
        only_deform_bones=False,
        export_shapekeys=True,
        export_subdivision="IGNORE",
        export_custom_properties=True,
        author_blender_name=False,
        convert_orientation=True,
        export_lights=False,
        export_cameras=False,
        convert_world_material=False,
    )
