# SPDX-License-Identifier: GPL-3.0-or-later
"""Which faces the backend sees in a photo, and which one is meant."""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bpy

from . import thumbnails
from .connection import Backend, Choice
from .obstacles import backend_obstacle, trouble
from .preferences import choice
from .properties import path_of, settings_of
from .session import session
from .words import paragraph

__all__ = ["CLASSES", "LIKENESS_OT_find_faces", "draw", "find", "summary"]

BUSY = 3.0
"""Seconds to wait before asking a backend again that is busy with somebody's job."""


class LIKENESS_OT_find_faces(bpy.types.Operator):
    """Let the backend look for faces in the photos again"""

    bl_idname = "likeness.find_faces"
    bl_label = "Look for Faces Again"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Photos are handed over only where that was agreed to."""
        why = backend_obstacle(context) or ("" if len(settings_of(context).photos) else "Add a photo first.")
        if why:
            cls.poll_message_set(why)
        return not why

    def execute(self, context: bpy.types.Context) -> Any:
        """Ask anew; a script waits for the answer."""
        paths = [path_of(photo) for photo in settings_of(context).photos]
        for path in paths:
            session().faces.pop(str(path), None)
        find(context, paths)
        if bpy.app.background:
            session().wait(lambda: bool(session().asked))
        return {"FINISHED"}


class LIKENESS_OT_choose_face(bpy.types.Operator):
    """Take this face"""

    bl_idname = "likeness.choose_face"
    bl_label = "Choose Face"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    index: bpy.props.IntProperty(name="Face", description="Counted from the largest, 0", min=0)

    def execute(self, context: bpy.types.Context) -> Any:
        """Note it with the active photo."""
        settings = settings_of(context)
        if not 0 <= settings.active_photo < len(settings.photos):
            return {"CANCELLED"}
        settings.photos[settings.active_photo].face = self.index
        return {"FINISHED"}


def find(context: bpy.types.Context, paths: Sequence[Path]) -> None:
    """Ask the backend about photos that it was not asked about yet."""
    now = session()
    idle = not now.asked
    now.asked += [path for path in dict.fromkeys(paths) if str(path) not in now.faces and path not in now.asked]
    if idle:
        _next()


def _next() -> None:
    """Ask about the first photo in the queue; the backend looks at one at a time, and at none while it makes a head."""
    now = session()
    if not now.asked:
        return
    if now.task and now.task.going:
        now.later(1.0, _next)
        return
    path, where, room = now.asked[0], choice(bpy.context), Path(bpy.app.tempdir)
    now.call(_ask, now.backend, where, path, room, then=partial(_learn, path), failed=_give_up)


def _ask(backend: Backend, where: Choice, path: Path, room: Path) -> dict[str, Any] | None:
    """What the backend says of a photo; None while it is busy. Raises ServiceError where it cannot be asked."""
    from ..link.client import ServiceError

    try:
        (found,) = backend.client(where).faces([path])
    except ServiceError as error:
        if error.retry_after is not None:
            return None
        if error.status is None and error.code != "file":
            raise
        return {"faces": [], "error": error.message}
    found["pictures"] = [_kept(face["picture"], room) for face in found["faces"] if face.get("picture")]
    return found


def _learn(path: Path, found: dict[str, Any] | None) -> None:
    now = session()
    if found is None:
        now.later(BUSY, _next)
        return
    now.faces[str(path)] = found
    if path in now.asked:
        now.asked.remove(path)
    _next()


def _give_up(why: str) -> None:
    """The backend cannot be asked: that is no fault of the photos."""
    session().asked.clear()
    session().problem = why


def _kept(picture: str, room: Path) -> Path:
    """A face as a file that goes with Blender."""
    content = b64decode(picture)
    path = room / f"likeness-face-{hashlib.sha256(content).hexdigest()[:24]}.png"
    path.write_bytes(content)
    return path


def summary(path: Path) -> tuple[str, str]:
    """An icon and a count for the list; nothing while it is not known."""
    found = session().faces.get(str(path))
    if session().fact(Path.is_file, path) is False or (found and (found.get("error") or not found["faces"])):
        return "ERROR", ""
    if path in session().asked:
        return "SORTTIME", ""
    if found is None:
        return "", ""
    count = len(found["faces"])
    return ("CHECKMARK", "") if count == 1 else ("COMMUNITY", str(count))


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, photo: Any) -> None:
    """What is wrong with a photo, or its faces where there are several."""
    path = path_of(photo)
    why = trouble(path)
    found = session().faces.get(str(path))
    if why:
        paragraph(layout, context, why, icon="ERROR", alert=True)
        return
    row = layout.row()
    row.template_icon(icon_value=thumbnails.icon(path), scale=4.0)
    column = row.column()
    column.scale_y = 0.85
    if path in session().asked:
        column.label(text="Looking for faces...")
    if found:
        column.label(text=f"{found['width']} x {found['height']} pixels", translate=False)
        column.label(text="1 face" if len(found["faces"]) == 1 else f"{len(found['faces'])} faces", translate=False)
    if found and len(found["faces"]) > 1:
        layout.label(text="Whose head is it?")
        grid = layout.grid_flow(row_major=True, columns=4, even_columns=True, align=True)
        for i, picture in enumerate(found.get("pictures", ())):
            cell = grid.column(align=True)
            cell.template_icon(icon_value=thumbnails.icon(picture), scale=3.0)
            pick: Any = cell.operator(
                LIKENESS_OT_choose_face.bl_idname, text=str(i + 1), depress=photo.face == i, translate=False
            )
            pick.index = i


CLASSES = (LIKENESS_OT_find_faces, LIKENESS_OT_choose_face)
