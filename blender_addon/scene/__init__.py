# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar package becomes a head in Blender. No operators or panels here; any script may call `build`."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ..link.package import Package
from . import owned
from .limits import add_limits
from .materials import make_materials
from .mesh import add_modifiers, make_mesh
from .photo_light import make_photo_light
from .rig import make_rig
from .studio import Studio, make_studio
from .views import make_action, make_camera

__all__ = ["Head", "build"]


@dataclass(frozen=True)
class Head:
    """What `build` made.

    Attributes:
        collection: named after the avatar; holds everything else.
        mesh, rig: the head and its armature.
        cameras: the photos' cameras by photo name.
        lights: worlds with the light of the photos by photo name, where it is known.
        actions: the photos' expressions and poses.
        studio: None where it was not asked for.
    """

    collection: bpy.types.Collection
    mesh: bpy.types.Object
    rig: bpy.types.Object
    cameras: dict[str, bpy.types.Object]
    lights: dict[str, bpy.types.World]
    actions: list[bpy.types.Action]
    studio: Studio | None


def build(package: Package, scene: bpy.types.Scene | None = None, *, studio: bool = True) -> Head:
    """Build an avatar's head in a collection of its own; an earlier build of the same avatar is replaced.

    The scene's camera, world and settings stay untouched. Needs object mode.
    """
    scene = scene or bpy.context.scene
    name = package.name
    owned.remove(name)
    before = {kind: set(getattr(bpy.data, kind)) for kind in owned.KINDS}

    collection = owned.fresh_collection(name, name, scene.collection)
    rig = make_rig(package, f"{name} rig", collection)
    mesh = make_mesh(package, make_materials(package))
    collection.objects.link(mesh)
    add_modifiers(mesh, rig)
    add_limits(rig, mesh, package)

    cameras, lights, actions = {}, {}, []
    if package.views:
        photos = owned.fresh_collection(f"{name} photos", name, collection)
        for view in package.views:
            cameras[view.name] = make_camera(view, package, photos)
            actions += make_action(mesh, rig, package, view)
            world = make_photo_light(view, f"{cameras[view.name].name} light")
            if world is not None:
                world.use_fake_user = True
                lights[view.name] = world
    stage = make_studio(package, owned.fresh_collection(f"{name} studio", name, collection)) if studio else None

    mesh["likeness_method"] = str(package.provenance.get("method", ""))[:200]
    for kind, known in before.items():
        for datablock in set(getattr(bpy.data, kind)) - known:
            owned.adopt(datablock, name)
    return Head(collection, mesh, rig, cameras, lights, actions, stage)
