# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend offers and has made, asked of it: methods, heads, weights, jobs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import bpy

from .connection import Backend, Choice
from .preferences import choice
from .session import FILE_OPENED, TASK_ENDED, WEIGHTS_CHANGED, redraw, session

__all__ = ["CLASSES", "active", "connect", "heed", "lines", "refresh", "register", "unregister"]

CLASSES: tuple[type, ...] = ()
WARMING = 180.0
"""Seconds that the backend may take to load PyTorch before its lists are given up."""
NEWS = 2.0
"""Seconds between two looks at jobs that nobody here waits for."""


def connect(context: bpy.types.Context) -> list[bool]:
    """Ask the backend for its lists; the result is empty once they are there, or once that failed."""
    now = session()
    pending = [True]

    def heard(lists: dict[str, Any]) -> None:
        now.health, now.methods, now.heads = lists["health"], lists["methods"], lists["heads"]
        now.weights = lists["weights"]
        heed(bpy.context, lists["jobs"])
        pending.clear()

    def failed(why: str) -> None:
        now.problem = why
        pending.clear()

    now.call(_lists, now.backend, choice(context), then=heard, failed=failed)
    return pending


def _lists(backend: Backend, where: Choice) -> dict[str, Any]:
    client = backend.client(where)
    return {
        "health": client.health(),
        "methods": _once_it_is_up(client.methods),
        "heads": client.heads(),
        "weights": client.weights(),
        "jobs": client.jobs(),
    }


def _once_it_is_up(ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """On a thread: wait for a backend that runs but is still loading PyTorch, which takes a while on a busy machine."""
    from ..link.client import ServiceError

    end = time.monotonic() + WARMING
    while True:
        try:
            return ask()
        except ServiceError as error:
            if error.code != "starting" or time.monotonic() > end:
                raise
            time.sleep(error.retry_after or 1.0)


def active(context: bpy.types.Context) -> dict[str, Any] | None:
    """The chosen job."""
    wm = lines(context)
    index = wm.likeness_active_result
    return session().jobs.get(wm.likeness_results[index].job_id) if 0 <= index < len(wm.likeness_results) else None


def refresh(context: bpy.types.Context) -> None:
    """Ask the backend for its jobs; what it says is heeded when it comes. Starts nothing."""
    now = session()
    if now.backend.state not in ("running", "connected"):
        return
    if not now.methods:  # the first answer was lost: ask for all lists
        connect(context)
    else:
        now.call(_jobs, now.backend, choice(context), then=lambda jobs: heed(bpy.context, jobs))


def heed(context: bpy.types.Context, jobs: Sequence[dict[str, Any]]) -> None:
    """Take over the backend's jobs, the newest first; the choice stays on its job."""
    now, wm = session(), lines(context)
    newest = jobs[0]["id"] if jobs and jobs[0]["id"] not in now.jobs else None
    if now.task and now.task.job.get("id") in {job["id"] for job in jobs} - {r.job_id for r in wm.likeness_results}:
        newest = now.task.job["id"]
    before = active(context)
    chosen = newest or (before["id"] if before else None)
    now.jobs = {job["id"]: job for job in jobs}
    wm.likeness_results.clear()
    for i, job in enumerate(jobs):
        line = wm.likeness_results.add()
        line.name, line.job_id = str(job.get("name") or "Head"), job["id"]
        if job["id"] == chosen:
            wm.likeness_active_result = i
    wm.likeness_active_result = max(min(wm.likeness_active_result, len(jobs) - 1), 0)
    if any(job["state"] in ("queued", "running") for job in jobs) and not bpy.app.background:
        now.later(NEWS, _look_again)
    redraw()


def _look_again() -> None:
    refresh(bpy.context)


def _jobs(backend: Backend, where: Choice) -> list[dict[str, Any]]:
    return backend.client(where).jobs()


def lines(context: bpy.types.Context) -> Any:
    """What holds the list of results and the choice in it."""
    return context.window_manager


def _opened(context: bpy.types.Context) -> None:
    heed(context, list(session().jobs.values()))


def register() -> None:
    """Ask anew when what was told is no longer so."""
    TASK_ENDED.add(refresh)
    WEIGHTS_CHANGED.add(connect)
    FILE_OPENED.add(_opened)


def unregister() -> None:
    """The opposite of `register`."""
    TASK_ENDED.remove(refresh)
    WEIGHTS_CHANGED.remove(connect)
    FILE_OPENED.remove(_opened)
