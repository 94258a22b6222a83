# SPDX-License-Identifier: GPL-3.0-or-later
"""The head's mesh: polygons, UVs, material slots, shape keys, vertex groups, modifiers."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from mathutils.kdtree import KDTree

from ..link.package import Package
from .frames import to_blender

__all__ = ["add_modifiers", "make_mesh"]

UV_NAME = "UVMap"
EYE_ATTRIBUTE = "eye_direction"
THIN_ATTRIBUTE = "thin"
"""Where the skin is a thin sheet with nothing behind it, 0..1: light that wanders deep is lost there."""
THIN_GROUP, NEAR, FAR = "eyelids", 0.012, 0.020
"""Lids and the folds above and below them: metres away up to which the skin is thin, and from which on it is not."""


def make_mesh(
    package: Package, materials: dict[str, bpy.types.Material], basis: np.ndarray | None = None
) -> bpy.types.Object:
    """An unlinked mesh object with everything but modifiers.

    Args:
        package: what to make it of.
        materials: the slots by name, in slot order.
        basis: (V, 3) metres, the first shape key; the package's vertices when left out.
    """
    rest = to_blender(package.vertices if basis is None else basis)
    mesh = bpy.data.meshes.new(package.name)
    corners = _fill(mesh, package, rest)
    slots = list(materials)
    slot_of_region = np.array([slots.index(m) for _, m in package.regions], np.int32)
    for material in materials.values():
        mesh.materials.append(material)
    mesh.polygons.foreach_set("material_index", slot_of_region[package.polygon_region])
    mesh.polygons.foreach_set("use_smooth", np.ones(len(package.polygons), bool))
    layer = mesh.uv_layers.new(name=UV_NAME)
    layer.uv.foreach_set("vector", package.uv[package.polygons_uv[corners]].ravel())
    _add_eye_directions(mesh, package)
    _add_thin(mesh, package)
    mesh.update(calc_edges=True)
    mesh.validate(clean_customdata=False)

    head = bpy.data.objects.new(package.name, mesh)
    _add_shape_keys(head, package, rest)
    _add_groups(head, package)
    return head


def _fill(mesh: bpy.types.Mesh, package: Package, rest: np.ndarray) -> np.ndarray:
    """Vertices and polygons; returns the mask (F, 4) of corners that exist."""
    corners = package.polygons >= 0
    size = corners.sum(1)
    mesh.vertices.add(len(rest))
    mesh.vertices.foreach_set("co", rest.ravel())
    mesh.loops.add(int(size.sum()))
    mesh.loops.foreach_set("vertex_index", package.polygons[corners])
    mesh.polygons.add(len(size))
    mesh.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(size)[:-1]]).astype(np.int32))
    return corners


def _add_eye_directions(mesh: bpy.types.Mesh, package: Package) -> None:
    """Per vertex of an eyeball its place relative to the eye's centre, in radii; the eye's material draws on it."""
    place = np.zeros((len(package.vertices), 3), np.float32)
    centres = {j.name: j.position for j in package.joints}
    for i, (region, _) in enumerate(package.regions):
        if region in centres and region.startswith("eye."):
            mine = np.unique(package.polygons[package.polygon_region == i])
            mine = mine[mine >= 0]
            offset = package.vertices[mine] - centres[region]
            place[mine] = to_blender(offset / max(float(np.median(np.linalg.norm(offset, axis=1))), 1e-6))
    attribute: Any = mesh.attributes.new(EYE_ATTRIBUTE, "FLOAT_VECTOR", "POINT")
    attribute.data.foreach_set("vector", place.ravel())


def _add_thin(mesh: bpy.types.Mesh, package: Package) -> None:
    thin = np.zeros(len(package.vertices), np.float32)
    if THIN_GROUP in package.groups:
        vertex, weight = package.group.row(package.groups.index(THIN_GROUP))
        lids = vertex[weight > 0.5]
        tree = KDTree(len(lids))
        for i, place in enumerate(package.vertices[lids]):
            tree.insert(place, i)
        tree.balance()
        away = np.array([tree.find(place)[2] if len(lids) else FAR for place in package.vertices])
        thin[:] = np.clip((FAR - away) / (FAR - NEAR), 0, 1)
    attribute: Any = mesh.attributes.new(THIN_ATTRIBUTE, "FLOAT", "POINT")
    attribute.data.foreach_set("value", thin)


def _add_shape_keys(head: bpy.types.Object, package: Package, rest: np.ndarray) -> None:
    head.shape_key_add(name="Basis", from_mix=False).value = 0.0
    for i, name in enumerate(package.expressions):
        key = head.shape_key_add(name=name, from_mix=False)
        key.slider_min, key.slider_max = package.expression_limits.get(name, (0.0, 1.0))
        key.value = 0.0  # since 5.0 a new key starts at 1
        vertex, delta = package.expression.row(i)
        place = rest.copy()
        place[vertex] += to_blender(delta)
        key.points.foreach_set("co", place.ravel())
    head.active_shape_key_index = 0


def _add_groups(head: bpy.types.Object, package: Package) -> None:
    """A group per bone, and the head's named areas as "NAME area" so that no bone takes them for its own."""
    for i, joint in enumerate(package.joints):
        _group(head, joint.name, *package.skin.row(i))
    for i, name in enumerate(package.groups):
        _group(head, f"{name} area", *package.group.row(i))


def _group(head: bpy.types.Object, name: str, vertex: np.ndarray, weight: np.ndarray) -> None:
    group = head.vertex_groups.new(name=name)
    # One call per distinct weight: most vertices have exactly 1.
    order = np.argsort(weight, kind="stable")
    vertex, weight = vertex[order], weight[order]
    cuts = np.flatnonzero(np.diff(weight)) + 1
    for part, value in zip(
        np.split(vertex, cuts), weight[np.concatenate([[0], cuts])] if len(weight) else (), strict=False
    ):
        group.add(part.tolist(), float(value), "REPLACE")


def add_modifiers(head: bpy.types.Object, rig: bpy.types.Object, level: int) -> None:
    """Armature, then Subdivision with so many levels in a render."""
    head.parent = rig
    armature: Any = head.modifiers.new("Armature", "ARMATURE")
    armature.object = rig
    subdivision: Any = head.modifiers.new("Subdivision", "SUBSURF")
    subdivision.levels = 0
    subdivision.render_levels = level
    subdivision.use_limit_surface = False
