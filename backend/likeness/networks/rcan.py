"""RCAN, which makes a picture two, three, four or eight times as large.

Source: Zhang et al., "Image Super-Resolution Using Very Deep Residual Channel Attention Networks", ECCV 2018; names of
parameters as in yulunzhang/RCAN, so that checkpoints of that code fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.weights.strict import load_into

__all__ = ["RCAN", "rcan_of"]

Arrays = Mapping[str, NDArray[Any]]

MEAN = (0.4488, 0.4371, 0.4040)
"""Of the photos that the published weights saw."""
BYTES = 255.0
"""Largest value of the published weights' pictures."""


class _Attention(nn.Module):
    """Scales each channel by what all channels are like on the whole."""

    def __init__(self, features: int, squeezed: int) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(features, squeezed, 1), nn.ReLU(), nn.Conv2d(squeezed, features, 1), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        scaled: Tensor = x * self.conv_du(x.mean((2, 3), keepdim=True))
        return scaled


class _Beside(nn.Module):
    """Layers beside the plain way."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.body(x)
        return made


class RCAN(nn.Module):
    """Pictures (B, 3, h, w) float32 sRGB in 0..1 to (B, 3, scale h, scale w), not clipped."""

    def __init__(
        self, features: int = 64, groups: int = 10, blocks: int = 20, squeezed: int = 4, steps: tuple[int, ...] = (2,)
    ) -> None:
        """Take the sizes; steps are the enlargements one after another: (2, 2, 2) makes eight times as large."""
        super().__init__()
        self.scale = 1
        self.sub_mean, self.add_mean = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
        with torch.no_grad():
            for shift, sign in ((self.sub_mean, -1.0), (self.add_mean, 1.0)):
                shift.weight.copy_(torch.eye(3)[..., None, None])
                _bias(shift).copy_(sign * BYTES * torch.tensor(MEAN))
        self.head = nn.Sequential(_conv(3, features))
        group = [
            _Beside(
                *(
                    _Beside(
                        _conv(features, features), nn.ReLU(), _conv(features, features), _Attention(features, squeezed)
                    )
                    for _ in range(blocks)
                ),
                _conv(features, features),
            )
            for _ in range(groups)
        ]
        self.body = nn.Sequential(*group, _conv(features, features))
        larger: list[nn.Module] = []
        for step in steps:
            larger += [_conv(features, step * step * features), nn.PixelShuffle(step)]
            self.scale *= step
        self.tail = nn.Sequential(nn.Sequential(*larger), _conv(features, 3))

    def forward(self, pictures: Tensor) -> Tensor:
        """The larger pictures."""
        # A network is for pictures of 0..255 or of 0..1; the mean it takes off tells which.
        most = BYTES if float(_bias(self.sub_mean).detach().abs().max()) > 2 else 1.0
        first = self.head(self.sub_mean(most * pictures))
        made: Tensor = self.add_mean(self.tail(first + self.body(first)))
        return made / most


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None, "made with one"
    return layer.bias


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, padding=1)


def rcan_of(tensors: Arrays, source: str) -> RCAN:
    """The network of a checkpoint, its sizes read from the tensors.

    Args:
        tensors: by name, "head.0.weight" and so on.
        source: the file, for messages.

    Raises:
        WeightsError: it is no checkpoint of this network, or a tensor is missing, too much or of another shape.
    """
    first, squeeze = (_shape(tensors, name, source) for name in ("head.0.weight", _SQUEEZE.format(0, 0)))
    groups = _count(tensors, r"body\.(\d+)\.body\.0\.body\.0\.weight")
    blocks = _count(tensors, r"body\.0\.body\.(\d+)\.body\.0\.weight")
    steps: list[int] = []
    while (name := f"tail.0.{2 * len(steps)}.weight") in tensors:
        wide = _shape(tensors, name, source)[0] / max(first[0], 1)
        if wide not in (4, 9):
            raise WeightsError(f"{source}: {name} makes {wide:g} of each channel where 4 or 9 are needed.")
        steps.append(2 if wide == 4 else 3)
    network = RCAN(first[0], groups, blocks, squeeze[0], tuple(steps) or (2,))
    load_into(network, tensors, source)
    return network.eval().requires_grad_(False)


_SQUEEZE = "body.{}.body.{}.body.3.conv_du.0.weight"


def _shape(tensors: Arrays, name: str, source: str) -> tuple[int, ...]:
    if name not in tensors:
        raise WeightsError(f"{source} lacks {name}; it is no checkpoint of RCAN.")
    if tensors[name].ndim != 4:
        raise WeightsError(f"{source}: {name} has shape {tensors[name].shape} where four sizes are needed.")
    return tensors[name].shape


def _count(tensors: Arrays, pattern: str) -> int:
    numbers = [int(found[1]) for name in tensors if (found := re.fullmatch(pattern, name))]
    return max(numbers, default=0) + 1
