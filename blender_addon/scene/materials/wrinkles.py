# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrinkles that come with an expression: what a shape key adds to the skin's relief, weighted by the key itself.

Three maps share the channels of one picture, so that sixteen of them stay within what EEVEE allows a material.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from ...link.package import Image, Material, Package
from ..graph import Graph

__all__ = ["add_wrinkles", "drive_wrinkles"]

CHANNEL = "detail."
"""Beginning of the channels that hold what an expression adds to the displacement."""
EXPRESSIONS = "likeness_expressions"
"""Custom property of a node: whose weights its inputs are."""
MILLIMETRES = 1000.0
"""The pictures' unit: metres would be too small for half floats."""


def add_wrinkles(graph: Graph, data: Material, package: Package) -> bpy.types.NodeSocket | None:
    """The socket that carries the height in metres which the head's expressions add; None without such maps."""
    names = [c.removeprefix(CHANNEL) for c in data.maps if c.startswith(CHANNEL)]
    names = [n for n in names if n in package.expressions]
    total: Any = None
    for row, first in enumerate(range(0, len(names), 3)):
        some = names[first : first + 3]
        title = f"{1 + row}: {', '.join(some)}"[:40]
        texture = graph.texture(_packed([data.maps[CHANNEL + n] for n in some], title), title, -3, 9 + row, "Wrinkles")
        weights = graph.add("ShaderNodeCombineXYZ", f"Weights {title}", -3, 9.5 + row, "Wrinkles")
        weights[EXPRESSIONS] = ", ".join(some)
        dot = graph.add("ShaderNodeVectorMath", f"Weighted {title}", -2, 9 + row, "Wrinkles", operation="DOT_PRODUCT")
        graph.tree.links.new(texture.outputs["Color"], dot.inputs[0])
        graph.tree.links.new(weights.outputs[0], dot.inputs[1])
        part = dot.outputs["Value"]
        if total is None:
            total = part
            continue
        both = graph.add("ShaderNodeMath", f"With {title}", -1.5, 9 + row, "Wrinkles", operation="ADD")
        graph.tree.links.new(total, both.inputs[0])
        graph.tree.links.new(part, both.inputs[1])
        total = both.outputs[0]
    if total is None:
        return None
    metres = graph.add("ShaderNodeMath", "Wrinkles in metres", -1, 9, "Wrinkles", operation="DIVIDE")
    metres.inputs[1].default_value = MILLIMETRES
    graph.tree.links.new(total, metres.inputs[0])
    socket: bpy.types.NodeSocket = metres.outputs[0]
    return socket


def _packed(maps: list[Image], title: str) -> bpy.types.Image:
    """A picture whose red, green and blue are up to three maps in millimetres; they are all of one size."""
    layers = [_values(m) * MILLIMETRES for m in maps]
    height, width = layers[0].shape
    pixels = np.zeros((height, width, 4), np.float32)
    pixels[..., 3] = 1
    for channel, layer in enumerate(layers):
        if layer.shape != (height, width):
            raise ValueError(f"the maps {title} differ in size")
        pixels[..., channel] = layer
    image = bpy.data.images.new(f"Wrinkles {title}", width, height, float_buffer=True)
    space: Any = "Non-Color"
    image.colorspace_settings.name = space
    buffer: Any = image.pixels
    buffer.foreach_set(pixels.ravel())
    image.pack()
    return image


def _values(image: Image) -> np.ndarray:
    """A map's data values (H, W), lowest row first."""
    loaded = bpy.data.images.load(str(image.path), check_existing=False)
    try:
        space: Any = "Non-Color"
        loaded.colorspace_settings.name = space
        width, height = loaded.size
        flat = np.empty(width * height * loaded.channels, np.float32)
        buffer: Any = loaded.pixels
        buffer.foreach_get(flat)
        values: np.ndarray = flat.reshape(height, width, -1)[..., 0] * image.scale + image.offset
        return values
    finally:
        bpy.data.images.remove(loaded)


def drive_wrinkles(head: bpy.types.Object) -> None:
    """Let the head's shape keys say how much of their wrinkles its materials show."""
    keys: Any = head.data.shape_keys
    for material in head.data.materials:
        for node in material.node_tree.nodes if material and material.node_tree else ():
            if node.get(EXPRESSIONS):
                for socket, name in zip(node.inputs, node[EXPRESSIONS].split(", "), strict=False):
                    if name in keys.key_blocks:
                        _drive(socket, keys, name)


def _drive(socket: Any, keys: Any, name: str) -> None:
    driver: Any = socket.driver_add("default_value").driver
    driver.type = "AVERAGE"  # evaluated without asking whether scripts may run
    variable = driver.variables.new()
    variable.targets[0].id_type = "KEY"
    variable.targets[0].id = keys
    variable.targets[0].data_path = f'key_blocks["{name}"].value'
