# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the head that somebody means, after saving and opening, appending, duplicating and renaming.

`build` gives every object a role (custom property `ROLE`) and ties what belongs together by pointers: modifiers,
parents, collections and pointer properties. Blender follows those when it appends or duplicates; names it changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .head import Head, Studio
from .owned import MARK

__all__ = ["PHOTO", "PHOTO_ACTIONS", "PHOTO_LIGHT", "ROLE", "give_role", "head_of", "head_of_object", "heads_in"]

ROLE = "likeness_role"
"""Custom property of objects: "head", "rig", "photo", "camera", "light key", "light fill", …, "backdrop", "target"."""
PHOTO, PHOTO_LIGHT = "likeness_photo", "likeness_light"
"""Custom properties of a photo's camera: the photo's name, and the world with its light."""
PHOTO_ACTIONS = ("likeness_action", "likeness_keys")
"""Custom properties of a photo's camera: the actions of its expression and pose; the second before Blender 4.4 only."""


def give_role(thing: bpy.types.Object, role: str) -> bpy.types.Object:
    """Say what an object is to its head."""
    thing[ROLE] = role
    return thing


def head_of(context: bpy.types.Context) -> Head | None:
    """The head that the active object belongs to, else the active collection's, else the scene's if it has but one."""
    active = context.object if hasattr(context, "object") else context.view_layer.objects.active
    found = head_of_object(active)
    if found is None:
        layer = context.view_layer.active_layer_collection
        found = _in_collection(layer.collection) if layer else None
    if found is None:
        heads = heads_in(context.scene)
        found = heads[0] if len(heads) == 1 else None
    return found


def head_of_object(thing: bpy.types.Object | None) -> Head | None:
    """The head that an object is part of."""
    if thing is None:
        return None
    role = thing.get(ROLE)
    if role == "head":
        return _head(thing)
    if role == "rig":
        return next((found for child in thing.children if (found := _as_head(child))), None)
    if role:
        for collection in thing.users_collection:
            found = _in_collection(collection)
            if found:
                return found
    # Something of the user's own, a hat or hair, that hangs on the head.
    return head_of_object(thing.parent) if thing.parent else None


def heads_in(scene: bpy.types.Scene) -> list[Head]:
    """All heads of a scene whose collections are marked."""
    found = []
    for collection in scene.collection.children_recursive:
        if _is_ours(collection):
            found += [head for thing in collection.objects if (head := _as_head(thing))]
    return found


def _is_ours(collection: Any) -> bool:
    return MARK in collection


def _as_head(thing: bpy.types.Object) -> Head | None:
    return _head(thing) if thing.get(ROLE) == "head" else None


def _in_collection(collection: bpy.types.Collection) -> Head | None:
    """The head of a marked collection, or of the one that holds it."""
    while collection is not None and _is_ours(collection):
        for thing in collection.objects:
            if head := _as_head(thing):
                return head
        collection = _parent(collection)
    return None


def _parent(collection: bpy.types.Collection) -> bpy.types.Collection | None:
    for other in bpy.data.collections:
        if collection.name in other.children and other.children[collection.name] == collection:
            return other
    return None


def _rig(mesh: bpy.types.Object) -> bpy.types.Object | None:
    modifiers: Any = mesh.modifiers
    return next((m.object for m in modifiers if m.type == "ARMATURE" and m.object), None)


def _head(mesh: bpy.types.Object) -> Head | None:
    rig = _rig(mesh)
    if rig is None or mesh.type != "MESH" or mesh.data.shape_keys is None or not mesh.users_collection:
        return None
    collection = next((c for c in mesh.users_collection if _is_ours(c)), mesh.users_collection[0])
    parts = {}
    cameras, lights, actions = {}, {}, []
    for thing in _belongings(collection):
        role = thing.get(ROLE)
        if role == "photo":
            name = str(thing.get(PHOTO, thing.name))
            cameras[name] = thing
            if isinstance(thing.get(PHOTO_LIGHT), bpy.types.World):
                lights[name] = thing[PHOTO_LIGHT]
            actions += [thing[key] for key in PHOTO_ACTIONS if isinstance(thing.get(key), bpy.types.Action)]
        elif role and role not in parts:
            parts[role] = thing
    return Head(
        name=str(mesh.get(MARK, mesh.name)),
        collection=collection,
        mesh=mesh,
        rig=rig,
        cameras=cameras,
        lights=lights,
        actions=actions,
        studio=_studio(parts),
        target=parts.get("target"),
    )


def _belongings(collection: bpy.types.Collection) -> Iterator[bpy.types.Object]:
    yield from collection.objects
    for child in collection.children:
        if _is_ours(child):
            yield from child.objects


def _studio(parts: dict[str, bpy.types.Object]) -> Studio | None:
    camera, backdrop = parts.get("camera"), parts.get("backdrop")
    if camera is None or backdrop is None or not camera.users_collection:
        return None
    lights = [thing for role, thing in parts.items() if role.startswith("light ")]
    lights.sort(key=lambda thing: thing[ROLE] != "light key")
    return Studio(camera.users_collection[0], camera, lights, backdrop)
