"""Faces that the network has not seen: photo, the solver's albedo, the network's, the truth, and gloss."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from likeness.maps.delight import network_input
from likeness.networks.delight import DelightNet
from likeness.render.light import linear_to_srgb

__all__ = ["faces"]

ROWS = 8


@torch.no_grad()
def faces(network: DelightNet, piece: dict[str, Tensor], path: Path) -> None:
    """Draw the first faces of a piece, one a row; what the photo does not show is grey."""
    rows = []
    for row in range(min(ROWS, len(piece["log"]))):
        log, true, shade = (piece[name][row].float() for name in ("log", "albedo", "shading"))
        weight, air, shine = (piece[name][row].float() / 255 for name in ("weight", "open_air", "gloss"))
        normal = piece["normal"][row].float().numpy() / 127
        given = network_input(log.numpy(), weight.numpy(), normal, air.numpy(), shade.numpy())
        residual, found = (p[0].permute(1, 2, 0) for p in network(torch.from_numpy(given)[None]))
        total = weight.sum().clamp(min=1e-6)

        def level(picture: Tensor, weight: Tensor = weight, true: Tensor = true, total: Tensor = total) -> Tensor:
            return picture + ((true - picture) * weight[..., None]).sum((0, 1)) / total

        shown = [linear_to_srgb(p.exp()) for p in (log, level(log - shade), level(log - shade + residual), true)]
        shown += [p.reshape(*weight.shape, 1).expand(-1, -1, 3) for p in (found, shine)]
        mask = (weight > 0.1).float()[..., None]
        rows.append(torch.cat([0.5 + (p - 0.5) * mask for p in shown], 1))
    pixels = (255 * torch.cat(rows)).round().clamp(0, 255).byte().numpy()
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        Image.fromarray(np.ascontiguousarray(pixels)).save(aside, "PNG")
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
