"""Writes TensorFlow checkpoints of version 2 (index and one data file) without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from likeness.weights.readers.crc32c import crc32c, masked

TYPES = {"float32": 1, "int64": 9}
PER_BLOCK = 16


def write_checkpoint(stem: Path, variables: Mapping[str, np.ndarray]) -> Path:
    """Write ``stem.index`` and ``stem.data-00000-of-00001``; returns the index."""
    data, entries = bytearray(), [(b"", bytes([0x08, 1]))]  # the header: one data file
    for name in sorted(variables, key=str.encode):
        value = variables[name]
        raw = np.ascontiguousarray(value).astype(value.dtype.newbyteorder("<")).tobytes()
        sizes = b"".join(_message(2, _number(1, n)) for n in value.shape)
        fields = _number(1, TYPES[value.dtype.name]) + _message(2, sizes) + _number(4, len(data))
        fields += _number(5, len(raw)) + bytes([0x35]) + masked(crc32c(raw)).to_bytes(4, "little")
        entries.append((name.encode(), fields))
        data += raw
    table, handles = bytearray(), []
    for start in range(0, len(entries), PER_BLOCK):
        some = entries[start : start + PER_BLOCK]
        handles.append((some[-1][0], _put(table, _block(some))))
    meta = _put(table, _block([]))
    index = _put(table, _block(handles))
    table += (meta + index).ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    Path(f"{stem}.data-00000-of-00001").write_bytes(bytes(data))
    path = Path(f"{stem}.index")
    path.write_bytes(bytes(table))
    return path


def _block(entries: list[tuple[bytes, bytes]]) -> bytes:
    """Entries with their keys' common beginnings left out, then the one place from which keys can be read."""
    out, last = bytearray(), b""
    for key, value in entries:
        shared = next((i for i, (a, b) in enumerate(zip(key, last, strict=False)) if a != b), min(len(key), len(last)))
        out += _varint(shared) + _varint(len(key) - shared) + _varint(len(value)) + key[shared:] + value
        last = key
    return bytes(out) + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def _put(table: bytearray, block: bytes) -> bytes:
    """Append a block, uncompressed, with its checksum; returns its place and size."""
    handle = _varint(len(table)) + _varint(len(block))
    table += block + b"\0" + masked(crc32c(block + b"\0")).to_bytes(4, "little")
    return handle


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content
