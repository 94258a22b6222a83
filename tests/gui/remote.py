"""Runs inside Blender's window: executes the files that arrive in a folder, and notes how smoothly the window runs.

``blender --python remote.py -- FOLDER``. A file N.py is executed on the main thread from a timer; N.json then holds
what it assigned to ``result``, or the traceback.
"""

import contextlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

MAILBOX = Path(sys.argv[sys.argv.index("--") + 1])
POLL = 0.02
BEAT = 0.01
"""Seconds between two beats of a window that is never kept waiting."""

gaps: list[float] = []
"""Seconds between the beats since `listen`."""
spent: list[tuple[str, float]] = []
"""What the add-on did on the main thread since `listen`, and the seconds it took; `watch_add_on` begins it."""
drawn: dict[str, int] = {}
"""How often each panel was drawn."""
_last: float | None = None


def listen() -> None:
    """Start to note the gaps between beats."""
    global _last
    gaps.clear()
    spent.clear()
    _last = None


def beat() -> float:
    """Note how long the main thread let us wait."""
    global _last
    now = time.perf_counter()
    if _last is not None and len(gaps) < 200_000:
        gaps.append(now - _last)
    _last = now
    return BEAT


def watch_add_on() -> None:
    """Time what Blender calls in the add-on from now on: drawing, modal steps, the timer."""
    from bl_ext.user_default.likeness.ui import session

    classes = [getattr(bpy.types, name) for name in dir(bpy.types) if name.lower().startswith("likeness")]
    for owner in (*classes, session.Session):
        for name in ("draw", "draw_header", "execute", "modal", "drain"):
            if name in vars(owner):
                setattr(owner, name, _timed(f"{owner.__name__}.{name}", vars(owner)[name]))


def _timed(title: str, function: Callable[..., Any]) -> Callable[..., Any]:
    def timed(*args: Any) -> Any:
        before = time.perf_counter()
        try:
            return function(*args)
        finally:
            spent.append((title, time.perf_counter() - before))
            drawn[title] = drawn.get(title, 0) + 1

    # Blender counts a function's parameters and hands over as many.
    return (timed, lambda a: timed(a), lambda a, b: timed(a, b), lambda a, b, c: timed(a, b, c))[
        function.__code__.co_argcount
    ]


@contextlib.contextmanager
def view3d(region: str = "WINDOW") -> Iterator[Any]:
    """Context of the (first) 3D view's region, as a click there has it."""
    window = bpy.context.window_manager.windows[0]
    area = next(a for a in window.screen.areas if a.type == "VIEW_3D")
    with bpy.context.temp_override(window=window, area=area, region=next(r for r in area.regions if r.type == region)):
        yield bpy.context


def place(region: str = "WINDOW") -> list[int]:
    """Left, top, width, height of a region of the 3D view, pixels from the window's upper left corner."""
    with view3d(region) as context:
        r, tall = context.region, context.window.height
        return [r.x, tall - r.y - r.height, r.width, r.height]


def under_mouse(region: str = "UI") -> str:
    """The button under the mouse as Python: ``bpy.ops.…`` or the full path of a property; empty when there is none."""
    with view3d(region) as context:
        manager = context.window_manager
        for copy, arguments in (
            (bpy.ops.ui.copy_python_command_button, {}),
            (bpy.ops.ui.copy_data_path_button, {"full_path": True}),
        ):
            if copy.poll():
                manager.clipboard = ""
                with contextlib.suppress(RuntimeError):
                    copy(**arguments)
                if manager.clipboard:
                    return manager.clipboard
    return ""


def reports() -> str:
    """What Blender's Info editor lists: operators that ran, and what was told to the user."""
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type != "VIEW_3D")
    before = area.ui_type
    area.ui_type = "INFO"
    try:
        with bpy.context.temp_override(area=area, region=next(r for r in area.regions if r.type == "WINDOW")):
            bpy.ops.info.select_all(action="SELECT")
            bpy.ops.info.report_copy()
    finally:
        area.ui_type = before
    return bpy.context.window_manager.clipboard


def answer() -> float:
    """Do what the mailbox says."""
    for path in sorted(MAILBOX.glob("*.py")):
        names: dict[str, Any] = globals() | {"result": None}
        try:
            exec(compile(path.read_text(encoding="utf-8"), path.name, "exec"), names)
            reply = {"result": names["result"]}
        except BaseException:
            reply = {"error": traceback.format_exc()}
        path.unlink()
        part = path.with_suffix(".part")
        part.write_text(json.dumps(reply, default=str), encoding="utf-8")
        os.replace(part, path.with_suffix(".json"))  # noqa: PTH105
    return POLL


if __name__ == "__main__":
    preferences = bpy.context.preferences
    preferences.view.show_splash = False
    preferences.use_preferences_save = False
    preferences.view.show_developer_ui = True
    preferences.view.ui_scale = 1.0
    preferences.filepaths.use_auto_save_temporary_files = False
    bpy.app.timers.register(answer, first_interval=1.0, persistent=True)
    bpy.app.timers.register(beat, first_interval=1.0, persistent=True)
