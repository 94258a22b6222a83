# SPDX-License-Identifier: GPL-3.0-or-later
"""Setting the backend up from Blender: one button, progress, log, cancel, another try."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .events import Event
from .lists import connect
from .log import LIKENESS_OT_show_log
from .preferences import choice, folder_for, preferences
from .session import redraw, session
from .words import paragraph, size

if TYPE_CHECKING:
    from ..link.set_up import Installed

__all__ = ["CLASSES", "DONE", "State", "draw", "draw_if_needed", "state"]

DONE = Event()
"""The backend was set up and is being asked for its lists; told with the context."""


@dataclass(frozen=True)
class State:
    """What the disk says: the installed backend, whether the add-on carries a newer one, bytes that are free."""

    installed: Installed | None
    wheel: Path | None
    newer: bool
    free: int


def state(context: bpy.types.Context) -> State | None:
    """What is installed, as last seen; None before the first look."""
    return session().fact(look, folder_for("backend"))


def look(folder: Path) -> State:
    """Look at the disk."""
    from ..link.set_up import installed, needs_update, own_wheel

    found, wheel = installed(folder), own_wheel()
    there = next(place for place in (folder, *folder.parents) if place.exists())
    newer = bool(found and wheel and needs_update(found, wheel))
    return State(found, wheel, newer, shutil.disk_usage(there).free)


class LIKENESS_OT_set_up(bpy.types.Operator):
    """Install the backend into a folder of its own: neither Blender nor the system is changed"""

    bl_idname = "likeness.set_up"
    bl_label = "Set Up Backend"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The reason is the tooltip."""
        why = _obstacle(context)
        if why:
            cls.poll_message_set(why)
        return not why

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits for the end."""
        from ..link.set_up import SetUp, own_wheel

        now, p = session(), preferences(context)
        wheel = own_wheel()
        if wheel is None:
            self.report({"ERROR"}, _NO_WHEEL)
            return {"CANCELLED"}
        now.backend.stop()
        python = bpy.path.abspath(p.python) or sys.executable
        home = choice(context).home
        made = now.set_up = SetUp(folder_for("backend"), python, wheel, p.device, bpy.app.online_access, home=home)
        made.start()
        now.later(0.5, _follow)
        if bpy.app.background:
            now.wait(lambda: made.state == "running")
            now.forget()
            if made.state != "done":
                self.report({"ERROR"}, made.message)
                return {"CANCELLED"}
        return {"FINISHED"}


def _follow() -> None:
    """Once it is done, everything is asked anew."""
    now = session()
    if now.set_up and now.set_up.state == "running":
        now.later(0.5, _follow)
        return
    now.forget()
    if now.set_up and now.set_up.state == "done" and not bpy.app.background:
        now.set_up = None
        connect(bpy.context)
        DONE.tell(bpy.context)


class LIKENESS_OT_cancel_set_up(bpy.types.Operator):
    """Stop; what was fetched is kept for the next try"""

    bl_idname = "likeness.cancel_set_up"
    bl_label = "Cancel Set-Up"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """It must be going on."""
        made = session().set_up
        return bool(made and made.state == "running")

    def execute(self, context: bpy.types.Context) -> Any:
        """Ask for the end."""
        session().set_up.cancel()
        return {"FINISHED"}


class LIKENESS_OT_remove_backend(bpy.types.Operator):
    """Delete the backend that was set up here. Finished heads and weights stay"""

    bl_idname = "likeness.remove_backend"
    bl_label = "Remove Backend"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There must be one, at rest."""
        now, found = session(), state(context)
        busy = (now.set_up and now.set_up.state == "running") or (now.task and now.task.going)
        return bool(found and found.installed and not busy)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Stop it and delete its folder, in a thread: there are many files."""
        from ..link.set_up import remove

        now = session()

        def go() -> None:
            now.backend.stop()
            remove(folder_for("backend"))

        gone: list[bool] = []

        def then(_: Any) -> None:
            gone.append(True)
            now.forget()
            redraw()

        def failed(why: str) -> None:
            now.problem = why
            then(None)

        now.call(go, then=then, failed=failed)
        if bpy.app.background:
            now.wait(lambda: not gone)
        return {"FINISHED"}


_NO_WHEEL = "This copy of the add-on carries no backend; install one by hand and choose it in the preferences."


def _obstacle(context: bpy.types.Context) -> str:
    now, found = session(), state(context)
    if now.set_up and now.set_up.state == "running":
        return "The backend is being set up already."
    if now.task and now.task.going:
        return "A head is being made; wait for it or cancel it."
    if found and found.wheel is None:
        return _NO_WHEEL
    if not bpy.app.online_access:
        return "Setting up downloads PyTorch: allow Online Access in Preferences > System > Network first."
    return ""


def draw_if_needed(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button and its progress, where the chosen backend is the one that Blender sets up and it lacks."""
    found, made = state(context), session().set_up
    going = bool(made and made.state == "running")
    if preferences(context).kind != "SET_UP" or (
        not going and (found is None or (found.installed and not found.newer))
    ):
        return
    box = layout.box()
    newer = bool(found and found.newer)
    box.label(text="Update the Backend" if newer else "Set Up the Backend", icon="SETTINGS")
    draw(box, context)


