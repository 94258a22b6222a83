# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos and settings as the body of a form upload, read from disk while it is sent."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .transport import ServiceError

__all__ = ["Upload"]

CHUNK = 1 << 18


@dataclass(frozen=True)
class Upload:
    """A multipart/form-data body (RFC 7578): a part ``photos`` for each file, and one ``settings``."""

    photos: Sequence[Path]
    settings: dict[str, Any] | None = None
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    def headers(self) -> dict[str, str]:
        """Type and length. Raises ServiceError for a photo that is not there."""
        length = sum(len(head) + size + 2 for head, _, size in self._parts()) + len(self._tail())
        return {"Content-Type": f"multipart/form-data; boundary={self.boundary}", "Content-Length": str(length)}

    def __iter__(self) -> Iterator[bytes]:
        """The body, piece by piece. Raises ServiceError for a photo that changed meanwhile."""
        for head, path, size in self._parts():
            yield head
            if path is not None:
                yield from _content(path, size)
            yield b"\r\n"
        yield self._tail()

    def _parts(self) -> Iterator[tuple[bytes, Path | None, int]]:
        """Of each part what stands before its file, the file, and the file's bytes."""
        start = f"--{self.boundary}\r\nContent-Disposition: form-data; name="
        if self.settings is not None:
            text = json.dumps(self.settings, ensure_ascii=False)
            yield f'{start}"settings"\r\n\r\n{text}'.encode(), None, 0
        for path in self.photos:
            try:
                size = path.stat().st_size
            except OSError as error:
                raise ServiceError(f"The photo {path} cannot be read ({error.strerror}).", "file") from error
            head = f'{start}"photos"; filename="{_quoted(path.name)}"\r\nContent-Type: application/octet-stream\r\n\r\n'
            yield head.encode(), path, size

    def _tail(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()


def _quoted(name: str) -> str:
    """A file name as browsers write it into a form."""
    name = os.fsencode(name).decode("utf-8", "replace")
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _content(path: Path, size: int) -> Iterator[bytes]:
    left = size
    try:
        with path.open("rb") as file:
            while left and (piece := file.read(min(CHUNK, left))):
                left -= len(piece)
                yield piece
    except OSError as error:
        raise ServiceError(f"The photo {path} cannot be read ({error.strerror}).", "file") from error
    if left:
        raise ServiceError(f"The photo {path} changed while it was being sent; try again.", "file")
