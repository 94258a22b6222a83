# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions with the same code from Blender 4.2 (one list of curves) to 5.x (layers and slots)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import bpy

__all__ = ["LAYERED", "copy_curve", "curves_of", "new_curve", "remove_curve"]

_ACTION: Any = bpy.types.Action.bl_rna
LAYERED = "fcurve_ensure_for_datablock" in _ACTION.functions
"""One action serves bones and shape keys alike, each by a slot."""


def new_curve(owner: Any, path: str, index: int, points: Iterable[tuple[float, float]]) -> Any:
    """A curve with keys (frame, value) in the action assigned to a datablock; one that is there is replaced."""
    remove_curve(owner, path, index)
    action = owner.animation_data.action
    if LAYERED:
        curve = action.fcurve_ensure_for_datablock(owner, path, index=index)
    else:
        curve = action.fcurves.new(path, index=index)
    for frame, value in points:
        curve.keyframe_points.insert(frame, value, options={"FAST"})
    curve.update()
    return curve


def curves_of(owner: Any) -> Iterator[Any]:
    """The curves that move a datablock through its assigned action."""
    for curves in _lists(owner):
        yield from curves


def remove_curve(owner: Any, path: str, index: int = 0) -> None:
    """Remove a datablock's curve, if it has it."""
    for curves in _lists(owner):
        curve = curves.find(path, index=index)
        if curve is not None:
            curves.remove(curve)


def _lists(owner: Any) -> Iterator[Any]:
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return
    if not LAYERED:
        yield animation.action.fcurves
        return
    slot = animation.action_slot
    if slot is None:
        return
    for layer in animation.action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(slot)
            if bag is not None:
                yield bag.fcurves


def copy_curve(source: Any, owner: Any, path: str, index: int = 0) -> None:
    """The keys of a curve, with their handles and interpolation, on another property."""
    keys = [(p.co[0], p.co[1]) for p in source.keyframe_points]
    curve = new_curve(owner, path, index, keys)
    curve.extrapolation = source.extrapolation
    for old, new in zip(source.keyframe_points, curve.keyframe_points, strict=True):
        for what in ("interpolation", "easing", "back", "amplitude", "period", "handle_left_type", "handle_right_type"):
            setattr(new, what, getattr(old, what))
        new.handle_left, new.handle_right = old.handle_left, old.handle_right
    curve.update()
