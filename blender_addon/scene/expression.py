# SPDX-License-Identifier: GPL-3.0-or-later
"""What the face does: values by the names of the shape keys, wherever they live (see `controls`)."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from typing import Any

from . import controls
from .expression_names import mirrored
from .expression_presets import PRESETS
from .head import Head

__all__ = ["key", "mirror", "names", "put", "random_weights", "slider", "values"]

LEAN = 0.12
"""How much a random expression differs between left and right, as a share."""


def names(head: Head) -> list[str]:
    """The head's expressions in the order of its keys."""
    return [key.name for key in controls.expression_keys(head)]


def slider(head: Head, name: str, controlled: bool) -> tuple[Any, str]:
    """The datablock and property that a slider shows; ``controlled`` is `controls.are_on`."""
    if controlled:
        return controls.control_bone(head), f'["{name}"]'
    return head.mesh.data.shape_keys.key_blocks[name], "value"


def values(head: Head) -> dict[str, float]:
    """All values now."""
    blocks: Any = head.mesh.data.shape_keys.key_blocks
    if controls.are_on(head):
        bone: Any = controls.control_bone(head)
        return {name: float(bone.get(name, 0.0)) for name in names(head)}
    return {name: float(blocks[name].value) for name in names(head)}


def put(head: Head, weights: Mapping[str, float]) -> None:
    """Set some values; names that the head has not are passed over."""
    blocks: Any = head.mesh.data.shape_keys.key_blocks
    driven = controls.are_on(head)
    bone: Any = controls.control_bone(head)
    for name, value in weights.items():
        if name not in blocks or name == blocks[0].name:
            continue
        value = min(max(float(value), blocks[name].slider_min), blocks[name].slider_max)
        if driven:
            bone[name] = value
        else:
            blocks[name].value = value
    head.rig.update_tag()
    head.mesh.data.shape_keys.update_tag()


def mirror(head: Head, *, to: str = "SWAP") -> None:
    """Left becomes right: "SWAP" both, or copy one side to the other with "LEFT" or "RIGHT" as the target."""
    now = values(head)
    fixed = {"SWAP": None, "LEFT": "Right", "RIGHT": "Left"}[to]
    put(head, {name: now.get(mirrored(name), value) for name, value in now.items() if not _ends(name, fixed)})


def _ends(name: str, side: str | None) -> bool:
    return side is not None and name.endswith(side)


def random_weights(known: Iterable[str], seed: int, strength: float = 1.0) -> dict[str, float]:
    """A face that a person could make: a mixture of two of the presets' emotions, a little uneven between the sides.

    Independent random sliders give faces that no muscles make: a smile that pouts, a jaw that moves both ways.
    """
    chance = random.Random(seed)
    emotions = [p for key, p in PRESETS.items() if p.kind == "Emotion" and key != "NEUTRAL"]
    first, second = chance.sample(emotions, 2)
    share = chance.uniform(0.65, 1.0)
    lid = chance.choice([0.0, 0.0, 0.0, chance.uniform(0.0, 0.25)])
    look = chance.choice(["eyeLookUp", "eyeLookDown", ""])
    gaze = chance.uniform(0.0, 0.35)
    known = list(known)
    one, other = first.values(known), second.values(known)
    size = chance.uniform(0.5, 1.0) * strength
    lean = {side: 1 + chance.uniform(-LEAN, LEAN) for side in ("Left", "Right")}
    found = {}
    for name in known:
        value = (share * one[name] + (1 - share) * other[name]) * size
        side = next((s for s in lean if name.endswith(s)), None)
        if name.startswith("eyeBlink"):
            value = max(value, lid * strength)
        elif look and name.startswith(look):
            value = max(value, gaze * strength)
        elif side and mirrored(name) in known:
            value *= lean[side]
        found[name] = min(max(value, 0.0), 1.0)
    return found


def key(head: Head, frame: float, which: Iterable[str] | None = None) -> int:
    """Key values at a frame, all unless told; returns how many."""
    driven = controls.are_on(head)
    chosen = list(names(head) if which is None else which)
    for name in chosen:
        thing, path = slider(head, name, driven)
        thing.keyframe_insert(path, frame=frame, group="Expression")
    return len(chosen)
