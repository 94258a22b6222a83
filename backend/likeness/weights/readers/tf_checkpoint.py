"""TensorFlow checkpoints of version 2 (`NAME.index` and `NAME.data-00000-of-0000n`) without TensorFlow.

The index is a LevelDB table (tensorflow/core/lib/io/format.h) from names to BundleEntryProto
(tensorflow/core/protobuf/tensor_bundle.proto); the data files are raw numbers. The graph (`.meta`) is not needed.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.crc32c import crc32c, masked
from likeness.weights.readers.mapped import Bytes, damaged, map_file, shown
from likeness.weights.readers.protobuf import Message, varint

__all__ = ["Checkpoint", "Variable", "read"]

Array = NDArray[Any]

_MAGIC = bytes.fromhex("57fb808b247547db")
TYPES = {1: "<f4", 2: "<f8", 3: "<i4", 4: "u1", 5: "<i2", 6: "i1", 9: "<i8", 10: "?", 14: "bfloat16", 19: "<f2"}
"""NumPy's names of TensorFlow's DataType numbers."""


@dataclass(frozen=True)
class Variable:
    """Where a variable lies: shape, DataType number, data file, bytes there, masked CRC-32C."""

    shape: tuple[int, ...]
    type: int
    shard: int
    offset: int
    size: int
    crc: int


def read(path: Path, drop: Sequence[str] = ()) -> dict[str, Array]:
    """All variables of a checkpoint by name, checked against their checksums.

    Args:
        path: `NAME.index`, or `NAME` alone.
        drop: patterns of names to leave out ("*/Adam").

    Raises:
        WeightsError: a file is missing, damaged, or holds something that is not supported, which is named.
    """
    checkpoint = Checkpoint(path)
    names = [name for name in checkpoint.variables if not any(fnmatch.fnmatchcase(name, d) for d in drop)]
    return {name: checkpoint.tensor(name) for name in names}


class Checkpoint:
    """A checkpoint whose index has been read.

    Attributes:
        variables: what there is, by name.
        files: the data files, whether they exist or not.
    """

    def __init__(self, path: Path) -> None:
        stem = str(path).removesuffix(".index")
        index = map_file(Path(stem + ".index"))
        self.name = index.name
        self.variables: dict[str, Variable] = {}
        shards = 1
        for key, value in _entries(index):
            message = Message(value, index.name)
            if not key:
                shards = message.integer(1)
                if message.integer(2):
                    raise WeightsError(f"{index.name} was written on a big-endian machine, which is not supported.")
                continue
            name = key.decode("utf-8", "replace")
            if message.message(7) is not None:
                raise WeightsError(f"{index.name}: {shown(name)} is stored in slices, which is not supported.")
            self.variables[name] = _variable(message)
        if not 1 <= shards <= 1000:
            raise damaged(index.name, f"{shards} data files")
        self.files = [Path(f"{stem}.data-{i:05d}-of-{shards:05d}") for i in range(shards)]
        self._open: dict[int, Bytes] = {}

    def tensor(self, name: str) -> Array:
        """A variable's numbers; bfloat16 comes as float32. Raises WeightsError."""
        variable = self.variables[name]
        if variable.type not in TYPES:
            raise WeightsError(
                f"{self.name}: {shown(name)} is of TensorFlow's type {variable.type}, which is not supported."
            )
        data = self._shard(variable.shard)
        raw = data.take(variable.offset, variable.size)
        kind = TYPES[variable.type]
        count = 1
        for length in variable.shape:
            count *= length
        if count * (2 if kind == "bfloat16" else np.dtype(kind).itemsize) != variable.size:
            raise damaged(self.name, f"{name} has shape {variable.shape} and {variable.size} bytes")
        if variable.crc and masked(crc32c(raw)) != variable.crc:
            raise damaged(data.name, f"the checksum of {name} is wrong")
        if kind == "bfloat16":
            values: Array = (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4")
        else:
            values = np.frombuffer(raw, kind)
        try:
            return values.reshape(variable.shape)
        except (ValueError, OverflowError) as error:  # nothing, but of impossible lengths
            raise damaged(self.name, error) from error

    def _shard(self, number: int) -> Bytes:
        if not 0 <= number < len(self.files):
            raise damaged(self.name, f"data file {number} of {len(self.files)}")
        if number not in self._open:
            path = self.files[number]
            if not path.is_file():
                raise WeightsError(f"{path.name} belongs beside {self.name} and is missing; put both into one folder.")
            self._open[number] = map_file(path)
        return self._open[number]


def _variable(message: Message) -> Variable:
    shape = message.message(2)
    lengths = tuple(d.integer(1) for d in shape.messages(2)) if shape else ()
    if any(n < 0 for n in lengths) or (shape and shape.integer(3)):
        raise damaged(message.name, f"a variable of shape {lengths}")
    kind, shard, offset, size, crc = (message.integer(field) for field in (1, 3, 4, 5, 6))
    return Variable(lengths, kind, shard, offset, size, crc & 0xFFFFFFFF)


# The index: a table of sorted keys in blocks


def _entries(index: Bytes) -> Iterator[tuple[bytes, memoryview]]:
    if len(index) < 48 or bytes(index.data[-8:]) != _MAGIC:
        raise damaged(index.name, "it is no TensorFlow checkpoint index")
    footer = index.data[-48:]
    at = 0
    for _ in range(2):  # the index of unused meta blocks
        _, at = varint(footer, at, index.name)
    offset, at = varint(footer, at, index.name)
    size, at = varint(footer, at, index.name)
    for _, handle in _block(index, offset, size):
        start, at = varint(handle, 0, index.name)
        length, _ = varint(handle, at, index.name)
        yield from _block(index, start, length)


def _block(index: Bytes, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    block = index.take(offset, size + 5)
    if block[size]:
        raise WeightsError(f"{index.name} is compressed, which TensorFlow's own savers never do; it was refused.")
    if masked(crc32c(block[: size + 1])) != int.from_bytes(block[size + 1 :], "little"):
        raise damaged(index.name, "the checksum of a block is wrong")
    restarts = int.from_bytes(block[size - 4 : size], "little") if size >= 4 else -1
    end = size - 4 - 4 * restarts
    if restarts < 0 or end < 0:
        raise damaged(index.name, f"a block of {size} bytes with {restarts} restarts")
    at, key = 0, b""
    while at < end:
        shared, at = varint(block, at, index.name)
        added, at = varint(block, at, index.name)
        length, at = varint(block, at, index.name)
        if shared > len(key) or added + length > end - at or shared + added > 4096:
            raise damaged(index.name, "a key or value that does not fit its block")
        key = key[:shared] + bytes(block[at : at + added])
        at += added
        yield key, block[at : at + length]
        at += length
