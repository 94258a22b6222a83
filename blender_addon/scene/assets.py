# SPDX-License-Identifier: GPL-3.0-or-later
"""The head and its expressions in the asset browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import controls, expression, provenance
from .curves import new_curve
from .expression_presets import PRESETS, Preset
from .head import Head
from .owned import MARK, adopt
from .portrait import ensure_studio, portrait_scene
from .render import still

__all__ = ["expression_assets", "mark_expressions", "mark_head"]

SMALL, LARGE = 128, 256
"""Sides of previews in pixels."""
DENOISED = 24
"""Samples from which the denoiser is worth its time."""
TAGS = ("likeness", "head", "face")
PRESET = "likeness_preset"
"""Custom property of an action: the preset that it holds."""


def mark_head(scene: bpy.types.Scene, head: Head, *, samples: int = 24) -> bpy.types.Collection:
    """Offer the head, with its rig and cameras, as an asset with its portrait for a preview."""
    collection = head.collection
    collection.asset_mark()
    _describe(collection, head, "A head with rig and expressions. " + provenance.line(head.mesh))
    with _preview_room(scene, ensure_studio(head), LARGE, samples) as room:
        _give_preview(collection, room)
    return collection


def mark_expressions(
    scene: bpy.types.Scene,
    head: Head,
    *,
    samples: int = 12,
    previews: bool = True,
    progress: Callable[[float], None] = lambda share: None,
) -> list[bpy.types.Action]:
    """Offer every preset as a pose asset, and switch the face controls on, through which it acts.

    A pose asset of an earlier time is made anew. The expression that the head has stays.
    """
    controls.switch_on(head)
    head = ensure_studio(head) if previews else head
    known = expression.names(head)
    before = expression.values(head)
    old = {a.get(PRESET): a for a in expression_assets(head)}
    made = []
    with _preview_room(scene, head, SMALL, samples) if previews else nullcontext() as room:
        try:
            for i, (key, preset) in enumerate(PRESETS.items()):
                values = preset.values(known)
                if not any(values.values()) and key != "NEUTRAL":
                    continue  # this head has none of its expressions
                if key in old:
                    bpy.data.actions.remove(old[key])
                action = _action(head, key, preset, values)
                made.append(action)
                action.asset_mark()
                _describe(action, head, f"Expression for heads made with Likeness: {preset.title}")
                action.asset_data.tags.new(preset.kind.lower(), skip_if_exists=True)
                if room:
                    expression.put(head, {**dict.fromkeys(known, 0.0), **values})
                    _give_preview(action, room)
                progress((i + 1) / len(PRESETS))
        finally:
            expression.put(head, before)
    return made


def expression_assets(head: Head) -> list[Any]:
    """The pose assets made for a head."""
    actions: Any = bpy.data.actions
    return [a for a in actions if PRESET in a and a.get(MARK) == head.name and a.library is None]


def _action(head: Head, key: str, preset: Preset, values: dict[str, float]) -> Any:
    """A pose of the controls alone; the rig's own action stays assigned."""
    action = adopt(bpy.data.actions.new(preset.title), head.name)
    action[PRESET] = key
    rig: Any = head.rig
    animation = rig.animation_data_create()
    before = animation.action, getattr(animation, "action_slot", None)
    animation.action = action
    try:
        for name, value in values.items():
            new_curve(rig, controls.control_path(head, name), 0, [(1.0, value)])
    finally:
        animation.action = before[0]
        if before[0] is not None and before[1] is not None:
            animation.action_slot = before[1]
    return action


def _describe(thing: Any, head: Head, what: str) -> None:
    data = thing.asset_data
    told = provenance.read(head.mesh)
    data.description = what
    data.author = told.get("made_by", "Likeness")
    data.license = told.get("licences", "")
    for tag in TAGS:
        data.tags.new(tag, skip_if_exists=True)


@contextmanager
def _preview_room(scene: bpy.types.Scene, head: Head, side: int, samples: int) -> Iterator[bpy.types.Scene]:
    """A scene for small square portraits, one after the other: what does not change is kept between them."""
    subdivision = [m for m in head.mesh.modifiers if m.type == "SUBSURF" and m.show_render]
    with portrait_scene(scene, head, height=side, samples=samples) as room:
        room.render.resolution_x = side
        room.render.use_persistent_data = True
        room.cycles.use_denoising = samples >= DENOISED
        for modifier in subdivision:
            modifier.show_render = side > SMALL
        try:
            yield room
        finally:
            for modifier in subdivision:
                modifier.show_render = True


def _give_preview(thing: Any, room: bpy.types.Scene) -> None:
    """Render the room as a datablock's preview."""
    side = room.render.resolution_x
    with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
        image: Any = bpy.data.images.load(str(still(room, Path(folder) / "preview.png")))
        try:
            pixels = np.empty(side * side * 4, np.float32)
            image.pixels.foreach_get(pixels)
        finally:
            bpy.data.images.remove(image)
    preview = thing.preview_ensure()
    preview.image_size = (side, side)
    preview.image_pixels_float.foreach_set(pixels)
