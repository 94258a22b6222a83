# SPDX-License-Identifier: GPL-3.0-or-later
"""Stills with Cycles: the studio portrait, the view of a photo's camera, clay."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from mathutils import Matrix

from ..link.package import Package
from .frames import to_blender
from .graph import Graph
from .head import Head, Studio
from .lighting import studio_world
from .materials import clay
from .photo_shade import shade_nodes, use_shade
from .studio import PICTURE
from .views import apply_view, rest, use_camera

__all__ = ["as_png", "clay_look", "picture", "samples_heard", "still", "still_settings", "use_studio"]

GLOSS = 0.35
"""Share of the key light's power that eyes and skin mirror in a photo's view."""


def picture(
    scene: bpy.types.Scene,
    head: Head,
    package: Package,
    *,
    kind: str,
    path: str,
    height: int = 1024,
    samples: int = 96,
    view: str | None = None,
    crop: Sequence[float] | None = None,
    yaw: float = 0.0,
) -> Path:
    """Render one picture of a head that has a studio, and leave the scene in the studio's look.

    Args:
        kind: "portrait": the studio, neutral expression. "clay": the same in grey. "photo": from the camera of a
            photo, with the expression, the pose and the estimated light of that photo, on a transparent ground.
        path: PNG to write.
        height: of the picture in pixels.
        samples: of Cycles.
        view: name of the photo; the first when left out.
        crop: part of the photo as left, top, right, bottom in 0..1, to which ``height`` applies then.
        yaw: degrees that a photo's camera walks around the head, so that the face turns to the picture's right.
    """
    if head.studio is None:
        raise ValueError("the head was built without a studio")
    rest(head.mesh, head.rig)
    use_studio(scene, head.studio, height, samples)
    if kind == "portrait":
        return still(scene, Path(path))
    if kind == "clay":
        with clay_look(head.mesh):
            return still(scene, Path(path))
    shown = next(v for v in package.views if view in (None, v.name))
    left, top, right, bottom = crop or (0.0, 0.0, 1.0, 1.0)
    use_camera(scene, head.cameras[shown.name], height / (bottom - top))
    apply_view(head.mesh, head.rig, package, shown)
    place = scene.camera.matrix_world.copy()
    scene.camera.matrix_world = _around(package, yaw) @ place
    render = scene.render
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = left, right
    render.border_min_y, render.border_max_y = 1 - bottom, 1 - top
    try:
        with _photo_light(scene, head.studio, head.lights.get(shown.name)), _photo_shade(head, shown.name):
            return still(scene, Path(path), transparent=True)
    finally:
        head.cameras[shown.name].matrix_world = place
        render.use_border = render.use_crop_to_border = False
        rest(head.mesh, head.rig)
        use_studio(scene, head.studio)


@contextmanager
def _photo_shade(head: Head, photo: str) -> Iterator[None]:
    """Inside the block the skin has the photo's shade, where that and its light are known."""
    before = [(node, node.image, knob, knob.default_value) for node, knob in shade_nodes(head)]
    if photo in head.lights:
        use_shade(head, head.cameras[photo])
    try:
        yield
    finally:
        for node, image, knob, share in before:
            node.image, knob.default_value = image, share


@contextmanager
def _photo_light(scene: bpy.types.Scene, studio: Studio, world: bpy.types.World | None) -> Iterator[None]:
    """Inside the block the studio is gone and the photo's light is there, where it is known.

    An estimate from skin is too soft to be mirrored, so the key light stays for what is: eyes and gloss.
    """
    key: Any = studio.lights[0]
    hidden = [studio.backdrop, *(studio.lights[1:] if world else [])]
    watts = key.data.energy
    for thing in hidden:
        thing.hide_render = True
    if world:
        scene.world = world
        key.visible_diffuse = False
        key.data.energy = watts * GLOSS
    try:
        yield
    finally:
        for thing in hidden:
            thing.hide_render = False
        key.visible_diffuse, key.data.energy = True, watts


