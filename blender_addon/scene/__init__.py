# SPDX-License-Identifier: GPL-3.0-or-later
"""An avatar package becomes a head in Blender. No operators or panels here; any script may call `build`."""

from __future__ import annotations

import bpy

from ..link.package import Package
from . import owned, provenance
from .correctives import add_correctives
from .find import give_role
from .head import Head
from .identity import add_identity, mean_head
from .limits import add_limits
from .materials import make_materials
from .materials.wrinkles import drive_wrinkles
from .mesh import add_modifiers, make_mesh
from .photo_light import make_photo_light
from .photo_shade import keep_shade
from .rig import make_rig
from .studio import make_studio
from .subdivision import level_for
from .views import make_action, make_camera, remember

__all__ = ["Head", "build"]


def build(package: Package, scene: bpy.types.Scene | None = None, *, studio: bool = True, shapes: int = 0) -> Head:
    """Build an avatar's head in a collection of its own; an earlier build of the same avatar is replaced.

    The scene's camera, world and settings stay untouched. Needs object mode.

    Args:
        package: what to build.
        scene: where; the present one when left out.
        studio: with a portrait studio.
        shapes: how many of the person's coefficients become shape keys over the head model's mean head, where the
            package has them; none freezes the person into the basis.
    """
    scene = scene or bpy.context.scene
    name = package.name
    owned.remove(name)
    with owned.whatever_is_made(name):
        return _build(package, name, scene, studio, shapes)


def _build(package: Package, name: str, scene: bpy.types.Scene, studio: bool, shapes: int) -> Head:
    collection = owned.fresh_collection(name, name, scene.collection)
    rig = make_rig(package, f"{name} rig", collection)
    identity = package.identity.first(shapes) if package.identity and shapes else None
    mesh = make_mesh(package, make_materials(package), None if identity is None else mean_head(package, identity))
    collection.objects.link(mesh)
    add_modifiers(mesh, rig, level_for(package))
    if identity is not None:
        add_identity(mesh, package, identity)
    add_limits(rig, mesh, package)
    add_correctives(mesh, rig, package)
    drive_wrinkles(mesh)
    give_role(mesh, "head")
    give_role(rig, "rig")

    cameras, lights, actions = {}, {}, []
    if package.views:
        photos = owned.fresh_collection(f"{name} photos", name, collection)
        for number, view in enumerate(package.views, 1):
            camera = cameras[view.name] = make_camera(view, package, photos)
            keep_shade(camera, mesh, package, number)
            made = make_action(mesh, rig, package, view)
            actions += made
            world = make_photo_light(view, f"{camera.name} light")
            if world is not None:
                world.use_fake_user = True
                lights[view.name] = world
            remember(camera, view, rig, package, made, world)
    stage = None
    if studio:
        stage = make_studio(name, mesh, rig, owned.fresh_collection(f"{name} studio", name, collection))

    provenance.write(mesh, package)
    return Head(name, collection, mesh, rig, cameras, lights, actions, stage)
