# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity: the head model's own coefficients, on heads that were imported with them as shape keys."""

from __future__ import annotations

from typing import Any

import bpy

from .heads import ForHead, HeadPanel, head_of

__all__ = ["CLASSES"]

TARGETS = (
    ("PERSON", "The Person", "As the photos show them"),
    ("MEAN", "The Mean Head", "All coefficients at 0"),
)
SHOWN = 10
"""Sliders of the first page: the first coefficients say most."""


class _ForIdentity(ForHead):
    """An operator on a head with keys of identity."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs such a head."""
        from ..scene.identity import identity_of

        if not super().poll(context):
            return False
        head = head_of(context)
        if head and identity_of(head.mesh):
            return True
        message: Any = cls
        message.poll_message_set("Import the head with keys of its shape first")
        return False


class LIKENESS_OT_identity(_ForIdentity, bpy.types.Operator):
    """Set all coefficients of the shape, and let the bones follow"""

    bl_idname = "likeness.identity"
    bl_label = "Set Identity"

    to: bpy.props.EnumProperty(name="To", description="Whose shape", items=TARGETS, default="PERSON")

    def execute(self, context: bpy.types.Context) -> Any:
        """Set, then move the bones."""
        from ..scene import identity

        head = head_of(context)
        person = identity.identity_of(head.mesh)
        identity.put(head, person if self.to == "PERSON" else dict.fromkeys(person, 0.0))
        return {"FINISHED"}


class LIKENESS_OT_fit_bones(_ForIdentity, bpy.types.Operator):
    """Move the bones to where the head model has its joints under the present shape: neck, jaw and eyes then turn about
the right points"""  # fmt: skip  # Blender shows the text as it is

    bl_idname = "likeness.fit_bones"
    bl_label = "Fit Bones to Shape"

    def execute(self, context: bpy.types.Context) -> Any:
        """Move them."""
        from ..scene import identity

        moved = identity.fit_bones(head_of(context))
        self.report({"INFO"}, f"The farthest bone moved by {1000 * moved:.1f} mm")
        return {"FINISHED"}


class LIKENESS_PT_identity(HeadPanel, bpy.types.Panel):
    """Whose head it is"""

    bl_idname = "LIKENESS_PT_identity"
    bl_label = "Identity"
    bl_order = 19

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only with keys of identity."""
        from ..scene.identity import identity_of

        head = head_of(context)
        return head is not None and bool(identity_of(head.mesh))

    def draw(self, context: bpy.types.Context) -> None:
        """The first coefficients, then all others; the bones."""
        from ..scene.identity import identity_of

        head, layout = head_of(context), self.layout
        names = list(identity_of(head.mesh))
        row = layout.row(align=True)
        for to, title, _ in TARGETS:
            row.operator("likeness.identity", text=title).to = to
        layout.operator("likeness.fit_bones", icon="BONE_DATA")
        blocks: Any = head.mesh.data.shape_keys.key_blocks
        column = layout.column(align=True)
        for name in names[:SHOWN]:
            column.prop(blocks[name], "value", text=name, slider=True, translate=False)
        if len(names) > SHOWN:
            header, body = layout.panel("likeness_identity_more", default_closed=True)
            header.label(text=f"{len(names) - SHOWN} More")
            if body:
                column = body.column(align=True)
                for name in names[SHOWN:]:
                    column.prop(blocks[name], "value", text=name, slider=True, translate=False)


CLASSES = (LIKENESS_OT_identity, LIKENESS_OT_fit_bones, LIKENESS_PT_identity)
