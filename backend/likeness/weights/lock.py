"""One process at a time: a lock on a file that the operating system gives back when its holder dies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from likeness.errors import WeightsError

__all__ = ["locked"]


@contextmanager
def locked(path: Path, patience: float = 900.0, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock file at `path` for a while; it stays behind, empty.

    Args:
        path: its folder must exist.
        patience: seconds to wait for another holder.
        waiting: called again and again while there is one; may raise to stop.

    Raises:
        WeightsError: another process held it all that time.
    """
    with path.open("a+b") as file:
        end = time.monotonic() + patience
        while not _try_lock(file):
            if time.monotonic() > end:
                raise WeightsError(f"Another process has been busy with {path} for too long; end it and try again.")
            waiting()
            time.sleep(0.1)
        try:
            yield
        finally:
            _unlock(file)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        file.seek(0)
        msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(file: IO[bytes]) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
