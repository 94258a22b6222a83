"""PyTorch checkpoints without PyTorch's unpickler: the zip files of today and the legacy ones of before 1.6.

Formats: torch/serialization.py. A checkpoint is a pickle whose tensors name storages that lie outside it: members of
an uncompressed zip, or runs of bytes after the pickle. Tensors become numpy arrays over the mapped file.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import Bytes, damaged, map_file
from likeness.weights.readers.pickles import Global, Made, read_pickle
from likeness.weights.readers.plain import Maker, Plain, known

__all__ = ["Tensors", "read", "read_bytes", "strided"]

Array = NDArray[Any]

_MAGIC = 0x1950A86A20F9469CFC6C
_TYPES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
    "UntypedStorage": "u1",
}
_NAMED = {
    *("torch.float32", "torch.float64", "torch.float16", "torch.bfloat16", "torch.int64", "torch.int32"),
    *("torch.uint8", "torch.int8", "torch.int16", "torch.bool"),
}


class _Storage:
    """A run of numbers somewhere; `values` is filled in once its bytes are found."""

    def __init__(self, kind: str, count: int) -> None:
        self.kind = kind
        self.count = count
        self.values: Array | None = None

    @property
    def bytes(self) -> int:
        return self.count * (2 if self.kind == "bfloat16" else np.dtype(self.kind).itemsize)

    def fill(self, raw: memoryview) -> None:
        if self.kind == "bfloat16":
            self.values = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        else:
            self.values = np.frombuffer(raw, self.kind)


def read(path: Path) -> Any:
    """The content of a file written by `torch.save`, tensors as numpy arrays (bfloat16 as float32).

    Whatever the file calls itself (.pth, .pt, .tar), it is read as what it is.

    Raises:
        WeightsError: the file is damaged, or asks for something that a checkpoint has no need of, which is named.
    """
    return read_bytes(map_file(path))


def read_bytes(data: Bytes) -> Any:
    """As `read`, for a checkpoint in memory."""
    return _Reader(data).read()


class Tensors:
    """Makers of PyTorch's objects for `Plain`, with a limit on what they may add up to.

    Args:
        size: bytes of the file; tensors share storages, but a model is not many times its file.
        within: whether storages may lie inside the pickle itself, as in a pickled tensor.
    """

    def __init__(self, size: int, within: bool = True) -> None:
        self.left = 4 * size + (1 << 24)
        self.makers: dict[str, Maker] = {
            "torch._utils._rebuild_tensor": self.tensor,
            "torch._utils._rebuild_tensor_v2": self.tensor,
            "torch._utils._rebuild_parameter": lambda plain, made: plain.value(made.arguments[0]),
            "torch.Size": lambda plain, made: plain.value(made.arguments[0]),
            "torch.device": lambda plain, made: ":".join(str(plain.value(a)) for a in made.arguments),
        }
        if within:
            self.makers["torch.storage._load_from_bytes"] = self.within
        self.names = {*self.makers, *(f"torch.{t}" for t in _TYPES), *(f"torch.storage.{t}" for t in _TYPES), *_NAMED}

    def tensor(self, plain: Plain, made: Made) -> Array:
        """A tensor over its storage."""
        storage = plain.value(made.arguments[0])
        offset, shape, strides = made.arguments[1:4]
        if not isinstance(storage, _Storage) or storage.values is None:
            raise ValueError("a tensor without numbers")
        view = strided(storage.values, offset, shape, strides)
        self.left -= view.nbytes
        if self.left < 0:
            raise ValueError("tensors far larger than the file")
        return view

    def within(self, plain: Plain, made: Made) -> Any:
        """A storage that was saved by itself, inside the pickle."""
        raw = plain.value(made.arguments[0])
        if not isinstance(raw, bytes):
            raise ValueError("a storage without bytes")
        return _Reader(Bytes(raw, plain.name), within=False).read()


class _Reader:
    def __init__(self, data: Bytes, within: bool = True) -> None:
        self.data = data
        self.storages: dict[str, _Storage] = {}
        self.tensors = Tensors(len(data), within)

    def read(self) -> Any:
        head = bytes(self.data.data[:4])
        if head == b"PK\3\4":
            tree = self.zip()
        elif head[:1] == b"\x80":
            tree = self.legacy()
        elif bytes(self.data.data[257:262]) == b"ustar":
            raise WeightsError(
                f"{self.data.name} is a tar archive; unpack it and give the file inside (a checkpoint is no archive)."
            )
        else:
            raise damaged(self.data.name, "it is no PyTorch checkpoint")
        return Plain(self.data.name, self.tensors.makers).value(tree)

    def pickle(self, data: Bytes, at: int) -> tuple[Any, int]:
        return read_pickle(data, known(self.tensors.names), at, self.storage)

    def zip(self) -> Any:
        """Today's: an uncompressed zip."""
        members = _members(self.data)
        (pickle, *more) = [name for name in members if name.endswith("data.pkl")] or [""]
        if not pickle or more:
            raise damaged(self.data.name, "it is a zip without a checkpoint in it")
        folder = pickle.removesuffix("data.pkl")
        order = members.get(folder + "byteorder")
        if order is not None and bytes(order[:3]) == b"big":
            raise WeightsError(f"{self.data.name} was written on a big-endian machine; save it again on another.")
        tree, _ = self.pickle(Bytes(members[pickle], self.data.name), 0)
        for key, storage in self.storages.items():
            raw = members.get(f"{folder}data/{key}")
            if raw is None or len(raw) < storage.bytes:
                raise damaged(self.data.name, f"its storage {key} is missing or short")
            storage.fill(raw[: storage.bytes])
        return tree

    def legacy(self) -> Any:
        """Before 1.6: magic number, version, machine, the pickle and the order of the storages, then these."""
        magic, at = read_pickle(self.data, known())
        if magic != _MAGIC:
            raise damaged(self.data.name, "it is a pickle, but no PyTorch checkpoint")
        _, at = read_pickle(self.data, known(), at)
        machine, at = read_pickle(self.data, known(), at)
        if isinstance(machine, dict) and machine.get("little_endian") is False:
            raise WeightsError(f"{self.data.name} was written on a big-endian machine; save it again on another.")
        tree, at = self.pickle(self.data, at)
        keys, at = read_pickle(self.data, known(), at)
        if not isinstance(keys, list) or len(keys) != len(self.storages):
            raise damaged(self.data.name, "its list of storages is broken")
        for key in keys:
            storage = self.storages.get(str(key))
            count = int.from_bytes(self.data.take(at, 8), "little", signed=True)
            if storage is None or storage.values is not None or storage.count != count:
                raise damaged(self.data.name, f"its storage {key} has another length than its tensors say")
            storage.fill(self.data.take(at + 8, storage.bytes))
            at += 8 + storage.bytes
        return tree

    def storage(self, said: Any) -> _Storage:
        """What a persistent id stands for."""
        if not isinstance(said, tuple) or len(said) < 5 or said[0] != "storage" or not isinstance(said[1], Global):
            raise ValueError("a storage that is none")
        _, kind, key, _, count, *view = said
        if kind.module not in ("torch", "torch.storage") or kind.name not in _TYPES or (view and view[0] is not None):
            raise ValueError(f"a storage of {kind}")
        if type(count) is not int or not 0 <= count <= len(self.data) or not isinstance(key, str):
            raise ValueError(f"a storage of {count} numbers")
        found = self.storages.setdefault(key, _Storage(_TYPES[kind.name], count))
        if (found.kind, found.count) != (_TYPES[kind.name], count):
            raise ValueError(f"storage {key} is of two kinds")
        return found


