# SPDX-License-Identifier: GPL-3.0-or-later
"""The knobs of the skin on one node: maps faded to plain values, gloss, detail, and what was seen in the photos."""

from __future__ import annotations

import itertools
from typing import Any

import bpy

__all__ = ["AS_BUILT", "KNOBS", "NODE", "skin_controls"]

NODE = "Skin controls"
"""Name of the node in a material, and of the node group."""
VERSION = "likeness_version", 1
AS_BUILT = "likeness_displacement"
"""Custom property of the node: how much of the relief was displacement when the head was built."""
STUBBLE = 0.16
"""Specular level of what has no film: the film is what a texel has above it."""

KNOBS: dict[str, tuple[float, float, str]] = {
    "Albedo map": (1.0, 1.0, "Colour of the skin: 0 one plain colour, 1 as in the map"),
    "Specular map": (1.0, 1.0, "Strength of the reflection: 0 plain, 1 as in the map"),
    "Roughness map": (1.0, 1.0, "0 plain, 1 as in the map"),
    "Normal map": (1.0, 1.0, "Pores and wrinkles by the normal map: 0 smooth, 1 as in the map"),
    "Displacement": (
        0.0,
        1.0,
        "Pores and wrinkles by displacement, and bump where the mesh is coarse, not by the normal map",
    ),
    "Detail": (1.0, 3.0, "Depth of pores and wrinkles, 1 as they were reconstructed"),
    "Gloss": (1.0, 2.0, "0 powdered, 1 as it was reconstructed, 2 oily"),
    "Confidence view": (0.0, 1.0, "Show what the photos showed (green) and what was completed (orange)"),
}
"""Default, greatest value (the least is 0) and tooltip."""

MAPS = (
    ("Albedo", "NodeSocketColor"),
    ("Plain albedo", "NodeSocketColor"),
    ("Specular", "NodeSocketFloat"),
    ("Plain specular", "NodeSocketFloat"),
    ("Roughness", "NodeSocketFloat"),
    ("Plain roughness", "NodeSocketFloat"),
)
OUTPUTS = (
    ("Base Color", "NodeSocketColor"),
    ("Specular", "NodeSocketFloat"),
    ("Film", "NodeSocketFloat"),
    ("Roughness", "NodeSocketFloat"),
    ("Normal strength", "NodeSocketFloat"),
    ("Displacement strength", "NodeSocketFloat"),
    ("Confidence view", "NodeSocketFloat"),
)


def skin_controls() -> bpy.types.NodeTree:
    """The node group, made once for all heads: the knobs' values sit on each material's own node."""
    existing: Any = bpy.data.node_groups.get(NODE)
    if existing and existing.library is None and existing.get(VERSION[0]) == VERSION[1]:
        return existing
    tree: Any = bpy.data.node_groups.new(NODE, "ShaderNodeTree")
    tree[VERSION[0]] = VERSION[1]
    for name, kind in OUTPUTS:
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type=kind)
    for name, (value, greatest, tip) in KNOBS.items():
        socket = tree.interface.new_socket(name, description=tip, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.subtype = "FACTOR"
        socket.min_value, socket.max_value, socket.default_value = 0.0, greatest, value
    for name, kind in MAPS:
        tree.interface.new_socket(name, in_out="INPUT", socket_type=kind)
    _wire(tree)
    return tree


def _wire(tree: Any) -> None:
    inside, outside = tree.nodes.new("NodeGroupInput"), tree.nodes.new("NodeGroupOutput")
    inside.location, outside.location = (-900, 0), (500, 0)
    row = itertools.count(600, -200)

    def math(operation: str, *values: Any, clamp: bool = False) -> Any:
        node = tree.nodes.new("ShaderNodeMath")
        node.operation, node.use_clamp, node.location = operation, clamp, (-100, next(row))
        for socket, value in zip(node.inputs, values, strict=False):
            if isinstance(value, (int, float)):
                socket.default_value = value
            else:
                tree.links.new(value, socket)
        return node.outputs[0]

    def mixed(kind: str, name: str) -> Any:
        node = tree.nodes.new("ShaderNodeMix")
        node.data_type, node.location = kind, (-500, next(row))
        sockets = {s.name: s for s in node.inputs if s.enabled}
        for socket, source in (("Factor", f"{name} map"), ("A", f"Plain {name.lower()}"), ("B", name)):
            tree.links.new(inside.outputs[source], sockets[socket])
        return next(s for s in node.outputs if s.enabled)

    gloss, detail, relief = (inside.outputs[n] for n in ("Gloss", "Detail", "Displacement"))
    specular = mixed("FLOAT", "Specular")
    found = {
        "Base Color": mixed("RGBA", "Albedo"),
        "Specular": specular,
        "Film": math("MULTIPLY", math("SUBTRACT", specular, STUBBLE, clamp=True), gloss, clamp=True),
        "Roughness": math("MULTIPLY", mixed("FLOAT", "Roughness"), math("MULTIPLY_ADD", gloss, -0.5, 1.5), clamp=True),
        "Normal strength": math(
            "MULTIPLY", math("MULTIPLY", inside.outputs["Normal map"], detail), math("SUBTRACT", 1.0, relief)
        ),
        "Displacement strength": math("MULTIPLY", detail, relief),
        "Confidence view": inside.outputs["Confidence view"],
    }
    for name, source in found.items():
        tree.links.new(source, outside.inputs[name])
