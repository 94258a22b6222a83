# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials that other programs understand: one Principled BSDF with plain pictures, in place of the shaders."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

from .graph import Graph, put
from .head import Head
from .materials.eye import IRIS_ANGLE, PUPIL
from .materials.skin_controls import NODE
from .mesh import EYE_ATTRIBUTE, UV_NAME
from .owned import MARK

__all__ = ["exchange_materials"]

WET = {"Eye": (0.1, 0.03), "Teeth": (0.3, 0.1), "Gums": (0.4, 0.12), "Tongue": (0.45, 0.12), "Mouth": (0.45, 0.12)}
"""Roughness below and of the film of water. Few viewers show a film, so what is below shines a little itself."""
WHITE, IRIS = (0.56, 0.51, 0.475), (0.1, 0.055, 0.03)
SIDE = 256
"""Texels of an eye's picture, where the avatar has none."""


@contextmanager
def exchange_materials(head: Head) -> Iterator[None]:
    """Inside the block the head wears plain copies of its own materials, under their names.

    What the user made or rebuilt without a Principled BSDF stays as it is.
    """
    slots: Any = head.mesh.data.materials
    before: list[Any] = list(slots)
    names = [material.name if material else "" for material in before]
    made: list[Any] = []
    images: list[Any] = []
    try:
        for i, material in enumerate(before):
            if material is None or MARK not in material or not (_is_water(material) or _surface(material)):
                continue
            copy = bpy.data.materials.new(names[i])
            made.append(copy)
            # The copy takes the name over, and gives it back below.
            material.name = f"{names[i]} in Blender"
            copy.name = names[i].split(".")[0]
            if _is_water(material):
                _water(copy)
            else:
                _solid(head, i, material, copy, images)
            slots[i] = copy
        yield
    finally:
        for i, material in enumerate(before):
            slots[i] = material
        for copy in made:
            bpy.data.materials.remove(copy)
        for image in images:
            bpy.data.images.remove(image)
        for material, name in zip(before, names, strict=True):
            if material:
                material.name = name


def _surface(material: bpy.types.Material) -> Any:
    """The Principled BSDF, or the skin's group."""
    tree = material.node_tree
    if tree is None:
        return None
    return tree.nodes.get(NODE) or next((n for n in tree.nodes if n.bl_idname == "ShaderNodeBsdfPrincipled"), None)


def _plain(source: Any, channel: str, socket: str) -> Any:
    """The socket that holds a channel's plain value, None where a texture or a sum is in its place."""
    found = source.inputs.get(f"Plain {channel}") or source.inputs.get(socket)
    return None if found is None or found.is_linked else found


def _is_water(material: bpy.types.Material) -> bool:
    return bool(material.node_tree and {"Clear", "Gloss"} <= set(material.node_tree.nodes.keys()))


def _start(copy: bpy.types.Material) -> tuple[Graph, Any]:
    graph = Graph(copy)
    surface = graph.add("ShaderNodeBsdfPrincipled", "Surface", 0, 0)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(surface, "BSDF", output, "Surface")
    copy.use_backface_culling = False
    return graph, surface


def _water(copy: bpy.types.Material) -> None:
    _, surface = _start(copy)
    put(surface, "Base Color", (1.0, 1.0, 1.0))
    put(surface, "Alpha", 0.04)
    put(surface, "Roughness", 0.04)
    _blend(copy)


def _solid(
    head: Head, slot: int, material: bpy.types.Material, copy: bpy.types.Material, images: list[bpy.types.Image]
) -> None:
    graph, surface = _start(copy)
    nodes: Any = material.node_tree.nodes
    source = _surface(material)
    kind = copy.name.split(".")[0]
    for row, (channel, socket) in enumerate((("albedo", "Base Color"), ("roughness", "Roughness"), ("alpha", "Alpha"))):
        image = _image(nodes, channel)
        if image is None and channel == "albedo" and kind == "Eye":
            image = _painted_eye(head, slot)
            images.append(image)
        if image is not None:
            graph.link(_show(graph, image, channel, row), "Color", surface, socket)
        elif plain := _plain(source, channel, socket):
            put(surface, socket, plain.default_value)
    if kind in WET:
        below, film = WET[kind]
        put(surface, "Roughness", below)
        put(surface, "Coat Weight", source.inputs["Coat Weight"].default_value)
        put(surface, "Coat Roughness", film)
    if _image(nodes, "alpha") is not None:
        _blend(copy)
    normal = _image(nodes, "normal")
    if normal is not None:
        bend = graph.add("ShaderNodeNormalMap", "Normal map", -1, 3, space="TANGENT", uv_map=UV_NAME)
        graph.link(_show(graph, normal, "normal", 3), "Color", bend, "Color")
        graph.link(bend, "Normal", surface, "Normal")
        if NODE in nodes:
            knobs = nodes[NODE].inputs
            put(bend, "Strength", knobs["Normal map"].default_value * knobs["Detail"].default_value)


def _image(nodes: Any, channel: str) -> Any:
    node = nodes.get(channel)
    return node.image if node is not None and node.bl_idname == "ShaderNodeTexImage" else None


def _show(graph: Graph, image: bpy.types.Image, channel: str, row: int) -> Any:
    return graph.add("ShaderNodeTexImage", channel, -3, row, image=image)


def _blend(material: Any) -> None:
    if hasattr(material, "surface_render_method"):
        material.surface_render_method = "BLENDED"


def _painted_eye(head: Head, slot: int) -> bpy.types.Image:
    """The eye that the nodes paint, as a picture on its UVs: pupil, iris and white about the optical axis."""
    mesh: Any = head.mesh.data
    corners = np.array([c for p in mesh.polygons if p.material_index == slot for c in p.loop_indices], int)
    vertex = np.empty(len(mesh.loops), np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    place = np.empty(3 * len(mesh.vertices), np.float32)
    mesh.attributes[EYE_ATTRIBUTE].data.foreach_get("vector", place)
    uv = np.empty(2 * len(mesh.loops), np.float32)
    mesh.uv_layers[UV_NAME].uv.foreach_get("vector", uv)
    axis = place.reshape(-1, 3)[vertex[corners]]
    away = np.arccos(np.clip(-axis[:, 1] / np.maximum(np.linalg.norm(axis, axis=1), 1e-6), -1, 1))
    points = uv.reshape(-1, 2)[corners]
    middle = points[np.argmin(away)]
    length = np.linalg.norm(points - middle, axis=1)
    order = np.argsort(away)
    radius = max(float(np.interp(IRIS_ANGLE, away[order], length[order])), 1e-3)

    texel = (np.arange(SIDE) + 0.5) / SIDE
    share = np.hypot(texel[None] - middle[0], texel[:, None] - middle[1]) / radius
    shade = np.interp(share, (0, PUPIL - 0.02, PUPIL + 0.03, 0.8, 0.98, 1.06), (0.02, 0.02, 1, 0.9, 0.15, 0.0))[
        ..., None
    ]
    white = np.interp(share, (0.94, 1.06), (0, 1))[..., None]
    pixels = np.ones((SIDE, SIDE, 4), np.float32)
    linear = np.array(IRIS) * shade * (1 - white) + np.array(WHITE) * white
    pixels[..., :3] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    )
    image: Any = bpy.data.images.new("Eye albedo", SIDE, SIDE)
    image.pixels.foreach_set(pixels.ravel())
    image.pack()
    return image
