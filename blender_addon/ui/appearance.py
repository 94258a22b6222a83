# SPDX-License-Identifier: GPL-3.0-or-later
"""Appearance: maps on and off, gloss, detail, subsurface, and what was seen in the photos."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .heads import ForHead, HeadPanel, head_of

if TYPE_CHECKING:
    from ..scene.head import Head

__all__ = ["CLASSES"]

CHANNELS = (
    ("albedo", "Albedo", "Colour of the skin"),
    ("specular", "Specular", "Strength of the reflection"),
    ("roughness", "Roughness", "Sharpness of the reflection"),
    ("normal", "Normal", "Pores and wrinkles by shading"),
    (
        "normal.diffuse",
        "Diffuse Normals",
        "Softer normals for light from below the surface, sharp ones for gloss",
    ),
    ("displacement", "Displacement", "Pores and wrinkles by moving the surface, as finely as it is subdivided"),
)
SIZES = (
    ("0", "Full size", "As large as the maps are", 0),
    ("4096", "4096", "At most 4096 pixels a side", 1),
    ("2048", "2048", "At most 2048 pixels a side", 2),
    ("1024", "1024", "At most 1024 pixels a side", 3),
    ("512", "512", "At most 512 pixels a side", 4),
    ("256", "256", "At most 256 pixels a side", 5),
)


class LIKENESS_OT_map(ForHead, bpy.types.Operator):
    """Switch a map of the skin on or off; off, a plain value takes its place"""

    bl_idname = "likeness.map"
    bl_label = "Switch Map"

    channel: bpy.props.EnumProperty(name="Map", description="Which map", items=CHANNELS)
    on: bpy.props.BoolProperty(name="On", description="Whether the skin shows it", default=True)

    def execute(self, context: bpy.types.Context) -> Any:
        """Switch."""
        from ..scene import appearance

        appearance.set_map(head_of(context), self.channel, self.on)
        return {"FINISHED"}


class LIKENESS_OT_confidence(ForHead, bpy.types.Operator):
    """Show in green what the photos showed, in blue what was taken from the face's other side, and in orange what was \
completed by knowledge of other faces"""

    bl_idname = "likeness.confidence"
    bl_label = "Seen or Completed"

    on: bpy.props.BoolProperty(name="On", description="Whether to show it", default=True)

    def execute(self, context: bpy.types.Context) -> Any:
        """Switch the false colours, and a solid view to one that shows them."""
        from ..scene import appearance

        appearance.set_confidence(head_of(context), self.on)
        space: Any = context.space_data
        if self.on and space is not None and space.type == "VIEW_3D" and space.shading.type in ("SOLID", "WIREFRAME"):
            space.shading.type = "MATERIAL"
        return {"FINISHED"}


class LIKENESS_OT_appearance_reset(ForHead, bpy.types.Operator):
    """The skin as it was reconstructed"""

    bl_idname = "likeness.appearance_reset"
    bl_label = "Reset Appearance"

    def execute(self, context: bpy.types.Context) -> Any:
        """Reset all knobs."""
        from ..scene import appearance

        appearance.reset(head_of(context))
        return {"FINISHED"}


class LIKENESS_OT_texture_limit(ForHead, bpy.types.Operator):
    """Show textures no larger than this in the viewport, to save graphics memory; pictures are rendered in full."""

    bl_idname = "likeness.texture_limit"
    bl_label = "Texture Size in the Viewport"
    bl_description = (
        "Show textures no larger than this in the viewport, to save graphics memory; pictures are "
        "rendered in full. It holds for all of Blender (Preferences > Viewport) and for Cycles in this "
        "scene (Simplify)"
    )

    size: bpy.props.EnumProperty(name="Size", description="Longest side in pixels", items=SIZES, default="0")

    def execute(self, context: bpy.types.Context) -> Any:
        """Set both limits."""
        from ..scene import appearance

        appearance.limit_textures(context.scene, context.preferences, int(self.size))
        return {"FINISHED"}


