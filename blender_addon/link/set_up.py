# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the backend up: its own environment, PyTorch, the wheel that travels with the add-on, its models."""

from __future__ import annotations

import threading
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Literal

from . import pythons
from .builds import BACKEND, Build, Device, build_for
from .checks import check_folder, check_python, check_room
from .commands import CancelledError, Commands
from .environment import LOG, Environment, Installed, Plan, SetUpError, installed, remove
from .only_one import only_one
from .recipe import Recipe
from .wheel import Wheel, own_wheel, read_wheel

__all__ = ["Installed", "SetUp", "SetUpError", "State", "installed", "needs_update", "own_wheel", "remove"]

State = Literal["idle", "running", "done", "failed", "cancelled"]

STAGES = {
    "Looking around": 0.01,
    "Making the environment": 0.04,
    "PyTorch": 0.40,
    "Backend": 0.35,
    "Starting it once": 0.05,
    "Head and face models": 0.15,
}
"""What is done, in this order, and which share of the time it takes about."""

MAX_LINES = 5000


class SetUp:
    """One attempt to set the backend up, in a thread of its own.

    Attributes, to be read from a timer:
        state: idle, running, done, failed or cancelled.
        stage: what is being done, a few words.
        fraction: of the whole, 0..1, never falling.
        message: a sentence; after a failure it says what to do.
        log: lines of what was said, the newest last; also in set_up.log in the folder.
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
        self.stage, self.message, self.fraction = "", "", 0.0
        self.log: list[str] = []
        self._folder, self._python, self._wheel, self._device, self._online = folder, python, wheel, device, online
        self._constraints = constraints or wheel.with_name("constraints.txt")
        self._index, self._home, self._models = index, home, models
        self._commands = Commands()
        self._file: Path | None = None  # once the folder is known to be a right one
        self._done, self._share = 0.0, 0.0
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="likeness set-up", daemon=True)

    def start(self) -> None:
        """Begin; returns at once. What an earlier attempt fetched is used again."""
        self.state = "running"
        self._thread.start()

    def cancel(self) -> None:
        """Give up; returns at once, the state follows soon. What was fetched is kept for the next try."""
        self._commands.cancel()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end; for scripts and tests. Returns whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def within(self, fraction: float, message: str) -> None:
        """A step's report: how much of it is done, and what it does."""
        with self._lock:
            self.fraction = max(self.fraction, self._done + self._share * fraction)
            self.message = message

    def say(self, line: str) -> None:
        """A step's line for the log."""
        self.log.append(line)
        del self.log[:-MAX_LINES]
        if self._file is not None:
            with suppress(OSError), self._file.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")

    def _run(self) -> None:
        state: State = "failed"
        try:
            message, state = self._set_up(), "done"
            self.fraction = 1.0
        except CancelledError:
            message, state = "Cancelled; what was fetched is kept for the next try.", "cancelled"
        except SetUpError as error:
            message = str(error)
        except OSError as error:
            message = f"The backend could not be set up ({error.strerror or error}: {error.filename or self._folder})."
        except Exception as error:
            self.say(traceback.format_exc())
            message = f"The set-up met an error that it did not expect ({type(error).__name__}: {error}); see its log."
        self.say(message)
        self.message = message
        self.state = state  # last: who sees it reads the rest

    def _set_up(self) -> str:
        """The whole way. Returns a sentence about the result; raises what `_run` catches."""
        self._enter("Looking around")
        build = self._wanted_build()
        wheel = read_wheel(self._wheel)
        python = pythons.ask(self._python, self._commands)
        check_python(python, wheel)
        check_folder(self._folder, python)
        self._folder.mkdir(parents=True, exist_ok=True)
        with only_one(self._folder):
            self._file = self._folder / LOG
            self._file.write_text("", encoding="utf-8")
            return self._install(wheel, build, python)

    def _install(self, wheel: Wheel, build: Build, python: pythons.Python) -> str:
        environment = Environment(self._folder)
        environment.venv.parent.mkdir(parents=True, exist_ok=True)
        check_room(environment, build)
        plan = Plan(python.release, self._device, build.index if self._index is None else self._index)
        recipe = Recipe(environment, self._constraints, self._commands, self)
        self._enter("Making the environment")
        if not environment.is_usable(plan):
            recipe.make(self._python, plan)
        self._enter("PyTorch")
        recipe.pip("torch", *(["--extra-index-url", plan.index] if plan.index else []), size=build.size)
        self._enter("Backend")
        recipe.pip(str(wheel.path), size=BACKEND)
        # pip takes another build of the same version for the one that is there.
        recipe.pip(str(wheel.path), "--no-deps", "--force-reinstall")
        self._enter("Starting it once")
        message = recipe.trial(self._device)
        if self._models:
            self._enter("Head and face models")
            recipe.models(self._home)
        environment.finish(Installed(wheel.version, str(environment.python), self._device, wheel.sha256))
        return message

    def _wanted_build(self) -> Build:
        if not self._online:
            raise SetUpError(
                "The set-up fetches packages, but Blender may not use the network: allow online access in Blender's "
                "preferences (System), or install the backend by hand."
            )
        if not self._constraints.is_file():
            raise SetUpError(f"The add-on's list of versions is missing ({self._constraints}): install it again.")
        build = build_for(self._device)
        if build is None:
            raise SetUpError("There is no PyTorch with CUDA for this computer: choose CPU.")
        return build

    def _enter(self, stage: str) -> None:
        self._commands.check()
        names = list(STAGES)
        self._done = sum(STAGES[name] for name in names[: names.index(stage)])
        self._share = STAGES[stage]
        self.stage = stage
        self.within(0.0, "")
        self.say(f"--- {stage}")


def needs_update(found: Installed, wheel: Path) -> bool:
    """Whether a backend was installed from another wheel than this one; an unreadable wheel updates nothing."""
    try:
        return read_wheel(wheel).sha256 != found.wheel_sha256
    except SetUpError:
        return False
