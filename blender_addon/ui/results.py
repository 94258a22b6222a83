# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend has made: bring in again, show in a folder, delete."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import bpy

from . import thumbnails
from .connection import Backend, Choice
from .lists import active, connect, heed, lines
from .main import InTab
from .obstacles import backend_obstacle
from .preferences import choice, folder_for
from .properties import settings_of
from .reconstruct import avatars_folder, bring_in
from .session import session
from .task import package_path
from .words import licences, paragraph, size

__all__ = ["CLASSES", "register", "unregister"]

ICONS: dict[str, Any] = {"queued": "SORTTIME", "running": "PLAY", "done": "NONE", "failed": "ERROR", "cancelled": "X"}
FOREVER = 1e9


class LIKENESS_PG_result(bpy.types.PropertyGroup):
    """A job of the backend, as a line in the list"""

    name: bpy.props.StringProperty(name="Name")
    job_id: bpy.props.StringProperty(name="Job")


class LIKENESS_UL_results(bpy.types.UIList):
    """Jobs, the newest first"""

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
        """Thumbnail, name, and what became of it."""
        job = session().jobs.get(item.job_id)
        if job is None:
            return
        row = layout.row(align=True)
        picture = _picture(context, job)
        if picture:
            row.label(text=item.name, icon_value=picture, translate=False)
        else:
            row.label(text=item.name, icon="USER", translate=False)
        side = row.row()
        side.alignment = "RIGHT"
        if job["state"] == "running":
            side.label(text=f"{float(job.get('total') or 0):.0%}", translate=False)
        elif job["state"] == "done":
            side.enabled = False
            side.label(text=_when(job), translate=False)
        else:
            side.label(text="", icon=ICONS.get(job["state"], "QUESTION"))


class _OnResult:
    """Works on the job named, or on the active one."""

    bl_options: Any = {"INTERNAL"}

    job_id: bpy.props.StringProperty(
        name="Job", description="Left empty, the one chosen in the list", options={"SKIP_SAVE"}
    )

    def job(self, context: bpy.types.Context) -> dict[str, Any] | None:
        """The job, if there is one."""
        return session().jobs.get(self.job_id) if self.job_id else active(context)


class LIKENESS_OT_refresh(bpy.types.Operator):
    """Ask the backend for its list anew"""

    bl_idname = "likeness.refresh"
    bl_label = "Refresh"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Nothing must stand in the way of the backend."""
        return not backend_obstacle(context)

    def execute(self, context: bpy.types.Context) -> Any:
        """A script waits for the answer."""
        pending = connect(context)
        if bpy.app.background:
            session().wait(lambda: bool(pending))
        return {"FINISHED"}


class LIKENESS_OT_import_result(_OnResult, bpy.types.Operator):
    """Bring this head into the scene; one that is there already is replaced"""

    bl_idname = "likeness.import_result"
    bl_label = "Import"

    def execute(self, context: bpy.types.Context) -> Any:
        """Fetch it where it is not on this machine yet, then import."""
        job = self.job(context)
        if job is None or not job.get("has_avatar"):
            self.report({"ERROR"}, "This job has no head to bring in.")
            return {"CANCELLED"}
        studio = settings_of(context).studio
        return _with_package(self, context, job, lambda package: _import(package, studio))


class LIKENESS_OT_show_result(_OnResult, bpy.types.Operator):
    """Show the avatar's file in its folder"""

    bl_idname = "likeness.show_result"
    bl_label = "Show in Folder"

    def execute(self, context: bpy.types.Context) -> Any:
        """Fetch it where it is not on this machine yet, then open the folder."""
        job = self.job(context)
        if job is None or not job.get("has_avatar"):
            self.report({"ERROR"}, "This job has no file to show.")
            return {"CANCELLED"}
        return _with_package(self, context, job, _open_folder)


