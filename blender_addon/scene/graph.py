# SPDX-License-Identifier: GPL-3.0-or-later
"""Node trees that people can read: columns, labels and frames."""

from __future__ import annotations

from typing import Any

import bpy

from ..link.package import Image, Material
from .mesh import UV_NAME
from .pictures import load_picture

__all__ = ["Graph", "Tree", "add_world", "plain", "put"]

COLUMN, ROW = 300, 320


def add_world(name: str) -> tuple[bpy.types.World, Any]:
    """A new world that shines evenly, and the background node that says how."""
    world: Any = bpy.data.worlds.new(name)
    if hasattr(world, "cycles"):
        # So smooth a sky needs no fine map of where its light comes from, which takes seconds to make.
        world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", 64
    if bpy.app.version < (5, 0, 0):
        world.use_nodes = True  # always on, and deprecated, from 5.0
    tree: Any = world.node_tree
    tree.nodes.clear()
    sky = tree.nodes.new("ShaderNodeBackground")
    output = tree.nodes.new("ShaderNodeOutputWorld")
    output.location = (300, 0)
    tree.links.new(sky.outputs["Background"], output.inputs["Surface"])
    return world, sky


class Tree:
    """A node tree that is laid out by columns and rows. Sockets go by name, never by number."""

    def __init__(self, tree: Any) -> None:
        """Begin with a tree as it is."""
        self.tree = tree
        self._frames: dict[str, bpy.types.Node] = {}

    def add(self, kind: str, label: str, column: float, row: float, frame: str = "", **settings: Any) -> Any:
        """A node at a place of the grid; ``settings`` are its properties."""
        node: Any = self.tree.nodes.new(kind)
        node.label = node.name = label
        node.location = (column * COLUMN, -row * ROW)
        for name, value in settings.items():
            setattr(node, name, value)
        if frame:
            if frame not in self._frames:
                box = self.tree.nodes.new("NodeFrame")
                box.label = box.name = frame
                self._frames[frame] = box
            node.parent = self._frames[frame]
        return node

    def link(self, source: bpy.types.Node, output: str, target: bpy.types.Node, socket: str) -> None:
        """Connect two sockets."""
        self.tree.links.new(_socket(source.outputs, output), _socket(target.inputs, socket))


class Graph(Tree):
    """An emptied material's node tree."""

    def __init__(self, material: bpy.types.Material) -> None:
        """Take over the material's tree."""
        if bpy.app.version < (5, 0, 0):
            material.use_nodes = True  # always on, and deprecated, from 5.0
        self.material = material
        super().__init__(material.node_tree)
        self.tree.nodes.clear()

    def image(self, image: Image, label: str, column: float, row: float, frame: str) -> Any:
        """An image texture on the head's UVs."""
        picture = load_picture(image.path, f"{self.material.name} {label}", image.colour)
        return self.texture(picture, label, column, row, frame)

    def texture(self, picture: bpy.types.Image, label: str, column: float, row: float, frame: str) -> Any:
        """An image texture of a picture that is in the file already."""
        node = self.add("ShaderNodeTexImage", label, column, row, frame, image=picture, extension="EXTEND")
        if "UV" not in self.tree.nodes:
            self.add("ShaderNodeUVMap", "UV", column - 1, 0, frame, uv_map=UV_NAME)
        self.link(self.tree.nodes["UV"], "UV", node, "Vector")
        self.tree.nodes.active = self.tree.nodes.get("albedo", node)  # the solid view shows the active texture
        return node

    def value(
        self, data: Material, channel: str, fallback: Any, target: bpy.types.Node, socket: str, row: float
    ) -> None:
        """Feed a socket from the channel's map, or its plain value, or the fallback."""
        image = data.maps.get(channel)
        if image is None:
            put(target, socket, plain(data, channel, fallback))
            return
        node = self.image(image, channel, -3, row, "Maps")
        if image.scale == 1 and image.offset == 0:
            self.link(node, "Color", target, socket)
            return
        math = self.add("ShaderNodeMath", f"{channel} in its unit", -2, row, "Maps", operation="MULTIPLY_ADD")
        math.inputs[1].default_value, math.inputs[2].default_value = image.scale, image.offset
        self.tree.links.new(node.outputs["Color"], math.inputs[0])
        self.link(math, "Value", target, socket)


def put(node: bpy.types.Node, socket: str, value: Any) -> None:
    """Set an input's plain value; colours may come as three numbers."""
    target = _socket(node.inputs, socket)
    if target.type == "RGBA" and len(value) == 3:
        value = (*value, 1.0)
    target.default_value = value


def plain(data: Material, channel: str, fallback: Any) -> Any:
    """A channel's plain value: a number or a colour as the fallback is, which stands in where the avatar has none."""
    value = data.values.get(channel, fallback)
    return value if _fits(value, fallback) else fallback


def _fits(value: Any, fallback: Any) -> bool:
    if isinstance(fallback, tuple):
        return isinstance(value, (list, tuple)) and len(value) == len(fallback) and all(_number(v) for v in value)
    return _number(value)


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _socket(sockets: Any, name: str) -> Any:
    for socket in sockets:
        # Nodes such as Mix keep several sockets of one name and show the one that applies.
        if socket.name == name and socket.enabled:
            return socket
    raise KeyError(name)
