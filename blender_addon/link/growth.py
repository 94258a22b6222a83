# SPDX-License-Identifier: GPL-3.0-or-later
"""How far an installer is that says nothing while it unpacks: told by the room that it has taken from the disk."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

__all__ = ["Growth"]

INTERVAL = 0.5


class Growth:
    """Watches the disk of a folder from `begin` to the end of the ``with`` block, in a thread of its own.

    Other programs write too, so it is a guess; it stays below 1.
    """

    def __init__(self, folder: Path, expected: int, tell: Callable[[float], None]) -> None:
        """``tell`` hears the share of the ``expected`` bytes."""
        self._folder, self._expected, self._tell = folder, expected, tell
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """It unpacks from now on. A second call does nothing."""
        if self._thread is None and self._expected:
            self._thread = threading.Thread(target=self._watch, name="likeness disk", daemon=True)
            self._thread.start()

    def __enter__(self) -> Growth:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _watch(self) -> None:
        before = shutil.disk_usage(self._folder).free
        while not self._ended.wait(INTERVAL):
            taken = before - shutil.disk_usage(self._folder).free
            self._tell(min(max(taken / self._expected, 0.0), 0.99))