class LIKENESS_OT_delete_result(_OnResult, bpy.types.Operator):
    """Delete this job with its photos and its avatar, here and at the backend. Heads in the scene stay"""

    bl_idname = "likeness.delete_result"
    bl_label = "Delete Result"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Delete there, then here."""
        job = self.job(context)
        if job is None:
            return {"CANCELLED"}
        now, where = session(), choice(context)
        places = (package_path(avatars_folder(context), job).parent, _preview_path(job["id"]))
        gone: list[bool] = []

        def go() -> None:
            client = now.backend.client(where)
            client.cancel(job["id"])
            client.delete(job["id"])
            shutil.rmtree(places[0], ignore_errors=True)
            places[1].unlink(missing_ok=True)

        def then(_: Any) -> None:
            gone.append(True)
            thumbnails.forget(places[1])
            now.jobs.pop(job["id"], None)
            heed(bpy.context, list(now.jobs.values()))

        def failed(why: str) -> None:
            gone.append(True)
            now.problem = why

        now.call(go, then=then, failed=failed)
        if bpy.app.background:
            now.wait(lambda: not gone)
        return {"FINISHED"}


class LIKENESS_PT_results(InTab, bpy.types.Panel):
    """Heads that were made before"""

    bl_idname = "LIKENESS_PT_results"
    bl_label = "Results"
    bl_order = 1

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        """Refresh, at the right."""
        self.layout.operator(LIKENESS_OT_refresh.bl_idname, text="", icon="FILE_REFRESH", emboss=False)

    def draw(self, context: bpy.types.Context) -> None:
        """The list, and the chosen one."""
        layout, wm = self.layout, lines(context)
        if not wm.likeness_results:
            paragraph(layout, context, "Heads that you make are listed here.")
            return
        layout.template_list(
            "LIKENESS_UL_results", "", wm, "likeness_results", wm, "likeness_active_result", rows=3, maxrows=4
        )
        job = active(context)
        if job is None:
            return
        row = layout.row(align=True)
        bring = row.row(align=True)
        bring.enabled = bool(job.get("has_avatar"))
        bring.operator(LIKENESS_OT_import_result.bl_idname, icon="IMPORT")
        bring.operator(LIKENESS_OT_show_result.bl_idname, text="", icon="FILE_FOLDER")
        row.operator(LIKENESS_OT_delete_result.bl_idname, text="", icon="TRASH")
        _draw_details(layout, context, job)


def _draw_details(layout: bpy.types.UILayout, context: bpy.types.Context, job: dict[str, Any]) -> None:
    if job["state"] == "failed":
        error = job.get("error") or {}
        paragraph(layout, context, str(error.get("message") or "It failed."), icon="ERROR", alert=True)
    elif job["state"] in ("running", "queued"):
        paragraph(layout, context, str(job.get("message") or job["state"].capitalize()))
    row = layout.row()
    picture = _picture(context, job)
    if picture:
        row.template_icon(icon_value=picture, scale=4.0)
    column = row.column(align=True)
    column.scale_y = 0.85
    for text in _facts(job):
        column.label(text=text, translate=False)
    if job.get("licences"):
        paragraph(layout, context, f"Licences: {licences(job['licences'])}")


def _facts(job: dict[str, Any]) -> list[str]:
    count = len(job.get("photos") or ())
    wide = (job.get("settings") or {}).get("texture_size")
    source = "A mesh" if job.get("mesh") else f"{count} photo{'s' * (count != 1)}"
    lines = [f"Method {job.get('method')}, head {job.get('head')}", f"{source}, {wide} px"]
    if job.get("has_avatar"):
        lines.append(f"{_when(job)}, {size(float(job.get('avatar_bytes') or 0))}")
    return lines


def _when(job: dict[str, Any]) -> str:
    try:
        at = datetime.fromisoformat(str(job.get("finished") or job.get("created"))).astimezone()
    except ValueError:
        return ""
    return f"{at:%H:%M}" if at.date() == datetime.now().astimezone().date() else f"{at:%d %b %Y}"


def _preview_path(job_id: str) -> Path:
    return folder_for("previews") / f"{''.join(c for c in job_id if c.isalnum() or c in '-_')}.png"


def _picture(context: bpy.types.Context, job: dict[str, Any]) -> int:
    now = session()
    if now.backend.state not in ("running", "connected"):
        return 0
    path = now.fact(_preview, now.backend, choice(context), job["id"], _preview_path(job["id"]), fresh=FOREVER)
    return thumbnails.icon(path) if path else 0


def _preview(backend: Backend, where: Choice, job_id: str, path: Path) -> Path | None:
    return path if path.is_file() else backend.client(where).preview(job_id, path)


def _with_package(
    operator: bpy.types.Operator, context: bpy.types.Context, job: dict[str, Any], then: Callable[[Path], None]
) -> Any:
    """Hand the job's avatar on, at once where it is on this machine."""
    now, where, path = session(), choice(context), package_path(avatars_folder(context), job)
    ended: list[str] = []

    def go() -> Path:
        if path.is_file() and path.stat().st_size == job.get("avatar_bytes"):
            return path
        return now.backend.client(where).avatar(job["id"], path)

    def arrived(package: Path) -> None:
        ended.append("")
        then(package)

    def failed(why: str) -> None:
        ended.append(why)
        now.problem = why

    now.problem = ""
    now.call(go, then=arrived, failed=failed)
    if bpy.app.background:
        now.wait(lambda: not ended)
        if now.problem:
            operator.report({"ERROR"}, now.problem)
            return {"CANCELLED"}
    return {"FINISHED"}


def _import(package: Path, studio: bool) -> None:
    window = bpy.context.window or next(iter(bpy.context.window_manager.windows), None)
    with bpy.context.temp_override(window=window):
        bring_in(bpy.context, package, studio)


def _open_folder(package: Path) -> None:
    if not bpy.app.background:
        bpy.ops.wm.path_open(filepath=str(package.parent))


CLASSES = (
    LIKENESS_PG_result,
    LIKENESS_UL_results,
    LIKENESS_OT_refresh,
    LIKENESS_OT_import_result,
    LIKENESS_OT_show_result,
    LIKENESS_OT_delete_result,
    LIKENESS_PT_results,
)


def register() -> None:
    """The list belongs to the window manager: it is not saved and takes no part in undo."""
    wm: Any = bpy.types.WindowManager
    wm.likeness_results = bpy.props.CollectionProperty(type=LIKENESS_PG_result)
    wm.likeness_active_result = bpy.props.IntProperty(name="Result", description="The chosen head")


def unregister() -> None:
    """The opposite of `register`."""
    wm: Any = bpy.types.WindowManager
    del wm.likeness_results
    del wm.likeness_active_result
