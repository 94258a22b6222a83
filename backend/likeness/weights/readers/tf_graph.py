"""TensorFlow 1 frozen graphs (GraphDef, .pb) without TensorFlow: constants as arrays, nodes as data.

Format: tensorflow/core/framework/{graph,node_def,attr_value,tensor}.proto. Nothing of the graph is run.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import damaged, map_file
from likeness.weights.readers.protobuf import Message
from likeness.weights.readers.tf_checkpoint import TYPES

__all__ = ["Node", "constants", "read"]

Array = NDArray[Any]
Attribute = bytes | int | float | bool | str | list[int] | list[float] | list[bytes] | Array | None

MOST_NODES = 200_000


@dataclass(frozen=True)
class Node:
    """One operation: its kind ("Conv2D"), the names of its inputs, and its attributes as plain values."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: dict[str, Attribute]


def read(path: Path) -> dict[str, Node]:
    """The nodes of a graph by name, in the file's order.

    Raises:
        WeightsError: the file is damaged, or a constant is of a kind that is not supported.
    """
    data = map_file(path)
    graph = Message(data, data.name)
    nodes: dict[str, Node] = {}
    spread = [4 * len(data) + (1 << 24)]
    for message in graph.messages(1):
        node = _node(message, data.name, spread)
        if node.name in nodes or len(nodes) >= MOST_NODES:
            raise damaged(data.name, f"two nodes called {node.name}" if node.name in nodes else "too many nodes")
        nodes[node.name] = node
    if not nodes:
        raise damaged(data.name, "it holds no graph")
    return nodes


def constants(path: Path) -> dict[str, Array]:
    """The constants of a frozen graph by the names of their nodes; text is left out. Raises WeightsError."""
    found = {}
    for node in read(path).values():
        value = node.attributes.get("value")
        if node.op == "Const" and isinstance(value, np.ndarray):
            found[node.name] = value
    return found


def _node(message: Message, file: str, spread: list[int]) -> Node:
    attributes: dict[str, Attribute] = {}
    for pair in message.messages(5):
        value = pair.message(2)
        attributes[pair.text(1)] = _attribute(value, file, spread) if value else None
    inputs = tuple(str(raw, "utf-8", "replace") for raw in message.raws(3))
    return Node(message.text(1), message.text(2), inputs, attributes)


def _attribute(value: Message, file: str, spread: list[int]) -> Attribute:
    if (tensor := value.message(8)) is not None:
        return _tensor(tensor, file, spread)
    if (items := value.message(1)) is not None:
        whole = items.integers(3)
        text = [bytes(raw) for raw in items.raws(2)]
        return whole or text or items.numbers(4, "<f4").tolist()
    if (shape := value.message(7)) is not None:
        return [dim.integer(1) for dim in shape.messages(2)]
    if (raw := value.raw(2)) is not None:
        return bytes(raw)
    for number in (3, 6, 5):  # whole number, type, truth
        if value.has(number):
            return value.integer(number)
    if value.has(4):
        return float(value.numbers(4, "<f4")[0])
    return None


def _tensor(tensor: Message, file: str, spread: list[int]) -> Array | None:
    kind = TYPES.get(tensor.integer(1))
    if kind is None:
        return None  # text, resources: no numbers
    if kind == "bfloat16":
        raise WeightsError(f"{file} holds bfloat16 constants, which are not supported.")
    shape_message = tensor.message(2)
    shape = [dim.integer(1) for dim in shape_message.messages(2)] if shape_message else []
    count = 1
    for length in shape:
        if length < 0:
            raise damaged(file, f"a constant of shape {shape}")
        count *= length
    spread[0] -= count * np.dtype(kind).itemsize
    if spread[0] < 0:  # one number may stand for many, but not without end
        raise damaged(file, "constants far larger than the file")
    content = tensor.raw(4)
    if content is not None and len(content):
        if len(content) != count * np.dtype(kind).itemsize:
            raise damaged(file, f"{len(content)} bytes for a constant of shape {shape}")
        flat = np.frombuffer(content, kind)
    else:
        values = _listed(tensor, kind)
        if len(values) > count:
            raise damaged(file, f"{len(values)} numbers for a constant of shape {shape}")
        flat = np.full(count, values[-1] if len(values) else 0, kind)  # the last number stands for the rest
        flat[: len(values)] = values
    try:
        return flat.reshape(shape)
    except (ValueError, OverflowError) as error:  # nothing, but of impossible lengths
        raise damaged(file, error) from error


def _listed(tensor: Message, kind: str) -> Array:
    """Numbers that are written one by one, each type in a field of its own."""
    if kind == "<f4":
        return tensor.numbers(5, "<f4")
    if kind == "<f8":
        return tensor.numbers(6, "<f8")
    if kind == "<f2":
        return np.array(tensor.integers(13), np.int64).astype(np.uint16).view(np.float16)
    field = {"<i8": 10, "?": 11}.get(kind, 7)
    return np.array(tensor.integers(field), np.int64).astype(kind)
