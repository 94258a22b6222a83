"""Torch7's .t7 files, binary (64-bit) and ASCII, without Lua: tensors as arrays, tables and modules as data.

Format: torch/torch7 File.lua. Functions come as opaque records; their bytecode is kept as bytes and never run.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import Bytes, damaged, map_file, shown
from likeness.weights.readers.torch_file import strided

__all__ = ["Function", "Module", "listed", "read", "tensors"]

Array = NDArray[Any]

_KINDS = {"Double": "<f8", "Float": "<f4", "Long": "<i8", "Int": "<i4", "Short": "<i2", "Char": "i1", "Byte": "u1"}
_NUMBERS = {**_KINDS, "Cuda": "<f4", "CudaDouble": "<f8", "CudaLong": "<i8", "CudaInt": "<i4", "CudaByte": "u1"}
_TENSORS = {f"torch.{name}Tensor": kind for name, kind in _NUMBERS.items()}
_STORAGES = {f"torch.{name}Storage": kind for name, kind in _NUMBERS.items()}

DEEPEST = 400
MOST_OBJECTS = 2_000_000


class Module(dict[Any, Any]):
    """An object of a Lua class: its fields, and the class's name ("nn.SpatialConvolution")."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind


class Function:
    """A Lua function: its bytecode and upvalues, for whoever wants to look."""

    def __init__(self, code: bytes) -> None:
        self.code = code
        self.upvalues: Any = None


class _Source(Protocol):
    at: int

    def integer(self) -> int: ...
    def long(self) -> int: ...
    def number(self) -> float: ...
    def raw(self, count: int) -> bytes: ...
    def numbers(self, kind: str, count: int) -> Array: ...


def read(path: Path) -> Any:
    """The object in a .t7 file.

    Returns:
        None, float, bool, str (Latin-1), arrays (read-only views with the file's strides; a storage is a flat one),
        dicts for tables (keys 1, 2, … are ints), `Module` for other classes, `Function`. Objects that the file shares
        are shared, and may hold themselves.

    Raises:
        WeightsError: the file is damaged or holds something that is not supported.
    """
    data = map_file(path)
    head = bytes(data.data[:64])
    looks = head[:1].isdigit() and head.split(b"\n", 1)[0].strip().isdigit() and b"\n" in head
    source: _Source = _Ascii(data) if looks else _Binary(data)
    reader = _Reader(source, data)
    try:
        value = reader.object()
    except (struct.error, ValueError, IndexError, OverflowError, UnicodeError, MemoryError, TypeError) as error:
        raise damaged(data.name, f"{error or type(error).__name__} at {source.at}") from error
    if bytes(data.data[source.at : source.at + 64]).strip():
        raise damaged(data.name, f"{len(data) - source.at} bytes are left over")
    return value


def listed(module: Any) -> list[Module]:
    """The modules of a network without itself, depth first over their `modules`, each as often as it is mentioned."""
    found: list[Module] = []

    def visit(value: Any, above: tuple[int, ...]) -> None:
        if not isinstance(value, Module) or id(value) in above or len(above) > DEEPEST or len(found) > 100_000:
            return
        found.append(value)
        inner = value.get("modules")
        if isinstance(inner, dict):
            for index in range(1, len(inner) + 1):
                visit(inner.get(index), (*above, id(value)))

    visit(module, ())
    return found[1:]


def tensors(module: Any, fields: tuple[str, ...]) -> dict[str, Array]:
    """The named fields of all modules that hold arrays or numbers, by "index.field", index as in `listed`, from 0."""
    found: dict[str, Array] = {}
    for index, one in enumerate(listed(module)):
        for field in fields:
            value = one.get(field)
            if isinstance(value, np.ndarray):
                found[f"{index}.{field}"] = value
            elif isinstance(value, bool | float):
                found[f"{index}.{field}"] = np.asarray(value)
    return found