def draw(layout: bpy.types.UILayout, context: bpy.types.Context, options: bool = False) -> None:
    """What can be done about the backend's installation; ``options`` also shows Python and device."""
    found, made, p = state(context), session().set_up, preferences(context)
    if made and made.state == "running":
        row = layout.row(align=True)
        row.progress(factor=made.fraction, text=made.stage or "Starting")
        row.operator(LIKENESS_OT_cancel_set_up.bl_idname, text="", icon="CANCEL")
        paragraph(layout, context, made.message or (made.log[-1] if made.log else ""))
        return
    if made and made.state == "failed":
        paragraph(layout, context, made.message, icon="ERROR", alert=True)
    if found is None:
        return
    fresh = found.installed is None
    if fresh or options:
        column = layout.column()
        column.use_property_split, column.use_property_decorate = True, False
        column.prop(p, "device")
        if options:
            column.prop(p, "python")
    if fresh:
        _draw_cost(layout, context, p.device, found.free)
    why = _obstacle(context)
    row = layout.row(align=True)
    row.scale_y = 1.4 if fresh else 1.0
    again = made is not None and made.state in ("failed", "cancelled")
    text = "Try Again" if again else "Set Up Backend" if fresh else "Update Backend" if found.newer else "Set Up Anew"
    row.operator(LIKENESS_OT_set_up.bl_idname, text=text, icon="IMPORT")
    if not fresh and options:
        row.operator(LIKENESS_OT_remove_backend.bl_idname, icon="TRASH")
    if why and (fresh or found.newer):
        paragraph(layout, context, why, icon="INFO")
        if not bpy.app.online_access and found.wheel is not None:
            layout.operator("extensions.userpref_allow_online", text="Allow Online Access", icon="INTERNET")
    if made and made.log:
        shown: Any = layout.operator(LIKENESS_OT_show_log.bl_idname, text="Show What Happened", icon="TEXT")
        shown.of = "SET_UP"


def _draw_cost(layout: bpy.types.UILayout, context: bpy.types.Context, device: Any, free: int) -> None:
    from ..link.builds import BACKEND, build_for

    build = build_for(device)
    if build is None:
        paragraph(layout, context, "There is no such build of PyTorch for this computer; choose CPU.", icon="ERROR")
        return
    fetched = build.size.fetched + BACKEND.fetched
    text = f"Once: downloads about {size(fetched)}, needs {size(build.disk)} of {size(free)} free."
    paragraph(layout, context, text, icon="NONE" if free > build.disk else "ERROR")


CLASSES = (LIKENESS_OT_set_up, LIKENESS_OT_cancel_set_up, LIKENESS_OT_remove_backend)
