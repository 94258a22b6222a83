"""Writes Caffe's files, ``.caffemodel`` and ``.binaryproto``, without Caffe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from made_protobuf import number, packed, raw


def write_model(path: Path, layers: Mapping[str, tuple[str, list[np.ndarray]]]) -> None:
    """A net of layers by name: their type and their blobs."""
    with path.open("wb") as file:
        file.write(raw(1, "stand-in"))
        for name, (kind, blobs) in layers.items():
            inside = [raw(7, raw(7, packed(1, list(blob.shape))) + packed(5, blob.reshape(-1))) for blob in blobs]
            file.write(raw(100, raw(1, name) + raw(2, kind) + b"".join(inside)))


def write_mean(path: Path, picture: np.ndarray) -> None:
    """A mean picture (3, H, W) in the first version's layout: four lengths, then numbers."""
    lengths = b"".join(number(i, n) for i, n in enumerate((1, *picture.shape), 1))
    path.write_bytes(lengths + packed(5, picture.astype("<f4").reshape(-1)))