class _Reader:
    def __init__(self, source: _Source, data: Bytes) -> None:
        self.source = source
        self.name = data.name
        self.size = len(data)
        self.left = 4 * len(data) + (1 << 20)  # bytes of tensors: views of shared storages, but not without end
        self.seen: dict[int, Any] = {}
        self.objects = 0

    def object(self, depth: int = 0) -> Any:
        self.objects += 1
        if depth > DEEPEST or self.objects > MOST_OBJECTS:
            raise ValueError("objects nested without end")
        kind = self.source.integer()
        if kind == 0:
            return None
        if kind == 1:
            return self.source.number()
        if kind == 2:
            return self.string()
        if kind == 5:
            return bool(self.source.integer())
        if kind not in (3, 4, 6, 7, 8):
            raise ValueError(f"an object of type {kind}")
        index = self.source.integer()
        if index in self.seen:
            return self.seen[index]
        if kind == 3:
            table: dict[Any, Any] = {}
            self.seen[index] = table
            self.table(table, depth)
            return table
        if kind == 4:
            return self.torch_object(index, depth)
        function = Function(self.source.raw(self.length()))
        self.seen[index] = function
        function.upvalues = self.object(depth + 1)
        return function

    def length(self) -> int:
        count = self.source.integer()
        if not 0 <= count <= self.size:
            raise ValueError(f"a length of {count}")
        return count

    def string(self) -> str:
        return self.source.raw(self.length()).decode("latin-1")

    def table(self, table: dict[Any, Any], depth: int) -> None:
        for _ in range(self.length()):
            key = self.object(depth + 1)
            if isinstance(key, float) and key.is_integer():
                key = int(key)
            if isinstance(key, dict | np.ndarray | Function):  # nodes may be keys; they are told apart by identity
                key = ("object", id(key))
            table[key] = self.object(depth + 1)

    def torch_object(self, index: int, depth: int) -> Any:
        kind = self.string()
        if kind.startswith("V "):
            kind = self.string()
        if kind in _STORAGES:
            count = self.source.long()
            self.seen[index] = storage = self.source.numbers(_STORAGES[kind], count)
            return storage
        if kind in _TENSORS:
            self.seen[index] = None  # a tensor cannot hold itself
            self.seen[index] = tensor = self.tensor(_TENSORS[kind], depth)
            return tensor
        if "Storage" in kind or (kind.startswith("torch.") and kind.endswith("Tensor")):
            raise WeightsError(f"{self.name} holds a {shown(kind)}, which is not supported.")
        module = Module(kind)
        self.seen[index] = module
        fields = self.object(depth + 1)
        if isinstance(fields, dict):
            module.update(fields)
        elif fields is not None:
            raise ValueError(f"a {kind} without fields")
        return module

    def tensor(self, kind: str, depth: int) -> Array:
        rank = self.source.integer()
        if not 0 <= rank <= 32:
            raise ValueError(f"a tensor of {rank} dimensions")
        shape = [self.source.long() for _ in range(rank)]
        strides = [self.source.long() for _ in range(rank)]
        offset = self.source.long() - 1
        storage = self.object(depth + 1)
        if storage is None or not rank:
            return np.zeros(shape if 0 in shape else 0, kind)
        if not isinstance(storage, np.ndarray) or storage.ndim != 1 or storage.dtype != np.dtype(kind):
            raise ValueError("a tensor over something that is no storage of its kind")
        view = strided(storage, offset, shape, strides)
        self.left -= view.nbytes
        if self.left < 0:
            raise ValueError("tensors far larger than the file")
        return view


class _Binary:
    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0

    def _number(self, form: str, size: int) -> Any:
        value = struct.unpack(form, self.data.take(self.at, size))[0]
        self.at += size
        return value

    def integer(self) -> int:
        return int(self._number("<i", 4))

    def long(self) -> int:
        return int(self._number("<q", 8))

    def number(self) -> float:
        return float(self._number("<d", 8))

    def raw(self, count: int) -> bytes:
        taken = bytes(self.data.take(self.at, count))
        self.at += count
        return taken

    def numbers(self, kind: str, count: int) -> Array:
        size = count * np.dtype(kind).itemsize
        taken = np.frombuffer(self.data.take(self.at, size), kind)
        self.at += size
        return taken


class _Ascii:
    """Numbers as words; strings after a line end."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.at = 0

    def _word(self) -> bytes:
        raw = bytes(self.data.data[self.at : self.at + 512])
        text = raw.lstrip()
        start = self.at + len(raw) - len(text)
        word = text.split(None, 1)[0]
        self.at = start + len(word)
        return word

    def integer(self) -> int:
        return int(self._word())

    def long(self) -> int:
        return int(self._word())

    def number(self) -> float:
        return float(self._word())

    def raw(self, count: int) -> bytes:
        self.data.take(self.at, count + 1)
        taken = bytes(self.data.data[self.at + 1 : self.at + 1 + count])
        self.at += 1 + count
        return taken

    def numbers(self, kind: str, count: int) -> Array:
        if not 0 <= count <= len(self.data):
            raise ValueError(f"a storage of {count} numbers")
        if kind in ("u1", "i1") and count:  # bytes are written as characters
            return np.frombuffer(self.raw(count), kind)
        return np.array([float(self._word()) for _ in range(count)]).astype(kind)
