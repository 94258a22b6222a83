"""MATLAB's .mat: version 5 by a reader of its own, version 7.3 through HDF5.

Format: MathWorks, "MAT-File Format". Only numbers, text, structs and cells come out; functions and objects of MATLAB
classes are refused. SciPy reads these files too, but its compiled reader brings the whole program down on some damaged
ones, and what a user downloads may be damaged.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers import hdf5
from likeness.weights.readers.mapped import Bytes, damaged, map_file

__all__ = ["read"]

Array = NDArray[Any]

MOST_BYTES = 4 << 30
"""Unpacked."""
MOST_CELLS = 1 << 27
"""Of a sparse matrix made dense."""
DEEPEST = 50

_TYPES = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
_TEXTS = {1: "latin-1", 2: "latin-1", 4: "utf-16", 16: "utf-8", 17: "utf-16", 18: "utf-32"}
_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _CHAR, _SPARSE = 1, 2, 4, 5
_CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
_COMPLEX = 0x800


def read(path: Path) -> dict[str, Any]:
    """The variables of a .mat file by name.

    Returns:
        arrays as MATLAB shapes them (at least two dimensions), sparse ones made dense; structs as dicts (a list of
        dicts where there are several), cells as lists, text as str (a list of them where there are several rows).

    Raises:
        WeightsError: the file is damaged, or holds a function, an object, or more than 4 GiB.
    """
    data = map_file(path)
    if b"\x89HDF" in (bytes(data.data[:4]), bytes(data.data[512:516])):
        return {name: value.T for name, value in hdf5.read(path).items() if not name.startswith("#refs#")}
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data.take(126, 2)))
    if order is None:
        raise damaged(data.name, "it is no MATLAB file of version 5 or later")
    try:
        return _variables(data, order)
    except (struct.error, ValueError, IndexError, OverflowError, MemoryError, TypeError) as error:
        raise damaged(data.name, error) from error


def _variables(data: Bytes, order: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    at, left = 128, MOST_BYTES
    while at < len(data):
        kind, size = struct.unpack(order + "II", data.take(at, 8))
        body = data.take(at + 8, size)
        at += 8 + size
        if kind == _COMPRESSED:
            part = Bytes(_inflate(body, left, data.name), data.name)
            left -= len(part)
            kind, size = struct.unpack(order + "II", part.take(0, 8))
            body = part.take(8, size)
        if kind != _MATRIX:
            raise damaged(data.name, f"a part of type {kind}")
        name, value = _Matrix(Bytes(body, data.name), order, 0).read()
        found[name] = value
    return found


def _inflate(body: memoryview, most: int, name: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        part = unpacker.decompress(body, most)
    except zlib.error as error:
        raise damaged(name, error) from error
    if unpacker.unconsumed_tail:
        raise damaged(name, f"it unpacks to more than {MOST_BYTES} bytes")
    return part


class _Matrix:
    """One array: flags, dimensions, name, and what its class has."""

    def __init__(self, data: Bytes, order: str, depth: int) -> None:
        if depth > DEEPEST:
            raise damaged(data.name, "structs nested without end")
        self.data = data
        self.order = order
        self.depth = depth
        self.at = 0

    def read(self) -> tuple[str, Any]:
        if not len(self.data):
            return "", np.zeros((0, 0))
        _, flags = self.element()
        (what,) = struct.unpack_from(self.order + "I", flags)
        kind = what & 255
        shape = [int(n) for n in self.numbers()]
        if len(shape) < 2 or min(shape) < 0:
            raise ValueError(f"an array of shape {shape}")
        name = str(self.element()[1], "latin-1")
        if kind in _CLASSES:
            return name, self.numeric(shape, _CLASSES[kind], bool(what & _COMPLEX))
        if kind == _CHAR:
            return name, self.text(shape)
        if kind == _SPARSE:
            return name, self.sparse(shape, bool(what & _COMPLEX))
        if kind == _CELL:
            return name, [self.inner() for _ in range(self.few(shape))]
        if kind == _STRUCT:
            return name, self.struct(shape)
        raise WeightsError(
            f"{self.data.name} was refused: it holds a MATLAB function or object, which a model has no need of."
        )

    def element(self) -> tuple[int, memoryview]:
        """Type and bytes of the next part; short ones share eight bytes with their head."""
        (first,) = struct.unpack(self.order + "I", self.data.take(self.at, 4))
        if first >> 16:
            kind, size, start, end = first & 0xFFFF, first >> 16, self.at + 4, self.at + 8
            if size > 4:
                raise ValueError(f"a short part of {size} bytes")
        else:
            (size,) = struct.unpack(self.order + "I", self.data.take(self.at + 4, 4))
            kind, start = first, self.at + 8
            end = start + (size + 7 & ~7)
        body = self.data.take(start, size)
        self.at = min(end, len(self.data))
        return kind, body

    def numbers(self) -> Array:
        kind, body = self.element()
        if kind not in _TYPES:
            raise ValueError(f"numbers of type {kind}")
        return np.frombuffer(body, self.order + _TYPES[kind])

    def few(self, shape: list[int]) -> int:
        """How many parts an array of arrays has; each takes at least eight bytes."""
        count = 1
        for length in shape:
            count *= length
        if count > len(self.data) // 8:
            raise ValueError(f"{count} parts in {len(self.data)} bytes")
        return count

    def numeric(self, shape: list[int], kind: str, is_complex: bool) -> Array:
        values: Array = self.numbers().astype(kind)
        if is_complex:
            values = values + 1j * self.numbers().astype(kind)
        return values.reshape(shape, order="F")

    def text(self, shape: list[int]) -> str | list[str]:
        kind, body = self.element()
        if kind not in _TEXTS:
            raise ValueError(f"text of type {kind}")
        encoding = _TEXTS[kind] + ("" if kind in (1, 2, 16) else "-le" if self.order == "<" else "-be")
        text = str(body, encoding)
        rows = shape[0]
        if rows <= 1 or rows > len(text):
            return text
        return [text[row::rows] for row in range(rows)]

    def sparse(self, shape: list[int], is_complex: bool) -> Array:
        rows, columns = shape if len(shape) == 2 else (-1, -1)
        row, pointer = self.numbers().astype(np.int64), self.numbers().astype(np.int64)
        values: Array = self.numbers()
        if is_complex:
            values = values + 1j * self.numbers()
        counts = np.diff(pointer)
        if not 0 <= rows * columns <= MOST_CELLS or len(counts) != columns or (counts < 0).any() or pointer[0]:
            raise ValueError(f"a sparse matrix of shape {shape}")
        count = int(pointer[-1])
        row, values = row[:count], values[:count]
        if len(row) != count or len(values) != count or (count and not (row.min() >= 0 and row.max() < rows)):
            raise ValueError("a sparse matrix with entries outside")
        dense = np.zeros((rows, columns), values.dtype.newbyteorder("="))
        dense[row, np.repeat(np.arange(columns), counts)] = values
        return dense

    def struct(self, shape: list[int]) -> dict[str, Any] | list[dict[str, Any]]:
        (width,) = (int(n) for n in self.numbers())
        names = bytes(self.element()[1])
        if not 1 <= width <= 256 or len(names) % width:
            raise ValueError("a struct without names")
        fields = [names[i : i + width].split(b"\0", 1)[0].decode("latin-1") for i in range(0, len(names), width)]
        many = self.few([*shape, max(1, len(fields))]) // max(1, len(fields))
        records = [{field: self.inner() for field in fields} for _ in range(many)]
        return records[0] if many == 1 else records

    def inner(self) -> Any:
        kind, body = self.element()
        if kind != _MATRIX:
            raise ValueError(f"a part of type {kind} where an array belongs")
        return _Matrix(Bytes(body, self.data.name), self.order, self.depth + 1).read()[1]
