# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps one server running: finds it, starts it, starts it again after a crash, stops it with Blender."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Literal

from . import process, server_file
from .client import Client, ServiceError

__all__ = ["State", "Supervisor"]

State = Literal["stopped", "starting", "running", "failed"]

START_PATIENCE = 120.0
"""Seconds that a server may take to listen: a cold disk and a virus scanner make a first start slow."""
HEALTH_PATIENCE = 10.0
STOP_PATIENCE = 5.0
REFUSED = 2
"""Exit status of a server that may not start, as when another one holds its home."""
REFUSED_PATIENCE = 8.0
"""Seconds in which that other one should say where it is, or be gone."""
STEP, RETRY = 0.05, 0.5
MAX_LOG = 1 << 21


class Supervisor:
    """The server of one home folder. Every method may be called from any thread.

    The server is this process's child and hears of its end through its standard input, so that it goes with Blender
    however Blender goes. One that was started by another Blender, or by hand, is used and left alone.
    """

    def __init__(
        self,
        command: Sequence[str],
        home: Path | None,
        log: Path,
        want_api: int = 1,
        *,
        want_version: str | None = None,
    ) -> None:
        """Remember what to start; nothing is started yet.

        Args:
            command: what starts a server, as [python, "-m", "likeness.cli", "serve"]; options are added.
            home: the backend's folder, its own choice when None.
            log: file that the server's output is added to.
            want_api: version of the HTTP API.
            want_version: of the backend; any when None.
        """
        self.log = log
        self._command, self._home = [str(part) for part in command], home or server_file.default_home()
        self._want_api, self._want_version = want_api, want_version
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._stops = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._state: State = "stopped"
        self._message = ""

    @property
    def state(self) -> State:
        """What the server does, as last seen. Never blocks."""
        child = self._process
        if self._state == "running" and child is not None and child.poll() is not None:
            return "stopped"
        return self._state

    @property
    def message(self) -> str:
        """A sentence about the state, "" when there is nothing to say."""
        if self._state == "running" and self.state == "stopped":
            return "The backend has ended; it starts again when it is needed."
        return self._message

    def ensure(self) -> Client:
        """A client of a server that answers, started where needed. Blocks up to two minutes.

        Raises:
            ServiceError: it cannot be started ("start"), or one of another version is at work ("version").
        """
        stops = self._stops
        with self._lock:
            self._stop.clear()
            try:
                if self._stops != stops:  # it waited for a start that was given up, and so is this one
                    raise _given_up()
                client = self._find() or self._start()
            except ServiceError as error:
                stopped = error.code == "cancelled"
                self._state, self._message = ("stopped" if stopped else "failed"), error.message
                raise
            self._state, self._message = "running", ""
            return client

    def stop(self) -> None:
        """End the server if it is ours; starts asked for before are given up. Blocks a few seconds at most."""
        self._stops += 1
        self._stop.set()
        with self._lock:
            self._end(STOP_PATIENCE)
            self._state, self._message = "stopped", ""

    def log_tail(self, lines: int = 200) -> str:
        """The end of the log; "" when there is none."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, 2) - 500 * lines))
                return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        except OSError:
            return ""

    def _find(self) -> Client | None:
        """A client of the server that runs already, if it is the right one; a wrong one without work is ended."""
        found = server_file.read(self._home)
        health = _health(found, HEALTH_PATIENCE)
        if found is None or health is None:
            self._end(0.0)  # a child of ours that does not answer
            return None
        client = Client(found.url, found.token)
        if self._is_right(health):
            return client
        if health.get("queue") or _worker(health) == "busy":
            raise ServiceError(
                f"A Likeness server of another version ({found.version}) is at work; let it finish its jobs first.",
                "version",
            )
        self._dismiss(client)
        return None

    def _is_right(self, health: dict[str, Any]) -> bool:
        return health.get("api") == self._want_api and self._want_version in (None, health.get("version"))

    def _dismiss(self, client: Client) -> None:
        try:
            client.shutdown()
        except ServiceError as error:
            raise ServiceError(
                f"A Likeness server of another version runs at {client.url} and will not end: {error.message}",
                "version",
            ) from error
        end = time.monotonic() + STOP_PATIENCE
        while time.monotonic() < end and server_file.read(self._home) is not None:
            self._pause(STEP)
        self._end(STOP_PATIENCE)

    def _start(self) -> Client:
        self._state, self._message = "starting", "Starting the backend"
        before = server_file.read(self._home)  # left by a server that was killed
        begun = time.monotonic()
        child = self._process = self._spawn()
        while time.monotonic() - begun < START_PATIENCE:
            self._pause(STEP)
            ended = child.poll()
            found = server_file.read(self._home)
            if found is not None and found != before and (health := _health(found, HEALTH_PATIENCE)):
                if ended is not None or not self._is_right(health):
                    self._end(STOP_PATIENCE)
                if not self._is_right(health):
                    raise self._wrong(health)
                return Client(found.url, found.token)
            if ended == REFUSED and time.monotonic() - begun < REFUSED_PATIENCE:
                self._end(0.0)
                self._pause(RETRY)
                child = self._process = self._spawn()
            elif ended is not None:
                self._end(0.0)
                raise ServiceError(f"The backend could not be started: {self._last_words(ended)}", "start")
        self._end(0.0)
        raise ServiceError("The backend took too long to start; look at its log and try again.", "start")

    def _spawn(self) -> subprocess.Popen[bytes]:
        command = [*self._command, "--home", str(self._home), "--port", "0", "--exit-with-stdin"]
        try:
            self._home.mkdir(parents=True, exist_ok=True)
            with self._open_log() as log:
                log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {' '.join(command)}\n".encode())
                log.flush()
                return process.spawn(
                    command,
                    self.log.parent,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    environment=process.clean_environment(),
                )
        except OSError as error:
            place = error.filename or self._command[0]
            raise ServiceError(f"The backend could not be started ({error.strerror}: {place}).", "start") from error

    def _open_log(self) -> IO[bytes]:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        if self.log.exists() and self.log.stat().st_size > MAX_LOG:
            self.log.replace(self.log.with_name(self.log.name + ".old"))
        return self.log.open("ab")

    def _end(self, patience: float) -> None:
        child, self._process = self._process, None
        if child is not None:
            process.end(child, patience)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            self._end(RETRY)
            raise _given_up()

    def _wrong(self, health: dict[str, Any]) -> ServiceError:
        return ServiceError(
            f"The backend is of version {health.get('version')}, this add-on needs "
            f"{self._want_version or f'one with API {self._want_api}'}: set the backend up again.",
            "version",
        )

    def _last_words(self, code: int) -> str:
        said = [line for line in self.log_tail(50).splitlines() if line.strip() and not line.startswith("--- ")]
        return said[-1].strip() if said else f"it ended with code {code} and said nothing."


def _given_up() -> ServiceError:
    return ServiceError("The start of the backend was given up.", "cancelled")


def _health(found: server_file.Running | None, patience: float) -> dict[str, Any] | None:
    """What the server answers; None when nothing does, or not a Likeness server that knows the token."""
    if found is None:
        return None
    try:
        health = Client(found.url, found.token, timeout=patience).health()
    except ServiceError:
        return None
    return health if health.get("name") == "likeness" else None


def _worker(health: dict[str, Any]) -> str:
    worker = health.get("worker")
    return str(worker.get("state")) if isinstance(worker, dict) else ""
