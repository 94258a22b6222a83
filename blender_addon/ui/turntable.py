# SPDX-License-Identifier: GPL-3.0-or-later
"""A turntable of the head, made and rendered at one click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from .heads import ForHead, head_of, reason

__all__ = ["QUALITIES", "LIKENESS_OT_turntable"]

QUALITIES = (
    ("CUSTOM", "Custom", "As large and with as many samples as set below"),
    ("DRAFT", "Draft", "Small and grainy, to see what it will be"),
    ("GOOD", "Good", "For the screen"),
    ("FINAL", "Final", "Large and free of noise; takes its time"),
)
TURNING = (
    ("LIGHT", "Light", "The key light goes round the head; with a photo's light all of it"),
    ("HEAD", "Head", "The head turns before the camera, in light that stays"),
)


class LIKENESS_OT_turntable(ForHead, bpy.types.Operator):
    """A scene in which the head, or the light about it, turns once round."""

    bl_idname = "likeness.turntable"
    bl_label = "Turntable"
    bl_description = (
        "Make a scene in which the head, or the light about it, turns once round in the studio; it is rendered "
        "if you name a folder. Nothing in this scene is changed"
    )
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    turning: bpy.props.EnumProperty(name="Turning", description="What goes round", items=TURNING, default="LIGHT")
    quality: bpy.props.EnumProperty(
        name="Quality",
        description="Size, samples and frames; Custom takes those below",
        items=QUALITIES,
        default="GOOD",
    )
    height: bpy.props.IntProperty(
        name="Height", description="In pixels; three quarters as wide", default=640, min=64, max=8192
    )
    samples: bpy.props.IntProperty(
        name="Samples", description="Of Cycles; more take longer and leave less noise", default=48, min=1, soft_max=1024
    )
    frames: bpy.props.IntProperty(name="Frames", description="Of the whole turn", default=72, min=2, max=10_000)
    fps: bpy.props.IntProperty(name="Frame Rate", description="Frames a second", default=24, min=1, max=240)
    folder: bpy.props.StringProperty(
        name="Folder",
        description="For the pictures, PNG; empty makes the scene alone, to be rendered as any animation",
        subtype="DIR_PATH",
        default="",
    )
    overwrite: bpy.props.BoolProperty(
        name="Overwrite", description="Replace pictures of the same name", default=False, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Ask what turns; the render then runs beside the work."""
        self.ask = True
        return context.window_manager.invoke_props_dialog(self, width=360, title="Turntable", confirm_text="Make")

    def draw(self, context: bpy.types.Context) -> None:
        """Numbers are for Custom alone."""
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.row().prop(self, "turning", expand=True)
        layout.prop(self, "quality")
        column = layout.column(align=True)
        column.enabled = self.quality == "CUSTOM"
        for name in ("height", "samples", "frames", "fps"):
            column.prop(self, name)
        layout.prop(self, "folder")
        layout.prop(self, "overwrite")

    def execute(self, context: bpy.types.Context) -> Any:
        """Make the scene, show it, and render it where wanted."""
        from ..scene import portrait, turntable
        from ..scene.quality import TURNTABLES, Turntable

        head = head_of(context)
        quality = TURNTABLES.get(self.quality, Turntable(self.height, self.samples, self.frames, self.fps))
        folder = Path(bpy.path.abspath(self.folder)) if self.folder else None
        try:
            if folder and not self.overwrite:
                turntable.refuse_taken(turntable.pictures(head.name, quality.frames, folder))
            room = turntable.make_turntable(
                context.scene, portrait.ensure_studio(head), turning=self.turning, quality=quality
            )
            if not bpy.app.background:
                context.window.scene = room
            if folder is None:
                self.report({"INFO"}, f"Made the scene {room.name} with {quality.frames} frames")
                return {"FINISHED"}
            beside = getattr(self, "ask", False) and not bpy.app.background
            turntable.render_turntable(room, folder, beside=beside)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, f"The turntable was not rendered: {reason(error)}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"{'Rendering' if beside else 'Rendered'} {quality.frames} pictures to {folder}")
        return {"FINISHED"}
