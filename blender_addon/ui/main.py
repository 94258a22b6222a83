# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel at the top of the tab, and what all panels of the tab share."""

from __future__ import annotations

from typing import Any

import bpy

from . import consent, set_up
from .properties import settings_of

__all__ = ["CLASSES", "Child", "InTab"]


class InTab:
    """A panel in the tab Likeness of the 3D view's sidebar."""

    bl_space_type: Any = "VIEW_3D"
    bl_region_type: Any = "UI"
    bl_category = "Likeness"


class LIKENESS_PT_main(InTab, bpy.types.Panel):
    """From photos to a head"""

    bl_idname = "LIKENESS_PT_main"
    bl_label = "Likeness"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """What stands between the user and the first head; nothing later on."""
        consent.draw_notices(self.layout, context)
        if consent.has_agreed(context):
            set_up.draw_if_needed(self.layout, context)


class Child(InTab):
    """A part of the first panel."""

    bl_parent_id = "LIKENESS_PT_main"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The notice about faces comes first, alone."""
        return consent.has_agreed(context)


class LIKENESS_PT_output(Child, bpy.types.Panel):
    """What comes out"""

    bl_idname = "LIKENESS_PT_output"
    bl_label = "Head"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Name, size of the textures, studio, seed; which keys a FLAME head gets."""
        layout, settings = self.layout, settings_of(context)
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(settings, "avatar_name")
        layout.prop(settings, "texture_size")
        layout.prop(settings, "studio")
        layout.prop(settings, "seed")
        header, body = layout.panel("likeness_flame", default_closed=True)
        header.label(text="Keys of FLAME Heads")
        if body:
            body.prop(settings, "flame_expressions")
            body.prop(settings, "flame_shapes")


CLASSES = (LIKENESS_PT_main, LIKENESS_PT_output)
