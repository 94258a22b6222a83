"""Just enough of two public binary formats to read a TFLite file: flatbuffers, and the flexbuffers inside.

Formats: https://flatbuffers.dev/internals/ and https://flatbuffers.dev/flexbuffers/. Every read is bounds-checked
(`struct` and `numpy.frombuffer` raise), so a damaged file ends in `struct.error` or `ValueError`, never in nonsense.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Table", "flexbuffer_map", "root"]


def _number(data: bytes, form: str, at: int) -> Any:
    if at < 0:
        raise struct.error("offset before the start of the file")
    return struct.unpack_from(form, data, at)[0]


class Table:
    """A flatbuffer table: fields by number, as in the schema."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at = at
        self._vtable = at - int(_number(data, "<i", at))
        self._count = (int(_number(data, "<H", self._vtable)) - 4) // 2

    def _field(self, number: int) -> int:
        """Where a field lies, 0 when it is absent."""
        if number >= self._count:
            return 0
        offset = int(_number(self._data, "<H", self._vtable + 4 + 2 * number))
        return self._at + offset if offset else 0

    def _target(self, number: int) -> int:
        at = self._field(number)
        return at + int(_number(self._data, "<I", at)) if at else 0

    def integer(self, number: int, form: str = "<i", default: int = 0) -> int:
        """A scalar of the given `struct` form."""
        at = self._field(number)
        return int(_number(self._data, form, at)) if at else default

    def table(self, number: int) -> Table | None:
        """A table, or None when it is absent."""
        at = self._target(number)
        return Table(self._data, at) if at else None

    def tables(self, number: int) -> list[Table]:
        """A vector of tables; empty when it is absent."""
        at = self._target(number)
        if not at:
            return []
        slots = [at + 4 + 4 * i for i in range(int(_number(self._data, "<I", at)))]
        return [Table(self._data, s + int(_number(self._data, "<I", s))) for s in slots]

    def array(self, number: int, dtype: str = "<i4") -> NDArray[Any]:
        """A vector of numbers; empty when it is absent."""
        at = self._target(number)
        if not at:
            return np.zeros(0, dtype)
        return np.frombuffer(self._data, dtype, int(_number(self._data, "<I", at)), at + 4)

    def text(self, number: int) -> str:
        """A string; empty when it is absent."""
        return self.array(number, "u1").tobytes().decode("utf-8", "replace")


def root(data: bytes) -> Table:
    """The outermost table of a flatbuffer."""
    return Table(data, int(_number(data, "<I", 0)))


_WIDTHS = {1: "bBx", 2: "hHe", 4: "iIf", 8: "qQd"}
_INT, _UINT, _FLOAT, _MAP, _INTS, _UINTS = 1, 2, 3, 9, 11, 12


def _sized(data: bytes, at: int, width: int, kind: int) -> Any:
    return _number(data, "<" + _WIDTHS[width][kind], at)


def flexbuffer_map(data: bytes) -> dict[str, int | float | list[int]]:
    """A flexbuffer whose root is a map of integers, floats and integer vectors."""
    if not data:
        return {}
    width, packed = data[-1], data[-2]
    if packed >> 2 != _MAP:
        raise ValueError("not a flexbuffer map")
    slot = len(data) - 2 - width
    at = slot - int(_sized(data, slot, width, 1))
    w = 1 << (packed & 3)
    size = int(_sized(data, at - w, w, 1))
    key_width = int(_sized(data, at - 2 * w, w, 1))
    keys = at - 3 * w - int(_sized(data, at - 3 * w, w, 1))

    result: dict[str, int | float | list[int]] = {}
    for i in range(size):
        key_slot = keys + i * key_width
        start = key_slot - int(_sized(data, key_slot, key_width, 1))
        key = data[start : data.index(0, start)].decode()
        kind, child = data[at + size * w + i] >> 2, 1 << (data[at + size * w + i] & 3)
        slot = at + i * w
        if kind in (_INT, _UINT):
            result[key] = int(_sized(data, slot, w, kind - _INT))
        elif kind == _FLOAT:
            result[key] = float(_sized(data, slot, w, 2))
        elif kind in (_INTS, _UINTS):
            first = slot - int(_sized(data, slot, w, 1))
            count = int(_sized(data, first - child, child, 1))
            result[key] = [int(_sized(data, first + k * child, child, kind - _INTS)) for k in range(count)]
        else:
            raise ValueError(f"flexbuffer type {kind} is not understood")
    return result
