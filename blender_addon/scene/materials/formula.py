# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic in a node group: every result is a socket, every node stands in a frame that says what it is for."""

from __future__ import annotations

from typing import Any

from ..graph import Tree

__all__ = ["Formula"]

STEP = 0.65
"""Rows from one node to the next below it."""


class Formula(Tree):
    """A node group under construction. Values are sockets or numbers; results are sockets.

    Attributes:
        given: the group's inputs by name.
    """

    def __init__(self, tree: Any, column: float) -> None:
        """Begin with the group's inputs in ``column``."""
        super().__init__(tree)
        self.given: Any = self.add("NodeGroupInput", "Inputs", column, 0).outputs
        self._rows: dict[float, float] = {}
        self._column, self._frame = column, ""

    def begin(self, frame: str, column: float) -> None:
        """What follows stands in a frame and a column."""
        self._frame, self._column = frame, column

    def node(self, kind: str, label: str, **settings: Any) -> Any:
        """A node below the last one of its column."""
        row = self._rows.get(self._column, 0.0)
        self._rows[self._column] = row + STEP
        return self.add(kind, label, self._column, row, self._frame, **settings)

    def feed(self, socket: Any, value: Any) -> None:
        """Link or set an input."""
        if isinstance(value, (int, float, tuple)):
            socket.default_value = value
        elif value is not None:
            self.tree.links.new(value, socket)

    def math(self, operation: str, *values: Any, clamp: bool = False, label: str = "") -> Any:
        """A sum of numbers."""
        node = self.node("ShaderNodeMath", label or operation.capitalize(), operation=operation, use_clamp=clamp)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]

    def vector(self, operation: str, *values: Any, label: str = "") -> Any:
        """A sum of vectors; the result is a number for a dot product."""
        node = self.node("ShaderNodeVectorMath", label or operation.capitalize(), operation=operation)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def scaled(self, colour: Any, factor: Any, label: str) -> Any:
        """A colour times a number."""
        node = self.node("ShaderNodeVectorMath", label, operation="SCALE")
        self.feed(node.inputs["Vector"], colour)
        self.feed(node.inputs["Scale"], factor)
        return node.outputs["Vector"]

    def mix(self, kind: str, label: str, factor: Any, first: Any, second: Any) -> Any:
        """Between two of a kind: FLOAT, VECTOR or RGBA."""
        node = self.node("ShaderNodeMix", label, data_type=kind)
        sockets = {s.name: s for s in node.inputs if s.enabled}
        for name, value in (("Factor", factor), ("A", first), ("B", second)):
            self.feed(sockets[name], value)
        return next(s for s in node.outputs if s.enabled)

    def blend(self, label: str, factor: Any, first: Any, second: Any) -> Any:
        """Between two shaders; None is black."""
        node = self.node("ShaderNodeMixShader", label)
        for socket, value in zip(node.inputs, (factor, first, second), strict=True):
            self.feed(socket, value)
        return node.outputs[0]

    def shader(self, kind: str, label: str, values: dict[str, Any], **settings: Any) -> Any:
        """A shader with inputs by name; what is None keeps its default."""
        node = self.node(kind, label, **settings)
        for name, value in values.items():
            self.feed(node.inputs[name], value)
        return node.outputs[0]
