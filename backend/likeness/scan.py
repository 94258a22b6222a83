"""A mesh file that somebody gives us: OBJ, PLY, STL, glTF; its shape, and the colours it brings."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import MeshError
from likeness.mesh_file import look_at_mesh

__all__ = ["Scan", "at_vertices", "load_scan"]

MOST_BYTES = 1 << 30
MOST_TRIANGLES = 4_000_000
FEWEST_TRIANGLES = 200
MOST_TEXELS = 150_000_000
STAND_IN = 4
"""Texels of the grey picture that trimesh gives to UVs without a material."""


NOTHING: dict[str, bytes] = {}
"""What lies beside a file that came alone: a mesh must not name files of this machine."""


@dataclass(frozen=True, eq=False)
class Scan:
    """A mesh as its file has it, in the file's own frame and unit.

    Attributes:
        vertices: (U, 3) float64; one for each corner of the texture, so seams may be open.
        triangles: (T, 3) int64.
        colours: (U, 3) float32 sRGB in 0..1, or None.
        uv: (U, 2) float32, origin lower left, or None; texture: (H, W, 3) uint8 sRGB where there are UVs, or None.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    colours: NDArray[np.float32] | None = None
    uv: NDArray[np.float32] | None = None
    texture: NDArray[np.uint8] | None = None


def load_scan(path: Path, name: str | None = None) -> Scan:
    """Read a mesh file.

    Args:
        path: of the file.
        name: what it is called where it came from; then nothing beside it is read, whatever it names.

    Raises:
        MeshError: there is no such file, it is of another kind or damaged, or holds too little or too much.
    """
    import trimesh  # takes long to load, and only this needs it

    kind, shown = look_at_mesh(path, name), name or path.name
    try:
        if path.stat().st_size > MOST_BYTES:
            raise MeshError(f"{shown} is larger than 1 GB; make the mesh coarser first.")
        if name is None:
            scene = trimesh.load_scene(path, process=False)
        else:
            with path.open("rb") as file:
                scene = trimesh.load_scene(file, kind[1:], resolver=NOTHING, process=False)
        parts = [_part(mesh) for mesh in scene.dump() if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]
    except MeshError:
        raise
    except OSError as error:
        raise MeshError(f"{shown} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # whatever a parser of foreign files raises
        raise MeshError(f"{shown} is damaged or not what its name says ({error!s:.80}).") from error
    if not parts or sum(len(part.triangles) for part in parts) < FEWEST_TRIANGLES:
        raise MeshError(f"{shown} holds too few triangles to be a face; point clouds must be meshed first.")
    scan = parts[0] if len(parts) == 1 else _joined(parts)
    if len(scan.triangles) > MOST_TRIANGLES:
        raise MeshError(f"{shown} has more than four million triangles; make the mesh coarser first.")
    if not np.isfinite(scan.vertices).all():
        raise MeshError(f"{shown} has vertices that are nowhere; repair the mesh first.")
    return scan


def _part(mesh: Any) -> Scan:
    """One mesh of a scene, in the scene's frame."""
    vertices, triangles = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    if triangles.min() < 0 or triangles.max() >= len(vertices):
        raise ValueError("a triangle of vertices that are not there")
    visual = mesh.visual
    if visual.kind == "texture":
        picture = _texture(visual.material)
        uv = None if visual.uv is None else np.asarray(visual.uv, np.float32)
        if uv is not None and uv.shape == (len(vertices), 2):
            return Scan(vertices, triangles, None, np.nan_to_num(uv), picture)
        return Scan(vertices, triangles)
    if visual.kind == "vertex":
        return Scan(vertices, triangles, np.asarray(visual.vertex_colors[:, :3], np.float32) / 255)
    return Scan(vertices, triangles)


def _texture(material: Any) -> NDArray[np.uint8] | None:
    """A material's colour picture (H, W, 3)."""
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if picture is None or picture.width * picture.height <= STAND_IN:
        return None
    if picture.width * picture.height > MOST_TEXELS:
        raise MeshError("The mesh's texture is too large; scale it down below 150 megapixels.")
    return np.array(picture.convert("RGB"), np.uint8)


def _joined(parts: list[Scan]) -> Scan:
    """Several meshes as one; several textures become colours of vertices."""
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    triangles = np.concatenate([part.triangles + start for part, start in zip(parts, starts, strict=True)])
    colours = [part.colours if part.texture is None else at_vertices(part) for part in parts]
    known = any(c is not None for c in colours)
    filled = [
        np.full((len(p.vertices), 3), 0.5, np.float32) if c is None else c for p, c in zip(parts, colours, strict=True)
    ]
    uv = None if any(p.uv is None for p in parts) else np.concatenate([p.uv for p in parts if p.uv is not None])
    vertices = np.concatenate([p.vertices for p in parts])
    return Scan(vertices, triangles, np.concatenate(filled) if known else None, uv)


def at_vertices(scan: Scan) -> NDArray[np.float32] | None:
    """(U, 3) sRGB in 0..1 of the vertices, from the texture where there is one; None without colours."""
    if scan.texture is None or scan.uv is None:
        return scan.colours
    height, width = scan.texture.shape[:2]
    column = (np.floor(scan.uv[:, 0] * width).astype(int)) % width
    row = (np.floor((1 - scan.uv[:, 1]) * height).astype(int)) % height
    colours: NDArray[np.float32] = scan.texture[row, column].astype(np.float32) / 255
    return colours
