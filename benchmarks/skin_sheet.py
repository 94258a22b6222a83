"""The sheet to judge skins by: photo, true albedo, ours, the raw unwrap, where ours is off, who knows of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from skin_measure import Maps
from skin_metrics import delta_e, encoded

__all__ = ["Panel", "panel", "write_sheet"]

Floats = NDArray[np.float32]
Panel = tuple[str, list[Image.Image]]

TILE, LINE = 288, 16
MOST = 20.0
"""CIEDE2000 that is white."""
ORIGIN = {"filled": (40, 40, 46), "mirrored": (80, 120, 200), "seen": (120, 190, 120)}


def panel(title: str, photo: Path, truth: Floats, ours: Maps, raw: Floats, weight: Floats) -> Panel:
    """One photo's row; black in the last but one tile is right, white is off by 20 or does not count as skin."""
    wrong = np.where(weight > 0, np.clip(delta_e(ours.albedo, truth) / MOST, 0, 1), 1)
    origin = np.zeros((*truth.shape[:2], 3), np.uint8)
    for name, colour in ORIGIN.items():
        origin[ours.origin[name]] = colour
    pictures = [Image.open(photo).convert("RGB")]
    pictures += [Image.fromarray(np.rint(255 * encoded(p)).astype(np.uint8)) for p in (truth, ours.albedo, raw)]
    pictures += [Image.fromarray(np.rint(255 * wrong).astype(np.uint8)).convert("RGB"), Image.fromarray(origin)]
    return title, [p.resize((TILE, TILE), Image.Resampling.LANCZOS) for p in pictures]


def write_sheet(panels: list[Panel], path: Path) -> None:
    """All rows under one another, with their titles."""
    if not panels:
        return
    canvas = Image.new("RGB", (TILE * len(panels[0][1]), (TILE + LINE) * len(panels)), (22, 22, 24))
    pen = ImageDraw.Draw(canvas)
    for i, (title, pictures) in enumerate(panels):
        top = i * (TILE + LINE)
        pen.text((4, top + 2), title, (200, 200, 204))
        for k, picture in enumerate(pictures):
            canvas.paste(picture, (k * TILE, top + LINE))
    path.parent.mkdir(parents=True, exist_ok=True)
    canvas.save(path)
