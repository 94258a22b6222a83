# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression: sliders by area of the face, presets, and what is done with all of them at once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import bpy

from .heads import ForHead, HeadPanel, head_of

if TYPE_CHECKING:
    from ..scene.head import Head

__all__ = ["CLASSES", "register", "unregister"]

SIDES = (
    ("SWAP", "Swap Sides", "Left does what right did, and right what left did"),
    ("RIGHT", "Left to Right", "The person's right does what the left does"),
    ("LEFT", "Right to Left", "The person's left does what the right does"),
)
# Blender does not hold on to the items that a function gives it.
_items: list[tuple[str, str, str]] = []


def preset_items(self: Any, context: bpy.types.Context | None) -> list[tuple[str, str, str]]:
    """The presets as a menu."""
    if not _items:
        from ..scene.expression_presets import PRESETS

        _items.extend((key, p.title, f"{p.kind}: {p.title}") for key, p in PRESETS.items())
    return _items


class LIKENESS_OT_expression_preset(ForHead, bpy.types.Operator):
    """Make a face: an emotion rules the whole face, eyes and speech only their part of it"""

    bl_idname = "likeness.expression_preset"
    bl_label = "Expression Preset"

    preset: bpy.props.EnumProperty(name="Preset", description="The expression", items=preset_items)
    strength: bpy.props.FloatProperty(
        name="Strength", description="How much of it", default=1.0, min=0.0, max=1.0, subtype="FACTOR"
    )

    def execute(self, context: bpy.types.Context) -> Any:
        """Set the preset's sliders."""
        from ..scene import expression
        from ..scene.expression_presets import PRESETS

        head = head_of(context)
        values = PRESETS[self.preset].values(expression.names(head))
        expression.put(head, {name: self.strength * value for name, value in values.items()})
        return {"FINISHED"}


class LIKENESS_OT_expression_reset(ForHead, bpy.types.Operator):
    """Set the sliders to 0: all of them, or those of one area"""

    bl_idname = "likeness.expression_reset"
    bl_label = "Reset Expression"

    area: bpy.props.StringProperty(name="Area", description="brow, eye, jaw, mouth …; empty means all", default="")

    def execute(self, context: bpy.types.Context) -> Any:
        """Back to neutral."""
        from ..scene import expression
        from ..scene.expression_names import area

        head = head_of(context)
        chosen = [n for n in expression.names(head) if self.area in ("", area(n))]
        expression.put(head, dict.fromkeys(chosen, 0.0))
        return {"FINISHED"}


class LIKENESS_OT_expression_mirror(ForHead, bpy.types.Operator):
    """Mirror the expression"""

    bl_idname = "likeness.expression_mirror"
    bl_label = "Mirror Expression"

    to: bpy.props.EnumProperty(name="Direction", description="Which side takes over", items=SIDES, default="SWAP")

    def execute(self, context: bpy.types.Context) -> Any:
        """Exchange or copy the sides."""
        from ..scene import expression

        expression.mirror(head_of(context), to=self.to)
        return {"FINISHED"}


