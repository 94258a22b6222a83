"""Writes protocol buffers by field number, for files that readers are tried on."""

import struct

import numpy as np
from numpy.typing import NDArray


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def raw(field: int, value: bytes | str) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(data)) + data


def single(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def packed(field: int, values: NDArray[np.floating] | list[int]) -> bytes:
    if isinstance(values, np.ndarray):
        return raw(field, values.tobytes())
    return raw(field, b"".join(varint(v) for v in values))
