"""ONNX files without ONNX: the graph as data, its stored numbers as arrays. Nothing of the graph is run.

Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto, read by field number.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import damaged, map_file
from likeness.weights.readers.protobuf import Message

__all__ = ["read"]

Array = NDArray[Any]

TYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8"}
LISTED = {1: (4, "<f4"), 11: (10, "<f8"), 7: (7, "<i8")}
"""Where numbers lie that are no bytes; smaller ones lie in field 5."""
MOST_NODES = 100_000


def read(path: Path) -> dict[str, Array]:
    """A network of an ONNX file.

    Returns:
        graph: uint8, JSON: "inputs" and "outputs" (names; stored numbers are no inputs), "nodes" in the file's order,
            each with "op", "inputs", "outputs" and "attributes" (whole numbers, floats, and lists of them).
        value/NAME: the stored numbers by name, those of Constant nodes included.

    Raises:
        WeightsError: the file is damaged, or its numbers lie in another file.
    """
    data = map_file(path)
    graph = Message(data, data.name).message(7)
    if graph is None:
        raise damaged(data.name, "it holds no graph")
    values: dict[str, Array] = {}
    for tensor in graph.messages(5):
        values[tensor.text(8)] = _tensor(tensor, data.name)
    nodes: list[dict[str, Any]] = []
    for node in graph.messages(1):
        if len(nodes) >= MOST_NODES:
            raise damaged(data.name, "too many nodes")
        inputs, outputs = ([str(raw, "utf-8", "replace") for raw in node.raws(field)] for field in (1, 2))
        op = node.text(4)
        if op == "Constant" and outputs and (constant := _constant(node)) is not None:
            values[outputs[0]] = _tensor(constant, data.name)
            continue
        nodes.append({"op": op, "inputs": inputs, "outputs": outputs, "attributes": _attributes(node)})
    if not nodes:
        raise damaged(data.name, "its graph is empty")
    inputs, outputs = ([value.text(1) for value in graph.messages(field)] for field in (11, 12))
    told = {"inputs": [name for name in inputs if name not in values], "outputs": outputs, "nodes": nodes}
    return {
        "graph": np.frombuffer(json.dumps(told).encode(), np.uint8),
        **{f"value/{name}": value for name, value in values.items()},
    }


def _constant(node: Message) -> Message | None:
    return next((attribute.message(5) for attribute in node.messages(5) if attribute.text(1) == "value"), None)


def _attributes(node: Message) -> dict[str, int | float | list[int] | list[float]]:
    found: dict[str, int | float | list[int] | list[float]] = {}
    for attribute in node.messages(5):
        name = attribute.text(1)
        if attribute.has(2):
            numbers = attribute.numbers(2, "<f4")
            if len(numbers) and math.isfinite(numbers[-1]):
                found[name] = float(numbers[-1])
        elif attribute.has(3):
            found[name] = attribute.integer(3)
        elif attribute.has(8):
            found[name] = attribute.integers(8)
        elif attribute.has(7):
            found[name] = [float(x) for x in attribute.numbers(7, "<f4")]
    return found


def _tensor(tensor: Message, file: str) -> Array:
    if tensor.has(13) or tensor.integer(14):
        raise WeightsError(f"{file} keeps its numbers in another file; give the network as one file.")
    number = tensor.integer(2)
    kind = TYPES.get(number)
    if kind is None:
        raise WeightsError(f"{file} holds numbers of a kind that is not supported ({number}).")
    shape = tensor.integers(1)
    content = tensor.raw(9)
    if content is not None:
        if len(content) % np.dtype(kind).itemsize:
            raise damaged(file, f"{len(content)} bytes of {np.dtype(kind).name}")
        flat = np.frombuffer(content, kind)
    elif number in LISTED:
        field, stored = LISTED[number]
        flat = np.array(tensor.integers(field), stored) if field == 7 else tensor.numbers(field, stored)
    elif number == 10:
        flat = np.array(tensor.integers(5), np.int64).astype(np.uint16).view(np.float16)
    else:
        flat = np.array(tensor.integers(5), np.int64).astype(kind)
    if any(length < 0 for length in shape) or math.prod(shape) != flat.size:
        raise damaged(file, f"{flat.size} numbers of shape {shape}")
    return flat.reshape(shape)
