# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels and operators share that work on a head in the scene."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .main import InTab

if TYPE_CHECKING:
    from ..scene.head import Head

__all__ = ["ForHead", "HeadPanel", "head_of", "reason"]

NO_HEAD = "Select a head that was made with Likeness"


def head_of(context: bpy.types.Context) -> Head | None:
    """The head that the user means; the scene's code is loaded with the first look."""
    from ..scene.find import head_of as find

    return find(context)


class ForHead:
    """An operator on the head that is meant."""

    bl_options: Any = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a head, and no editing of its mesh or bones."""
        if context.mode not in ("OBJECT", "POSE"):
            return _no(cls, "Leave the edit mode first")
        return head_of(context) is not None or _no(cls, NO_HEAD)


def _no(cls: Any, why: str) -> bool:
    cls.poll_message_set(why)
    return False


class HeadPanel(InTab):
    """A panel that is there when a head is."""

    bl_options: Any = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with a head."""
        return head_of(context) is not None


def reason(error: Exception) -> str:
    """What went wrong, in one line: Blender's operators raise with a whole traceback."""
    lines = [line.strip() for line in str(error).splitlines()]
    told = [line for line in lines if line and not line.startswith(("Location:", "File "))]
    return told[-1].removeprefix("Error: ") if told else type(error).__name__
