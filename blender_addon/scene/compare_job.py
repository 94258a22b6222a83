# SPDX-License-Identifier: GPL-3.0-or-later
"""Packages become a comparison: heads in a row, coloured copies below, a .blend file, a sheet and the numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

from ..link.package import open_package
from . import build
from .compare_row import APART, add_camera, line_up
from .head import Head
from .render import still, still_settings

__all__ = ["compare"]


def compare(scene: bpy.types.Scene, job: dict[str, Any], tell: Callable[[float, str], None]) -> None:
    """Do a job.

    Args:
        scene: an empty one.
        job: {"packages": paths, "titles": of them, "reference": place, "result": JSON to write, "sheet": PNG or null,
            "height": of it in pixels, "samples": of Cycles}.
        tell: hears the fraction done and a sentence.
    """
    paths, titles = job["packages"], job["titles"]
    heads = []
    for i, (path, title) in enumerate(zip(paths, titles, strict=True)):
        tell(0.5 * i / len(paths), f"Building the head of {title}")
        with open_package(path) as package:
            heads.append(build(package, scene, studio=False))
        _move(heads[-1], APART * i, _eyes(heads[0]) - _eyes(heads[-1]))
    tell(0.5, "Measuring the distances")
    try:
        row = line_up(scene, heads, titles, job["reference"], 0.0)
    except ValueError as error:
        raise RuntimeError(str(error)) from error  # what the caller is told of
    told: list[dict[str, float] | None] = [None if d is None else d.told() for d in row.measured]
    Path(job["result"]).write_text(json.dumps({"heads": told, "colours_end_mm": row.end_mm}), encoding="utf-8")
    add_camera(scene, row, job["height"])
    still_settings(scene, job["samples"])
    if job.get("blend"):
        bpy.ops.wm.save_as_mainfile(filepath=job["blend"], check_existing=False, compress=False)
    if job.get("sheet"):
        tell(0.6, "Rendering the sheet")
        still(scene, Path(job["sheet"]))
    tell(1.0, "Compared")


def _eyes(head: Head) -> float:
    """Height of the eyes in the head's own frame, metres; 0 for a head without."""
    bones = head.rig.data.bones
    return float(bones["eye.L"].head_local.z) if "eye.L" in bones else 0.0


def _move(head: Head, x: float, z: float) -> None:
    """Put a head with all that belongs to it into its column, its eyes beside the others'."""
    for thing in head.collection.all_objects:
        if thing.parent is None:
            thing.location.x += x
            thing.location.z += z
    bpy.context.view_layer.update()