def strided(values: Array, offset: Any, shape: Any, strides: Any) -> Array:
    """A view of flat values with strides in elements, none of it outside; raises ValueError.

    Also used for Torch7's tensors.
    """
    numbers = [offset, *shape, *strides]
    if len(shape) != len(strides) or len(shape) > 32 or any(type(n) is not int or n < 0 for n in numbers):
        raise ValueError(f"a tensor of shape {shape} and strides {strides}")
    if 0 in shape:
        return np.zeros(shape, values.dtype)
    last = offset + sum((n - 1) * s for n, s in zip(shape, strides, strict=True))
    if last >= len(values):
        raise ValueError(f"a tensor that ends at {last} of {len(values)} numbers")
    in_bytes = [s * values.itemsize for s in strides]
    return np.lib.stride_tricks.as_strided(values[offset:], shape, in_bytes, writeable=False)


class _Seekable(io.RawIOBase):
    """A file over bytes that are not copied, for zipfile."""

    def __init__(self, data: memoryview) -> None:
        self.data = data
        self.at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, len(self.data))[whence]
        if self.at < 0:
            raise ValueError("a place before the start")
        return self.at

    def readinto(self, target: Any) -> int:
        piece = self.data[self.at : self.at + len(target)]
        target[: len(piece)] = piece
        self.at += len(piece)
        return len(piece)


def _members(data: Bytes) -> dict[str, memoryview]:
    """The members of an uncompressed zip, as slices of it."""
    try:
        with zipfile.ZipFile(io.BufferedReader(_Seekable(data.data))) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, OverflowError) as error:
        raise damaged(data.name, error) from error
    members: dict[str, memoryview] = {}
    for info in infos:
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size or info.flag_bits & 1:
            raise WeightsError(
                f"{data.name} is a compressed zip, which torch.save never writes; if it is an archive that holds the "
                "checkpoint, unpack it first."
            )
        head = data.take(info.header_offset, 30)
        if bytes(head[:4]) != b"PK\3\4":
            raise damaged(data.name, f"{info.filename} is not where the zip says")
        skip = int.from_bytes(head[26:28], "little") + int.from_bytes(head[28:30], "little")
        members[info.filename] = data.take(info.header_offset + 30 + skip, info.file_size)
    return members
