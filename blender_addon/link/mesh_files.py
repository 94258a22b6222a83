# SPDX-License-Identifier: GPL-3.0-or-later
"""Meshes as the bytes of files: PLY for shape and colours of vertices, GLB where there are textures."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Part", "glb", "ply", "png"]

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG"


@dataclass(frozen=True)
class Part:
    """What of a mesh has one texture.

    Attributes:
        vertices: (N, 3) float32; one for each corner of the texture, so seams may be open.
        triangles: (T, 3) uint32.
        uv: (N, 2) float32, origin lower left.
        picture: PNG or JPEG.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    uv: np.ndarray
    picture: bytes


def ply(vertices: np.ndarray, triangles: np.ndarray, colours: np.ndarray | None = None) -> bytes:
    """A binary PLY of vertices (V, 3), triangles (T, 3) and sRGB colours (V, 3) uint8."""
    fields = [("place", "<f4", 3)]
    lines = ["ply", "format binary_little_endian 1.0", f"element vertex {len(vertices)}"]
    lines += [f"property float {axis}" for axis in "xyz"]
    if colours is not None:
        fields.append(("colour", "u1", 3))
        lines += [f"property uchar {name}" for name in ("red", "green", "blue")]
    lines += [f"element face {len(triangles)}", "property list uchar int vertex_indices", "end_header"]
    points: Any = np.zeros(len(vertices), fields)
    points["place"] = vertices
    if colours is not None:
        points["colour"] = colours
    faces: Any = np.zeros(len(triangles), [("count", "u1"), ("corner", "<i4", 3)])
    faces["count"], faces["corner"] = 3, triangles
    return ("\n".join(lines) + "\n").encode() + points.tobytes() + faces.tobytes()


def glb(parts: Sequence[Part]) -> bytes:
    """A binary glTF 2.0 with a primitive, a material and a texture for each part."""
    content = bytearray()
    views: list[dict[str, int]] = []
    accessors: list[dict[str, Any]] = []

    def view(data: bytes) -> int:
        content.extend(bytes(-len(content) % 4))
        views.append({"buffer": 0, "byteOffset": len(content), "byteLength": len(data)})
        content.extend(data)
        return len(views) - 1

    def accessor(array: np.ndarray, component: int, kind: str) -> int:
        told: dict[str, Any] = {"bufferView": view(array.tobytes()), "componentType": component, "type": kind}
        told["count"] = array.size if kind == "SCALAR" else len(array)
        if kind == "VEC3":  # the standard wants bounds of places
            told |= {"min": array.min(0).tolist(), "max": array.max(0).tolist()}
        accessors.append(told)
        return len(accessors) - 1

    primitives, images = [], []
    for number, part in enumerate(parts):
        uv = np.stack([part.uv[:, 0], 1 - part.uv[:, 1]], 1)  # glTF counts from the top
        attributes = {
            "POSITION": accessor(np.ascontiguousarray(part.vertices, "<f4"), 5126, "VEC3"),
            "TEXCOORD_0": accessor(np.ascontiguousarray(uv, "<f4"), 5126, "VEC2"),
        }
        corners = accessor(np.ascontiguousarray(part.triangles, "<u4"), 5125, "SCALAR")
        primitives.append({"attributes": attributes, "indices": corners, "material": number})
        kind = "image/png" if part.picture.startswith(PNG) else "image/jpeg"
        images.append({"bufferView": view(part.picture), "mimeType": kind})
    told = {
        "asset": {"version": "2.0", "generator": "Likeness"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": primitives}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": i}}} for i in range(len(parts))],
        "textures": [{"source": i} for i in range(len(parts))],
        "images": images,
        "accessors": accessors,
        "bufferViews": views,
        "buffers": [{"byteLength": len(content)}],
    }
    text = json.dumps(told).encode()
    text += b" " * (-len(text) % 4)
    content.extend(bytes(-len(content) % 4))
    size = 12 + 8 + len(text) + 8 + len(content)
    head = struct.pack("<4sII", b"glTF", 2, size) + struct.pack("<I4s", len(text), b"JSON")
    return head + text + struct.pack("<I4s", len(content), b"BIN\0") + bytes(content)


def png(pixels: np.ndarray) -> bytes:
    """A PNG of pixels (H, W, 3) uint8, row 0 on top."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter, none
    rows[:, 1:] = pixels.reshape(height, -1)

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows.tobytes(), 1))
        + chunk(b"IEND", b"")
    )
