# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of files in lists and menus. Blender reads them in its own threads when they are first drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy.utils.previews

__all__ = ["CLASSES", "crop", "forget", "icon", "unregister"]

CLASSES: tuple[type, ...] = ()
FACE_SIDE = 128
"""Pixels of a face cut out of a photo's thumbnail."""
_pictures: Any = None


def _collection() -> Any:
    global _pictures
    if _pictures is None:
        _pictures = bpy.utils.previews.new()
    return _pictures


def icon(path: Path) -> int:
    """The icon of a picture file, to be given to ``icon_value``."""
    pictures, key = _collection(), str(path)
    return int((pictures[key] if key in pictures else pictures.load(key, key, "IMAGE")).icon_id)


def crop(path: Path, box: Sequence[float], size: tuple[int, int]) -> int:
    """The icon of a part of a picture: ``box`` x0, y0, x1, y1 in pixels of the photo of that ``size``.

    The first call for a part must not come from drawing: Blender would show it empty.
    """
    import numpy as np

    pictures, key = _collection(), f"{path}#{','.join(str(round(v)) for v in box)}"
    if key in pictures:
        return int(pictures[key].icon_id)
    icon(path)
    whole = pictures[str(path)]
    width, height = whole.image_size
    if not width or not height:
        return 0
    flat = np.empty(width * height, np.int32)
    whole.image_pixels.foreach_get(flat)
    if not flat.any():  # Blender is still reading it
        return 0
    pixels = flat.reshape(height, width)[::-1]

    scale = width / size[0]
    x, y = scale * (box[0] + box[2]) / 2, scale * (box[1] + box[3]) / 2
    half = max(scale * max(box[2] - box[0], box[3] - box[1]) * 0.65, 4)
    at = (np.arange(FACE_SIDE) + 0.5) / FACE_SIDE * 2 - 1
    rows = np.clip(y + half * at, 0, height - 1).astype(int)
    columns = np.clip(x + half * at, 0, width - 1).astype(int)
    face = pictures.new(key)
    face.image_size = (FACE_SIDE, FACE_SIDE)
    face.image_pixels.foreach_set(np.ascontiguousarray(pixels[rows][:, columns][::-1]).ravel())
    face.icon_size = (32, 32)
    step = FACE_SIDE // 32
    face.icon_pixels.foreach_set(np.ascontiguousarray(pixels[rows[::step]][:, columns[::step]][::-1]).ravel())
    return int(face.icon_id)


def forget(path: Path) -> None:
    """Read a file anew when it is next drawn."""
    if _pictures is not None and str(path) in _pictures:
        del _pictures[str(path)]


def unregister() -> None:
    """Give the pictures back."""
    global _pictures
    if _pictures is not None:
        bpy.utils.previews.remove(_pictures)
        _pictures = None
