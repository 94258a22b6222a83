# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that belongs to one avatar is marked, so that it can be replaced without touching the user's work."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import bpy

__all__ = ["adopt", "find", "fresh_collection", "remove", "whatever_is_made"]

MARK = "likeness_avatar"
ID = TypeVar("ID", bound=bpy.types.ID)

# In this order nothing is removed before its users.
KINDS = (
    "scenes",
    "objects",
    "collections",
    "meshes",
    "armatures",
    "cameras",
    "lights",
    "materials",
    "worlds",
    "images",
    "actions",
)


def adopt(datablock: ID, avatar: str) -> ID:
    """Mark a datablock as part of an avatar."""
    datablock[MARK] = avatar
    return datablock


@contextmanager
def whatever_is_made(avatar: str) -> Iterator[None]:
    """Whatever is made inside the block belongs to the avatar; nothing of it stays where the block fails."""
    before = {kind: set(getattr(bpy.data, kind)) for kind in KINDS}
    failed = True
    try:
        yield
        failed = False
    finally:
        for kind, known in before.items():
            for datablock in set(getattr(bpy.data, kind)) - known:
                adopt(datablock, avatar)
        if failed:
            remove(avatar)


def find(kind: str, avatar: str) -> list[Any]:
    """Datablocks of a kind (a name in `bpy.data`) that belong to an avatar."""
    return [d for d in getattr(bpy.data, kind) if d.library is None and d.get(MARK) == avatar]


def remove(avatar: str) -> None:
    """Remove an avatar with all that was made for it; what others use as well stays."""
    for kind in KINDS:
        owner = getattr(bpy.data, kind)
        for datablock in find(kind, avatar):
            if kind == "scenes":
                if datablock != bpy.context.scene:
                    bpy.data.scenes.remove(datablock)
            elif kind in ("objects", "collections") or datablock.users <= datablock.use_fake_user:
                owner.remove(datablock)


def fresh_collection(name: str, avatar: str, parent: bpy.types.Collection) -> bpy.types.Collection:
    """A new marked collection inside another."""
    collection = adopt(bpy.data.collections.new(name), avatar)
    parent.children.link(collection)
    return collection
