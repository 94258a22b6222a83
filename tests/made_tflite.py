"""A TFLite model written by hand: just enough of a flatbuffer writer, and a network that adds one."""

import struct
from typing import Any

import numpy as np


class Table(dict[int, Any]):
    """Fields by number: int (stored as int32), str, bytes, list of int, or list of Table."""


def flatbuffer(root: Table, mark: bytes) -> bytes:
    """Parents before children, so that every offset points forward; every scalar takes four bytes."""
    out = bytearray(struct.pack("<I", 0) + mark)

    def aligned() -> int:
        out.extend(bytes(-len(out) % 4))
        return len(out)

    def patch(slot: int) -> None:
        struct.pack_into("<I", out, slot, aligned() - slot)

    def put(value: Any) -> None:
        if isinstance(value, Table):
            count = max(value, default=-1) + 1
            fields = [4 * (1 + sorted(value).index(i)) if i in value else 0 for i in range(count)]
            size = 4 + 4 * len(value)
            vtable = struct.pack(f"<{2 + count}H", 4 + 2 * count, size, *fields)
            # The table comes first here, its vtable behind it.
            at = aligned()
            out.extend(struct.pack("<i", -size) + bytes(4 * len(value)) + vtable)
            for number, child in sorted(value.items()):
                slot = at + fields[number]
                if isinstance(child, int):
                    struct.pack_into("<i", out, slot, child)
                else:
                    patch(slot)
                    put(child)
        elif isinstance(value, list) and value and isinstance(value[0], Table):
            at = aligned()
            out.extend(struct.pack("<I", len(value)) + bytes(4 * len(value)))
            for i, child in enumerate(value):
                patch(at + 4 + 4 * i)
                put(child)
        elif isinstance(value, list):
            out.extend(struct.pack(f"<I{len(value)}i", len(value), *value))
        else:
            data = value.encode() if isinstance(value, str) else value
            out.extend(struct.pack("<I", len(data)) + data + b"\0")

    patch(0)
    put(root)
    return bytes(out)


def adds(amount: float, operation: int = 0) -> bytes:
    """A model that adds `amount` to an image of 2 x 2 pixels; with another operation number it means something else."""
    shape = [1, 2, 2, 3]
    tensors = [Table({0: shape, 2: 0}), Table({0: [1, 1, 1, 3], 2: 1}), Table({0: shape, 2: 0})]
    step = Table({0: 0, 1: [0, 1], 2: [2]})
    graph = Table({0: tensors, 1: [0], 2: [2], 3: [step]})
    buffers = [Table(), Table({0: np.full(3, amount, "<f4").tobytes()})]
    return flatbuffer(Table({0: 3, 1: [Table({3: operation})], 2: [graph], 4: buffers}), b"TFL3")
