# SPDX-License-Identifier: GPL-3.0-or-later
"""The big button: photos in, a head in the scene out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import bpy

from .main import Child
from .method import finest
from .obstacles import obstacle
from .preferences import choice, folder_for, preferences
from .properties import path_of, settings_of
from .session import drain_and_show, session
from .task import Task
from .words import paragraph

__all__ = ["CLASSES", "Making", "avatars_folder", "bring_in"]


class Making:
    """An operator that starts a task, lets Blender be used while it goes on, and brings the head in at the end.

    Attributes:
        why_not: says what lacks, "" where nothing does.
        start: starts the task; raises ValueError or OSError, a sentence, where nothing can be started.
    """

    bring_in: bpy.props.BoolProperty(
        name="Bring In", description="Import the head when it is done", default=True, options={"SKIP_SAVE"}
    )
    _timer: Any = None
    _told: str | None = None

    if TYPE_CHECKING:
        why_not: ClassVar[staticmethod[[bpy.types.Context], str]]
        start: ClassVar[staticmethod[[bpy.types.Context], Task]]
        report: Any  # of the operator that this is a part of
        poll_message_set: ClassVar[Any]

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The first thing that lacks is the tooltip."""
        why = cls.why_not(context)
        if why:
            cls.poll_message_set(why)
        return not why

    def _begun(self, context: bpy.types.Context) -> Task | None:
        try:
            return type(self).start(context)
        except (OSError, ValueError) as error:
            self.report({"ERROR"}, str(error))
            return None

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Start, and watch over it while Blender is used."""
        if self._begun(context) is None:
            return {"CANCELLED"}
        wm: Any = context.window_manager
        self._timer = wm.event_timer_add(0.1, window=context.window)
        wm.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Heed Esc, show what goes on, and bring the head in at the end."""
        task = session().task
        if task is None:
            self.cancel(context)
            return {"CANCELLED"}
        if event.type == "ESC" and event.value == "PRESS" and task.going:
            task.cancel()
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        drain_and_show()
        self._tell(context, f"Likeness: {task.text} ({task.total:.0%})   Esc: cancel")
        if task.going:
            return {"PASS_THROUGH"}
        self.cancel(context)
        return self._finish(context, task)

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the watching, perhaps because another file is opened: the job itself goes on."""
        if self._timer:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None
        self._tell(context, None)

    def _tell(self, context: bpy.types.Context, text: str | None) -> None:
        if text != self._told and context.workspace:
            context.workspace.status_text_set(text)
            self._told = text

    def execute(self, context: bpy.types.Context) -> Any:
        """For scripts: return when the head is in the scene."""
        task = self._begun(context)
        if task is None:
            return {"CANCELLED"}
        session().wait(lambda: task.going)
        return self._finish(context, task)

    def _finish(self, context: bpy.types.Context, task: Task) -> Any:
        if bpy.app.background:
            session().wait(lambda: bool(session().calls))
        if task.state == "cancelled":
            self.report({"INFO"}, "Cancelled")
            return {"CANCELLED"}
        if task.state == "failed" or task.package is None:
            self.report({"ERROR"} if bpy.app.background else {"WARNING"}, task.error)
            return {"CANCELLED"}
        if self.bring_in and not bring_in(context, task.package, settings_of(context).studio):
            self.report({"ERROR"} if bpy.app.background else {"WARNING"}, session().problem)
        return {"FINISHED"}


def begin(context: bpy.types.Context) -> Task:
    """Start a reconstruction of the scene's photos with its settings."""
    settings, now = settings_of(context), session()
    faces = [photo.face for photo in settings.photos]
    job = {
        "method": settings.method,
        "head": settings.head,
        "texture_size": int(settings.texture_size),
        "seed": settings.seed,
        **({"fine_size": int(settings.fine_size)} if finest(context) else {}),
        "face": faces[0] if len(faces) == 1 else faces if any(faces) else None,
        "name": settings.avatar_name.strip() or None,
    }
    now.problem = ""
    photos = [path_of(photo) for photo in settings.photos]
    now.task = Task(now, choice(context), photos, job, avatars_folder(context))
    return now.task


