# SPDX-License-Identifier: GPL-3.0-or-later
"""Before the first photo: whose face it may be, and where photos are sent. What was agreed is kept with its date."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import bpy

from .events import Event
from .preferences import preferences
from .words import paragraph

__all__ = ["CLASSES", "GIVEN", "NOTICE", "draw_notices", "has_agreed", "is_elsewhere", "is_settled", "may_send"]

NOTICE = (
    "Use your own face, the face of an adult who has agreed to it, or a picture whose licence allows it.",
    "Do not pass a made head off as a recording of someone; every head carries a note that it was made from photos.",
    "Some methods forbid commercial use: the licence of each is shown.",
)
GIVEN = Event()
"""Something was agreed to: photos may be handed on that waited. Told with the context."""


class LIKENESS_OT_agree(bpy.types.Operator):
    """Confirm that you use only faces that you may use. Asked once; the date is kept in the preferences"""

    bl_idname = "likeness.agree"
    bl_label = "I Agree"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Any:
        """Keep the date."""
        preferences(context).agreed = datetime.now(UTC).isoformat(timespec="seconds")
        _keep(context)
        GIVEN.tell(context)
        return {"FINISHED"}


class LIKENESS_OT_agree_to_send(bpy.types.Operator):
    """Allow photos to be sent to the server that the preferences name. Another server is asked about anew"""

    bl_idname = "likeness.agree_to_send"
    bl_label = "Send Photos There"
    bl_options = {"INTERNAL"}

    def execute(self, context: bpy.types.Context) -> Any:
        """Remember the address."""
        preferences(context).sends_to = preferences(context).url
        _keep(context)
        GIVEN.tell(context)
        return {"FINISHED"}


def _keep(context: bpy.types.Context) -> None:
    context.preferences.is_dirty = True
    if not bpy.app.background and context.preferences.use_preferences_save:
        bpy.ops.wm.save_userpref()


def has_agreed(context: bpy.types.Context) -> bool:
    """Whether the first notice was confirmed."""
    return bool(preferences(context).agreed)


def may_send(context: bpy.types.Context) -> bool:
    """Whether photos stay on this machine, or were allowed to leave it."""
    p = preferences(context)
    return p.kind != "REMOTE" or p.sends_to == p.url or not is_elsewhere(p.url)


def is_elsewhere(url: str) -> bool:
    """Whether an address is another computer's."""
    from ..link.transport import is_loopback

    return not is_loopback(urlsplit(url).hostname or "")


def is_settled(context: bpy.types.Context) -> bool:
    """Whether photos may be handed to the backend."""
    return has_agreed(context) and may_send(context)


def draw_notices(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What is still to be agreed to, or nothing."""
    if not has_agreed(context):
        box = layout.box()
        box.label(text="Whose Face May You Use?", icon="USER")
        for text in NOTICE:
            paragraph(box, context, text)
        box.operator(LIKENESS_OT_agree.bl_idname, icon="CHECKMARK")
    elif not may_send(context):
        box = layout.box()
        box.label(text="Photos Leave This Computer", icon="URL")
        url = preferences(context).url
        paragraph(box, context, f"They are sent to {url}, which also keeps the finished heads.")
        box.operator(LIKENESS_OT_agree_to_send.bl_idname, icon="CHECKMARK")


CLASSES = (LIKENESS_OT_agree, LIKENESS_OT_agree_to_send)
