# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one command after another, line by line, until somebody has had enough."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from . import process

__all__ = ["CancelledError", "Commands"]


class CancelledError(Exception):
    """The user gave up."""


class Commands:
    """Commands of one thread, which another may cancel."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._cancelled = False
        self._child: subprocess.Popen[bytes] | None = None

    def cancel(self) -> None:
        """Kill the command that runs; nothing runs after it. Returns at once."""
        with self._lock:
            self._cancelled = True
            if self._child is not None:
                process.kill(self._child)

    def check(self) -> None:
        """Raises CancelledError after `cancel`."""
        if self._cancelled:
            raise CancelledError

    def run(self, command: Sequence[str], hear: Callable[[str], None], environment: Mapping[str, str]) -> int:
        """Run a command to its end; ``hear`` gets each line of output and errors. Returns its exit status.

        Raises CancelledError, and OSError where it cannot be started.
        """
        with self._lock:
            self.check()
            child = process.spawn(command, Path(tempfile.gettempdir()), stdout=subprocess.PIPE, environment=environment)
            self._child = child
        try:
            assert child.stdout is not None  # a pipe, as asked for
            with child.stdout:
                for line in child.stdout:
                    hear(line.decode("utf-8", "replace").rstrip())
            child.wait()
        finally:
            with self._lock:
                self._child = None
                process.kill(child)
            child.wait()
        self.check()
        return child.returncode
