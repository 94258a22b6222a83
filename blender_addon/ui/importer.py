# SPDX-License-Identifier: GPL-3.0-or-later
"""File > Import > Likeness avatar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from ..link.fewer import with_fewer
from ..link.package import PackageError, open_package

__all__ = ["CLASSES", "LIKENESS_FH_package", "LIKENESS_OT_import", "register", "unregister"]


class LIKENESS_OT_import(bpy.types.Operator, ImportHelper):  # type: ignore[misc]  # the stubs differ between bases
    """Bring in a head that was made from photos, with its rig, materials and the photos' cameras"""

    bl_idname = "likeness.import_avatar"
    bl_label = "Import Likeness Avatar"
    bl_options = {"REGISTER", "UNDO"}

    filename_ext = ".zip"
    filter_glob: bpy.props.StringProperty(default="*.zip;*.likeness;avatar.json", options={"HIDDEN"})
    studio: bpy.props.BoolProperty(
        name="Studio",
        description="Add a portrait camera, three soft lights and a backdrop in a collection of their own",
        default=False,
    )
    statistical: bpy.props.IntProperty(
        name="FLAME Expressions",
        description="How many of a FLAME head's numbered expressions become shape keys; the first say most",
        default=50,
        min=10,
        max=100,
    )
    shapes: bpy.props.IntProperty(
        name="FLAME Shapes",
        description="How many of a FLAME head's shape coefficients become keys, at the person's values over FLAME's "
        "mean head; 0 freezes the person into the basis",
        default=0,
        min=0,
        max=100,
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Building the armature needs object mode."""
        return context.mode == "OBJECT"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """A dropped package comes in at once; from the menu, a file is chosen first."""
        if self.properties.is_property_set("filepath"):
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Read the package and build the head."""
        from ..scene import build

        path = Path(self.filepath)  # type: ignore[attr-defined]  # of ImportHelper
        if path.name == "avatar.json" or (not path.exists() and path.parent.suffix == ".likeness"):
            path = path.parent  # a folder is chosen by what lies in it
        try:
            with open_package(path) as package:
                head = build(
                    with_fewer(package, self.statistical), context.scene, studio=self.studio, shapes=self.shapes
                )
        except PackageError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        _show(context, head.mesh)
        self.report({"INFO"}, f"Imported {head.collection.name}")
        return {"FINISHED"}


def _show(context: bpy.types.Context, head: bpy.types.Object) -> None:
    """Select the head, and bring it into view: it is small, and stands inside of Blender's first cube."""
    for other in context.selected_objects:
        other.select_set(False)
    head.select_set(True)
    context.view_layer.objects.active = head
    if bpy.app.background:
        return
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            space: Any = area.spaces.active
            if area.type == "VIEW_3D" and space.region_3d.view_perspective != "CAMERA":
                region = next(r for r in area.regions if r.type == "WINDOW")
                with context.temp_override(window=window, area=area, region=region):
                    bpy.ops.view3d.view_selected()


class LIKENESS_FH_package(bpy.types.FileHandler):
    """Drop an avatar, folder or file, into the 3D view; Blender takes any .zip for an extension."""

    bl_idname = "LIKENESS_FH_package"
    bl_label = "Likeness avatar"
    bl_import_operator = "likeness.import_avatar"
    bl_file_extensions = ".likeness"

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


def menu_entry(self: bpy.types.Menu, context: bpy.types.Context) -> None:
    """The line in File > Import."""
    self.layout.operator(LIKENESS_OT_import.bl_idname, text="Likeness avatar (.likeness)")


CLASSES = (LIKENESS_OT_import, LIKENESS_FH_package)


def register() -> None:
    """The line in File > Import."""
    bpy.types.TOPBAR_MT_file_import.append(menu_entry)


def unregister() -> None:
    """The opposite of `register`."""
    bpy.types.TOPBAR_MT_file_import.remove(menu_entry)
