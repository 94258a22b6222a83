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

__all__ = ["clean_environment", "end", "spawn"]


def clean_environment(**more: str) -> dict[str, str]:
    """The environment without what points another Python at Blender's modules; ``more`` is added."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON") and k != "__PYVENV_LAUNCHER__"}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", **more}


def spawn(
    command: Sequence[str], folder: Path, *, stdin: int, stdout: IO[bytes] | int, environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """Start a command in a process group of its own; its errors go where its output goes. Raises OSError."""
    apart: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        apart = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    return subprocess.Popen(
        list(command), cwd=folder, env=dict(environment), stdin=stdin, stdout=stdout, stderr=subprocess.STDOUT, **apart
    )


def end(process: subprocess.Popen[bytes], patience: float = 0.0) -> None:
    """Close its input, wait, and kill what is left of its group. On Windows Python's launcher takes its child along."""
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()
    with suppress(subprocess.TimeoutExpired):
        if patience > 0:
            process.wait(patience)
    if sys.platform != "win32":
        with suppress(OSError):
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()
