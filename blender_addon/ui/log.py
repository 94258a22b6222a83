# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are shown as texts in an editor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .preferences import choice, folder_for
from .session import session

__all__ = ["CLASSES", "LIKENESS_OT_show_log"]

MOST = 200_000
"""Bytes of a log that are shown."""
LOGS = (
    ("BACKEND", "Backend", "What the backend printed", 1),
    ("SET_UP", "Set-Up", "What setting it up printed", 2),
)


class LIKENESS_OT_show_log(bpy.types.Operator):
    """Open the log as a text"""

    bl_idname = "likeness.show_log"
    bl_label = "Show Log"
    bl_options = {"INTERNAL"}

    of: bpy.props.EnumProperty(name="Log", description="Which log", items=LOGS)

    def execute(self, context: bpy.types.Context) -> Any:
        """Into a text block, shown in an editor."""
        from ..link.server_file import default_home

        made = session().set_up
        if self.of == "SET_UP" and made:
            _show(context, "Likeness set-up log", "\n".join(made.log))
        elif self.of == "SET_UP":
            _show(context, "Likeness set-up log", _tail(folder_for("backend") / "set_up.log"))
        else:
            home = choice(context).home or default_home()
            places = (home / "service" / "service.log", folder_for("backend") / "backend.log")
            _show(context, "Likeness backend log", "\n".join(f"# {place}\n{_tail(place)}" for place in places))
        return {"FINISHED"}


def _tail(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - MOST))
            return file.read().decode("utf-8", "replace")
    except OSError:
        return "Nothing was written so far."


def _show(context: bpy.types.Context, name: str, content: str) -> None:
    text = bpy.data.texts.get(name) or bpy.data.texts.new(name)
    text.from_string(content)
    text.cursor_set(len(text.lines) - 1)
    if bpy.app.background:
        return
    areas = [area for window in context.window_manager.windows for area in window.screen.areas]
    editor = next((area for area in areas if area.type == "TEXT_EDITOR"), None)
    if editor is None:
        bpy.ops.wm.window_new()
        editor = context.window_manager.windows[-1].screen.areas[0]
        editor.type = "TEXT_EDITOR"
    space: Any = editor.spaces.active
    space.text = text
    space.show_word_wrap = True


CLASSES = (LIKENESS_OT_show_log,)
