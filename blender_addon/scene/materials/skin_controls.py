# SPDX-License-Identifier: GPL-3.0-or-later
"""The inputs of the skin's node group: sliders first, then the avatar's maps and what stands in for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy

__all__ = [
    "BUILT",
    "GROUP",
    "KNOBS",
    "NODE",
    "SCATTERED",
    "SCATTER_DEPTH",
    "SOCKETS",
    "Knob",
    "add_inputs",
    "built_value",
]

GROUP = "Likeness skin"
"""Name of the node group."""
NODE = "Skin"
"""Name of the group's node in a material."""
BUILT = "likeness_built"
"""Custom property of the node: values of sliders that depend on the avatar, as it was built."""
SCATTERED, SCATTER_DEPTH = 0.65, 0.0016
"""Share of the light that wanders below the surface, and metres that red does. Below the measured 1 and 3.67 mm: a
photo's freckles and pores went through the skin once already, and all of it once more would leave wax."""


@dataclass(frozen=True)
class Knob:
    """A slider: default, greatest value (the least is 0), tooltip; ``unit`` is its socket's subtype."""

    default: float
    greatest: float
    tip: str
    unit: str = "FACTOR"


KNOBS: dict[str, Knob] = {
    "Albedo map": Knob(1.0, 1.0, "Colour of the skin: 0 one plain colour, 1 as in the map"),
    "Specular map": Knob(1.0, 1.0, "Strength of the reflection: 0 plain, 1 as in the map"),
    "Roughness map": Knob(1.0, 1.0, "0 plain, 1 as in the map"),
    "Normal map": Knob(1.0, 1.0, "Pores and wrinkles by the normal map: 0 smooth, 1 as in the map"),
    "Diffuse normals": Knob(
        0.0,
        1.0,
        "0 one normal map for all light; 1 the softer map for light from below the surface, the sharp one for gloss",
    ),
    "Displacement": Knob(
        0.0,
        1.0,
        "Pores and wrinkles by displacement, and bump where the mesh is coarse, not by the normal map",
    ),
    "Detail": Knob(1.0, 3.0, "Depth of pores and wrinkles, 1 as they were reconstructed"),
    "Gloss": Knob(1.0, 2.0, "0 powdered, 1 as it was reconstructed, 2 oily"),
    "Subsurface": Knob(SCATTERED, 1.0, "Share of the light that wanders below the surface"),
    "Scattering depth": Knob(SCATTER_DEPTH, 0.02, "How far red light wanders; green and blue less", "DISTANCE"),
    "Photo shade": Knob(
        0.0,
        1.0,
        "Shade that a photo shows beyond the light that was estimated from it, of folds, lids, cheeks: 1 in that "
        "photo's light, 0 in any other",
    ),
    "Confidence view": Knob(
        0.0,
        1.0,
        "Show what the photos showed (green), what was taken from the face's other side (blue) and what was completed "
        "(orange)",
    ),
}

SOCKETS: dict[str, tuple[str, Any]] = {
    "Albedo": ("NodeSocketColor", (0.62, 0.42, 0.34, 1.0)),
    "Specular": ("NodeSocketFloat", 0.38),
    "Specular mean": ("NodeSocketFloat", 0.5),
    "Roughness": ("NodeSocketFloat", 0.48),
    "Normal": ("NodeSocketColor", (0.5, 0.5, 1.0, 1.0)),
    "Normal for diffuse": ("NodeSocketColor", (0.5, 0.5, 1.0, 1.0)),
    "Height": ("NodeSocketFloat", 0.0),
    "Wrinkles": ("NodeSocketFloat", 0.0),
    "Shade": ("NodeSocketFloat", 0.0),
    "Confidence": ("NodeSocketFloat", 1.0),
    "Origin": ("NodeSocketFloat", 1.0),
    "Plain albedo": ("NodeSocketColor", (0.62, 0.42, 0.34, 1.0)),
    "Plain specular": ("NodeSocketFloat", 0.38),
    "Plain roughness": ("NodeSocketFloat", 0.48),
}
"""Kind and default of what is no slider. Heights are metres, the shade is a natural logarithm; the specular level is
0.5 * Specular / Specular mean."""


def add_inputs(tree: Any) -> None:
    """All inputs, the maps in a panel of their own."""
    for name, knob in KNOBS.items():
        socket = tree.interface.new_socket(name, description=knob.tip, in_out="INPUT", socket_type="NodeSocketFloat")
        socket.subtype = knob.unit
        socket.min_value, socket.max_value, socket.default_value = 0.0, knob.greatest, knob.default
    panel = tree.interface.new_panel("Maps", default_closed=True)
    for name, (kind, value) in SOCKETS.items():
        socket = tree.interface.new_socket(name, in_out="INPUT", socket_type=kind, parent=panel)
        socket.default_value = value


def built_value(node: bpy.types.Node, name: str) -> float:
    """A slider's value when the head was built."""
    kept: Any = node.get(BUILT) or {}
    return float(kept.get(name, KNOBS[name].default))
