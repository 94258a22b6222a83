# SPDX-License-Identifier: GPL-3.0-or-later
"""Photos, a mesh or files of weights, and settings, as the body of a form upload, read from disk while it is sent."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .transport import ServiceError

__all__ = ["Upload"]

CHUNK = 1 << 18


@dataclass(frozen=True)
class Upload:
    """A multipart/form-data body (RFC 7578): a part for each file, and one ``settings``.

    Attributes:
        files: what is sent.
        settings: of the request, or None.
        noun: what a file is called: "photo" in fields ``photos``, "file" in fields ``files``, "mesh" in ``meshes``.
        progress: hears the fraction sent and may raise to stop.
    """

    files: Sequence[Path]
    settings: dict[str, Any] | None = None
    noun: str = "photo"
    progress: Callable[[float], None] | None = None
    boundary: str = field(default_factory=lambda: secrets.token_hex(16))

    def headers(self) -> dict[str, str]:
        """Type and length. Raises ServiceError for a file that is not there."""
        kind = f"multipart/form-data; boundary={self.boundary}"
        return {"Content-Type": kind, "Content-Length": str(self._length())}

    def __iter__(self) -> Iterator[bytes]:
        """The body, piece by piece. Raises ServiceError for a file that changed meanwhile."""
        done, length = 0, self._length()
        for piece in self._pieces():
            yield piece
            done += len(piece)
            if self.progress is not None:
                self.progress(done / length)

    def _pieces(self) -> Iterator[bytes]:
        for head, path, size in self._parts():
            yield head
            if path is not None:
                yield from self._content(path, size)
            yield b"\r\n"
        yield self._tail()

    def _length(self) -> int:
        return sum(len(head) + size + 2 for head, _, size in self._parts()) + len(self._tail())

    def _parts(self) -> Iterator[tuple[bytes, Path | None, int]]:
        """Of each part what stands before its file, the file, and the file's bytes."""
        start = f"--{self.boundary}\r\nContent-Disposition: form-data; name="
        if self.settings is not None:
            text = json.dumps(self.settings, ensure_ascii=False)
            yield f'{start}"settings"\r\n\r\n{text}'.encode(), None, 0
        for path in self.files:
            try:
                size = path.stat().st_size
            except OSError as error:
                raise self._unreadable(path, error) from error
            head = f'{start}"{self._many}"; filename="{_quoted(path.name)}"\r\n'
            yield f"{head}Content-Type: application/octet-stream\r\n\r\n".encode(), path, size

    def _content(self, path: Path, size: int) -> Iterator[bytes]:
        left = size
        try:
            with path.open("rb") as file:
                while left and (piece := file.read(min(CHUNK, left))):
                    left -= len(piece)
                    yield piece
        except OSError as error:
            raise self._unreadable(path, error) from error
        if left:
            raise ServiceError(f"The {self.noun} {path} changed while it was being sent; try again.", "file")

    def _unreadable(self, path: Path, error: OSError) -> ServiceError:
        return ServiceError(f"The {self.noun} {path} cannot be read ({error.strerror}).", "file")

    @property
    def _many(self) -> str:
        return f"{self.noun}es" if self.noun.endswith("sh") else f"{self.noun}s"

    def _tail(self) -> bytes:
        return f"--{self.boundary}--\r\n".encode()


def _quoted(name: str) -> str:
    """A file name as browsers write it into a form."""
    name = os.fsencode(name).decode("utf-8", "replace")
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
