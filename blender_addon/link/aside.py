# SPDX-License-Identifier: GPL-3.0-or-later
"""A file that takes its place once it is whole."""

from __future__ import annotations

import errno
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

from .transport import ServiceError

__all__ = ["Aside"]

FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class Aside:
    """Written beside ``target``, which it replaces when the ``with`` block ends well; otherwise nothing stays behind.

    Raises ServiceError for what the disk refuses; what is raised inside the block goes through.
    """

    def __init__(self, target: Path) -> None:
        """Nothing is written yet."""
        self._target = target
        self._path = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Aside:
        with self._disk():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("xb")
        return self

    def write(self, piece: bytes) -> None:
        """Add to the file."""
        assert self._file is not None  # open inside the block
        with self._disk():
            self._file.write(piece)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None  # open inside the block
        try:
            with self._disk():
                self._file.close()
                if error is None:
                    self._path.replace(self._target)
        finally:
            self._path.unlink(missing_ok=True)

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = error.errno in FULL
            why = "the disk is full" if full else error.strerror or str(error)
            message = f"{self._target} cannot be written ({why})."
            raise ServiceError(message, "no_space" if full else "file") from error
