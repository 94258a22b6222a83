"""What a training looks like: its losses as curves, heads it has not seen beside what it makes of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from likeness.faces.chip import SIZE as SIDE
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import plain_scene
from likeness.heads.morphable import Morphable
from likeness.networks.genova import Regressor
from likeness.training.losses import Coefficients
from likeness.training.samples import Samples

__all__ = ["curves", "portraits"]

WIDTH, HEIGHT, MARGIN = 460, 240, 44
INK, FAINT, LINE = (40, 40, 40), (190, 190, 190), (30, 90, 200)
HEADS = 8


def curves(losses: Sequence[Sequence[tuple[float, ...]]], names: Sequence[tuple[str, ...]], path: Path) -> None:
    """Draw each loss of each stage over its steps, on a logarithmic scale, faintly as it is and smoothed."""
    panels = [
        (name, np.array([row[i] for row in rows]))
        for rows, stage in zip(losses, names, strict=True)
        for i, name in enumerate(stage)
        if rows
    ]
    sheet = Image.new("RGB", (2 * WIDTH, (len(panels) + 1) // 2 * HEIGHT), "white")
    for number, (name, values) in enumerate(panels):
        sheet.paste(_panel(name, values), (number % 2 * WIDTH, number // 2 * HEIGHT))
    _save(sheet, path)


def _panel(name: str, values: NDArray[np.float64]) -> Image.Image:
    panel = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw = ImageDraw.Draw(panel)
    logs = np.log10(np.maximum(values, 1e-9))
    low, high = float(logs.min()), float(logs.max())
    high = max(high, low + 0.1)
    window = max(1, len(logs) // 40)
    smooth = np.convolve(
        np.pad(logs, (window, window), mode="edge"), np.ones(2 * window + 1) / (2 * window + 1), "valid"
    )
    across = np.linspace(MARGIN, WIDTH - 12, len(logs))

    def line(curve: NDArray[np.float64], colour: tuple[int, int, int], width: int) -> None:
        down = HEIGHT - MARGIN + (curve - low) / (high - low) * (2 * MARGIN - HEIGHT)
        if len(curve) > 1:
            draw.line([(float(x), float(y)) for x, y in zip(across, down, strict=True)], colour, width)

    line(logs, FAINT, 1)
    line(smooth, LINE, 2)
    draw.line([(MARGIN, MARGIN), (MARGIN, HEIGHT - MARGIN), (WIDTH - 12, HEIGHT - MARGIN)], INK)
    draw.text((MARGIN, 14), f"{name}: {values[0]:.3g} to {10 ** smooth[-1]:.3g}", INK)
    draw.text((4, MARGIN - 6), f"{10**high:.2g}", INK)
    draw.text((4, HEIGHT - MARGIN - 6), f"{10**low:.2g}", INK)
    draw.text((WIDTH - 70, HEIGHT - MARGIN + 8), f"{len(values)} steps", INK)
    return panel


@torch.no_grad()
def portraits(model: Morphable, regressor: Regressor, unseen: Samples, path: Path) -> None:
    """Draw heads it has not seen (front, side) above what it makes of their descriptors (front, side)."""
    heads = Coefficients(unseen.heads.identity[:HEADS], unseen.heads.albedo[:HEADS])
    found = Coefficients(*regressor.likely(unseen.descriptors[:HEADS]))
    rows = []
    for which in (heads, found):
        for yaw in (0.0, 35.0):
            scenes = [plain_scene(len(model.expression), yaw) for _ in which.identity]
            chips = shoot(model, which.identity, which.albedo, scenes)
            rows.append(chips.permute(2, 0, 3, 1).reshape(SIDE, -1, 3))
    _save(Image.fromarray(torch.cat(rows).round().byte().cpu().numpy()), path)


def _save(picture: Image.Image, path: Path) -> None:
    """As a PNG, beside and then renamed."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        picture.save(aside, "PNG")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
