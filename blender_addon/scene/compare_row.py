# SPDX-License-Identifier: GPL-3.0-or-later
"""Heads in a row with their names, and below each a copy in the colours of its distances, with a legend."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from .compare import Distances, distances, face_of
from .graph import Graph, add_world, put
from .head import Head

__all__ = ["APART", "COMPARISON", "Row", "add_camera", "line_up"]

COMPARISON = "Likeness comparison"
APART, BELOW = 0.36, 0.44
"""Metres from one head to the next, and from the heads down to their copies."""
UNDER = 0.155
"""Metres from the eyes down to a name."""
LETTER = 0.018
STEPS = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0)
"""Millimetres at which the colours may end."""
VIRIDIS = (
    (0.267, 0.005, 0.329),
    (0.229, 0.322, 0.546),
    (0.128, 0.567, 0.551),
    (0.369, 0.789, 0.383),
    (0.993, 0.906, 0.144),
)
"""Five of the colours, sRGB, of the map of that name (van der Walt and Smith, CC0), from 0 to the end."""  # fmt: skip
ELSEWHERE = (0.33, 0.33, 0.34)
COLOUR, MILLIMETRES = "distance colour", "distance mm"
"""Attributes of the copies."""
HIDDEN = ("Lashes", "Wet")


@dataclass(frozen=True)
class Row:
    """A comparison that stands in a scene.

    Attributes:
        collection: all that was made.
        measured: for each head how far it is from the reference, None for the reference itself.
        end_mm: where the colours end.
        low, high: corners (x, z) of what is to be seen, metres.
    """

    collection: bpy.types.Collection
    measured: list[Distances | None]
    end_mm: float
    low: tuple[float, float]
    high: tuple[float, float]


def line_up(scene: bpy.types.Scene, heads: Sequence[Head], titles: Sequence[str], reference: int, start: float) -> Row:
    """Measure heads against one of them and set their coloured copies up; an earlier comparison is replaced.

    Args:
        scene: where.
        heads: two or more; they stay where they are.
        titles: what is written below each.
        reference: which of them the others are measured against.
        start: x of the first column in metres.

    Raises:
        ValueError: a head cannot be compared; a sentence.
    """
    faces = [face_of(head) for head in heads]
    measured = [None if i == reference else distances(faces[reference], face) for i, face in enumerate(faces)]
    most = np.concatenate([d.of_vertices[np.isfinite(d.of_vertices)] for d in measured if d is not None])
    worst = 1000 * float(np.quantile(most, 0.95))
    end = next((step for step in STEPS if step >= worst), STEPS[-1])
    _remove_earlier()
    collection = bpy.data.collections.new(COMPARISON)
    scene.collection.children.link(collection)
    paint, ink = _paint(), _ink()
    eyes = float(faces[0].eyes[:, 2].mean())
    for i, (head, face, found, title) in enumerate(zip(heads, faces, measured, titles, strict=True)):
        x = start + i * APART
        lift = eyes - float(face.eyes[:, 2].mean())
        values = np.where(face.face, 0.0, np.nan) if found is None else 1000 * found.of_vertices
        copy = _copy(head, values, end, paint)
        copy.location = (x, 0, lift - BELOW)
        collection.objects.link(copy)
        told = "reference" if found is None else f"median {found.told()['median_mm']:.2f} mm"
        for text, z, size in ((title, eyes - UNDER, LETTER), (told, eyes - UNDER - BELOW, 0.8 * LETTER)):
            collection.objects.link(_text(text, (x, -0.12, z), size, ink))
    last = start + (len(heads) - 1) * APART + 0.19
    for thing in _legend(last, eyes - BELOW, end, paint, ink):
        collection.objects.link(thing)
    low, high = (start - 0.18, eyes - UNDER - BELOW - 0.04), (last + 0.12, eyes + 0.17)
    return Row(collection, measured, end, low, high)


def add_camera(scene: bpy.types.Scene, row: Row, tall: int) -> None:
    """An orthographic camera on the whole row, light and a dark ground; they become the scene's."""
    wide, high = row.high[0] - row.low[0], row.high[1] - row.low[1]
    x, z = (row.high[0] + row.low[0]) / 2, (row.high[1] + row.low[1]) / 2
    data: Any = bpy.data.cameras.new(COMPARISON)
    data.type, data.sensor_fit, data.ortho_scale = "ORTHO", "VERTICAL", high
    camera = bpy.data.objects.new(COMPARISON, data)
    camera.location, camera.rotation_euler = (x, -3, z), (math.pi / 2, 0, 0)
    row.collection.objects.link(camera)
    for name, power, turn in (("key", 2.6, (50, 0, -35)), ("fill", 0.7, (70, 0, 50))):
        lamp: Any = bpy.data.lights.new(f"{COMPARISON} {name}", "SUN")
        lamp.energy, lamp.angle = power, math.radians(12)
        thing = bpy.data.objects.new(lamp.name, lamp)
        thing.rotation_euler = [math.radians(angle) for angle in turn]
        row.collection.objects.link(thing)
    world, sky = add_world(COMPARISON)
    put(sky, "Color", (0.5, 0.5, 0.52))
    put(sky, "Strength", 0.7)
    row.collection.objects.link(_ground(x, z, 1.2 * max(wide, high)))
    scene.camera, scene.world = camera, world
    render = scene.render
    render.resolution_x, render.resolution_y = round(tall * wide / high), tall
    render.resolution_percentage = 100


