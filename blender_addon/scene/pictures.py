# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture files into the .blend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

__all__ = ["load_picture"]


def load_picture(path: Path, name: str, colour: str) -> bpy.types.Image:
    """A packed image; ``colour`` is "srgb" for what the eye sees, "linear" for data."""
    image = bpy.data.images.load(str(path), check_existing=False)
    image.name = name
    space: Any = "sRGB" if colour == "srgb" else "Non-Color"
    image.colorspace_settings.name = space
    image.alpha_mode = "NONE"
    image.pack()
    # The file may lie in a temporary folder; should somebody unpack the image, it goes beside the .blend.
    image.filepath_raw = f"//textures/{name}{path.suffix}"
    for packed in image.packed_files:
        packed.filepath = image.filepath_raw
    return image
