"""Reads a TFLite model file into a plain graph, with neither a TFLite runtime nor a flatbuffer package.

Understands what the face networks use and refuses anything else by name. Field and enum numbers are those of the
public schema, tensorflow/lite/schema/schema.fbs. Half-precision and sparse weights come out dense.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.flatbuffer import Table, flexbuffer_map, root

__all__ = ["Graph", "Node", "Option", "read"]

Option = int | float | list[int]


@dataclass(frozen=True)
class Node:
    """One operation: its name, options, and the tensors it reads (-1 for an absent one) and writes."""

    op: str
    inputs: list[int]
    outputs: list[int]
    options: dict[str, Option]


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as data, channels last.

    Attributes:
        shapes: declared shape of every tensor.
        constants: the weights by tensor number, dense; float16 where the file holds float16.
        nodes: in an order that can be executed.
        inputs, outputs: tensor numbers.
    """

    shapes: list[list[int]]
    constants: dict[int, NDArray[Any]]
    nodes: list[Node]
    inputs: list[int]
    outputs: list[int]


_TYPES = {0: "<f4", 1: "<f2", 2: "<i4", 3: "u1", 4: "<i8", 9: "i1"}

# Builtin operators by number: our name, and in which field of the options table which option sits (field, form,
# default).
_Fields = dict[str, tuple[int, str, int]]
_WINDOW: _Fields = {"valid": (0, "b", 0), "stride_w": (1, "<i", 1), "stride_h": (2, "<i", 1)}
_POOL: _Fields = {**_WINDOW, "filter_w": (3, "<i", 1), "filter_h": (4, "<i", 1), "activation": (5, "b", 0)}
_OPS: dict[int, tuple[str, _Fields]] = {
    0: ("add", {"activation": (0, "b", 0)}),
    2: ("concat", {"axis": (0, "<i", 0), "activation": (1, "b", 0)}),
    3: ("conv", {**_WINDOW, "activation": (3, "b", 0), "dilation_w": (4, "<i", 1), "dilation_h": (5, "<i", 1)}),
    4: ("depthwise", {**_WINDOW, "activation": (4, "b", 0), "dilation_w": (5, "<i", 1), "dilation_h": (6, "<i", 1)}),
    5: ("depth_to_space", {"block": (0, "<i", 1)}),
    6: ("dequantize", {}),
    17: ("max_pool", _POOL),
    18: ("mul", {"activation": (0, "b", 0)}),
    19: ("relu", {}),
    22: ("reshape", {}),
    23: ("resize", {"align_corners": (2, "b", 0), "half_pixel": (3, "b", 0)}),
    34: ("pad", {}),
    45: (
        "slice",
        {k: (i, "<i", 0) for i, k in enumerate(("begin_mask", "end_mask", "ellipsis", "new_axis", "shrink"))},
    ),
    54: ("prelu", {}),
    124: ("densify", {}),
}
_CUSTOM = 32
_CUSTOM_OPS = {
    "Landmarks2TransformMatrix": "landmarks_to_matrix",
    "TransformTensorBilinear": "transform_bilinear",
    "TransformLandmarks": "transform_landmarks",
}


def read(data: bytes, name: str) -> Graph:
    """The graph in the bytes of a TFLite file; `name` is for messages.

    Raises:
        WeightsError: the file is damaged, or holds an operation or a number format that is not supported.
    """
    try:
        if data[4:8] != b"TFL3":
            raise WeightsError(f"{name} is not a TFLite model.")
        return _graph(root(data), name)
    except (struct.error, IndexError, ValueError, KeyError) as error:
        raise WeightsError(f"The TFLite model {name} is damaged ({error}); install it again.") from error


