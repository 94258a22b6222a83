# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of photos: added by file browser, by dropping files, by pasting paths."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import bpy
from bpy_extras.io_utils import ImportHelper

from . import consent, faces, set_up, thumbnails
from .lists import connect
from .main import Child
from .obstacles import is_at_hand
from .properties import path_of, settings_of
from .session import session

__all__ = ["CLASSES", "add", "register", "unregister"]

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".avif", ".heic", ".heif", ".bmp", ".jp2")


class LIKENESS_UL_photos(bpy.types.UIList):
    """Photos with what was found in each"""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        data: Any,
        item: Any,
        icon: int | None,
        active_data: Any,
        active_property: str | None,
        index: int | None = 0,
        flt_flag: int | None = 0,
    ) -> None:
        """Thumbnail, name, and how many faces there are."""
        row = layout.row(align=True)
        row.label(text=item.name, icon_value=thumbnails.icon(path_of(item)), translate=False)
        symbol: Any
        symbol, count = faces.summary(path_of(item))
        side = row.row()
        side.alignment = "RIGHT"
        side.alert = symbol == "ERROR"
        if symbol:
            side.label(text=count, icon=symbol)


class LIKENESS_OT_add_photos(bpy.types.Operator, ImportHelper):  # type: ignore[misc]  # the stubs differ between bases
    """Add photos of one person: several views make a better head"""

    bl_idname = "likeness.add_photos"
    bl_label = "Add Photos to Likeness"
    bl_options = {"REGISTER", "UNDO"}

    filter_glob: bpy.props.StringProperty(default=";".join(f"*{s}" for s in SUFFIXES), options={"HIDDEN"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Dropped files are taken as they are, else the file browser asks."""
        if self.directory and any(f.name for f in self.files):
            return self.execute(context)
        return ImportHelper.invoke(self, context, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Add what was chosen."""
        names = [f.name for f in self.files if f.name]
        paths = [Path(self.directory) / name for name in names] or [Path(self.filepath)]  # type: ignore[attr-defined]
        return _report(self, *add(context, paths))


class LIKENESS_OT_paste_photos(bpy.types.Operator):
    """Add the photos whose paths are on the clipboard, one a line"""

    bl_idname = "likeness.paste_photos"
    bl_label = "Paste Paths"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Any:
        """Read the clipboard."""
        paths = pasted(context.window_manager.clipboard)
        if not paths:
            self.report({"WARNING"}, "There is no path on the clipboard; copy the path of a photo first.")
            return {"CANCELLED"}
        return _report(self, *add(context, paths))


class _OnPhotos:
    bl_options: Any = {"REGISTER", "UNDO", "INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return len(settings_of(context).photos) > 0


class LIKENESS_OT_remove_photo(_OnPhotos, bpy.types.Operator):
    """Take the photo off the list; the file stays"""

    bl_idname = "likeness.remove_photo"
    bl_label = "Remove Photo"

    def execute(self, context: bpy.types.Context) -> Any:
        """Remove the active photo."""
        settings = settings_of(context)
        settings.photos.remove(settings.active_photo)
        settings.active_photo = max(min(settings.active_photo, len(settings.photos) - 1), 0)
        return {"FINISHED"}


class LIKENESS_OT_clear_photos(_OnPhotos, bpy.types.Operator):
    """Take all photos off the list; the files stay"""

    bl_idname = "likeness.clear_photos"
    bl_label = "Remove All Photos"

    def execute(self, context: bpy.types.Context) -> Any:
        """Empty the list."""
        settings_of(context).photos.clear()
        settings_of(context).active_photo = 0
        return {"FINISHED"}


class LIKENESS_OT_move_photo(_OnPhotos, bpy.types.Operator):
    """Change the order; the first photo names the head"""

    bl_idname = "likeness.move_photo"
    bl_label = "Move Photo"

    step: bpy.props.IntProperty(name="Step", description="Places to move: -1 is up", default=-1, min=-1, max=1)

    def execute(self, context: bpy.types.Context) -> Any:
        """Swap with the neighbour."""
        settings = settings_of(context)
        target = settings.active_photo + self.step
        if not 0 <= target < len(settings.photos):
            return {"CANCELLED"}
        settings.photos.move(settings.active_photo, target)
        settings.active_photo = target
        return {"FINISHED"}


class LIKENESS_MT_photos(bpy.types.Menu):
    """What else can be done with the photos"""

    bl_idname = "LIKENESS_MT_photos"
    bl_label = "Photos"

    def draw(self, context: bpy.types.Context) -> None:
        """Paste, look again, clear."""
        layout = self.layout
        layout.operator(LIKENESS_OT_paste_photos.bl_idname, icon="PASTEDOWN")
        layout.operator(faces.LIKENESS_OT_find_faces.bl_idname, icon="VIEWZOOM")
        layout.separator()
        layout.operator(LIKENESS_OT_clear_photos.bl_idname, icon="X")


class LIKENESS_FH_photos(bpy.types.FileHandler):
    """Drop photos on the sidebar or the viewport."""

    bl_idname = "LIKENESS_FH_photos"
    bl_label = "Photos for Likeness"
    bl_import_operator = LIKENESS_OT_add_photos.bl_idname
    bl_file_extensions = ";".join(SUFFIXES)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a 3D view."""
        return context.area is not None and context.area.type == "VIEW_3D"


class LIKENESS_PT_photos(Child, bpy.types.Panel):
    """The list"""

    bl_idname = "LIKENESS_PT_photos"
    bl_label = "Photos"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """List with its buttons, then the faces of the active photo."""
        settings = settings_of(context)
        if not settings.photos:
            _draw_empty(self.layout)
            return
        row = self.layout.row()
        rows = 5 if len(settings.photos) > 1 else 3
        row.template_list("LIKENESS_UL_photos", "", settings, "photos", settings, "active_photo", rows=rows)
        side = row.column(align=True)
        side.operator(LIKENESS_OT_add_photos.bl_idname, text="", icon="ADD")
        side.operator(LIKENESS_OT_remove_photo.bl_idname, text="", icon="REMOVE")
        side.separator()
        side.menu(LIKENESS_MT_photos.bl_idname, text="", icon="DOWNARROW_HLT")
        if len(settings.photos) > 1:
            side.separator()
            steps: tuple[tuple[Any, int], ...] = (("TRIA_UP", -1), ("TRIA_DOWN", 1))
            for symbol, step in steps:
                move: Any = side.operator(LIKENESS_OT_move_photo.bl_idname, text="", icon=symbol)
                move.step = step
        if 0 <= settings.active_photo < len(settings.photos):
            faces.draw(self.layout, context, settings.photos[settings.active_photo])


def _draw_empty(layout: bpy.types.UILayout) -> None:
    column = layout.column(align=True)
    box = column.box()
    hint = box.column(align=True)
    hint.alignment = "CENTER"
    hint.label(text="Drop photos of one person here", icon="IMAGE_DATA")
    row = column.row(align=True)
    row.scale_y = 1.2
    row.operator(LIKENESS_OT_add_photos.bl_idname, text="Add Photos", icon="ADD")
    row.operator(LIKENESS_OT_paste_photos.bl_idname, text="", icon="PASTEDOWN")


def add(context: bpy.types.Context, paths: Iterable[Path]) -> tuple[int, list[str]]:
    """Put photos on the list; returns how many, and why the others were not."""
    settings = settings_of(context)
    known, refused, added = {path_of(photo) for photo in settings.photos}, [], 0
    for path in paths:
        if not path.is_file():
            refused.append(f"{path} is no file.")
        elif path.suffix.lower() not in SUFFIXES:
            refused.append(f"{path.name} is no photo; use JPEG, PNG, WebP, TIFF, AVIF or HEIC.")
        elif path in known:
            refused.append(f"{path.name} is on the list already.")
        else:
            photo = settings.photos.add()
            photo.name, photo.filepath = path.name, str(path)
            known.add(path)
            added += 1
    if added:
        settings.active_photo = len(settings.photos) - 1
        look_at_photos(context)
    return added, refused


def pasted(text: str) -> list[Path]:
    """The paths in a pasted text: one a line, perhaps quoted, perhaps as file:// addresses."""
    paths = []
    for line in text.splitlines():
        entry = line.strip().strip("\"'")
        if entry.startswith("file:"):
            entry = url2pathname(unquote(urlsplit(entry).path))
        if entry:
            paths.append(Path(entry).expanduser())
    return paths


def look_at_photos(context: bpy.types.Context) -> None:
    """Let the backend look for faces in new photos, where it is at hand and may."""
    if not bpy.app.background and consent.is_settled(context) and is_at_hand(context):
        if not session().methods:
            connect(context)
        faces.find(context, [path_of(photo) for photo in settings_of(context).photos])


def _report(operator: bpy.types.Operator, added: int, refused: list[str]) -> Any:
    for why in refused:
        operator.report({"WARNING"}, why)
    return {"FINISHED"} if added else {"CANCELLED"}


CLASSES = (
    LIKENESS_UL_photos,
    LIKENESS_OT_add_photos,
    LIKENESS_OT_paste_photos,
    LIKENESS_OT_remove_photo,
    LIKENESS_OT_clear_photos,
    LIKENESS_OT_move_photo,
    LIKENESS_MT_photos,
    LIKENESS_FH_photos,
    LIKENESS_PT_photos,
)


def register() -> None:
    """Photos that wait are looked at as soon as they may and can be."""
    consent.GIVEN.add(look_at_photos)
    set_up.DONE.add(look_at_photos)


def unregister() -> None:
    """The opposite of `register`."""
    consent.GIVEN.remove(look_at_photos)
    set_up.DONE.remove(look_at_photos)