def _remove_earlier() -> None:
    for collection in [c for c in bpy.data.collections if c.name.split(".")[0] == COMPARISON and c.library is None]:
        made = [thing.data for thing in collection.objects if thing.data]
        for thing in list(collection.objects):
            bpy.data.objects.remove(thing)
        bpy.data.collections.remove(collection)
        bpy.data.batch_remove([data for data in made if not data.users])


def _colours(values: np.ndarray, end: float) -> np.ndarray:
    """(V, 3) linear colours of millimetres (V,)."""
    share = np.nan_to_num(values / end).clip(0, 1)
    steps = np.linspace(0, 1, len(VIRIDIS))
    shown = np.stack([np.interp(share, steps, [c[k] for c in VIRIDIS]) for k in range(3)], 1)
    shown[np.isnan(values)] = ELSEWHERE
    linear: np.ndarray = np.where(shown < 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    return linear


def _mesh(name: str, vertices: np.ndarray, polygons: list[Any], values: np.ndarray, end: float) -> bpy.types.Mesh:
    """A mesh that carries millimetres and their colours."""
    mesh: Any = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices.tolist(), [], polygons)
    colour = mesh.color_attributes.new(COLOUR, "FLOAT_COLOR", "POINT")
    rgba = np.concatenate([_colours(values, end), np.ones((len(values), 1))], 1)
    colour.data.foreach_set("color", rgba.astype(np.float32).ravel())
    distance = mesh.attributes.new(MILLIMETRES, "FLOAT", "POINT")
    distance.data.foreach_set("value", np.nan_to_num(values, nan=-1).astype(np.float32))
    mesh.update()
    found: bpy.types.Mesh = mesh
    return found


def _copy(head: Head, values: np.ndarray, end: float, paint: bpy.types.Material) -> bpy.types.Object:
    """The head at rest in the colours of its distances."""
    source: Any = head.mesh.data
    flat = np.empty(3 * len(values), np.float32)
    source.shape_keys.reference_key.points.foreach_get("co", flat)
    thin = {i for i, m in enumerate(source.materials) if m and m.name.split(".")[0] in HIDDEN}
    polygons = [tuple(p.vertices) for p in source.polygons if p.material_index not in thin]
    mesh = _mesh(f"{head.name} distances", flat.reshape(-1, 3), polygons, values, end)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    mesh.materials.append(paint)
    return bpy.data.objects.new(mesh.name, mesh)