def _graph(model: Table, name: str) -> Graph:
    codes = model.tables(1)
    buffers = model.tables(4)
    (subgraph,) = model.tables(2)
    tensors = subgraph.tables(0)
    constants = {}
    for i, tensor in enumerate(tensors):
        raw = buffers[tensor.integer(2, "<I")].array(0, "u1")
        if raw.size:
            constants[i] = _constant(tensor, raw, name)

    nodes = []
    for operator in subgraph.tables(3):
        code = codes[operator.integer(0, "<I")]
        number = max(code.integer(0, "b"), code.integer(3))
        node = _node(operator, number, code.text(1), name)
        if node.op in ("dequantize", "densify") and node.inputs[0] in constants:
            constants[node.outputs[0]] = constants.pop(node.inputs[0])
        else:
            nodes.append(node)
    return Graph(
        [t.array(0).tolist() for t in tensors],
        constants,
        nodes,
        subgraph.array(1).tolist(),
        subgraph.array(2).tolist(),
    )


def _node(operator: Table, number: int, custom: str, name: str) -> Node:
    inputs, outputs = operator.array(1).tolist(), operator.array(2).tolist()
    if number == _CUSTOM:
        if custom not in _CUSTOM_OPS:
            raise WeightsError(f"{name} uses the operation {custom!r}, which is not supported.")
        return Node(_CUSTOM_OPS[custom], inputs, outputs, flexbuffer_map(operator.array(5, "u1").tobytes()))
    if number not in _OPS:
        raise WeightsError(f"{name} uses the TFLite operation number {number}, which is not supported.")
    op, fields = _OPS[number]
    table = operator.table(4)
    options: dict[str, Option] = {
        key: table.integer(field, form, default) if table else default for key, (field, form, default) in fields.items()
    }
    return Node(op, inputs, outputs, options)


def _constant(tensor: Table, raw: NDArray[Any], name: str) -> NDArray[Any]:
    kind = tensor.integer(1, "b")
    if kind not in _TYPES:
        raise WeightsError(f"{name} stores numbers of TFLite type {kind}, which is not supported.")
    values = raw.view(_TYPES[kind])
    shape = tensor.array(0).tolist()
    sparsity = tensor.table(6)
    return _dense(values, shape, sparsity) if sparsity else values.reshape(shape)


_INDEX_TYPES = {1: "<i4", 2: "<u2", 3: "u1"}


def _dense(values: NDArray[Any], shape: list[int], sparsity: Table) -> NDArray[Any]:
    """Unpack TFLite's sparse layout: dimensions in traversal order, each dense or compressed rows, blocks last."""
    order, block_map = sparsity.array(0).tolist(), sparsity.array(1).tolist()
    levels = sparsity.tables(2)
    rank = len(shape)
    # Per stored value its coordinate at each level; one row per node of the tree walked so far.
    coordinates = np.zeros((1, 0), np.int64)
    for level in levels:
        if level.integer(0, "b") == 0:
            count = level.integer(1)
            rows = np.repeat(np.arange(len(coordinates)), count)
            index = np.tile(np.arange(count), len(coordinates))
        else:
            segments = _indices(level, 2)
            index = _indices(level, 4)
            rows = np.repeat(np.arange(len(coordinates)), np.diff(segments))
        coordinates = np.concatenate([coordinates[rows], index[:, None]], axis=1)

    place = np.zeros((len(coordinates), rank), np.int64)
    block = {order[rank + i] - rank: i for i in range(len(block_map))}
    for column, dimension in enumerate(order):
        if dimension < rank:
            where = [i for i, of in enumerate(block_map) if of == dimension]
            size = levels[rank + block[where[0]]].integer(1) if where else 1
            place[:, dimension] += coordinates[:, column] * size
        else:
            place[:, block_map[dimension - rank]] += coordinates[:, column]
    result = np.zeros(shape, values.dtype)
    result[tuple(place.T)] = values
    return result


def _indices(level: Table, field: int) -> NDArray[np.int64]:
    vector = level.table(field + 1)
    if vector is None:
        raise ValueError("a sparse dimension without indices")
    return vector.array(0, _INDEX_TYPES[level.integer(field, "b")]).astype(np.int64)
