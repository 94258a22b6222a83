# SPDX-License-Identifier: GPL-3.0-or-later
"""Identity as shape keys: the head model's own coefficients, at the person's weights, over the model's mean head.

A model's joints move with its shape, bones do not: their rest is edited, not driven. So `fit_bones` puts the bones
where the model has its joints under the keys' present values; their directions stay, on which drivers and limits build.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np
from mathutils import Vector

from ..link.package import Identity, Package
from .frames import to_blender
from .head import Head

__all__ = ["JOINTS", "WEIGHTS", "add_identity", "fit_bones", "identity_of", "mean_head", "put", "values"]

WEIGHTS, JOINTS = "likeness_identity", "likeness_identity_joints"
"""Custom properties of a head: the person's weight by key, and by bone (1 + N, 3) metres in a row, which is where the
joint lies on the mean head and what each key adds."""
USUAL = 5.0
"""Standard deviations that sliders run to, unless the person is farther out."""


def mean_head(package: Package, identity: Identity) -> np.ndarray:
    """(V, 3) metres in the package's frame: the vertices without the person's weights."""
    base: np.ndarray = package.vertices - np.tensordot(identity.weights, identity.deltas, 1)
    return base.astype(np.float32)


def add_identity(head: bpy.types.Object, package: Package, identity: Identity) -> None:
    """Give a head whose basis is `mean_head` the keys that make it the person again."""
    rest = to_blender(mean_head(package, identity))
    for name, weight, delta in zip(identity.names, identity.weights, identity.deltas, strict=True):
        key = head.shape_key_add(name=name, from_mix=False)
        farthest = max(USUAL, float(abs(weight)))
        key.slider_min, key.slider_max = -farthest, farthest
        key.value = float(weight)
        key.points.foreach_set("co", (rest + to_blender(delta)).ravel())
    owner: Any = head
    owner[WEIGHTS] = {n: float(w) for n, w in zip(identity.names, identity.weights, strict=True)}
    rows = {}
    for i, joint in enumerate(package.joints):
        moves = identity.joints[:, i]
        rows[joint.name] = to_blender(np.vstack([joint.position - identity.weights @ moves, moves])).ravel().tolist()
    owner[JOINTS] = rows


def identity_of(head: bpy.types.Object) -> dict[str, float]:
    """The person's weights by key; empty for a head whose identity is frozen into its basis."""
    found = head.get(WEIGHTS)
    blocks: Any = head.data.shape_keys.key_blocks if head.data.shape_keys else {}
    return {name: float(value) for name, value in found.items() if name in blocks} if found else {}


def values(head: bpy.types.Object) -> dict[str, float]:
    """The weights now."""
    blocks: Any = head.data.shape_keys.key_blocks
    return {name: float(blocks[name].value) for name in identity_of(head)}


def put(head: Head, weights: Mapping[str, float]) -> None:
    """Set some weights, and let the bones follow."""
    blocks: Any = head.mesh.data.shape_keys.key_blocks
    for name, weight in weights.items():
        blocks[name].value = weight
    fit_bones(head)


def fit_bones(head: Head) -> float:
    """Put the bones where the model's joints are under the keys' values; how far the farthest moved, metres."""
    rows: Any = head.mesh.get(JOINTS) or {}
    weights: Any = head.mesh.get(WEIGHTS) or {}
    blocks: Any = head.mesh.data.shape_keys.key_blocks
    now = np.array([blocks[n].value if n in blocks and not blocks[n].mute else 0.0 for n in weights])
    moves = {}
    for name, numbers in rows.items():
        bone = head.rig.data.bones.get(name)
        if bone is not None:
            row = np.array(numbers, float).reshape(-1, 3)
            moves[name] = row[0] + now @ row[1:] - np.array(bone.head_local)
    with _editing(head.rig) as bones:
        for bone in bones:
            bone.use_connect = False  # else a bone's end follows its child's head, and the bone turns
        for name, move in moves.items():
            head_, tail = Vector(move.tolist()) + bones[name].head, Vector(move.tolist()) + bones[name].tail
            bones[name].head, bones[name].tail = head_, tail
    return max((float(np.linalg.norm(move)) for move in moves.values()), default=0.0)


@contextmanager
def _editing(rig: bpy.types.Object) -> Iterator[Any]:
    """Inside the block the rig is in edit mode; selection, mode and what is hidden are as before afterwards."""
    layer = bpy.context.view_layer
    active, mode = layer.objects.active, rig.mode
    hidden = rig.hide_get(), rig.hide_viewport
    if mode != "OBJECT":
        bpy.ops.object.mode_set(mode="OBJECT")
    rig.hide_viewport = False
    rig.hide_set(False)
    layer.objects.active = rig
    bpy.ops.object.mode_set(mode="EDIT")
    data: Any = rig.data
    try:
        yield data.edit_bones
    finally:
        bpy.ops.object.mode_set(mode="OBJECT")
        rig.hide_set(hidden[0])
        rig.hide_viewport = hidden[1]
        layer.objects.active = active
        if mode != "OBJECT" and active == rig:
            bpy.ops.object.mode_set(mode=mode)
