# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend that the preferences name. No bpy here: it is used from threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ..link.client import Client
    from ..link.supervisor import Supervisor

__all__ = ["Backend", "Choice", "Host", "own_command"]


@dataclass(frozen=True)
class Choice:
    """What the preferences say, as plain values that may be handed to a thread.

    Attributes:
        kind: "SET_UP" (by the button), "OWN" (installed by hand) or "REMOTE".
        folder: where set-up puts the backend and the log is kept.
        own: the program of a backend installed by hand: `likeness`, a Python, or the folder of an environment.
        home: where weights and jobs are kept; None for the backend's own choice.
        url, token, ca_file: of the remote server.
    """

    kind: str
    folder: Path
    own: str = ""
    home: Path | None = None
    url: str = ""
    token: str = ""
    ca_file: str = ""


class Backend:
    """One backend at a time; `client` may be slow, the rest is quick. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._choice: Choice | None = None
        self._supervisor: Supervisor | None = None
        self._remote: Client | None = None
        self._ended = False

    @property
    def state(self) -> str:
        """Of the process on this machine: stopped, starting, running or failed; connected for a remote server."""
        if self._remote:
            return "connected"
        return self._supervisor.state if self._supervisor else "stopped"

    @property
    def message(self) -> str:
        """What the state means, a sentence or nothing."""
        if self._remote:
            return self._remote.url
        return self._supervisor.message if self._supervisor else ""

    def client(self, choice: Choice) -> Client:
        """A client of the chosen backend, which is started where needed. Raises ServiceError."""
        from ..link.client import ServiceError
        from ..link.supervisor import Supervisor

        with self._lock:
            if self._ended:
                raise ServiceError("The add-on is being switched off.", "ended")
            if choice != self._choice:
                self._let_go()
                self._choice = choice
            if choice.kind == "REMOTE":
                if self._remote is None:
                    self._remote = _remote(choice)
                return self._remote
            if self._supervisor is None:
                log = choice.folder / "backend.log"
                self._supervisor = Supervisor(_command(choice), choice.home, log)
            supervisor = self._supervisor
        return supervisor.ensure()

    def log(self, lines: int = 400) -> str:
        """The end of the backend's log."""
        return self._supervisor.log_tail(lines) if self._supervisor else ""

    def stop(self, for_good: bool = False) -> None:
        """Stop what was started here; with ``for_good`` nothing starts again."""
        with self._lock:
            self._ended = self._ended or for_good
            self._let_go()

    def _let_go(self) -> None:
        if self._supervisor:
            self._supervisor.stop()
        self._supervisor = self._remote = self._choice = None


class Host(Protocol):
    """Where a task runs: it lends threads and holds what the backend said. The session is one."""

    backend: Backend
    jobs: dict[str, dict[str, Any]]

    def call(
        self,
        function: Callable[..., Any],
        *args: Any,
        then: Callable[[Any], None] | None = None,
        failed: Callable[[str], None] | None = None,
    ) -> None:
        """Run ``function`` in a thread; ``then`` gets its result, ``failed`` a sentence, both on the main thread."""


def _remote(choice: Choice) -> Client:
    from ..link.client import ServiceError
    from ..link.remote import connect

    if not choice.url:
        raise ServiceError("Enter the address of the server in the add-on's preferences.", "unreachable")
    return connect(choice.url, choice.token, choice.ca_file or None)


def _command(choice: Choice) -> list[str]:
    if choice.kind == "OWN":
        return own_command(choice.own)
    from ..link.client import ServiceError
    from ..link.set_up import installed

    found = installed(choice.folder)
    if found is None:
        raise ServiceError("The backend is not set up yet; press Set Up Backend.", "not_installed")
    return list(found.command)


def own_command(entry: str) -> list[str]:
    """The command of a backend installed by hand. Raises ServiceError with a sentence."""
    from ..link.client import ServiceError

    if not entry:
        raise ServiceError("Choose the program `likeness` of your installation in the preferences.", "not_installed")
    path = Path(entry).expanduser()
    if path.is_dir():
        places = ("bin/likeness", "Scripts/likeness.exe", ".venv/bin/likeness", ".venv/Scripts/likeness.exe")
        found = next((path / place for place in places if (path / place).is_file()), None)
        if found is None:
            raise ServiceError(f"There is no program `likeness` in {path}; choose the program itself.", "not_installed")
        return [str(found), "serve"]
    if not path.is_file():
        raise ServiceError(f"{path} does not exist; choose the program `likeness` or its Python.", "not_installed")
    if path.stem.startswith("python"):
        return [str(path), "-m", "likeness.cli", "serve"]
    return [str(path), "serve"]
