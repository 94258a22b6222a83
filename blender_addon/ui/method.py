# SPDX-License-Identifier: GPL-3.0-or-later
"""Which published method reads the photos, and which head model is fitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy

from .backend import LIKENESS_OT_connect
from .main import Child
from .properties import settings_of
from .session import session
from .weights import draw_missing
from .words import licences, paragraph

__all__ = ["CLASSES", "finest"]

READY: Any = "CHECKMARK"
LACKS: Any = "IMPORT"
AUTO = {"name": "auto", "title": "Best Installed", "ready": True, "status": "ready"}


class _Choose:
    bl_options: Any = {"REGISTER", "UNDO", "INTERNAL"}

    name: bpy.props.StringProperty(name="Name", description="As the backend calls it")


class LIKENESS_OT_choose_method(_Choose, bpy.types.Operator):
    """Read the photos with this method"""

    bl_idname = "likeness.choose_method"
    bl_label = "Choose Method"

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """Paper, licences and what is missing, as the tooltip."""
        return _tooltip(_find(session().methods, properties.name)) or cls.__doc__ or ""

    def execute(self, context: bpy.types.Context) -> Any:
        """Note it in the scene."""
        settings_of(context).method = self.name
        return {"FINISHED"}


class LIKENESS_OT_choose_head(_Choose, bpy.types.Operator):
    """Fit this head model"""

    bl_idname = "likeness.choose_head"
    bl_label = "Choose Head Model"

    @classmethod
    def description(cls, context: bpy.types.Context, properties: Any) -> str:
        """Licence and what is missing, as the tooltip."""
        return _tooltip(_find(session().heads, properties.name)) or cls.__doc__ or ""

    def execute(self, context: bpy.types.Context) -> Any:
        """Note it in the scene."""
        settings_of(context).head = self.name
        return {"FINISHED"}


class LIKENESS_MT_method(bpy.types.Menu):
    """The methods; a tick marks those that can be used at once"""

    bl_idname = "LIKENESS_MT_method"
    bl_label = "Method"

    def draw(self, context: bpy.types.Context) -> None:
        """One line a method."""
        _draw_menu(self.layout, session().methods, LIKENESS_OT_choose_method.bl_idname)


class LIKENESS_MT_head(bpy.types.Menu):
    """The head models; a tick marks those that are installed"""

    bl_idname = "LIKENESS_MT_head"
    bl_label = "Head Model"

    def draw(self, context: bpy.types.Context) -> None:
        """One line a head model."""
        offered = [AUTO, *session().heads] if session().heads else []
        _draw_menu(self.layout, offered, LIKENESS_OT_choose_head.bl_idname)


class LIKENESS_PT_method(Child, bpy.types.Panel):
    """How the photos are read"""

    bl_idname = "LIKENESS_PT_method"
    bl_label = "Method"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Method and head model with status and licence."""
        settings, now = settings_of(context), session()
        method = _find(now.methods, settings.method)
        head = AUTO if settings.head == "auto" else _find(now.heads, settings.head)
        column = self.layout.column(align=True)
        _line(column, "Method", LIKENESS_MT_method.bl_idname, method, settings.method)
        _line(column, "Head Model", LIKENESS_MT_head.bl_idname, head, settings.head)
        for entry in (method, head):
            if entry and not entry["ready"]:
                _draw_lack(self.layout, context, entry)
        if method:
            strictest = method.get("strictest") or licences(method.get("licences") or {})
            paragraph(self.layout, context, f"Licence: {strictest}", icon="COPY_ID")
        if finest(context):
            column.prop(settings, "fine_size")


def finest(context: bpy.types.Context) -> int:
    """Largest side of the skin maps that the chosen method makes itself, 0 where it makes none larger."""
    method = _find(session().methods, settings_of(context).method)
    return int(method.get("finest") or 0) if method else 0


def _draw_lack(layout: bpy.types.UILayout, context: bpy.types.Context, entry: dict[str, Any]) -> None:
    """What a method or head needs first: as boxes with buttons, else in the backend's words."""
    needs = entry.get("needs") or []
    if needs and session().weights:
        paragraph(layout, context, f"{entry['title']} needs to be installed first:", icon="ERROR")
        draw_missing(layout, context, needs)
    else:
        paragraph(layout, context, f"{entry['title']}: {entry['status']}", icon="ERROR")


def _line(layout: bpy.types.UILayout, label: str, menu: str, entry: dict[str, Any] | None, name: str) -> None:
    split = layout.split(factor=0.4)
    side = split.row()
    side.alignment = "RIGHT"
    side.label(text=label)
    symbol: Any = "NONE" if entry is None or entry is AUTO else READY if entry["ready"] else "ERROR"
    split.menu(menu, text=entry["title"] if entry else name, icon=symbol, translate=False)


def _draw_menu(layout: bpy.types.UILayout, offered: Sequence[dict[str, Any]], operator: str) -> None:
    if not offered:
        layout.operator(LIKENESS_OT_connect.bl_idname, text="Start the Backend to See Them", icon="PLAY")
        return
    for ready in (True, False):
        entries = [e for e in offered if bool(e["ready"]) is ready]
        if entries and not ready:
            layout.separator()
            layout.label(text="Needs to be installed")
        for entry in entries:
            year = f" ({entry['year']})" if entry.get("year") else ""
            chosen: Any = layout.operator(
                operator, text=f"{entry['title']}{year}", icon=READY if ready else LACKS, translate=False
            )
            chosen.name = entry["name"]


def _find(offered: Sequence[dict[str, Any]], name: str) -> dict[str, Any] | None:
    return next((entry for entry in offered if entry["name"] == name), None)


def _tooltip(entry: dict[str, Any] | None) -> str:
    if entry is None:
        return ""
    lines = [str(entry.get("paper") or "")]
    held = entry.get("licences")
    if held:
        lines += [f"{part.capitalize()}: {licence}" for part, licence in held.items() if licence]
    elif entry.get("licence"):
        lines.append(f"Licence: {entry['licence']}")
    if not entry["ready"]:
        lines.append(str(entry["status"]))
    return "\n".join(line for line in lines if line)


CLASSES = (
    LIKENESS_OT_choose_method,
    LIKENESS_OT_choose_head,
    LIKENESS_MT_method,
    LIKENESS_MT_head,
    LIKENESS_PT_method,
)
