"""Protocol buffers read by field number, without a schema compiler.

Format: https://protobuf.dev/programming-guides/encoding/. Lengths are checked against the message that holds them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.weights.readers.mapped import Bytes, damaged

__all__ = ["Message", "varint"]

MOST_FIELDS = 2_000_000
"""Of one message; long rows of numbers are written as one field."""

Value = int | memoryview


def varint(data: memoryview, at: int, name: str) -> tuple[int, int]:
    """A whole number of 7 bits a byte, and where it ends; raises WeightsError."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(data):
            raise damaged(name, "it ends within a number")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at
    raise damaged(name, "a number of more than ten bytes")


class Message:
    """One message; its fields are found once and kept as slices.

    Args:
        data: the bytes of the message.
        name: of the file, for errors.
    """

    def __init__(self, data: memoryview | bytes | Bytes, name: str) -> None:
        self.name = name
        self._fields: dict[int, list[tuple[int, Value]]] = {}
        raw = data.data if isinstance(data, Bytes) else memoryview(data)
        for count, (number, wire, value) in enumerate(_fields(raw, name)):
            if count > MOST_FIELDS:
                raise damaged(name, "too many fields")
            self._fields.setdefault(number, []).append((wire, value))

    def integer(self, number: int, default: int = 0) -> int:
        """The last value of a whole-number field, signed."""
        values = self._fields.get(number, [])
        if not values:
            return default
        wire, value = values[-1]
        if isinstance(value, memoryview):
            if wire == 2:
                raise damaged(self.name, f"field {number} is no number")
            return int.from_bytes(value, "little")
        return value - (1 << 64) if value >= 1 << 63 else value

    def integers(self, number: int) -> list[int]:
        """A repeated whole-number field, packed or not, signed."""
        found: list[int] = []
        for wire, value in self._fields.get(number, []):
            if isinstance(value, int):
                found.append(value)
            elif wire == 2:
                at = 0
                while at < len(value):
                    one, at = varint(value, at, self.name)
                    found.append(one)
        return [v - (1 << 64) if v >= 1 << 63 else v for v in found]

    def raw(self, number: int) -> memoryview | None:
        """The last value of a bytes, text or message field."""
        values = self._fields.get(number, [])
        if not values:
            return None
        value = values[-1][1]
        if not isinstance(value, memoryview):
            raise damaged(self.name, f"field {number} is no text")
        return value

    def raws(self, number: int) -> list[memoryview]:
        """A repeated bytes or text field."""
        values = [value for _, value in self._fields.get(number, [])]
        found = [value for value in values if isinstance(value, memoryview)]
        if len(found) != len(values):
            raise damaged(self.name, f"field {number} is no text")
        return found

    def has(self, number: int) -> bool:
        """Whether a field is there."""
        return number in self._fields

    def text(self, number: int) -> str:
        """A text field, "" when absent; what is no UTF-8 is replaced."""
        raw = self.raw(number)
        return "" if raw is None else str(raw, "utf-8", "replace")

    def message(self, number: int) -> Message | None:
        """A message field, None when absent."""
        raw = self.raw(number)
        return None if raw is None else Message(raw, self.name)

    def messages(self, number: int) -> Iterator[Message]:
        """A repeated message field."""
        for _, value in self._fields.get(number, []):
            if not isinstance(value, memoryview):
                raise damaged(self.name, f"field {number} is no message")
            yield Message(value, self.name)

    def numbers(self, number: int, kind: str) -> NDArray[Any]:
        """A repeated float ("<f4") or double ("<f8") field, packed or not."""
        size = np.dtype(kind).itemsize
        runs = []
        for _, value in self._fields.get(number, []):
            if not isinstance(value, memoryview) or len(value) % size:
                raise damaged(self.name, f"field {number} holds no numbers of {size} bytes")
            runs.append(value)
        if len(runs) == 1:
            return np.frombuffer(runs[0], kind)
        return np.frombuffer(b"".join(runs), kind)


def _fields(data: memoryview, name: str) -> Iterator[tuple[int, int, Value]]:
    at = 0
    while at < len(data):
        key, at = varint(data, at, name)
        number, wire = key >> 3, key & 7
        if not number:
            raise damaged(name, "a field numbered 0")
        if wire == 0:
            value, at = varint(data, at, name)
            yield number, wire, value
            continue
        if wire == 2:
            size, at = varint(data, at, name)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise damaged(name, f"a field of wire type {wire}")
        if size > len(data) - at:
            raise damaged(name, f"a field of {size} bytes where {len(data) - at} are left")
        yield number, wire, data[at : at + size]
        at += size
