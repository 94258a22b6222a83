# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of files in lists and menus. Blender reads them in its own threads when they are first drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy.utils.previews

__all__ = ["CLASSES", "forget", "icon", "unregister"]

CLASSES: tuple[type, ...] = ()
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
