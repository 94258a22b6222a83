# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of the scene in, a head that moves out: for scans, sculpts and other programs' faces."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .main import Child
from .obstacles import mesh_obstacle
from .preferences import choice
from .properties import settings_of
from .reconstruct import Making, avatars_folder
from .session import session
from .task import Task
from .words import paragraph

if TYPE_CHECKING:
    from ..link.client import Client

__all__ = ["CLASSES"]


class MeshTask(Task):
    """As a task of photos; the mesh lies in a folder that goes when the task ends."""

    SENDING = "Sending the mesh"

    def _submit(self, client: Client, files: list[Path], settings: dict[str, Any]) -> dict[str, Any]:
        try:
            return client.rig(files[0], settings)
        finally:
            shutil.rmtree(files[0].parent, ignore_errors=True)


def begin(context: bpy.types.Context) -> Task:
    """Start with the active object and the scene's settings; raises ValueError or OSError, a sentence."""
    from ..scene.mesh_out import write_mesh

    settings, now, thing = settings_of(context), session(), context.view_layer.objects.active
    folder = Path(tempfile.mkdtemp(prefix="likeness-"))
    try:
        depsgraph = context.evaluated_depsgraph_get()
        mesh = write_mesh(thing, depsgraph, folder, context.scene.unit_settings.scale_length)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    named = mesh.rename(mesh.with_stem(_file_name(thing.name)))
    job = {
        "head": settings.head,
        "texture_size": int(settings.texture_size),
        "seed": settings.seed,
        "neutral": settings.mesh_at_rest,
        "name": settings.avatar_name.strip() or f"{thing.name[:70]} rigged",
    }
    now.problem = ""
    now.task = MeshTask(now, choice(context), [named], job, avatars_folder(context))
    return now.task


def _file_name(text: str) -> str:
    """An object's name as a file's."""
    return "".join(c if c.isalnum() or c in "-_ " else "_" for c in text).strip()[:60] or "mesh"


class LIKENESS_OT_rig_mesh(Making, bpy.types.Operator):
    """Make a head that moves in the shape of the selected mesh of a face, with its colours. The mesh stays as it is.
Blender can be used meanwhile; Esc cancels. Called from a script it returns when the head is there"""  # fmt: skip

    bl_idname = "likeness.rig_mesh"
    bl_label = "Rig This Mesh"
    why_not = staticmethod(mesh_obstacle)
    start = staticmethod(begin)


class LIKENESS_PT_rig_mesh(Child, bpy.types.Panel):
    """Scans and other programs' heads"""

    bl_idname = "LIKENESS_PT_rig_mesh"
    bl_label = "From a Mesh"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 5

    def draw(self, context: bpy.types.Context) -> None:
        """The mesh that is meant, and the buttons."""
        from ..scene.mesh_out import why_not

        layout, thing = self.layout, context.view_layer.objects.active
        fits = not why_not(thing)
        if thing is not None and fits:
            layout.label(text=thing.name, icon="MESH_DATA", translate=False)
        layout.prop(settings_of(context), "mesh_at_rest")
        layout.operator(LIKENESS_OT_rig_mesh.bl_idname, icon="ARMATURE_DATA")
        why = mesh_obstacle(context)
        if why:
            paragraph(layout, context, why, icon="INFO")


CLASSES = (LIKENESS_OT_rig_mesh, LIKENESS_PT_rig_mesh)