class LIKENESS_OT_adaptive(ForHead, bpy.types.Operator):
    """Let Cycles subdivide the head as finely as the camera sees it, for displacement in close-ups; takes more time and
memory. Before Blender 5.0 it is one of the experimental features, which are switched on with it"""  # fmt: skip

    bl_idname = "likeness.adaptive"
    bl_label = "Adaptive Subdivision"

    on: bpy.props.BoolProperty(name="On", description="Whether Cycles does", default=True)

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs the Subdivision modifier."""
        from ..scene.subdivision import can_be_adaptive

        if not super().poll(context):
            return False
        head = head_of(context)
        if head and can_be_adaptive(head):
            return True
        message: Any = cls
        message.poll_message_set("The head has no Subdivision modifier, or Cycles is switched off")
        return False

    def execute(self, context: bpy.types.Context) -> Any:
        """Switch it."""
        from ..scene.subdivision import set_adaptive

        set_adaptive(head_of(context), context.scene, self.on)
        return {"FINISHED"}


class LIKENESS_PT_appearance(HeadPanel, bpy.types.Panel):
    """How the skin looks"""

    bl_idname = "LIKENESS_PT_appearance"
    bl_label = "Appearance"
    bl_order = 22

    def draw(self, context: bpy.types.Context) -> None:
        """Maps, knobs, views."""
        from ..scene import appearance
        from ..scene.materials.skin import SHADE

        head, layout = head_of(context), self.layout
        skin = next(appearance.skins(head), None)
        if skin is None:
            layout.label(text="The skin's material was replaced, or is an earlier version's", icon="INFO")
            return
        column = layout.column(align=True)
        for channel, title, _ in CHANNELS:
            if appearance.has_map(skin, channel):
                socket = appearance.knob(skin, appearance.MAPS[channel])
                row = column.row(align=True)
                row.prop(socket, "default_value", text=title, slider=True)
                on = socket.default_value > 0
                icon: Any = "HIDE_OFF" if on else "HIDE_ON"
                switch: Any = row.operator("likeness.map", text="", icon=icon)
                switch.channel, switch.on = channel, not on
        column = layout.column(align=True)
        for name in ("Detail", "Gloss"):
            column.prop(appearance.knob(skin, name), "default_value", text=name, slider=True)
        if appearance.has_map(skin, f"{SHADE}1"):
            column.prop(appearance.knob(skin, "Photo shade"), "default_value", text="Photo Shade", slider=True)
        self.subdivision(layout, head)
        column = layout.column(align=True)
        column.prop(appearance.knob(skin, "Subsurface"), "default_value", text="Subsurface", slider=True)
        column.prop(appearance.knob(skin, "Scattering depth"), "default_value", text="Depth of Scattering")
        if appearance.has_confidence(skin):
            on = appearance.knob(skin, "Confidence view").default_value > 0
            layout.operator("likeness.confidence", icon="HIDE_OFF" if on else "HIDE_ON", depress=on).on = not on
        layout.operator_menu_enum("likeness.texture_limit", "size", icon="TEXTURE")
        layout.operator("likeness.appearance_reset", text="Reset", icon="LOOP_BACK")

    def subdivision(self, layout: bpy.types.UILayout, head: Head) -> None:
        """How finely displacement can move the surface."""
        from ..scene.subdivision import is_adaptive, modifier

        found = modifier(head.mesh)
        if found is None:
            return
        row = layout.row(align=True)
        row.prop(found, "levels", text="Subdivision")
        row.prop(found, "render_levels", text="Render")
        on = is_adaptive(head)
        icon: Any = "CHECKBOX_HLT" if on else "CHECKBOX_DEHLT"
        row.operator("likeness.adaptive", text="Adaptive", icon=icon, depress=on).on = not on


CLASSES = (
    LIKENESS_OT_map,
    LIKENESS_OT_confidence,
    LIKENESS_OT_appearance_reset,
    LIKENESS_OT_adaptive,
    LIKENESS_OT_texture_limit,
    LIKENESS_PT_appearance,
)
