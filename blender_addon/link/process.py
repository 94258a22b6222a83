# SPDX-License-Identifier: GPL-3.0-or-later
"""Child processes that hear nothing of Blender's Python, show no window, and are ended whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

__all__ = ["clean_environment", "end", "kill", "spawn"]


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what points another Python at Blender's modules; ``more`` is added."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "__PYVENV_LAUNCHER__"}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **more}


def spawn(
    command: Sequence[str],
    folder: Path,
    *,
    stdout: IO[bytes] | int,
    stdin: int = subprocess.DEVNULL,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own; its errors go where its output goes. Raises OSError."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    env = clean_environment() if environment is None else dict(environment)
    return subprocess.Popen(
        list(command), cwd=folder, env=env, stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, **apart
    )


def kill(child: subprocess.Popen[bytes]) -> None:
    """Kill a child and its group; does not wait. On Windows Python's launcher takes its own child along."""
    if child.returncode is None:  # otherwise the number may be another's by now
        if sys.platform != "win32":
            with suppress(OSError):
                os.killpg(child.pid, signal.SIGKILL)
        child.kill()


def end(child: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """Close a child's input, wait a while for it to end by itself, and kill it otherwise."""
    if child.stdin is not None:
        with suppress(OSError):
            child.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        if patience > 0:
            child.wait(patience)
    kill(child)
    child.wait()
