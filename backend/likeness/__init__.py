"""Likeness: from photos to a rigged, textured head.

    import likeness

    avatar = likeness.reconstruct(["anna.jpg", "anna_side.jpg"])
    likeness.save_avatar(avatar, "anna.likeness")

Importing this costs nothing: what a name needs (torch, ...) is loaded when the name is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from likeness.avatar import Avatar
    from likeness.camera import Camera
    from likeness.errors import LikenessError
    from likeness.faces import Face
    from likeness.faces import find as find_face
    from likeness.faces import find_all as find_faces
    from likeness.heads.library import list_heads, open_head
    from likeness.methods.base import Reconstruction, Settings
    from likeness.methods.registry import list_methods
    from likeness.package import load as load_avatar
    from likeness.package import save as save_avatar
    from likeness.photos import Photo, load_photos
    from likeness.pipeline import reconstruct
    from likeness.progress import Cancelled, Progress
    from likeness.rig import rig as rig_mesh

__version__ = "0.1.0"

__all__ = [
    "Avatar",
    "Camera",
    "Cancelled",
    "Face",
    "LikenessError",
    "Photo",
    "Progress",
    "Reconstruction",
    "Settings",
    "find_face",
    "find_faces",
    "list_heads",
    "list_methods",
    "load_avatar",
    "load_photos",
    "open_head",
    "reconstruct",
    "rig_mesh",
    "save_avatar",
]

_PLACES = {
    "Avatar": "avatar",
    "Camera": "camera",
    "Cancelled": "progress",
    "Face": "faces",
    "LikenessError": "errors",
    "Photo": "photos",
    "Progress": "progress",
    "Reconstruction": "methods.base",
    "Settings": "methods.base",
    "find_face": "faces:find",
    "find_faces": "faces:find_all",
    "list_heads": "heads.library",
    "list_methods": "methods.registry",
    "load_avatar": "package:load",
    "load_photos": "photos",
    "open_head": "heads.library",
    "reconstruct": "pipeline",
    "rig_mesh": "rig:rig",
    "save_avatar": "package:save",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'likeness' has no attribute {name!r}")
    module, _, own_name = _PLACES[name].partition(":")
    value = getattr(importlib.import_module(f"likeness.{module}"), own_name or name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
