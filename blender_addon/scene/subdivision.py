# SPDX-License-Identifier: GPL-3.0-or-later
"""How dense the head is: true displacement needs vertices, which subdivision gives; Cycles can do so as the camera
needs them.
"""

from __future__ import annotations

from typing import Any

import bpy

from ..link.package import Package
from .head import Head

__all__ = ["DEEP", "can_be_adaptive", "has_deep_relief", "is_adaptive", "level_for", "modifier", "set_adaptive"]

DEEP = 0.0012
"""Metres between the lowest and the highest point of a relief that must move the surface: pores have 0.8 mm."""
DENSE = 10_000
"""Polygons from which one level of subdivision is enough for pores, whose shading is bump."""
ON_OBJECT = bpy.app.version < (5, 0, 0)
"""Until 5.0 adaptive subdivision is an experiment of Cycles and the object's; since then it is the modifier's."""


def has_deep_relief(package: Package) -> bool:
    """Whether the skin's displacement is more than pores."""
    skin = package.materials.get("Skin")
    displacement = skin.maps.get("displacement") if skin else None
    return displacement is not None and displacement.scale > DEEP


def level_for(package: Package) -> int:
    """Levels of subdivision in a render."""
    return 1 if len(package.polygons) > DENSE and not has_deep_relief(package) else 2


def modifier(head: bpy.types.Object) -> Any:
    """The head's subdivision, None where the user took it away."""
    modifiers: Any = head.modifiers
    return next((m for m in modifiers if m.type == "SUBSURF"), None)


def is_adaptive(head: Head) -> bool:
    """Whether Cycles subdivides as finely as the camera can see."""
    found = modifier(head.mesh)
    if found is None:
        return False
    owner: Any = _owner(head.mesh, found)
    return bool(owner is not None and owner.use_adaptive_subdivision)


def set_adaptive(head: Head, scene: bpy.types.Scene, on: bool) -> None:
    """Switch it; needs the modifier, and Cycles."""
    owner: Any = _owner(head.mesh, modifier(head.mesh))
    owner.use_adaptive_subdivision = on
    if ON_OBJECT and on:
        scene.cycles.feature_set = "EXPERIMENTAL"


def can_be_adaptive(head: Head) -> bool:
    """Whether there is something to switch."""
    found = modifier(head.mesh)
    return found is not None and _owner(head.mesh, found) is not None


def _owner(mesh: bpy.types.Object, found: Any) -> Any:
    return getattr(mesh, "cycles", None) if ON_OBJECT else found
