# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as the user sees it: state, start, stop, log; and the page of preferences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import bpy

from . import set_up
from .connection import Backend, Choice
from .consent import draw_notices, has_agreed
from .lists import connect
from .log import LIKENESS_OT_show_log
from .main import InTab
from .obstacles import backend_obstacle
from .preferences import DRAWN, choice, folder_for, preferences
from .session import session
from .words import paragraph

__all__ = ["CLASSES", "LIKENESS_OT_connect", "draw_preferences", "register", "unregister"]

WORKER = {
    "starting": "warming up",
    "ready": "ready",
    "busy": "at work",
    "restarting": "starting its worker again",
    "failed": "its worker does not start",
}


class LIKENESS_OT_connect(bpy.types.Operator):
    """Start the backend, or find the one that runs, and ask what it can do"""

    bl_idname = "likeness.connect"
    bl_label = "Start"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The reason is the tooltip."""
        why = backend_obstacle(context)
        if why:
            cls.poll_message_set(why)
        return not why

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits until the lists are there."""
        session().problem = ""
        pending = connect(context)
        if bpy.app.background:
            session().wait(lambda: bool(pending))
            if session().problem:
                self.report({"ERROR"}, session().problem)
                return {"CANCELLED"}
        return {"FINISHED"}


class LIKENESS_OT_stop(bpy.types.Operator):
    """Stop the backend; it starts again when it is needed. A head that is being made is given up"""

    bl_idname = "likeness.stop"
    bl_label = "Stop"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """It must run."""
        return session().backend.state in ("starting", "running", "connected")

    def execute(self, context: bpy.types.Context) -> Any:
        """Stop in a thread: it may take seconds."""
        _stop(context, None)
        return {"FINISHED"}


class LIKENESS_OT_restart(bpy.types.Operator):
    """Stop the backend and start it again"""

    bl_idname = "likeness.restart"
    bl_label = "Restart"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing must stand in the way."""
        return not backend_obstacle(context)

    def execute(self, context: bpy.types.Context) -> Any:
        """Stop, then start, in threads."""
        _stop(context, lambda: connect(bpy.context))
        return {"FINISHED"}


class LIKENESS_PT_backend(InTab, bpy.types.Panel):
    """The program that does the work"""

    bl_idname = "LIKENESS_PT_backend"
    bl_label = "Backend"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 90

    def draw(self, context: bpy.types.Context) -> None:
        """State and buttons."""
        draw_state(self.layout, context)
        opened: Any = self.layout.operator("preferences.addon_show", text="Preferences", icon="PREFERENCES")
        opened.module = preferences(context).bl_idname


def _health(backend: Backend, where: Choice) -> dict[str, Any]:
    return backend.client(where).health()


def _stop(context: bpy.types.Context, then: Callable[[], object] | None) -> None:
    now = session()
    if now.task:
        now.task.abandon()
    gone: list[bool] = []

    def ended(_: Any) -> None:
        gone.append(True)
        now.health = {}
        if then:
            then()

    now.call(now.backend.stop, then=ended)
    if bpy.app.background:
        now.wait(lambda: not gone)


def draw_state(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """One line on the state, and what can be done."""
    now = session()
    state = now.backend.state
    if state in ("running", "connected"):
        now.health = now.fact(_health, now.backend, choice(context), fresh=3.0) or now.health
    worker = (now.health.get("worker") or {}).get("state", "")
    words = {"stopped": "Not running", "starting": "Starting", "failed": "Does not start"}.get(state, "Running")
    if state in ("running", "connected") and now.health:
        words = f"Likeness {now.health.get('version')} on {now.health.get('device')}: {WORKER.get(worker, 'running')}"
    icons: dict[str, Any] = {"running": "CHECKMARK", "connected": "LINKED", "starting": "SORTTIME", "failed": "ERROR"}
    layout.label(text=words, icon=icons.get(state, "RADIOBUT_OFF"))
    if now.backend.message and state != "running":
        paragraph(layout, context, now.backend.message, alert=state == "failed")
    row = layout.row(align=True)
    far = preferences(context).kind == "REMOTE"
    if not LIKENESS_OT_stop.poll(context):
        row.operator(LIKENESS_OT_connect.bl_idname, text="Connect" if far else "Start", icon="PLAY")
    elif far:
        row.operator(LIKENESS_OT_stop.bl_idname, text="Disconnect", icon="UNLINKED")
    else:
        row.operator(LIKENESS_OT_stop.bl_idname, icon="PAUSE")
        row.operator(LIKENESS_OT_restart.bl_idname, icon="FILE_REFRESH")
    if not far:
        row.operator(LIKENESS_OT_show_log.bl_idname, text="Log", icon="TEXT")


def draw_preferences(p: Any, layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The page in Preferences > Add-ons."""
    draw_notices(layout, context)
    layout.use_property_split, layout.use_property_decorate = True, False
    layout.prop(p, "kind")
    box = layout.box()
    if p.kind == "SET_UP":
        _draw_version(box, context)
        set_up.draw(box, context, options=True)
    elif p.kind == "OWN":
        box.prop(p, "own")
    else:
        for name in ("url", "token", "ca_file"):
            box.prop(p, name)
        why = backend_obstacle(context)
        if why:
            paragraph(box, context, why, icon="INFO")
    if p.kind != "SET_UP" or (found := set_up.state(context)) is None or found.installed:
        draw_state(layout.box(), context)
    column = layout.column()
    if p.kind != "REMOTE":
        column.prop(p, "home", placeholder="The backend's usual folder")
    column.prop(p, "avatars", placeholder=str(folder_for("avatars")))
    if has_agreed(context):
        layout.label(text=f"You agreed to the notice about faces on {p.agreed[:10]}.", icon="CHECKMARK")


def _draw_version(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    found = set_up.state(context)
    if found and found.installed:
        text = f"Version {found.installed.version} is set up for {found.installed.device.upper()}."
        layout.label(text=text, icon="CHECKMARK")


CLASSES = (LIKENESS_OT_connect, LIKENESS_OT_stop, LIKENESS_OT_restart, LIKENESS_PT_backend)


def register() -> None:
    """Fill the page of preferences."""
    DRAWN.add(draw_preferences)


def unregister() -> None:
    """The opposite of `register`."""
    DRAWN.remove(draw_preferences)
