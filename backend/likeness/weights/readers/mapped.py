"""A file's bytes, mapped rather than read, and slices of them that cannot lie about their length."""

from __future__ import annotations

import mmap
from pathlib import Path

from likeness.errors import WeightsError

__all__ = ["Bytes", "damaged", "map_file", "refused", "shown"]


class Bytes:
    """A named run of bytes with checked access.

    Attributes:
        data: the bytes.
        name: of the file, for messages.
    """

    __slots__ = ("data", "name")

    def __init__(self, data: bytes | bytearray | memoryview, name: str) -> None:
        self.data = memoryview(data)
        self.name = name

    def __len__(self) -> int:
        return len(self.data)

    def take(self, start: int, count: int) -> memoryview:
        """`count` bytes from `start`; raises WeightsError where the file has fewer."""
        if start < 0 or count < 0 or start + count > len(self.data):
            raise damaged(self.name, f"it should have {count} bytes at {start} and ends at {len(self.data)}")
        return self.data[start : start + count]

    def line(self, start: int) -> tuple[bytes, int]:
        """The line at `start` without its end, and where the next begins."""
        at = start
        pieces: list[bytes] = []
        while at < len(self.data):
            piece = bytes(self.data[at : at + 4096])
            end = piece.find(b"\n")
            if end >= 0:
                return b"".join([*pieces, piece[:end]]), at + end + 1
            pieces.append(piece)
            at += len(piece)
        raise damaged(self.name, "it ends within a line")


def map_file(path: Path) -> Bytes:
    """Map a file for reading; raises WeightsError where it cannot be read."""
    try:
        with path.open("rb") as file:
            if not file.seek(0, 2):
                return Bytes(b"", path.name)
            return Bytes(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)), path.name)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read ({error.strerror or error}).") from error


def damaged(name: str, why: object) -> WeightsError:
    """The error for a file that is not what it should be."""
    return WeightsError(
        f"{name} is damaged or not what its name says ({shown(why)}); get it again from its authors' page."
    )


def refused(name: str, what: object) -> WeightsError:
    """The error for a file that asks for something a model has no need of."""
    return WeightsError(
        f"{name} was refused: it asks for {shown(what)}, which a model has no need of; nothing of it ran."
    )


def shown(text: object, most: int = 160) -> str:
    """What a file says, fit to be shown: one line, no control characters, not too long."""
    fine = "".join(c if c.isprintable() else "?" for c in str(text))
    return fine if len(fine) <= most else fine[:most] + " …"
