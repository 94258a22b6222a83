# SPDX-License-Identifier: GPL-3.0-or-later
"""The head and its expressions in the asset browser."""

from __future__ import annotations

from typing import Any

import bpy

from .heads import ForHead, HeadPanel, head_of

__all__ = ["CLASSES"]


class LIKENESS_OT_mark_head(ForHead, bpy.types.Operator):
    """Offer the head in the asset browser, with its rig, cameras and a portrait for a preview"""

    bl_idname = "likeness.mark_head"
    bl_label = "Head as Asset"

    samples: bpy.props.IntProperty(name="Samples", description="Of the preview", default=24, min=1, soft_max=256)

    def execute(self, context: bpy.types.Context) -> Any:
        """Mark and render the preview."""
        from ..scene import assets

        marked = assets.mark_head(context.scene, head_of(context), samples=self.samples)
        self.report(
            {"INFO"}, f"{marked.name} is in the asset browser; a file saved in an asset library offers it elsewhere"
        )
        return {"FINISHED"}


class LIKENESS_OT_mark_expressions(ForHead, bpy.types.Operator):
    """Offer all expression presets in the asset browser as poses of the rig, which needs the face controls."""

    bl_idname = "likeness.mark_expressions"
    bl_label = "Expressions as Pose Assets"
    bl_description = (
        "Offer all expression presets in the asset browser as poses of the rig, which needs the face "
        "controls: they are switched on"
    )

    previews: bpy.props.BoolProperty(
        name="Previews", description="Render a small picture of each; takes about a second for each", default=True
    )
    samples: bpy.props.IntProperty(name="Samples", description="Of the previews", default=12, min=1, soft_max=64)

    def execute(self, context: bpy.types.Context) -> Any:
        """Make the assets."""
        from ..scene import assets

        manager = context.window_manager
        manager.progress_begin(0, 100)
        try:
            made = assets.mark_expressions(
                context.scene,
                head_of(context),
                samples=self.samples,
                previews=self.previews,
                progress=lambda share: manager.progress_update(round(100 * share)),
            )
        finally:
            manager.progress_end()
        self.report({"INFO"}, f"{len(made)} expressions are in the asset browser")
        return {"FINISHED"}


class LIKENESS_PT_assets(HeadPanel, bpy.types.Panel):
    """For other scenes"""

    bl_idname = "LIKENESS_PT_assets"
    bl_label = "Assets"
    bl_order = 24

    def draw(self, context: bpy.types.Context) -> None:
        """Two buttons."""
        column = self.layout.column(align=True)
        column.operator("likeness.mark_head", icon="ASSET_MANAGER")
        column.operator("likeness.mark_expressions", icon="ASSET_MANAGER")


CLASSES = (LIKENESS_OT_mark_head, LIKENESS_OT_mark_expressions, LIKENESS_PT_assets)
