# SPDX-License-Identifier: GPL-3.0-or-later
"""A portrait of the head as it is, rendered in a scene of its own: nothing of the user's scene is changed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy

from .find import PHOTO
from .head import Head
from .lighting import PHOTO_SETUP, setup_of
from .owned import adopt, fresh_collection
from .photo_shade import no_shade, use_shade
from .render import still, use_studio
from .studio import change_light, make_studio, match_photo
from .views import use_camera

__all__ = [
    "ensure_studio",
    "keep",
    "make_portrait_scene",
    "match_light",
    "photo_scene",
    "portrait",
    "portrait_scene",
    "set_light",
]


def ensure_studio(head: Head, setup: str | None = None) -> Head:
    """The head with a studio, and in the light set-up that is asked for."""
    if head.studio is None:
        room = fresh_collection(f"{head.name} studio", head.name, head.collection)
        return replace(head, studio=make_studio(head.name, head.mesh, head.rig, room, setup or "SOFT"))
    return set_light(head, setup) if setup else head


def set_light(head: Head, setup: str) -> Head:
    """The head's studio in another light set-up."""
    if head.studio is None:
        raise ValueError("the head has no studio")
    if setup_of(head.studio) == PHOTO_SETUP:
        no_shade(head)
    lights = change_light(head.studio, head.mesh, head.rig, setup)
    return replace(head, studio=replace(head.studio, lights=lights))


def match_light(head: Head, photo: str) -> Head:
    """The head's studio in the light of a photo, for which that must be known."""
    if head.studio is None:
        raise ValueError("the head has no studio")
    lights = match_photo(head.studio, head.mesh, head.rig, head.lights[photo])
    use_shade(head, head.cameras[photo])
    return replace(head, studio=replace(head.studio, lights=lights))


@contextmanager
def portrait_scene(
    scene: bpy.types.Scene, head: Head, *, height: int, samples: int, everything: bool = False
) -> Iterator[bpy.types.Scene]:
    """Inside the block there is a scene with the head in its studio, ready to render.

    Args:
        scene: whose frame and render device are taken over.
        head: with a studio.
        height: of the picture in pixels.
        samples: of Cycles.
        everything: show all of ``scene``; else the head, what belongs to it and what hangs on it, hair or a hat.
    """
    room = make_portrait_scene(scene, head, height=height, samples=samples, everything=everything)
    try:
        yield room
    finally:
        bpy.data.scenes.remove(room)


def make_portrait_scene(
    scene: bpy.types.Scene, head: Head, *, height: int, samples: int, everything: bool
) -> bpy.types.Scene:
    """The scene of `portrait_scene`; whoever asks for it removes it."""
    if head.studio is None:
        raise ValueError("the head has no studio")
    room = bpy.data.scenes.new(f"{head.name} portrait")
    here = room.collection
    if everything:
        for child in scene.collection.children:
            here.children.link(child)
        for thing in scene.collection.objects:
            here.objects.link(thing)
    else:
        here.children.link(head.collection)
        known = set(here.all_objects)
        for thing in [*head.mesh.children_recursive, *head.rig.children_recursive]:
            if thing not in known:
                here.objects.link(thing)
                known.add(thing)
    room.frame_set(scene.frame_current, subframe=scene.frame_subframe)
    use_studio(room, head.studio, height, samples)
    room.cycles.device = scene.cycles.device
    return room


def portrait(
    scene: bpy.types.Scene,
    head: Head,
    path: Path | None = None,
    *,
    height: int = 1024,
    samples: int = 96,
    everything: bool = False,
) -> bpy.types.Image:
    """Render a portrait; returns it as an image packed into the file, and writes a PNG where ``path`` says so."""
    with (
        tempfile.TemporaryDirectory(prefix="likeness-") as folder,
        portrait_scene(scene, head, height=height, samples=samples, everything=everything) as room,
    ):
        return keep(head.name, still(room, Path(folder) / "portrait.png"), path)


def keep(avatar: str, picture: Path, target: Path | None = None) -> bpy.types.Image:
    """A rendered file as the image "NAME portrait" and, where ``target`` is given, as a file there.

    An earlier portrait is replaced wherever it is shown.
    """
    if target:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.name}.part")
        shutil.copyfile(picture, beside)
        beside.replace(target)
    image = bpy.data.images.load(str(picture), check_existing=False)
    name = f"{avatar} portrait"
    for old in [i for i in bpy.data.images if i.name == name and i != image]:
        old.user_remap(image)
        bpy.data.images.remove(old)
    image.name = name
    image.pack()
    image.filepath_raw = str(target) if target else f"//{name}.png"
    return adopt(image, avatar)


def photo_scene(scene: bpy.types.Scene, head: Head, camera: bpy.types.Object, *, light: bool) -> None:
    """Look through a photo's camera, with the photo behind the head and, if known and wanted, in its light."""
    use_camera(scene, camera)
    data: Any = camera.data
    data.show_background_images = True
    world = head.lights.get(str(camera.get(PHOTO)))
    if light and world:
        scene.world = world
        use_shade(head, camera)
