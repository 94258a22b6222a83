# SPDX-License-Identifier: GPL-3.0-or-later
"""What the add-on knows while Blender runs; nothing of it is saved.

Blender's main thread never waits: slow work goes to a thread through `Session.call`, and its result comes back on the
main thread through `Session.drain`, which a timer calls (in a script without windows: `Session.wait`).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from .events import Event

if TYPE_CHECKING:
    from ..link.set_up import SetUp
    from ..link.work import Ticket, Work
    from .connection import Backend
    from .task import Task
    from .weight_task import WeightTask

__all__ = [
    "CLASSES",
    "FILE_OPENED",
    "TASK_ENDED",
    "WEIGHTS_CHANGED",
    "Session",
    "drain_and_show",
    "redraw",
    "register",
    "session",
    "unregister",
    "wake",
]

CLASSES: tuple[type, ...] = ()
BEAT = 0.1
"""Seconds between two looks at the threads while something is going on."""
TASK_ENDED = Event()
"""A reconstruction is over; told with the context, as those below are."""
WEIGHTS_CHANGED = Event()
"""Methods and heads may be ready now that were not."""
FILE_OPENED = Event()
"""Blender shows another file, and the session knew something before."""


@dataclass
class Call:
    """Something that a thread is doing, and what the main thread does with its result."""

    ticket: Ticket[Any]
    then: Callable[[Any], None] | None
    failed: Callable[[str], None] | None


@dataclass
class Fact:
    """Something slow to find out that panels show."""

    value: Any = None
    known: float | None = None
    asked: bool = False


@dataclass
class Session:
    """Lists and states that panels draw from; all of it belongs to the main thread."""

    work: Work
    backend: Backend
    calls: list[Call] = field(default_factory=list)
    facts: dict[tuple[Any, ...], Fact] = field(default_factory=dict)
    problem: str = ""
    methods: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, Any]] = field(default_factory=list)
    weights: list[dict[str, Any]] = field(default_factory=list)
    weight_tasks: dict[str, WeightTask] = field(default_factory=dict)
    """By the entry's name: what is being done with it, or was done last."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    health: dict[str, Any] = field(default_factory=dict)
    faces: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By the photo's path: what the backend found in it."""
    asked: list[Path] = field(default_factory=list)
    """Photos that the backend is to look at, or is looking at: the first."""
    task: Task | None = None
    ended: Task | None = None
    """The last task whose end was noticed."""
    set_up: SetUp | None = None
    shown: tuple[Any, ...] = ()
    appointments: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    """What is to be done later: time (monotonic) and function."""

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        then: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Run ``function`` in a thread; ``then`` gets its result, ``failed`` a sentence, both on the main thread."""
        self.calls.append(Call(self.work.submit(function, *args), then, failed))
        wake()

    def fact(self, function: Callable[..., Any], *args: Any, fresh: float = 10.0) -> Any:
        """The last known ``function(*args)``, None before; asked anew in a thread when older than ``fresh`` seconds."""
        if bpy.app.background:  # a script may wait, and wants to know
            return function(*args)
        key = (function, *args)
        fact = self.facts.setdefault(key, Fact())
        old = fact.known is None or time.monotonic() - fact.known > fresh
        if old and not fact.asked:
            fact.asked = True

            def learn(value: Any) -> None:
                fact.value, fact.known, fact.asked = value, time.monotonic(), False

            self.call(function, *args, then=learn, failed=lambda _: learn(None))
        return fact.value

    def later(self, seconds: float, function: Callable[[], None]) -> None:
        """Call ``function`` on the main thread after a while; asked for twice, it is called once."""
        self.appointments = [a for a in self.appointments if a[1] != function]
        self.appointments.append((time.monotonic() + seconds, function))
        wake()

    def forget(self) -> None:
        """Facts are found out anew when they are next asked for."""
        self.facts.clear()

    def forget_backend(self) -> None:
        """Another backend was chosen: what the last one said is forgotten."""
        self.methods, self.heads, self.weights, self.health, self.problem = [], [], [], {}, ""
        for task in self.weight_tasks.values():
            task.abandon()
        self.weight_tasks.clear()
        self.faces.clear()
        self.asked.clear()
        self.forget()

    def looks(self) -> tuple[Any, ...]:
        """What panels show of what goes on; compared with `shown`, so that nothing is drawn in vain."""
        task, made = self.task, self.set_up
        return (
            len(self.calls),
            self.problem,
            task and (task.state, task.text, round(task.total, 2), len(task.notes)),
            made and (made.state, made.stage, made.message, round(made.fraction, 2)),
            [(t.name, t.state, t.text, round(t.fraction, 2)) for t in self.weight_tasks.values()],
            self.backend.state,
        )

    def drain(self) -> bool:
        """Hand finished work to those who wait for it; whether anything goes on."""
        ended = [call for call in self.calls if call.ticket.done]
        self.calls = [call for call in self.calls if call not in ended]
        for call in ended:
            if call.ticket.trace:
                print(call.ticket.trace)  # noqa: T201  # Blender's console is where its users look
            if not call.ticket.error:
                if call.then:
                    call.then(call.ticket.result)
            elif call.failed:
                call.failed(call.ticket.error)
            else:
                self.problem = call.ticket.error
        due = [function for when, function in self.appointments if when <= time.monotonic()]
        self.appointments = [a for a in self.appointments if a[1] not in due]
        for function in due:
            function()
        if self.task:
            self.task.step()
            if not self.task.going and self.task is not self.ended:
                self._end_of(self.task)
        for weight_task in [t for t in self.weight_tasks.values() if t.going]:
            weight_task.step()
            if not weight_task.going:
                WEIGHTS_CHANGED.tell(bpy.context)
        at_work = (self.task and self.task.going) or (self.set_up and self.set_up.state == "running")
        at_work = at_work or any(t.going for t in self.weight_tasks.values())
        return bool(self.calls or self.appointments or at_work)

    def _end_of(self, task: Task) -> None:
        """Whoever started it, and whether it is still watched: its error is shown and the list of results renewed."""
        self.ended = task
        self.problem = task.error or self.problem
        TASK_ENDED.tell(bpy.context)

    def wait(self, busy: Callable[[], bool], seconds: float = 86400.0) -> None:
        """For scripts: return when ``busy`` is over. Raises TimeoutError."""
        end = time.monotonic() + seconds
        while busy():
            if time.monotonic() > end:
                raise TimeoutError(f"It took longer than {seconds:g} s.")
            time.sleep(0.02)
            self.drain()


_session: Session | None = None


def session() -> Session:
    """The one session, made when it is first asked for."""
    global _session
    if _session is None:
        from ..link.work import Work
        from .connection import Backend

        _session = Session(Work(), Backend())
    return _session


def wake() -> None:
    """Have the timer look at the threads again. Blender without windows has no timers: scripts wait themselves."""
    if not bpy.app.background and not bpy.app.timers.is_registered(_beat):
        bpy.app.timers.register(_beat, first_interval=BEAT, persistent=True)


def _beat() -> float | None:
    if _session is None:
        return None
    try:
        going = drain_and_show()
    except Exception as error:  # a timer that raises is dropped by Blender, and the panel would stand still for ever
        traceback.print_exc()
        _session.problem = f"Likeness met an error that it did not expect ({type(error).__name__}: {error})."
        going = True
        redraw()
    return BEAT if going else None


def drain_and_show() -> bool:
    """`Session.drain`, and panels are drawn anew where they would look different; whether anything goes on."""
    now = session()
    going = now.drain()
    looks = now.looks()
    if looks != now.shown:
        now.shown = looks
        redraw()
    return going


def redraw() -> None:
    """Draw panels and preferences anew."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                for region in area.regions:
                    if region.type == "UI":
                        region.tag_redraw()
            elif area.type == "PREFERENCES":
                area.tag_redraw()


@bpy.app.handlers.persistent  # type: ignore[untyped-decorator]  # the stubs leave it so
def _opened(_: Any) -> None:
    """Another file: other photos, and perhaps another window manager."""
    if _session:
        _session.forget()
        FILE_OPENED.tell(bpy.context)


def register() -> None:
    """Hear of files that are opened."""
    bpy.app.handlers.load_post.append(_opened)


def unregister() -> None:
    """End threads, timers and the backend."""
    global _session
    bpy.app.handlers.load_post.remove(_opened)
    if bpy.app.timers.is_registered(_beat):
        bpy.app.timers.unregister(_beat)
    ended, _session = _session, None
    if ended:
        if ended.set_up:
            ended.set_up.cancel()
        if ended.task:
            ended.task.abandon()
        for weight_task in ended.weight_tasks.values():
            weight_task.abandon()
        ended.backend.stop(for_good=True)
        ended.work.close()