def _around(package: Package, yaw: float) -> Matrix:
    """A turn about the vertical through the head's joint, degrees; positive to the person's right."""
    joint = next((j.position for j in package.joints if j.name == "head"), package.vertices.mean(0))
    middle = Matrix.Translation(to_blender(joint).tolist())
    turn: Matrix = middle @ Matrix.Rotation(math.radians(-yaw), 4, "Z") @ middle.inverted()
    return turn


def use_studio(scene: bpy.types.Scene, studio: Studio, height: int = PICTURE[1], samples: int = 96) -> None:
    """Make the studio the scene's look: camera, world, Cycles settings, colour management."""
    scene.camera = studio.camera
    scene.world = studio_world(studio)
    render = scene.render
    render.resolution_x, render.resolution_y = round(height * PICTURE[0] / PICTURE[1]), height
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    still_settings(scene, samples)


def still_settings(scene: bpy.types.Scene, samples: int = 96) -> None:
    """Cycles for a still: adaptive sampling, denoised."""
    render: Any = scene.render
    render.engine = "CYCLES"
    render.use_file_extension = True
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = 0.05  # the denoiser takes the rest
    cycles.adaptive_min_samples = 16
    cycles.use_denoising = True
    try:
        cycles.denoiser = "OPENIMAGEDENOISE"
    except TypeError:  # a Blender built without it, such as Debian's
        cycles.use_denoising, cycles.adaptive_threshold = False, 0.01
    cycles.max_bounces = 4
    cycles.diffuse_bounces = 2
    cycles.transparent_max_bounces = 16
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    view: Any = scene.view_settings
    # AgX greys skin out; Standard keeps the photo's colours, and the lights leave it room.
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure, view.gamma = 0.0, 1.0


def as_png(scene: bpy.types.Scene, transparent: bool = False) -> None:
    """Files of 8-bit PNG."""
    settings = scene.render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = "PNG"
    settings.color_mode = "RGBA" if transparent else "RGB"
    settings.color_depth = "8"


def still(scene: bpy.types.Scene, path: Path, transparent: bool = False) -> Path:
    """Render the scene's camera to a PNG."""
    render = scene.render
    as_png(scene, transparent)
    before = render.film_transparent, render.filepath
    render.film_transparent = transparent
    render.filepath = str(path)
    try:
        bpy.ops.render.render(write_still=True, scene=scene.name)
    finally:
        render.film_transparent, render.filepath = before
    return path


@contextmanager
def clay_look(head: bpy.types.Object) -> Iterator[None]:
    """Inside the block the head is grey clay, without lashes and tears."""
    solid, nothing = clay(), bpy.data.materials.new("Nothing")
    graph = Graph(nothing)
    clear = graph.add("ShaderNodeBsdfTransparent", "Clear", 0, 0)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 1, 0)
    graph.link(clear, "BSDF", output, "Surface")
    slots = head.data.materials
    before = list(slots)
    thin = {"Lashes", "Wet"}
    for i, material in enumerate(before):
        slots[i] = nothing if material and material.name.split(".")[0] in thin else solid
    try:
        yield
    finally:
        for i, material in enumerate(before):
            slots[i] = material
        bpy.data.materials.remove(solid)
        bpy.data.materials.remove(nothing)


@contextmanager
def samples_heard(tell: Callable[[float], None]) -> Iterator[None]:
    """Inside the block ``tell`` hears the share of samples done, 0..1, as Cycles reports it."""

    def hear(statistics: str, *_: object) -> None:
        found = re.search(r"Sample (\d+)/(\d+)", str(statistics))
        if found:
            tell(int(found[1]) / int(found[2]))

    listeners: Any = bpy.app.handlers.render_stats
    listeners.append(hear)
    try:
        yield
    finally:
        listeners.remove(hear)
