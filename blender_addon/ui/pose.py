# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose: neck, head, jaw, eyes, and something for the eyes to look at."""

from __future__ import annotations

from typing import Any

import bpy

from .heads import ForHead, HeadPanel, head_of

__all__ = ["CLASSES"]

TITLES = {"neck": "Neck", "head": "Head", "jaw": "Jaw", "eye.L": "Left eye", "eye.R": "Right eye"}


class LIKENESS_OT_pose_reset(ForHead, bpy.types.Operator):
    """Turn all bones back to rest and put the eyes' target straight ahead"""

    bl_idname = "likeness.pose_reset"
    bl_label = "Reset Pose"

    def execute(self, context: bpy.types.Context) -> Any:
        """Reset."""
        from ..scene import pose

        pose.reset(head_of(context))
        return {"FINISHED"}


class LIKENESS_OT_pose_key(ForHead, bpy.types.Operator):
    """Insert keyframes for neck, head, jaw, eyes and the eyes' target at the current frame"""

    bl_idname = "likeness.pose_key"
    bl_label = "Key Pose"

    def execute(self, context: bpy.types.Context) -> Any:
        """Key."""
        from ..scene import pose

        count = pose.key(head_of(context), context.scene.frame_current)
        self.report({"INFO"}, f"Keyed {count} bones at frame {context.scene.frame_current}")
        return {"FINISHED"}


class LIKENESS_OT_look_at(ForHead, bpy.types.Operator):
    """Give the eyes an empty to look at, or take it away. The eyes follow as far as they can turn"""

    bl_idname = "likeness.look_at"
    bl_label = "Eyes Look at a Target"

    on: bpy.props.BoolProperty(name="On", description="Whether there is a target", default=True)

    def execute(self, context: bpy.types.Context) -> Any:
        """Add or remove it."""
        from ..scene import pose

        head = head_of(context)
        if self.on and pose.add_target(head).target is None:
            self.report({"ERROR"}, "This head has no eye bones")
            return {"CANCELLED"}
        if not self.on:
            pose.remove_target(head)
        return {"FINISHED"}


class LIKENESS_PT_pose(HeadPanel, bpy.types.Panel):
    """How the head is held"""

    bl_idname = "LIKENESS_PT_pose"
    bl_label = "Pose"
    bl_order = 21

    def draw(self, context: bpy.types.Context) -> None:
        """Turns of the bones, the target."""
        from ..scene import pose

        head, layout = head_of(context), self.layout
        row = layout.row(align=True)
        row.operator("likeness.pose_reset", text="Reset", icon="LOOP_BACK")
        row.operator("likeness.pose_key", text="Key", icon="KEY_HLT")
        for bone in pose.posable(head):
            column = layout.column(align=True)
            column.label(text=TITLES[bone.name])
            row = column.row(align=True)
            row.active = not (bone.name.startswith("eye.") and head.target and head.target.get(pose.FOLLOW, 0) >= 1)
            for axis, what in pose.TURNS[bone.name]:
                row.prop(bone, "rotation_euler", index=axis, text=what)
        on = head.target is not None
        icon: Any = "CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
        layout.operator("likeness.look_at", icon=icon, depress=on).on = not on
        if on:
            column = layout.column(align=True)
            column.prop(head.target, f'["{pose.FOLLOW}"]', text="Follow", slider=True)
            column.prop(head.target, "location", text="")


CLASSES = (LIKENESS_OT_pose_reset, LIKENESS_OT_pose_key, LIKENESS_OT_look_at, LIKENESS_PT_pose)
