# SPDX-License-Identifier: GPL-3.0-or-later
"""What is saved with the file: the photos and how they become a head (`Scene.likeness`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy

__all__ = ["CLASSES", "LIKENESS_PG_photo", "LIKENESS_PG_settings", "path_of", "register", "settings_of", "unregister"]

TEXTURES = (
    ("512", "512: draft", "For a quick look", 1),
    ("1024", "1024: small", "For figures in the distance and games", 2),
    ("2048", "2048: standard", "For most pictures", 3),
    ("4096", "4096: fine", "For close-ups; takes about four times as long and much more memory", 4),
)
FINE = (
    ("0", "As the Textures", "No larger than the other maps", 1),
    ("4096", "4096: fine", "For close-ups", 2),
    ("6144", "6144: largest", "As published; takes minutes and several gigabytes", 3),
)


class LIKENESS_PG_photo(bpy.types.PropertyGroup):
    """A photo of the person"""

    name: bpy.props.StringProperty(name="Name", description="The file's name")
    filepath: bpy.props.StringProperty(name="File", description="Where the photo lies", subtype="FILE_PATH")
    face: bpy.props.IntProperty(
        name="Face",
        description="Which face of this photo, counted from the largest (0)",
        default=0,
        min=0,
        soft_max=20,
    )


class LIKENESS_PG_settings(bpy.types.PropertyGroup):
    """Photos and settings of the next reconstruction"""

    photos: bpy.props.CollectionProperty(type=LIKENESS_PG_photo)
    active_photo: bpy.props.IntProperty(name="Photo", description="The photo that is shown below the list")
    method: bpy.props.StringProperty(
        name="Method",
        description="The published method that reads the photos",
        default="open",
    )
    head: bpy.props.StringProperty(
        name="Head",
        description="The head model that is fitted and can be animated; auto takes the best one that is installed",
        default="auto",
    )
    texture_size: bpy.props.EnumProperty(
        name="Textures",
        description="Side of the texture maps in pixels",
        items=TEXTURES,
        default="2048",
    )
    fine_size: bpy.props.EnumProperty(
        name="Skin Maps",
        description="Side of the skin maps that the method makes itself; never smaller than the textures",
        items=FINE,
        default="0",
    )
    seed: bpy.props.IntProperty(
        name="Seed",
        description="The same photos, settings and seed give the same head",
        default=0,
        min=0,
    )
    avatar_name: bpy.props.StringProperty(
        name="Name",
        description="Name of the head; left empty, the first photo's name",
        maxlen=80,
    )
    mesh_at_rest: bpy.props.BoolProperty(
        name="At Rest",
        description="The face of the mesh has no expression: nothing of its shape is taken for a smile or an open "
        "mouth",
        default=False,
    )
    studio: bpy.props.BoolProperty(
        name="Portrait Studio",
        description="Also bring in a portrait camera, three soft lights and a backdrop",
        default=False,
    )
    flame_expressions: bpy.props.IntProperty(
        name="Expressions",
        description="How many of a FLAME head's numbered expressions become shape keys; the first say most",
        default=50,
        min=10,
        max=100,
    )
    flame_shapes: bpy.props.IntProperty(
        name="Shapes",
        description="How many of a FLAME head's shape coefficients become keys, at the person's values over FLAME's "
        "mean head; 0 freezes the person into the basis",
        default=0,
        min=0,
        max=100,
    )


def settings_of(context: bpy.types.Context) -> LIKENESS_PG_settings:
    """The settings of the scene at hand."""
    scene: Any = context.scene
    return scene.likeness


def path_of(photo: LIKENESS_PG_photo) -> Path:
    """Where the photo lies, whatever Blender's relative path says."""
    return Path(bpy.path.abspath(photo.filepath))


CLASSES = (LIKENESS_PG_photo, LIKENESS_PG_settings)


def register() -> None:
    """Each scene has its photos and settings."""
    scene: Any = bpy.types.Scene
    scene.likeness = bpy.props.PointerProperty(type=LIKENESS_PG_settings)


def unregister() -> None:
    """The opposite of `register`."""
    scene: Any = bpy.types.Scene
    del scene.likeness