def _text(text: str, place: tuple[float, float, float], size: float, ink: bpy.types.Material) -> bpy.types.Object:
    curve: Any = bpy.data.curves.new(text, "FONT")
    curve.body, curve.size, curve.align_x = text, size, "CENTER"
    curve.materials.append(ink)
    thing = bpy.data.objects.new(text, curve)
    thing.location, thing.rotation_euler = place, (math.pi / 2, 0, 0)
    return thing


def _legend(
    x: float, middle: float, end: float, paint: bpy.types.Material, ink: bpy.types.Material
) -> list[bpy.types.Object]:
    """A bar from 0 to the end, with numbers."""
    tall, wide, count = 0.2, 0.016, 33
    z = middle - 0.02 + np.linspace(-tall / 2, tall / 2, count)
    left, right = (np.stack([np.full(count, x + side), np.full(count, -0.1), z], 1) for side in (0, wide))
    polygons = [(i, count + i, count + i + 1, i + 1) for i in range(count - 1)]
    values = np.tile(np.linspace(0, end, count), 2)
    mesh = _mesh("Legend", np.concatenate([left, right]), polygons, values, end)
    mesh.materials.append(paint)
    things = [bpy.data.objects.new("Legend", mesh)]
    for share in (0.0, 0.5, 1.0):
        unit = " mm" if share == 1 else ""
        place = (x + wide + 0.035, -0.12, float(z[0]) + share * tall - 0.005)
        things.append(_text(f"{share * end:g}{unit}", place, 0.8 * LETTER, ink))
    return things


def _paint() -> bpy.types.Material:
    """The copies' colours, shaded a little where the surface turns away, and lit by nothing."""
    material = bpy.data.materials.new(f"{COMPARISON} distances")
    graph = Graph(material)
    colour = graph.add("ShaderNodeVertexColor", "Distances", -3, 0, layer_name=COLOUR)
    turned = graph.add("ShaderNodeLayerWeight", "Turned away", -3, 1)
    put(turned, "Blend", 0.35)
    shade = graph.add("ShaderNodeMath", "Shade", -2, 1, operation="MULTIPLY_ADD")
    shade.inputs[1].default_value, shade.inputs[2].default_value = -0.75, 1.0
    graph.link(turned, "Facing", shade, "Value")
    surface = graph.add("ShaderNodeEmission", "Surface", -1, 0)
    graph.link(colour, "Color", surface, "Color")
    graph.link(shade, "Value", surface, "Strength")
    output = graph.add("ShaderNodeOutputMaterial", "Output", 0, 0)
    graph.link(surface, "Emission", output, "Surface")
    return material


def _shining(name: str, colour: tuple[float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.new(f"{COMPARISON} {name}")
    graph = Graph(material)
    surface = graph.add("ShaderNodeEmission", "Surface", -1, 0)
    put(surface, "Color", colour)
    output = graph.add("ShaderNodeOutputMaterial", "Output", 0, 0)
    graph.link(surface, "Emission", output, "Surface")
    return material


def _ink() -> bpy.types.Material:
    return _shining("names", (0.6, 0.6, 0.62))


def _ground(x: float, z: float, half: float) -> bpy.types.Object:
    """A dark ground that only the camera sees."""
    mesh = bpy.data.meshes.new(f"{COMPARISON} ground")
    mesh.from_pydata([(-half, 0, -half), (half, 0, -half), (half, 0, half), (-half, 0, half)], [], [(0, 1, 2, 3)])
    mesh.materials.append(_shining("ground", (0.012, 0.012, 0.013)))
    thing = bpy.data.objects.new(mesh.name, mesh)
    thing.location = Vector((x, 1.5, z))
    for ray in ("diffuse", "glossy", "transmission", "volume_scatter", "shadow"):
        setattr(thing, f"visible_{ray}", False)
    return thing
