"""Caffe models (.caffemodel) and means (.binaryproto) without Caffe.

Format: caffe/src/caffe/proto/caffe.proto: NetParameter with today's layers (field 100) or the first version's (field
2), each with blobs that name their shape or, in older files, four lengths.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.weights.readers.mapped import damaged, map_file
from likeness.weights.readers.protobuf import Message

__all__ = ["read", "read_mean"]

Array = NDArray[Any]

_LAYER, _LAYER_V1 = (100, 1, 7), (2, 4, 6)
"""Field numbers: of the layers in the net, of a layer's name and blobs."""


def read(path: Path) -> dict[str, Array]:
    """The blobs of a model by "layer/number", float32 (float64 where the file has it); layers without any are left out.

    A name that comes twice gets "#2". Raises WeightsError where the file is damaged or holds no blobs.
    """
    data = map_file(path)
    net = Message(data, data.name)
    found: dict[str, Array] = {}
    seen: dict[str, int] = {}
    for layers, name_field, blobs_field in (_LAYER, _LAYER_V1):
        for layer in net.messages(layers):
            blobs = list(layer.messages(blobs_field))
            if not blobs:
                continue
            name = layer.text(name_field)
            seen[name] = seen.get(name, 0) + 1
            label = name if seen[name] == 1 else f"{name}#{seen[name]}"
            for number, blob in enumerate(blobs):
                found[f"{label}/{number}"] = _blob(blob)
    if not found:
        raise damaged(data.name, "it holds no layers with weights")
    return found


def read_mean(path: Path) -> Array:
    """A mean image: (N, C, H, W) float32, channels BGR as Caffe has them. Raises WeightsError."""
    data = map_file(path)
    return _blob(Message(data, data.name))


def _blob(blob: Message) -> Array:
    shape_message = blob.message(7)
    if shape_message is not None:
        shape = shape_message.integers(1)
    else:
        lengths = [blob.integer(field) for field in (1, 2, 3, 4)]
        shape = lengths if any(lengths) else []
    values: Array = blob.numbers(5, "<f4")
    if not len(values):
        values = blob.numbers(8, "<f8")
    count = 1
    for length in shape:
        if length < 0:
            raise damaged(blob.name, f"a blob of shape {shape}")
        count *= length
    if not shape and len(values) != 1:
        shape = [len(values)]
        count = len(values)
    if count != len(values):
        raise damaged(blob.name, f"{len(values)} numbers for a blob of shape {shape}")
    try:
        return np.asarray(values).reshape(shape)
    except (ValueError, OverflowError) as error:  # nothing, but of impossible lengths
        raise damaged(blob.name, error) from error
