# SPDX-License-Identifier: GPL-3.0-or-later
"""A mesh of the scene as a file that the backend reads: as modifiers leave it, in metres, with what colours it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ..link.mesh_files import JPEG, PNG, Part, glb, ply, png
from .frames import from_blender

__all__ = ["FEWEST", "why_not", "write_mesh"]

FEWEST = 200
"""Polygons below which nothing can be a face."""
PLAIN = 8
"""Pixels of the side of a texture of one colour."""
FACTOR = 0.8


def why_not(thing: bpy.types.Object | None) -> str:
    """Why an object is no mesh of a face, a sentence; nothing where it may be one."""
    if thing is None or thing.type != "MESH":
        return "Select a mesh of a face: a scan, or another program's head."
    if thing.get("likeness_role"):
        return "This head is rigged already; select a mesh of another origin."
    if len(thing.data.polygons) < FEWEST and not thing.modifiers:
        return f"{thing.name} has too few polygons to be a face."
    return ""


def write_mesh(thing: bpy.types.Object, depsgraph: bpy.types.Depsgraph, folder: Path, scale: float = 1.0) -> Path:
    """Write a mesh object as it stands in the world, Y up.

    Args:
        thing: a mesh object; its modifiers, shape keys and pose count.
        depsgraph: evaluated for the scene.
        folder: where to write.
        scale: metres of a unit of the scene.

    Returns:
        A .glb where it has textures, else a .ply, which holds the active colour attribute.

    Raises:
        ValueError: what modifiers leave has no triangle; a sentence.
    """
    evaluated: Any = thing.evaluated_get(depsgraph)
    mesh = evaluated.to_mesh()
    try:
        mesh.calc_loop_triangles()
        count = len(mesh.loop_triangles)
        if not count:
            raise ValueError(f"{thing.name} has no faces.")
        matrix = np.array(evaluated.matrix_world)
        places = _read(mesh.vertices, "co", 3).astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        vertices = from_blender(places * scale).astype(np.float32)
        corners = _read(mesh.loop_triangles, "loops", 3, np.int32)
        used = _read(mesh.loops, "vertex_index", 1, np.int32).ravel()
        if np.linalg.det(matrix[:3, :3]) < 0:  # mirrored: outside stays outside
            corners = corners[:, ::-1]
        pictures = _pictures(evaluated)
        if any(pictures) and mesh.uv_layers.active is not None:
            slots = _read(mesh.loop_triangles, "material_index", 1, np.int32).ravel().clip(0, len(pictures) - 1)
            uv = _read(mesh.uv_layers.active.uv, "vector", 2)
            parts = [
                _part(vertices, used, uv, corners[slots == i], pictures[i] or _plain(evaluated, i))
                for i in range(len(pictures))
                if (slots == i).any()
            ]
            path, content = folder / "mesh.glb", glb(parts)
        else:
            path, content = folder / "mesh.ply", ply(vertices, used[corners], _colours(mesh, used))
    finally:
        evaluated.to_mesh_clear()
    path.write_bytes(content)
    return path


def _read(items: Any, name: str, width: int, kind: Any = np.float32) -> np.ndarray:
    flat = np.empty(len(items) * width, kind)
    items.foreach_get(name, flat)
    return flat.reshape(-1, width)


def _colours(mesh: Any, used: np.ndarray) -> np.ndarray | None:
    """(V, 3) uint8 sRGB of the active colour attribute, the mean of a vertex's corners; None without one."""
    layer = mesh.color_attributes.active_color
    if layer is None:
        return None
    colours = _read(layer.data, "color_srgb", 4)[:, :3]
    if layer.domain == "CORNER":
        sums = np.stack([np.bincount(used, colours[:, k], len(mesh.vertices)) for k in range(3)], 1)
        colours = sums / np.maximum(np.bincount(used, minlength=len(mesh.vertices)), 1)[:, None]
    whole: np.ndarray = np.rint(colours.clip(0, 1) * 255).astype(np.uint8)
    return whole


def _part(vertices: np.ndarray, used: np.ndarray, uv: np.ndarray, corners: np.ndarray, picture: bytes) -> Part:
    """Corners of one texture, those alike taken together."""
    flat = corners.ravel()
    alike: Any = np.zeros(len(flat), [("vertex", np.int32), ("u", np.float32), ("v", np.float32)])
    alike["vertex"], alike["u"], alike["v"] = used[flat], uv[flat, 0], uv[flat, 1]
    kept, number = np.unique(alike, return_inverse=True)
    places = np.stack([kept["u"], kept["v"]], 1)
    return Part(vertices[kept["vertex"]], number.reshape(-1, 3).astype(np.uint32), places, picture)


def _pictures(thing: Any) -> list[bytes]:
    """By material slot the file of its colour texture, b"" where it has none."""
    return [_bytes_of(image) if (image := _image(slot.material)) else b"" for slot in thing.material_slots]


def _image(material: bpy.types.Material | None) -> bpy.types.Image | None:
    """What colours a material: the picture behind the base colour, else the first of its pictures."""
    tree: Any = material.node_tree if material else None
    if tree is None:
        return None
    textures = [node for node in tree.nodes if node.type == "TEX_IMAGE" and node.image and node.image.size[0]]
    for link in tree.links:
        if link.to_socket.name in ("Base Color", "Color") and link.from_node in textures:
            found: bpy.types.Image = link.from_node.image
            return found
    return textures[0].image if textures else None


def _bytes_of(image: Any) -> bytes:
    """A picture's own file where that is PNG or JPEG and unchanged, else its pixels as PNG."""
    if not image.is_dirty:
        path = Path(bpy.path.abspath(image.filepath_raw, library=image.library))
        packed = image.packed_file
        data = bytes(packed.data) if packed else path.read_bytes() if path.is_file() else b""
        if data.startswith((JPEG, PNG)):
            return data
    width, height = image.size
    pixels = _read_pixels(image).reshape(height, width, image.channels)[::-1, :, :3]
    if pixels.shape[2] < 3:
        pixels = np.repeat(pixels[:, :, :1], 3, 2)
    if image.is_float:
        pixels = _encoded(pixels)
    return png(np.rint(pixels.clip(0, 1) * 255).astype(np.uint8))


def _read_pixels(image: Any) -> np.ndarray:
    flat = np.empty(len(image.pixels), np.float32)
    image.pixels.foreach_get(flat)
    return flat


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB's coding (IEC 61966-2-1)."""
    bent: np.ndarray = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear.clip(1e-9) ** (1 / 2.4) - 0.055)
    return bent


def _plain(thing: Any, slot: int) -> bytes:
    """A texture in the viewport colour of a material without one."""
    material = thing.material_slots[slot].material
    colour = np.array(material.diffuse_color[:3] if material else (FACTOR,) * 3, np.float32)
    pixels = np.broadcast_to(np.rint(_encoded(colour).clip(0, 1) * 255), (PLAIN, PLAIN, 3))
    return png(pixels.astype(np.uint8))
