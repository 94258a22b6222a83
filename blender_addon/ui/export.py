# SPDX-License-Identifier: GPL-3.0-or-later
"""Export: the head for game engines, the web and other programs, one button each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ExportHelper

from .heads import ForHead, HeadPanel, head_of, reason

__all__ = ["CLASSES"]


class _Export(ForHead, ExportHelper):
    """What the three have in common."""

    bl_options = {"REGISTER", "PRESET"}
    kind = ""
    filename_ext: str
    report: Any

    filepath: bpy.props.StringProperty(name="File", description="Where to write", subtype="FILE_PATH", maxlen=1024)

    animation: bpy.props.BoolProperty(
        name="Animation", description="Also write the animation of the face and the bones", default=False
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """The head's name beside the .blend is the first offer."""
        if not self.filepath:
            folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
            self.filepath = str(folder / f"{bpy.path.clean_name(head_of(context).name)}{self.filename_ext}")
        return super().invoke(context, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Write the file."""
        from ..scene.export import export

        path = Path(bpy.path.abspath(self.filepath))
        try:
            export(context, head_of(context), path, self.kind, animation=self.animation)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, f"{path.name} was not written: {reason(error)}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Wrote {path}")
        return {"FINISHED"}


class LIKENESS_OT_export_glb(_Export, bpy.types.Operator):
    """Write the head as one glTF file for the web and game engines"""

    bl_idname = "likeness.export_glb"
    bl_label = "Export GLB"
    bl_description = (
        "Write the head as one glTF file for the web and game engines, with shape keys, rig, pictures "
        "and where it comes from"
    )
    kind, filename_ext = "GLB", ".glb"
    filter_glob: bpy.props.StringProperty(default="*.glb", options={"HIDDEN"})


class LIKENESS_OT_export_fbx(_Export, bpy.types.Operator):
    """Write the head as FBX for Unreal, Unity, Maya and others, with shape keys, rig and embedded pictures"""

    bl_idname = "likeness.export_fbx"
    bl_label = "Export FBX"
    kind, filename_ext = "FBX", ".fbx"
    filter_glob: bpy.props.StringProperty(default="*.fbx", options={"HIDDEN"})


class LIKENESS_OT_export_usd(_Export, bpy.types.Operator):
    """Write the head as USD for film pipelines and Apple's programs, with blend shapes, skeleton and pictures"""

    bl_idname = "likeness.export_usd"
    bl_label = "Export USD"
    kind, filename_ext = "USD", ".usdz"
    check_extension = None  # .usdc, .usda and .usd are welcome as well
    filter_glob: bpy.props.StringProperty(default="*.usdz;*.usdc;*.usda;*.usd", options={"HIDDEN"})


class LIKENESS_PT_export(HeadPanel, bpy.types.Panel):
    """For other programs"""

    bl_idname = "LIKENESS_PT_export"
    bl_label = "Export"
    bl_order = 25

    def draw(self, context: bpy.types.Context) -> None:
        """Three buttons, and where the head comes from."""
        from ..scene import provenance
        from .words import paragraph

        row = self.layout.row(align=True)
        for name, text in (("export_glb", "GLB"), ("export_fbx", "FBX"), ("export_usd", "USD")):
            row.operator(f"likeness.{name}", text=text, icon="EXPORT")
        paragraph(self.layout, context, provenance.line(head_of(context).mesh))


CLASSES = (LIKENESS_OT_export_glb, LIKENESS_OT_export_fbx, LIKENESS_OT_export_usd, LIKENESS_PT_export)
