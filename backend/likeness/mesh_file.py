"""What a mesh file is, told by its name and its first bytes: quick, and nothing of it is believed yet."""

from __future__ import annotations

import re
import struct
from pathlib import Path

from likeness.errors import MeshError

__all__ = ["ALONE", "SUFFIXES", "look_at_mesh"]

SUFFIXES = (".obj", ".ply", ".stl", ".glb", ".gltf", ".off")
ALONE = (".obj", ".ply", ".stl", ".glb", ".off")
"""Kinds that may come as a single file; what an OBJ names beside it is left out then."""
HEAD = 1 << 14
"""Bytes in which a text must look like what it says."""
FACET = 50
"""Bytes of a triangle in a binary STL."""


def look_at_mesh(path: Path, name: str | None = None) -> str:
    """The kind of a mesh file, ".ply" say.

    Args:
        path: of the file.
        name: what it is called where it came from, by which its kind is known and it comes without company; the
            path's own name when left out.

    Raises:
        MeshError: there is no such file, or it is not what its name says.
    """
    shown = name or path.name
    kind = Path(shown).suffix.lower()
    known = SUFFIXES if name is None else ALONE
    if kind not in known:
        raise MeshError(f"{shown} is no mesh that is known; use {', '.join(s[1:].upper() for s in known)}.")
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise MeshError(f"{shown} cannot be read ({error.strerror or error}).") from error
    if not _fits(kind, head, size):
        raise MeshError(f"{shown} is damaged or not what its name says; export the mesh again.")
    return kind


def _fits(kind: str, head: bytes, size: int) -> bool:
    if kind == ".ply":
        return head.startswith((b"ply\n", b"ply\r")) and b"element vertex" in head
    if kind == ".glb":
        return len(head) > 20 and head[:4] == b"glTF" and struct.unpack_from("<II", head, 4) == (2, size)
    if kind == ".stl":
        binary = len(head) >= 84 and 84 + FACET * struct.unpack_from("<I", head, 80)[0] == size
        return binary or (head.lstrip()[:5].lower() == b"solid" and b"facet" in head)
    if b"\0" in head:
        return False
    if kind == ".obj":
        return re.search(rb"^\s*v\s+[-+.\d]", head, re.MULTILINE) is not None or size > HEAD
    if kind == ".off":
        return re.match(rb"\s*(ST)?C?N?4?n?OFF\b", head) is not None
    return head.lstrip().startswith(b"{")
