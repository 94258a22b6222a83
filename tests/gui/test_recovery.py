"""The backend's processes are killed at random moments of jobs: the panel says so, and the next click works."""

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import MODULE, Desk
from relay import Relay
from sidebar import Sidebar, Spot
from window import until

JOBS = 10
RECONSTRUCT = "bpy.ops.likeness.reconstruct"
SEED = random.SystemRandom().randrange(1_000_000)


@pytest.fixture(scope="module")
def button(installed: Desk, backend: Relay, sidebar: Sidebar, astronaut: Path) -> Spot:
    """Where Reconstruct is, with a photo on the list."""
    window = installed.window
    window.bring(astronaut)
    window.do(
        f"bpy.context.preferences.addons[{MODULE!r}].preferences.agreed = '2026-01-01T00:00:00+00:00'\n"
        "bpy.context.scene.likeness.texture_size = '512'\n"
        f"bpy.ops.likeness.add_photos(directory={window.inside(window.room)!r}, files=[{{'name': {astronaut.name!r}}}])"
    )
    return sidebar.find(RECONSTRUCT)


def start(desk: Desk, sidebar: Sidebar, button: Spot) -> None:
    """Click; return when a new reconstruction has begun."""
    before = sidebar.task()["which"]

    def click(spot: Spot) -> None:
        desk.window.click(spot.x, spot.y)
        until(lambda: sidebar.task()["which"] != before, 5, 0.02, "a reconstruction begins")

    try:
        click(button)
    except AssertionError:  # rows above it came meanwhile, as when the photo's faces were found
        click(sidebar.find(RECONSTRUCT))


def finish(sidebar: Sidebar) -> dict[str, Any]:
    """Wait for its end, and until its head is brought in; returns what came of it. The head goes again.

    Many heads in one scene would be drawn, and kept for Ctrl+Z, ever more slowly.
    """
    until(lambda: sidebar.task()["state"] in ("done", "failed", "cancelled"), 180, what="the job ends")
    sidebar.window.wait("not bpy.context.window_manager.windows[0].modal_operators", 20)
    task = sidebar.task()
    heads = sidebar.window.do(
        "heads = [thing for thing in bpy.data.objects if thing.name not in ('Cube', 'Light', 'Camera')]\n"
        "result = len(heads)\n"
        "bpy.data.batch_remove(heads)\n"
        "bpy.data.orphans_purge(do_recursive=True)"
    )
    assert bool(heads) == (task["state"] == "done")
    return task


def health(desk: Desk) -> dict[str, Any]:
    """What the server says of itself."""
    told: dict[str, Any] = desk.window.do(
        "from bl_ext.user_default.likeness.ui.preferences import choice\n"
        "from bl_ext.user_default.likeness.ui.session import session\n"
        "result = session().backend.client(choice(bpy.context)).health()"
    )
    return told


@pytest.mark.parametrize("victim", ["worker", "server"])
def test_killed_and_recovered(installed: Desk, sidebar: Sidebar, button: Spot, victim: str) -> None:
    window = installed.window
    chance = random.Random(f"{SEED} {victim}")
    blender = window.ask("os.getpid()")
    start(installed, sidebar, button)
    assert finish(sidebar)["state"] == "done"
    failures = 0
    for _ in range(JOBS // 2):
        about = health(installed)
        start(installed, sidebar, button)
        moment = chance.uniform(0, 0.9)
        until(lambda at=moment: sidebar.task()["total"] >= at, 120, 0.02, "the job goes on")
        os.kill(about["pid"] if victim == "server" else about["worker"]["pid"], signal.SIGKILL)
        task = finish(sidebar)
        print(f"{victim} killed at {moment:.0%}: {task['state']}, {task['error']!r}")
        if task["state"] == "failed":
            failures += 1
            assert task["error"].endswith(".")
            assert task["problem"] == task["error"]
            if failures == 1:
                installed.picture(f"{victim} killed")
        began = time.monotonic()
        start(installed, sidebar, button)
        assert finish(sidebar)["state"] == "done", sidebar.task()
        assert sidebar.task()["problem"] == ""
        print(f"  the next head was there after {time.monotonic() - began:.1f} s")
    assert failures > 1, "hardly a job was hit"
    assert window.ask("os.getpid()") == blender
    installed.picture(f"{victim} recovered")
