# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the backend up: a virtual environment of its own, PyTorch, the wheel that travels with the add-on."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Literal

from .builds import Device
from .environment import Installed, SetUpError, installed, remove

__all__ = ["Installed", "SetUp", "SetUpError", "State", "installed", "needs_update", "own_wheel", "remove"]

State = Literal["idle", "running", "done", "failed", "cancelled"]


class SetUp:
    """One attempt to set the backend up, in a thread of its own.

    Attributes, to be read from a timer:
        state: idle, running, done, failed or cancelled.
        stage: what is being done, a few words.
        fraction: of the whole, 0..1, never falling.
        message: a sentence; after a failure it says what to do.
        log: lines of what was said, the newest last.
    """

    def __init__(
        self,
        folder: Path,
        python: str,
        wheel: Path,
        device: Device,
        online: bool,
        *,
        constraints: Path | None = None,
        index: str | None = None,
        home: Path | None = None,
        models: bool = True,
    ) -> None:
        """Remember what to do; nothing is touched yet.

        Args:
            folder: where the environment goes: never the add-on's own folder.
            python: the interpreter to make it with, Blender's own (``sys.executable``) or another.
            wheel: the backend (`own_wheel`).
            device: "cpu" or "cuda".
            online: whether Blender may use the network (``bpy.app.online_access``).
            constraints: the pinned versions; constraints.txt beside the wheel when None.
            index: pip index of PyTorch besides the user's own; "" names none, None takes the one for the device.
            home: the backend's folder for heads and weights, its own choice when None.
            models: also fetch the face networks and compile the head, so that the first photo need not wait for it.
        """
        self.state: State = "idle"
        self.stage, self.message = "", ""
        self.fraction = 0.0
        self.log: list[str] = []
        self._thread = threading.Thread(target=self._run, name="likeness set-up", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. An interrupted set-up goes on where it stopped."""
        self.state = "running"
        self._thread.start()

    def cancel(self) -> None:
        """Give up; returns at once, the state follows within two seconds. What was fetched is kept for the next try."""

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; for scripts and tests. Returns whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        self.state, self.message = "failed", "Not there yet."


def own_wheel() -> Path | None:
    """The backend's wheel that travels inside the add-on; None in a checkout, where there is none."""
    found = sorted((Path(__file__).parents[1] / "backend").glob("likeness-*.whl"))
    return found[-1] if found else None


def needs_update(found: Installed, wheel: Path) -> bool:
    """Whether a backend was installed from another wheel than this one."""
    return True
