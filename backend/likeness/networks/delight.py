"""A small U-Net that says what of a face's colours is still light (Ronneberger, Fischer and Brox, MICCAI 2015)."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from likeness.errors import WeightsError
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["INPUTS", "DelightNet"]

INPUTS = 14
"""Log colours less their mean (3), weight, normal (3), openness, log shading less its mean (3), brightest channel,
place across and down."""
FINEST = 2
"""Pixels along a side that the first layer takes together."""


class _Block(nn.Module):
    """Two convolutions beside the plain way; the second starts at nothing."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.one = nn.Conv2d(channels, channels, 3, padding=1)
        self.two = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.two.weight)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = self.two(functional.silu(self.one(functional.silu(x))))
        return x + made


class DelightNet(nn.Module):
    """Four levels, each half as fine as the one above; an untrained one changes nothing."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        """Channels of the levels, finest first."""
        super().__init__()
        self.widths = widths
        self.enter = nn.Conv2d(INPUTS * FINEST**2, widths[0], 3, padding=1)
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, 2) for a, b in pairwise(widths))
        self.first = nn.ModuleList(_Block(width) for width in widths)
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.second = nn.ModuleList(_Block(width) for width in widths)
        self.leave = nn.Conv2d(widths[0], 4 * FINEST**2, 3, padding=1)
        nn.init.zeros_(self.leave.weight)
        assert self.leave.bias is not None
        with torch.no_grad():
            self.leave.bias.copy_(torch.tensor([0.0, 0.0, 0.0, -3.0]).repeat_interleave(FINEST**2))

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Residual and highlights.

        Args:
            seen: (B, `INPUTS`, H, W) float32; H and W are multiples of 16.

        Returns:
            (B, 3, H, W) to add to the log albedo that the solver found; (B, 1, H, W) in 0..1, the share of the light
            that the skin's surface mirrors.
        """
        x = self.enter(functional.pixel_unshuffle(seen, FINEST))
        kept = []
        for level, block in enumerate(self.first):
            x = block(x)
            kept.append(x)
            if level < len(self.down):
                x = self.down[level](x)
        x = self.second[-1](x)
        for level in reversed(range(len(self.up))):
            x = self.second[level](kept[level] + functional.pixel_shuffle(self.up[level](x), 2))
        out = functional.pixel_shuffle(self.leave(functional.silu(x)), FINEST)
        return out[:, :3], torch.sigmoid(out[:, 3:])

    def save(self, path: Path, told: dict[str, Any]) -> None:
        """Write a safetensors file (float16) with what is told of it, beside and then renamed."""
        tensors = {name: values.half() for name, values in self.state_dict().items()}
        write_tensors(path, tensors, told | {"widths": list(self.widths)})

    @classmethod
    def load(cls, path: Path) -> tuple[Self, dict[str, Any]]:
        """What `save` wrote, ready to be used, and what was told of it; raises WeightsError for anything else."""
        tensors, told = read_tensors(path)
        try:
            network = cls(tuple(int(width) for width in told["widths"]))
            network.load_state_dict({name: values.float() for name, values in tensors.items()})
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(f"{path} holds another network; give the weights of a training of delight.") from error
        return network.eval().requires_grad_(False), told
