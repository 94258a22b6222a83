"""Writes Torch7's binary files the way Lua's torch.save does, without Torch7."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np


class Writer:
    """Objects in Torch7's binary format."""

    def __init__(self) -> None:
        self.index = 0

    def fresh(self) -> bytes:
        self.index += 1
        return struct.pack("<i", self.index)

    def text(self, value: str) -> bytes:
        data = value.encode("latin-1")
        return struct.pack("<i", len(data)) + data

    def value(self, value: Any) -> bytes:
        if value is None:
            return struct.pack("<i", 0)
        if isinstance(value, bool):
            return struct.pack("<ii", 5, value)
        if isinstance(value, float | int):
            return struct.pack("<id", 1, value)
        if isinstance(value, str):
            return struct.pack("<i", 2) + self.text(value)
        if isinstance(value, np.ndarray):
            return self.tensor(value)
        if isinstance(value, tuple):  # a class and its fields
            head = struct.pack("<i", 4) + self.fresh() + self.text("V 1") + self.text(value[0])
            return head + self.value(value[1])
        pairs = value.items() if isinstance(value, dict) else enumerate(value, 1)
        head = struct.pack("<i", 3) + self.fresh() + struct.pack("<i", len(value))
        return head + b"".join(self.value(k) + self.value(v) for k, v in pairs)

    def tensor(self, value: np.ndarray, kind: str = "Float", offset: int = 1) -> bytes:
        strides = [s // value.itemsize for s in value.strides]
        numbers = struct.pack(f"<i{2 * value.ndim + 1}q", value.ndim, *value.shape, *strides, offset)
        flat = value.ravel(order="K")
        storage = struct.pack("<i", 4) + self.fresh() + self.text("V 1") + self.text(f"torch.{kind}Storage")
        head = struct.pack("<i", 4) + self.fresh() + self.text("V 1") + self.text(f"torch.{kind}Tensor")
        return head + numbers + storage + struct.pack("<q", len(flat)) + flat.tobytes()
