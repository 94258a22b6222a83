# SPDX-License-Identifier: GPL-3.0-or-later
"""The shade that a photo shows on the skin beyond its colour under the estimated light; it belongs to that light."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from ..link.package import Package
from .appearance import knob, skins
from .head import Head
from .materials.skin import SHADE
from .materials.skin_controls import KNOBS
from .pictures import load_picture

__all__ = ["keep_shade", "no_shade", "shade_nodes", "use_shade"]

KEPT = "likeness_shade"
"""Custom property of a photo's camera: the picture of its shade."""
KNOB = "Photo shade"


def keep_shade(camera: bpy.types.Object, mesh: bpy.types.Object, package: Package, number: int) -> None:
    """Tie the shade of photo ``number``, from 1 in the package's order, to its camera, where there is one."""
    data = package.materials.get("Skin")
    image = data.maps.get(f"{SHADE}{number}") if data else None
    if image is None:
        return
    material = next((m for m in mesh.data.materials if m and f"{SHADE}{number}" in m.node_tree.nodes), None)
    node: Any = material.node_tree.nodes[f"{SHADE}{number}"] if material else None
    camera[KEPT] = node.image if node else load_picture(image.path, f"{camera.name} shade", "linear")


def use_shade(head: Head, camera: bpy.types.Object, share: float = 1.0) -> None:
    """Shade the skin as a photo does, and not at all where its shade is not known."""
    image = camera.get(KEPT)
    if not isinstance(image, bpy.types.Image):
        no_shade(head)
        return
    for node, slider in shade_nodes(head):
        node.image, slider.default_value = image, share


def shade_nodes(head: Head) -> Iterator[tuple[Any, Any]]:
    """The node with the picture of a shade in each of the head's skins, and the socket of its slider."""
    for material in skins(head):
        node: Any = material.node_tree.nodes.get(f"{SHADE}1")
        if node is not None:
            yield node, knob(material, KNOB)


def no_shade(head: Head) -> None:
    """The skin's colour alone again."""
    for _, slider in shade_nodes(head):
        slider.default_value = KNOBS[KNOB].default
