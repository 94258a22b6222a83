"""The plain files that come with models: columns of numbers, Wavefront OBJ, pictures, and Exp_Pca.bin."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from likeness.weights.readers.mapped import damaged, map_file

__all__ = ["read_expression_basis", "read_obj", "read_picture", "read_text"]

Array = NDArray[Any]

MOST_TEXT = 32 << 20
MOST_PIXELS = 8192 * 8192


def read_text(path: Path) -> Array:
    """Numbers parted by white space: (rows, columns), or (n,) where there is one row or column.

    Whole numbers come as int64, others as float64. Raises WeightsError where a line is no row of numbers.
    """
    lines = [line.split() for line in _text(path).splitlines()]
    rows = [row for row in lines if row]
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise damaged(path.name, "its lines are not rows of one length")
    try:
        table = np.array(rows, np.float64)
    except ValueError as error:
        raise damaged(path.name, error) from error
    if not np.isfinite(table).all():
        raise damaged(path.name, "a number that is not finite")
    whole = table.astype(np.int64) if np.abs(table).max() < 2**53 else None
    result: Array = whole if whole is not None and (whole == table).all() else table
    return result.reshape(-1) if 1 in result.shape else result


def read_obj(path: Path) -> dict[str, Array]:
    """A Wavefront OBJ of triangles.

    Returns:
        v (V, 3) and vt (T, 2) float64; f and ft (F, 3) int64, counted from 0; ft only where faces have UVs.
    """
    vertices, uvs, faces, uv_faces = [], [], [], []
    try:
        for line in _text(path).splitlines():
            word, *rest = line.split() or [""]
            if word == "v":
                vertices.append([float(x) for x in rest[:3]])
            elif word == "vt":
                uvs.append([float(x) for x in rest[:2]])
            elif word == "f":
                corners = [corner.split("/") for corner in rest]
                if len(corners) != 3:
                    raise ValueError(f"a face of {len(corners)} corners")
                faces.append([int(c[0]) - 1 for c in corners])
                if all(len(c) > 1 and c[1] for c in corners):
                    uv_faces.append([int(c[1]) - 1 for c in corners])
        found: dict[str, Array] = {"v": np.array(vertices, np.float64).reshape(-1, 3)}
        found["f"] = np.array(faces, np.int64).reshape(-1, 3)
        if uvs:
            found["vt"] = np.array(uvs, np.float64).reshape(-1, 2)
        if uvs and uv_faces and len(uv_faces) == len(faces):
            found["ft"] = np.array(uv_faces, np.int64)
    except (ValueError, IndexError, OverflowError) as error:
        raise damaged(path.name, error) from error
    for name, of in (("f", "v"), ("ft", "vt")):
        if name in found and not (found[name].min(initial=0) >= 0 and found[name].max(initial=-1) < len(found[of])):
            raise damaged(path.name, f"faces of {of} that do not exist")
    return found


def read_picture(path: Path) -> Array:
    """A PNG or JPEG as it is stored: (H, W) or (H, W, C) uint8."""
    try:
        with warnings.catch_warnings(), Image.open(path, formats=("PNG", "JPEG")) as picture:
            warnings.simplefilter("error")
            if picture.width * picture.height > MOST_PIXELS:
                raise damaged(path.name, f"{picture.width} x {picture.height} pixels")
            return np.asarray(picture if picture.mode in ("L", "RGB", "RGBA") else picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombWarning) as error:
        raise damaged(path.name, error) from error


def read_expression_basis(path: Path) -> dict[str, Array]:
    """Exp_Pca.bin of Guo et al.: an int32 count, then little-endian float32, components one after the other.

    Returns:
        mean (3N,) and components (3N, count) float32, micrometres, N = 53215.
    """
    size = 3 * 53215
    data = map_file(path)
    count = int.from_bytes(data.take(0, 4), "little")
    if not 1 <= count <= 1000 or len(data) != 4 + 4 * size * (count + 1):
        raise damaged(path.name, f"{len(data)} bytes for {count} components")
    numbers = np.frombuffer(data.data[4:], "<f4").reshape(count + 1, size)
    return {"mean": numbers[0], "components": numbers[1:].T}


def _text(path: Path) -> str:
    data = map_file(path)
    if len(data) > MOST_TEXT:
        raise damaged(path.name, f"a text of {len(data)} bytes")
    return str(data.data, "utf-8", "replace")
