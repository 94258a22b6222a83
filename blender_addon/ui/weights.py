# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights and head models of others: what a method lacks, under which terms, and the buttons that put it in place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy_extras.io_utils import ImportHelper

from .main import Child
from .obstacles import backend_obstacle
from .preferences import choice
from .session import session
from .weight_task import Begin, WeightTask, described, fetch, give
from .words import for_buttons, paragraph, size

__all__ = ["CLASSES", "draw_missing"]

WIDTH = 460
"""Of the dialog that shows the terms, pixels at scale 1."""
BUTTON = 40.0
"""Of a button that shows an icon alone, and the space before it."""


def _entry_of(name: str) -> dict[str, Any] | None:
    """An entry of the backend's catalogue of weights, as last told."""
    return next((entry for entry in session().weights if entry["name"] == name), None)


class _OfOne:
    """An operator on one entry."""

    bl_options: Any = {"INTERNAL"}

    name: bpy.props.StringProperty(
        name="Name", description="As the backend's catalogue calls it", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The reason is the tooltip."""
        why = backend_obstacle(context)
        if why:
            cls.poll_message_set(why)  # type: ignore[attr-defined]  # of bpy.types.Operator
        return not why

    def _begin(self, context: bpy.types.Context, action: str, begin: Begin) -> Any:
        now, operator = session(), self
        last = now.weight_tasks.get(operator.name)
        if last and last.going:
            return _refuse(operator, "Something is being done with it already; wait for it or cancel it.")
        task = now.weight_tasks[operator.name] = WeightTask(now, choice(context), operator.name, action, begin)
        if bpy.app.background:
            now.wait(lambda: task.going or bool(now.calls))
            if task.error or task.wrong:
                return _refuse(operator, task.error or f"{task.text}.")
        return {"FINISHED"}


class LIKENESS_OT_install_weights(_OfOne, bpy.types.Operator):
    """Have the backend fetch it from its authors. The terms are shown first; a download that broke off goes on"""

    bl_idname = "likeness.install_weights"
    bl_label = "Install Weights"

    accept: bpy.props.BoolProperty(
        name="I have read these terms and agree",
        description="Weights are other people's work; who downloads them is bound by what they ask for",
        default=False,
        options={"SKIP_SAVE"},
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """It uses the network."""
        if not bpy.app.online_access:
            cls.poll_message_set("Allow Online Access in Preferences > System > Network to download weights.")
            return False
        return super().poll(context)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Show the terms."""
        entry = _entry_of(self.name)
        title = entry["title"] if entry else self.name
        return context.window_manager.invoke_props_dialog(
            self, width=WIDTH, title=f"Download {title}?", confirm_text="Download"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """Whose it is, what they ask for, and where it comes from."""
        entry = _entry_of(self.name)
        if entry is None:
            return
        column = self.layout.column()
        for part in ("weights", "model", "code"):
            if entry["licences"].get(part):
                text = f"Terms of the {part}: {entry['licences'][part]}"
                paragraph(column, context, text, icon="COPY_ID", width=WIDTH)
        paragraph(column, context, f"Downloads {described(entry)}", icon="IMPORT", width=WIDTH)
        _page_button(column, entry, "Read Them on the Authors' Page")
        if entry["consent"]:
            column.separator()
            column.prop(self, "accept")

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits for the end."""
        entry = _entry_of(self.name)
        if entry and entry["consent"] and not self.accept:
            return _refuse(self, f"{entry['title']} was not downloaded: tick that you agree to its terms first.")
        return self._begin(context, "install", fetch(self.accept))


class LIKENESS_OT_give_weights(_OfOne, bpy.types.Operator, ImportHelper):  # type: ignore[misc]
    """Install it from files that you have: the official ones, or an archive or folder of them. They stay as they are"""

    bl_idname = "likeness.give_weights"
    bl_label = "Install from Files"

    filter_glob: bpy.props.StringProperty(default="*", options={"HIDDEN"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"HIDDEN", "SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"HIDDEN", "SKIP_SAVE"})

    def draw(self, context: bpy.types.Context) -> None:
        """Beside the files: which ones are wanted."""
        entry = _entry_of(self.name)
        if entry is None:
            return
        column = self.layout.column()
        paragraph(column, context, entry["title"], width=220)
        paragraph(column, context, f"Terms: {entry['licence']}", icon="COPY_ID", width=220)
        for file in entry["files"]:
            text = file["name"] + (" (optional)" if file["optional"] else "")
            paragraph(column, context, text, icon="FILE", width=220)
        paragraph(column, context, "Or a zip, a tar, or the folder of them.", icon="INFO", width=220)

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits for the end."""
        given: Any = self  # the helper has the path
        folder = Path(self.directory) if self.directory else Path(given.filepath).parent
        files = [folder / file.name for file in self.files if file.name]
        chosen = files or [folder if self.directory else Path(given.filepath)]
        missing = next((path for path in chosen if not path.exists()), None)
        if missing:
            return _refuse(self, f"{missing} is not there; choose another file.")
        return self._begin(context, "install", give(chosen))


class LIKENESS_OT_verify_weights(_OfOne, bpy.types.Operator):
    """Check every number against what was installed"""

    bl_idname = "likeness.verify_weights"
    bl_label = "Verify Weights"

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits for the end."""
        return self._begin(context, "verify", lambda client, name, _: client.verify_weights(name))


class LIKENESS_OT_remove_weights(_OfOne, bpy.types.Operator):
    """Delete what is installed; your own files stay"""

    bl_idname = "likeness.remove_weights"
    bl_label = "Remove Weights"

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Ask first."""
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context: bpy.types.Context) -> Any:
        """Begin; a script waits for the end."""
        return self._begin(context, "remove", lambda client, name, _: client.remove_weights(name))


class LIKENESS_OT_cancel_weights(bpy.types.Operator):
    """Stop; what was downloaded is kept for the next try"""

    bl_idname = "likeness.cancel_weights"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(
        name="Name", description="As the backend's catalogue calls it", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> Any:
        """Ask for the end."""
        task = session().weight_tasks.get(self.name)
        if task:
            task.cancel()
        return {"FINISHED"}


class LIKENESS_OT_forget_weights(bpy.types.Operator):
    """Take the message away"""

    bl_idname = "likeness.forget_weights"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(
        name="Name", description="As the backend's catalogue calls it", options={"SKIP_SAVE"}
    )

    def execute(self, context: bpy.types.Context) -> Any:
        """Forget what came of it."""
        task = session().weight_tasks.get(self.name)
        if task and not task.going:
            del session().weight_tasks[self.name]
        return {"FINISHED"}


class LIKENESS_PT_weights(Child, bpy.types.Panel):
    """Which methods are ready, and what is installed"""

    bl_idname = "LIKENESS_PT_weights"
    bl_label = "Weights"
    bl_parent_id = "LIKENESS_PT_method"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """The methods, one a line; then what is installed."""
        now, layout = session(), self.layout
        if not now.methods:
            paragraph(layout, context, "Start the backend to see them.", icon="INFO")
            return
        column = layout.column(align=True)
        for method in now.methods:
            _draw_method(column, method, context.scene)
        layout.separator()
        installed = [e for e in now.weights if e["installed"] and e["obtain"] != "package"]
        layout.label(text="Installed" if installed else "Nothing is installed yet", icon="DISK_DRIVE")
        for entry in installed:
            _draw_installed(layout, context, entry)
        for name, task in now.weight_tasks.items():
            entry = _entry_of(name)
            if task.action == "remove" and entry and not entry["installed"]:
                _draw_task(layout, context, task)


def _draw_method(layout: bpy.types.UILayout, method: dict[str, Any], scene: Any) -> None:
    row = layout.row(align=True)
    button = row.row(align=True)
    button.alignment = "LEFT"
    icon: Any = "CHECKMARK" if method["ready"] else "IMPORT"
    chosen: Any = button.operator(
        "likeness.choose_method", text=method["title"], icon=icon, emboss=False, translate=False
    )
    chosen.name = method["name"]
    side = row.row()
    side.alignment = "RIGHT"
    side.active = method["name"] == scene.likeness.method
    side.label(text="ready" if method["ready"] else f"needs {len(method.get('needs') or [])}")


def _draw_installed(layout: bpy.types.UILayout, context: bpy.types.Context, entry: dict[str, Any]) -> None:
    task = session().weight_tasks.get(entry["name"])
    row = layout.row(align=True)
    row.label(text=entry["title"], translate=False)
    check: Any = row.operator(LIKENESS_OT_verify_weights.bl_idname, text="", icon="VIEWZOOM")
    gone: Any = row.operator(LIKENESS_OT_remove_weights.bl_idname, text="", icon="TRASH")
    check.name = gone.name = entry["name"]
    if task:
        _draw_task(layout, context, task)


def _refuse(operator: Any, why: str) -> Any:
    operator.report({"ERROR"}, for_buttons(why))
    return {"CANCELLED"}


def draw_missing(layout: bpy.types.UILayout, context: bpy.types.Context, names: list[str]) -> None:
    """A box for each entry that lacks: title, terms, how it is had, buttons or progress."""
    shown = [entry for name in names if (entry := _entry_of(name))]
    for entry in shown:
        _draw_entry(layout.box(), context, entry)
    if any(entry["fetchable"] for entry in shown) and not bpy.app.online_access:
        paragraph(layout, context, "To have weights downloaded, allow Online Access.", icon="INFO")
        layout.operator("extensions.userpref_allow_online", text="Allow Online Access", icon="INTERNET")


def _draw_entry(box: bpy.types.UILayout, context: bpy.types.Context, entry: dict[str, Any]) -> None:
    name = entry["name"]
    task = session().weight_tasks.get(name)
    head = box.row()
    column = head.column(align=True)
    paragraph(column, context, entry["title"], icon="PACKAGE", beside=BUTTON)
    if task and task.going:
        _draw_task(box, context, task)
        return
    paragraph(column, context, entry["licence"], icon="COPY_ID", beside=BUTTON)
    _page_button(head, entry, "")
    how = for_buttons(entry["how"])
    paragraph(box, context, f"{how[:1].upper()}{how[1:]}.")
    if task:
        _draw_task(box, context, task)
    row = box.row(align=True)
    given: Any = row.operator(LIKENESS_OT_give_weights.bl_idname, text="Choose Files", icon="FILEBROWSER")
    given.name = name
    if entry["fetchable"]:
        again = "Continue" if entry["kept"] else "Try Again" if task and task.state == "failed" else "Install"
        fetched: Any = row.operator(LIKENESS_OT_install_weights.bl_idname, text=again, icon="IMPORT")
        fetched.name = name
    if entry["kept"]:
        paragraph(box, context, f"{size(entry['kept'])} were downloaded before.", icon="INFO")


def _draw_task(layout: bpy.types.UILayout, context: bpy.types.Context, task: WeightTask) -> None:
    """How it goes, or what came of it."""
    if task.going:
        row = layout.row(align=True)
        row.progress(factor=task.fraction, text=f"{task.fraction:.0%}" if task.fraction else "")
        stop: Any = row.operator(LIKENESS_OT_cancel_weights.bl_idname, text="", icon="CANCEL")
        stop.name = task.name
        paragraph(layout, context, task.text)
        return
    if task.state == "cancelled":
        return
    bad = task.state == "failed" or bool(task.wrong)
    row = layout.row()
    text = task.error if task.state == "failed" else f"{task.text}."
    paragraph(row, context, for_buttons(text), icon="ERROR" if bad else "CHECKMARK", alert=bad, beside=BUTTON)
    gone: Any = row.operator(LIKENESS_OT_forget_weights.bl_idname, text="", icon="X", emboss=False)
    gone.name = task.name
    for note in [*task.wrong[:3], *task.notes]:
        paragraph(layout, context, note, icon="BLANK1")


def _page_button(layout: bpy.types.UILayout, entry: dict[str, Any], text: str) -> None:
    page: Any = layout.operator("wm.url_open", text=text, icon="URL")
    page.url = entry["url"]


CLASSES = (
    LIKENESS_OT_install_weights,
    LIKENESS_OT_give_weights,
    LIKENESS_OT_verify_weights,
    LIKENESS_OT_remove_weights,
    LIKENESS_OT_cancel_weights,
    LIKENESS_OT_forget_weights,
    LIKENESS_PT_weights,
)
