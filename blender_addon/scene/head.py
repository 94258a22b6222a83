# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in a scene once an avatar has been built."""

from __future__ import annotations

from dataclasses import dataclass, field

import bpy

__all__ = ["Head", "Studio"]


@dataclass(frozen=True)
class Studio:
    """The studio's objects; ``lights`` begin with the key light."""

    collection: bpy.types.Collection
    camera: bpy.types.Object
    lights: list[bpy.types.Object]
    backdrop: bpy.types.Object


@dataclass(frozen=True)
class Head:
    """A head and all that belongs to it.

    Attributes:
        name: of the avatar. Objects may bear other names by now, "Ada.001" say.
        collection: named after the avatar; holds everything else.
        mesh, rig: the head and its armature.
        cameras: the photos' cameras by photo name.
        lights: worlds with the light of the photos by photo name, where it is known.
        actions: the photos' expressions and poses.
        studio: None where there is none.
        target: the empty that the eyes follow, None where there is none.
    """

    name: str
    collection: bpy.types.Collection
    mesh: bpy.types.Object
    rig: bpy.types.Object
    cameras: dict[str, bpy.types.Object] = field(default_factory=dict)
    lights: dict[str, bpy.types.World] = field(default_factory=dict)
    actions: list[bpy.types.Action] = field(default_factory=list)
    studio: Studio | None = None
    target: bpy.types.Object | None = None
