"""How far albedo is from the truth, as people see colours, with a network and without one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from skimage.color import deltaE_ciede2000, rgb2lab
from torch import Tensor

from likeness.maps.delight import network_input
from likeness.networks.delight import DelightNet
from likeness.render.light import linear_to_srgb

__all__ = ["GROUPS", "Score", "score"]

Floats = NDArray[np.float32]

GROUPS = (("light", 0.32), ("medium", 0.16), ("dark", 0.0))
"""Tones of skin, by the least mean reflectance of bare skin in each."""
SEEN = 0.3
"""Weight from which on a texel counts as seen."""


@dataclass(frozen=True)
class Score:
    """Mean CIEDE2000 over seen skin, the level of each face set right first.

    Attributes:
        photo: of the colours as photographed; solver: with its shading taken off; network: with the residual on top.
        worst: 95th percentile over the texels of the last; faces: how many were measured.
    """

    photo: float
    solver: float
    network: float
    worst: float
    faces: int


def score(network: DelightNet, paths: Iterable[Path]) -> dict[str, Score]:
    """The score of held-out pieces, on the whole ("all") and by `GROUPS`."""
    rows: list[tuple[str, tuple[float, ...]]] = []
    for path in paths:
        piece = load_file(path)
        for row in range(len(piece["log"])):
            tone = float(piece["tone"][row].mean())
            group = next(name for name, least in GROUPS if tone >= least)
            rows.append((group, _face(network, piece, row)))
    found = {}
    for name in ("all", *(name for name, _ in GROUPS)):
        some = np.array([values for group, values in rows if name in ("all", group)])
        if len(some):
            photo, solver, given, worst = (float(value) for value in some.mean(0))
            found[name] = Score(photo, solver, given, worst, len(some))
    return found


def _face(network: DelightNet, piece: dict[str, Tensor], row: int) -> tuple[float, float, float, float]:
    log, true, shade = (piece[name][row].float().numpy() for name in ("log", "albedo", "shading"))
    weight, air = (piece[name][row].float().numpy() / 255 for name in ("weight", "open_air"))
    given = network_input(log, weight, piece["normal"][row].float().numpy() / 127, air, shade)
    with torch.no_grad():
        residual = network(torch.from_numpy(given)[None])[0][0].permute(1, 2, 0).numpy()
    seen = weight > SEEN
    off = [apart(found[seen], true[seen]) for found in (log, log - shade, log - shade + residual)]
    photo, solver, whole = (float(values.mean()) for values in off)
    return photo, solver, whole, float(np.percentile(off[2], 95))


def apart(found: Floats, true: Floats) -> Floats:
    """CIEDE2000 (N,) of log colours (N, 3), after the mean of each channel is set right."""
    if not len(true):
        return np.zeros(1, np.float32)
    found = found - found.mean(0) + true.mean(0)
    labs = [rgb2lab(linear_to_srgb(torch.from_numpy(np.exp(colour))).numpy()[None]) for colour in (found, true)]
    off: Floats = deltaE_ciede2000(*labs)[0].astype(np.float32)
    return off
