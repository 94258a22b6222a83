"""MATLAB's .mat: version 5 through SciPy (after unpacking it within limits), version 7.3 through HDF5.

Format: MathWorks, "MAT-File Format". Functions and objects of MATLAB classes are refused; only numbers, text, structs
and cells come out.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError, MatReadWarning

from likeness.errors import WeightsError
from likeness.weights.readers import hdf5
from likeness.weights.readers.mapped import Bytes, damaged, map_file

__all__ = ["read"]

Array = NDArray[Any]

MOST_BYTES = 4 << 30
"""Unpacked."""
_COMPRESSED, _MATRIX = 15, 14
_CLASSES = {1: "cell", 2: "struct", 4: "char", 5: "sparse", **dict.fromkeys(range(6, 16), "number")}


def read(path: Path) -> dict[str, Any]:
    """The variables of a .mat file by name.

    Returns:
        arrays as MATLAB shapes them (at least two dimensions), sparse ones made dense; structs as dicts (a list of
        dicts where there are several), cells as lists, text as str. Version 7.3 comes with its axes in MATLAB's order.

    Raises:
        WeightsError: the file is damaged, or holds a function, an object, or more than 4 GiB.
    """
    data = map_file(path)
    if bytes(data.data[:4]) == b"\x89HDF" or bytes(data.data[512:516]) == b"\x89HDF":
        return {name: value.T for name, value in hdf5.read(path).items() if not name.startswith("#refs#")}
    plain = _unpacked(data)
    try:
        found = loadmat(plain, struct_as_record=True, squeeze_me=False, chars_as_strings=True)
    except (MatReadError, MatReadWarning, ValueError, TypeError, KeyError, IndexError, OSError) as error:
        raise damaged(path.name, error) from error
    except (struct.error, EOFError, OverflowError, MemoryError, NotImplementedError, AttributeError) as error:
        raise damaged(path.name, error) from error
    return {name: _plain(value, path.name, 0) for name, value in found.items() if not name.startswith("__")}


def _unpacked(data: Bytes) -> io.BytesIO:
    """The file with its compressed parts unpacked and its outermost lengths checked."""
    order = {b"IM": "<", b"MI": ">"}.get(bytes(data.take(126, 2)))
    if order is None:
        raise damaged(data.name, "it is no MATLAB file of version 5 or later")
    result = io.BytesIO()
    result.write(data.take(0, 128))
    at, left = 128, MOST_BYTES
    while at < len(data):
        kind, size = struct.unpack(order + "II", data.take(at, 8))
        body = data.take(at + 8, size)
        at += 8 + size
        if kind == _COMPRESSED:
            part = _inflate(body, left, data.name)
        elif kind == _MATRIX:
            part = struct.pack(order + "II", kind, size) + bytes(body)
        else:
            raise damaged(data.name, f"a part of type {kind}")
        left -= len(part)
        _look(part, order, data.name)
        result.write(part)
    result.seek(0)
    return result


def _inflate(body: memoryview, most: int, name: str) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        part = unpacker.decompress(body, most)
    except zlib.error as error:
        raise damaged(name, error) from error
    if unpacker.unconsumed_tail:
        raise damaged(name, f"it unpacks to more than {MOST_BYTES} bytes")
    return part


def _look(part: bytes, order: str, name: str) -> None:
    """A matrix of a class that holds data, no longer and no shorter than it says."""
    if len(part) < 24:
        raise damaged(name, "a part without a head")
    kind, size, _, _, flags = struct.unpack_from(order + "5I", part)
    if kind != _MATRIX or size != len(part) - 8:
        raise damaged(name, f"a part of type {kind} and {size} bytes where {len(part) - 8} are")
    if flags & 255 not in _CLASSES:
        raise WeightsError(f"{name} was refused: it holds a MATLAB function or object, which a model has no need of.")


def _plain(value: Any, name: str, depth: int) -> Any:
    if depth > 50:
        raise damaged(name, "structs nested without end")
    if hasattr(value, "toarray"):
        rows, columns = value.shape
        if rows * columns > 1 << 28:
            raise damaged(name, f"a sparse matrix of {rows} x {columns}")
        return np.asarray(value.toarray())
    if not isinstance(value, np.ndarray):
        return value
    kind = type(value).__name__
    if kind in ("MatlabFunction", "MatlabOpaque", "MatlabObject"):
        raise WeightsError(f"{name} was refused: it holds a MATLAB function or object, which a model has no need of.")
    if value.dtype.names:
        records = [
            {str(field): _plain(record[field], name, depth + 1) for field in value.dtype.names or ()}
            for record in value.reshape(-1)
        ]
        return records[0] if len(records) == 1 else records
    if value.dtype == object:
        return [_plain(item, name, depth + 1) for item in value.reshape(-1)]
    if value.dtype.kind in "US":
        lines = [str(line) for line in value.reshape(-1)]
        return lines[0] if len(lines) == 1 else lines
    return value.astype(value.dtype.newbyteorder("="), copy=False)
