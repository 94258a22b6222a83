# SPDX-License-Identifier: GPL-3.0-or-later
"""Studio: portrait camera, light set-ups and the photos' own light, the photos' cameras, a portrait at one click."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

from . import portrait_job
from .heads import ForHead, HeadPanel, head_of, reason
from .turntable import QUALITIES, LIKENESS_OT_turntable

__all__ = ["CLASSES", "unregister"]

SETUPS = (
    ("SOFT", "Soft", "A large soft key light, fill and rim: every feature can be read"),
    ("DRAMATIC", "Dramatic", "Rembrandt's light: one small key high from the side, the other half in shadow"),
    ("OUTDOOR", "Outdoor", "A clear afternoon: the sun from the side, blue sky, warm light back from the ground"),
)


class LIKENESS_OT_studio(ForHead, bpy.types.Operator):
    """Make the portrait studio the scene's look."""

    bl_idname = "likeness.studio"
    bl_label = "Portrait Camera"
    bl_description = (
        "Make the portrait studio the scene's look: its camera, world, picture size and Cycles settings. "
        "Builds it if the head has none yet"
    )

    def execute(self, context: bpy.types.Context) -> Any:
        """Build where needed, and look through the camera."""
        from ..scene import portrait, render

        head = portrait.ensure_studio(head_of(context))
        render.use_studio(context.scene, head.studio)
        look_through_camera(context)
        return {"FINISHED"}


class LIKENESS_OT_lighting(ForHead, bpy.types.Operator):
    """Light the head anew; the studio is built if the head has none yet"""

    bl_idname = "likeness.lighting"
    bl_label = "Light Set-up"

    setup: bpy.props.EnumProperty(name="Set-up", description="The light", items=SETUPS)

    def execute(self, context: bpy.types.Context) -> Any:
        """Replace lamps, world and backdrop."""
        from ..scene import portrait
        from ..scene.lighting import studio_world

        head = portrait.ensure_studio(head_of(context), self.setup)
        if context.scene.camera == head.studio.camera:
            context.scene.world = studio_world(head.studio)
        return {"FINISHED"}


class LIKENESS_OT_match_light(ForHead, bpy.types.Operator):
    """Light the head in its studio as it was lit in a photo, as far as the skin told; the studio is built if needed"""

    bl_idname = "likeness.match_light"
    bl_label = "Match Photo's Light"

    photo: bpy.props.StringProperty(name="Photo", description="Name of the photo; empty means the first with a light")

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a photo whose light is known."""
        if not super().poll(context):
            return False
        if head_of(context).lights:
            return True
        message: Any = cls
        message.poll_message_set("The light of this head's photos is not known")
        return False

    def execute(self, context: bpy.types.Context) -> Any:
        """Replace lamps, world and backdrop."""
        from ..scene import portrait
        from ..scene.lighting import studio_world

        head = portrait.ensure_studio(head_of(context))
        name = self.photo or next(iter(head.lights))
        if name not in head.lights:
            self.report({"ERROR"}, f"The light of a photo {name} is not known")
            return {"CANCELLED"}
        head = portrait.match_light(head, name)
        if context.scene.camera == head.studio.camera:
            context.scene.world = studio_world(head.studio)
        return {"FINISHED"}


class LIKENESS_OT_photo_camera(ForHead, bpy.types.Operator):
    """Look at the head as the photo did, with the photo behind it"""

    bl_idname = "likeness.photo_camera"
    bl_label = "Photo's Camera"

    photo: bpy.props.StringProperty(name="Photo", description="Name of the photo; empty means the first")
    expression: bpy.props.BoolProperty(
        name="Expression and Pose", description="Give the head what it does in the photo", default=True
    )
    light: bpy.props.BoolProperty(
        name="Light", description="Light the scene as the photo was, where that was estimated", default=False
    )

    def execute(self, context: bpy.types.Context) -> Any:
        """Set the camera, and what else is wanted."""
        from ..scene import portrait, views

        head = head_of(context)
        name = self.photo or next(iter(head.cameras), "")
        if name not in head.cameras:
            self.report({"ERROR"}, f"This head has no photo {name}" if name else "This head has no photos")
            return {"CANCELLED"}
        camera = head.cameras[name]
        portrait.photo_scene(context.scene, head, camera, light=self.light)
        if self.expression:
            views.apply_photo(head, camera)
        look_through_camera(context)
        return {"FINISHED"}


class LIKENESS_OT_render_portrait(ForHead, bpy.types.Operator):
    """Render a portrait of the head as it is, in its studio. Nothing in the scene is changed"""

    bl_idname = "likeness.render_portrait"
    bl_label = "Render Portrait"
    bl_options = {"REGISTER", "UNDO", "PRESET"}

    quality: bpy.props.EnumProperty(
        name="Quality", description="Size and samples; Custom takes those below", items=QUALITIES, default="CUSTOM"
    )
    height: bpy.props.IntProperty(
        name="Height",
        description="In pixels; three quarters as wide",
        default=1024,
        min=64,
        max=8192,
    )
    samples: bpy.props.IntProperty(
        name="Samples", description="Of Cycles; more take longer and leave less noise", default=96, min=1, soft_max=1024
    )
    everything: bpy.props.BoolProperty(
        name="Whole Scene",
        description="Show all objects of the scene, not only the head and what hangs on it",
        default=False,
    )
    filepath: bpy.props.StringProperty(
        name="File", description="PNG to write; empty for a picture in this file alone", subtype="FILE_PATH", default=""
    )
    overwrite: bpy.props.BoolProperty(
        name="Overwrite", description="Replace a file of that name", default=False, options={"SKIP_SAVE"}
    )

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Any:
        """Ask for size and file; the render then runs beside the work."""
        self.ask = True
        return context.window_manager.invoke_props_dialog(self, width=360, title="Portrait", confirm_text="Render")

    def draw(self, context: bpy.types.Context) -> None:
        """Size and samples are for Custom alone."""
        layout = self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        layout.prop(self, "quality")
        column = layout.column(align=True)
        column.enabled = self.quality == "CUSTOM"
        column.prop(self, "height")
        column.prop(self, "samples")
        layout.prop(self, "everything")
        layout.prop(self, "filepath")
        layout.prop(self, "overwrite")

    def execute(self, context: bpy.types.Context) -> Any:
        """Render, in the background of a window's work or, without one, at once."""
        from ..scene import portrait
        from ..scene.quality import STILLS, Still

        path = Path(bpy.path.ensure_ext(bpy.path.abspath(self.filepath), ".png")) if self.filepath else None
        if path and path.exists() and not self.overwrite:
            self.report({"ERROR"}, f"{path} exists already; choose another name, or tick Overwrite")
            return {"CANCELLED"}
        head = portrait.ensure_studio(head_of(context))
        still = STILLS.get(self.quality, Still(self.height, self.samples))
        settings = {"height": still.height, "samples": still.samples, "everything": self.everything}
        try:
            if getattr(self, "ask", False) and not bpy.app.background:
                portrait_job.start(context, head, path, settings)
                return {"FINISHED"}
            image = portrait.portrait(context.scene, head, path, **settings)
        except (OSError, RuntimeError) as error:
            self.report({"ERROR"}, f"The portrait was not rendered: {reason(error)}")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Rendered {path or image.name}")
        return {"FINISHED"}


