# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait that renders while the user goes on working, in Blender's own render job: Esc cancels it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

if TYPE_CHECKING:
    from ..scene.head import Head

__all__ = ["forget", "start"]


class _Job:
    """The one portrait under way; Blender renders one picture at a time."""

    def __init__(self, room: bpy.types.Scene, head: Head, folder: Any, path: Path | None) -> None:
        self.room, self.avatar, self.path = room.name, head.name, path
        self.folder = folder
        self.done: bool | None = None

    @property
    def picture(self) -> Path:
        return Path(self.folder.name) / "portrait.png"


_job: list[_Job] = []


def start(context: bpy.types.Context, head: Head, path: Path | None, settings: dict[str, Any]) -> None:
    """Begin to render; the picture goes to an image of this file, and to ``path`` where there is one.

    Raises:
        RuntimeError: something renders already.
    """
    from ..scene import portrait, render

    if _job or bpy.app.is_job_running("RENDER"):
        raise RuntimeError("another picture is being rendered; wait for it or press Esc in its window")
    room = portrait.make_portrait_scene(context.scene, head, **settings)
    job = _Job(room, head, tempfile.TemporaryDirectory(prefix="likeness-"), path)
    _job.append(job)
    render.as_png(room)
    room.render.filepath = str(job.picture)
    bpy.app.handlers.render_complete.append(_complete)
    bpy.app.handlers.render_cancel.append(_cancelled)
    try:
        bpy.ops.render.render("INVOKE_DEFAULT", write_still=True, scene=room.name)
    except RuntimeError:
        forget()
        raise


def _complete(*_: object) -> None:
    _ended(True)


def _cancelled(*_: object) -> None:
    _ended(False)


def _ended(done: bool) -> None:
    """Called from inside the render: what changes the file waits until that is over."""
    if _job and _job[0].done is None:
        _job[0].done = done
        bpy.app.timers.register(_finish, first_interval=0.2)


def _finish() -> float | None:
    if bpy.app.is_job_running("RENDER"):
        return 0.2
    job = _job[0] if _job else None
    if job and job.done and job.picture.is_file():
        _keep(job)
    forget()
    return None


def _keep(job: _Job) -> None:
    from ..scene import portrait

    image = portrait.keep(job.avatar, job.picture, job.path)
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            space: Any = area.spaces.active
            # The render's own picture goes with its scene.
            if area.type == "IMAGE_EDITOR" and space.image is not None and space.image.type == "RENDER_RESULT":
                space.image = image


def forget() -> None:
    """Clear away what a render left."""
    for handlers, handler in (
        (bpy.app.handlers.render_complete, _complete),
        (bpy.app.handlers.render_cancel, _cancelled),
    ):
        if handler in handlers:
            handlers.remove(handler)
    if bpy.app.timers.is_registered(_finish):
        bpy.app.timers.unregister(_finish)
    while _job:
        job = _job.pop()
        room: Any = bpy.data.scenes.get(job.room)
        if room is not None and len(bpy.data.scenes) > 1:
            bpy.data.scenes.remove(room)
        job.folder.cleanup()