class LIKENESS_OT_expression_random(ForHead, bpy.types.Operator):
    """Make a random face that a person could make; the same seed makes the same face"""

    bl_idname = "likeness.expression_random"
    bl_label = "Random Expression"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    seed: bpy.props.IntProperty(name="Seed", description="Another number makes another face", default=0, min=0)
    strength: bpy.props.FloatProperty(
        name="Strength", description="How strong it may be", default=1.0, min=0.0, max=1.0, subtype="FACTOR"
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Each click makes another face."""
        self.seed = (self.seed + 1) % 2**31
        return self.execute(context)

    def execute(self, context: bpy.types.Context) -> Any:
        """Set all sliders."""
        from ..scene import expression

        head = head_of(context)
        expression.put(head, expression.random_weights(expression.names(head), self.seed, self.strength))
        return {"FINISHED"}


class LIKENESS_OT_expression_key(ForHead, bpy.types.Operator):
    """Insert keyframes for all expression sliders at the current frame"""

    bl_idname = "likeness.expression_key"
    bl_label = "Key All Sliders"

    def execute(self, context: bpy.types.Context) -> Any:
        """Key wherever the values live."""
        from ..scene import expression

        count = expression.key(head_of(context), context.scene.frame_current)
        self.report({"INFO"}, f"Keyed {count} sliders at frame {context.scene.frame_current}")
        return {"FINISHED"}


class LIKENESS_OT_face_controls(ForHead, bpy.types.Operator):
    """Let the rig drive the shape keys."""

    bl_idname = "likeness.face_controls"
    bl_label = "Face Controls on the Rig"
    bl_description = (
        "Let the rig drive the shape keys: pose assets and the rig's actions then carry expressions. "
        "Off: the shape keys are free, to be keyed or fed from motion capture. Values and assigned "
        "animation are taken along"
    )

    on: bpy.props.BoolProperty(name="On", description="Whether the rig drives the shape keys", default=True)

    def execute(self, context: bpy.types.Context) -> Any:
        """Switch."""
        from ..scene import controls

        head = head_of(context)
        (controls.switch_on if self.on else controls.switch_off)(head)
        return {"FINISHED"}


class LIKENESS_PT_expression(HeadPanel, bpy.types.Panel):
    """What the face does"""

    bl_idname = "LIKENESS_PT_expression"
    bl_label = "Expression"
    bl_order = 20

    def draw(self, context: bpy.types.Context) -> None:
        """Presets, actions on all, sliders."""
        from ..scene import controls, expression
        from ..scene.expression_names import AREAS, area

        head, layout = head_of(context), self.layout
        self.presets(layout)
        row = layout.row(align=True)
        row.operator("likeness.expression_reset", text="Reset", icon="LOOP_BACK").area = ""
        row.operator_menu_enum("likeness.expression_mirror", "to", text="Mirror", icon="MOD_MIRROR")
        row = layout.row(align=True)
        row.operator("likeness.expression_random", text="Random", icon="FILE_REFRESH")
        row.operator("likeness.expression_key", text="Key", icon="KEY_HLT")

        driven = controls.are_on(head)
        row = layout.row()
        icon: Any = "CHECKBOX_HLT" if driven else "CHECKBOX_DEHLT"
        row.operator("likeness.face_controls", icon=icon, depress=driven).on = not driven

        manager: Any = context.window_manager
        words = manager.likeness_filter.lower().split()
        layout.prop(manager, "likeness_filter", text="", icon="VIEWZOOM")
        names = [n for n in expression.names(head) if all(word in n.lower() for word in words)]
        for key, title in AREAS.items():
            inside = [n for n in names if area(n) == key]
            if inside:
                header, body = layout.panel(f"likeness_area_{key}", default_closed=not words and key != "mouth")
                header.label(text=title)
                header.operator("likeness.expression_reset", text="", icon="LOOP_BACK", emboss=False).area = key
                if body:
                    sliders(body, head, inside, driven)

    def presets(self, layout: bpy.types.UILayout) -> None:
        """Buttons by kind."""
        from ..scene.expression_presets import PRESETS

        for i, kind in enumerate(dict.fromkeys(p.kind for p in PRESETS.values())):
            header, body = layout.panel(f"likeness_presets_{kind.lower()}", default_closed=i > 0)
            header.label(text={"Emotion": "Emotions", "Eyes": "Eyes", "Speech": "Speech"}[kind])
            if body:
                grid = body.grid_flow(row_major=True, columns=3, even_columns=True, align=True)
                for key, preset in PRESETS.items():
                    if preset.kind == kind:
                        grid.operator("likeness.expression_preset", text=preset.title).preset = key


def sliders(layout: bpy.types.UILayout, head: Head, names: Iterable[str], driven: bool) -> None:
    """A row for each expression, left and right side by side."""
    from ..scene import expression
    from ..scene.expression_names import pairs, title

    column = layout.column(align=True)
    rows = pairs(names)
    if any(len(pair) == 2 for pair in rows):
        split = column.split(factor=0.36, align=True)
        split.label(text="")
        row = split.row(align=True)
        for side in ("Left", "Right"):
            row.label(text=side)
    for pair in rows:
        split = column.split(factor=0.36, align=True)
        split.label(text=title(pair[0]))
        row = split.row(align=True)
        for name in pair:
            thing, path = expression.slider(head, name, driven)
            row.prop(thing, path, text="", slider=True)


def register() -> None:
    """The filter is the window's, not the file's."""
    manager: Any = bpy.types.WindowManager
    manager.likeness_filter = bpy.props.StringProperty(
        name="Filter", description="Show only sliders whose names hold these words", options={"TEXTEDIT_UPDATE"}
    )


def unregister() -> None:
    """The opposite of `register`."""
    manager: Any = bpy.types.WindowManager
    del manager.likeness_filter


CLASSES = (
    LIKENESS_OT_expression_preset,
    LIKENESS_OT_expression_reset,
    LIKENESS_OT_expression_mirror,
    LIKENESS_OT_expression_random,
    LIKENESS_OT_expression_key,
    LIKENESS_OT_face_controls,
    LIKENESS_PT_expression,
)