def look_through_camera(context: bpy.types.Context) -> None:
    """Turn the 3D view at hand, if any, to the scene's camera."""
    space: Any = context.space_data
    if space is not None and space.type == "VIEW_3D" and space.region_3d is not None:
        space.region_3d.view_perspective = "CAMERA"


class LIKENESS_PT_studio(HeadPanel, bpy.types.Panel):
    """Cameras and light"""

    bl_idname = "LIKENESS_PT_studio"
    bl_label = "Studio"
    bl_order = 23

    def draw(self, context: bpy.types.Context) -> None:
        """Cameras, light, the portrait."""
        from ..scene import lighting

        head, layout = head_of(context), self.layout
        used = head.studio is not None and context.scene.camera == head.studio.camera
        layout.operator("likeness.studio", icon="CAMERA_DATA", depress=used)
        row = layout.row(align=True)
        now = lighting.setup_of(head.studio) if head.studio else ""
        for setup, title, _ in SETUPS:
            row.operator("likeness.lighting", text=title, depress=setup == now).setup = setup
        column = layout.column(align=True)
        column.operator("likeness.render_portrait", icon="RENDER_STILL")
        column.operator("likeness.turntable", icon="FILE_REFRESH")
        if head.cameras:
            column = layout.column(align=True)
            column.label(text="As in the photo")
            for name, camera in head.cameras.items():
                used = context.scene.camera == camera
                row = column.row(align=True)
                row.operator("likeness.photo_camera", text=name, icon="IMAGE_DATA", depress=used).photo = name
                if name in head.lights:
                    used = head.studio is not None and lighting.studio_world(head.studio) == head.lights[name]
                    row.operator("likeness.match_light", text="", icon="LIGHT_SUN", depress=used).photo = name


def unregister() -> None:
    """A portrait that renders is not kept."""
    portrait_job.forget()


CLASSES = (
    LIKENESS_OT_studio,
    LIKENESS_OT_lighting,
    LIKENESS_OT_match_light,
    LIKENESS_OT_photo_camera,
    LIKENESS_OT_render_portrait,
    LIKENESS_OT_turntable,
    LIKENESS_PT_studio,
)
