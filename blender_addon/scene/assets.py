# SPDX-License-Identifier: GPL-3.0-or-later
"""The head and its expressions in the asset browser."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import controls, expression, provenance
from .curves import new_curve
from .expression_presets import PRESETS, Preset
from .head import Head
from .owned import MARK, adopt
from .portrait import ensure_studio, make_portrait_scene
from .render import still

__all__ = ["expression_assets", "mark_expressions", "mark_head"]

PREVIEW = 256
TAGS = ("likeness", "head", "face")
CATALOGUES = {"Emotion": "Expressions", "Eyes": "Eyes", "Speech": "Speech"}
PRESET = "likeness_preset"
"""Custom property of an action: the preset that it holds."""


def mark_head(scene: bpy.types.Scene, head: Head, *, samples: int = 24) -> bpy.types.Collection:
    """Offer the head, with its rig and cameras, as an asset with its portrait for a preview."""
    collection = head.collection
    collection.asset_mark()
    _describe(collection, head, "A head with rig and expressions. " + provenance.line(head.mesh))
    with_studio = ensure_studio(head)
    _preview(scene, with_studio, collection, samples)
    return collection


def mark_expressions(
    scene: bpy.types.Scene,
    head: Head,
    *,
    samples: int = 8,
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
            if previews:
                expression.put(head, {**dict.fromkeys(known, 0.0), **values})
                _preview(scene, head, action, samples)
            progress((i + 1) / len(PRESETS))
    finally:
        expression.put(head, before)
    return made


def expression_assets(head: Head) -> list[Any]:
    """The pose assets made for a head."""
    return [a for a in bpy.data.actions if PRESET in a and a.get(MARK) == head.name and a.library is None]


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


def _preview(scene: bpy.types.Scene, head: Head, thing: Any, samples: int) -> None:
    """A square portrait as a datablock's preview."""
    room = make_portrait_scene(scene, head, height=PREVIEW, samples=samples, everything=False)
    try:
        render = room.render
        render.resolution_x = render.resolution_y = PREVIEW
        room.cycles.adaptive_min_samples = min(samples, room.cycles.adaptive_min_samples)
        with tempfile.TemporaryDirectory(prefix="likeness-") as folder:
            path = still(room, Path(folder) / "preview.png")
            image: Any = bpy.data.images.load(str(path))
            try:
                pixels = np.empty(PREVIEW * PREVIEW * 4, np.float32)
                image.pixels.foreach_get(pixels)
            finally:
                bpy.data.images.remove(image)
    finally:
        bpy.data.scenes.remove(room)
    preview = thing.preview_ensure()
    preview.image_size = (PREVIEW, PREVIEW)
    preview.image_pixels_float.foreach_set(pixels)