class LIKENESS_OT_reconstruct(Making, bpy.types.Operator):
    """Make a head from the photos and bring it into the scene. Blender can be used meanwhile; Esc cancels.
Called from a script it returns when the head is there"""  # fmt: skip  # Blender shows the text as it is

    bl_idname = "likeness.reconstruct"
    bl_label = "Reconstruct"
    why_not = staticmethod(obstacle)
    start = staticmethod(begin)


class LIKENESS_OT_cancel(bpy.types.Operator):
    """Stop the reconstruction; nothing half-made is left behind"""

    bl_idname = "likeness.cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Something must be going on."""
        task = session().task
        return bool(task and task.going and not task.cancelling)

    def execute(self, context: bpy.types.Context) -> Any:
        """Ask for the end; it comes within two seconds."""
        session().task.cancel()
        return {"FINISHED"}


class LIKENESS_OT_dismiss(bpy.types.Operator):
    """Take the message away"""

    bl_idname = "likeness.dismiss"
    bl_label = "Dismiss"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Any:
        """Forget the problem."""
        session().problem = ""
        return {"FINISHED"}


class LIKENESS_PT_reconstruct(Child, bpy.types.Panel):
    """Button, progress, remarks"""

    bl_idname = "LIKENESS_PT_reconstruct"
    bl_label = "Reconstruct"
    bl_options = {"HIDE_HEADER"}
    bl_order = 4

    def draw(self, context: bpy.types.Context) -> None:
        """The button, or what goes on."""
        layout, now = self.layout, session()
        task = now.task
        if task and task.going:
            column = layout.column(align=True)
            bar = column.row(align=True)
            bar.scale_y = 1.4
            bar.progress(factor=task.total, text=f"{task.total:.0%}")
            bar.operator(LIKENESS_OT_cancel.bl_idname, text="", icon="CANCEL")
            paragraph(column, context, task.text)
        else:
            button = layout.row()
            button.scale_y = 1.6
            button.operator(LIKENESS_OT_reconstruct.bl_idname, icon="USER")
            why = obstacle(context)
            if why:
                paragraph(layout, context, why, icon="INFO")
        if now.problem:
            box = layout.box()
            row = box.row()
            title = row.row()
            title.alert = True
            title.label(text="That Did Not Work", icon="ERROR")
            row.operator(LIKENESS_OT_dismiss.bl_idname, text="", icon="X", emboss=False)
            paragraph(box, context, now.problem, alert=True)
        for note in task.notes if task else ():
            paragraph(layout, context, note, icon="INFO")


def bring_in(context: bpy.types.Context, package: Path, studio: bool) -> bool:
    """Import an avatar as a step of its own, so that one undo takes it away again; whether that went well."""
    if context.mode != "OBJECT":
        session().problem = "The head is ready: go to Object Mode, then press Import in Results."
        return False
    settings = settings_of(context)
    keys = {"statistical": settings.flame_expressions, "shapes": settings.flame_shapes}
    try:
        operators: Any = bpy.ops
        operators.likeness.import_avatar("EXEC_DEFAULT", True, filepath=str(package), studio=studio, **keys)
    except RuntimeError as error:  # how Blender hands an operator's error on
        said = str(error).removeprefix("Error: ").strip()
        if said.startswith("Python: "):
            said = "The head is ready, but Blender could not build it; the console says why. Press Import to try again."
        session().problem = said
        return False
    return True


def avatars_folder(context: bpy.types.Context) -> Path:
    """Where finished avatars are copied to."""
    chosen = preferences(context).avatars
    return Path(bpy.path.abspath(chosen)) if chosen else folder_for("avatars")


CLASSES = (LIKENESS_OT_reconstruct, LIKENESS_OT_cancel, LIKENESS_OT_dismiss, LIKENESS_PT_reconstruct)
