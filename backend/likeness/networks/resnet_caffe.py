"""ResNet-101 as its authors released it for Caffe, with the two heads of 3dmm_cnn, and the way in for a caffemodel.

Differs from torchvision's: the stride is in the first 1x1 convolution of a block, and pooling rounds up.
Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; Tran et al., CVPR 2017.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError

__all__ = ["COEFFICIENTS", "ResNet101", "from_caffe"]

COEFFICIENTS = 198
"""Shape 99, texture 99."""
STAGES = (("2", "a b c"), ("3", "a b1 b2 b3"), ("4", "a " + " ".join(f"b{i}" for i in range(1, 23))), ("5", "a b c"))


class Block(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut that is projected where the width or size changes."""

    def __init__(self, channels: int, width: int, stride: int, projected: bool) -> None:
        super().__init__()
        self.branch1: nn.Conv2d | None = None
        if projected:
            self.branch1 = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
            self.bn1 = nn.BatchNorm2d(4 * width)
        self.branch2a = nn.Conv2d(channels, width, 1, stride, bias=False)
        self.bn2a = nn.BatchNorm2d(width)
        self.branch2b = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2b = nn.BatchNorm2d(width)
        self.branch2c = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn2c = nn.BatchNorm2d(4 * width)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = torch.relu_(self.bn2a(self.branch2a(x)))
        y = torch.relu_(self.bn2b(self.branch2b(y)))
        y = self.bn2c(self.branch2c(y))
        return torch.relu_(y.add_(x if self.branch1 is None else self.bn1(self.branch1(x))))


class ResNet101(nn.Module):
    """Pictures (B, 3, 224, 224) float32, blue, green, red in 0..255 less the mean picture, to (B, 198)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn_conv1 = nn.BatchNorm2d(64)
        self.pool1 = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.blocks = nn.ModuleDict()
        channels = 64
        for number, (stage, names) in enumerate(STAGES):
            width = 64 << number
            for name in names.split():
                first = name == "a"
                self.blocks[stage + name] = Block(channels, width, 2 if first and number else 1, first)
                channels = 4 * width
        self.fc_ftnew = nn.Linear(channels, COEFFICIENTS)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to coefficients of shape and texture."""
        x = self.pool1(torch.relu_(self.bn_conv1(self.conv1(x))))
        for block in self.blocks.values():
            x = block(x)
        coefficients: Tensor = self.fc_ftnew(x.mean((2, 3)))
        return coefficients


_IN_BLOCK = re.compile(r"(res|bn|scale)(\d\w+)_branch(1|2[abc])")
_NORMS = {"0": "running_mean", "1": "running_var"}
_SCALES = {"0": "weight", "1": "bias"}


def from_caffe(blobs: Mapping[str, NDArray[Any]], what: str) -> dict[str, NDArray[Any]]:
    """A caffemodel's blobs, by "layer/number", as `ResNet101`'s tensors; layers it does not have keep their names.

    A normalisation's mean and variance are sums in the file, its third blob says of how many.

    Raises:
        WeightsError: a normalisation lacks a blob.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for name, blob in blobs.items():
        layer, number = name.rsplit("/", 1)
        kind, own = _own(layer)
        if kind == "bn" and number in _NORMS:
            if f"{layer}/2" not in blobs:
                raise WeightsError(f"{what} lacks {layer}/2; it is of a Caffe too old to be used.")
            count = float(np.asarray(blobs[f"{layer}/2"]).reshape(-1)[0])
            tensors[f"{own}.{_NORMS[number]}"] = blob / np.float32(count) if count else np.zeros_like(blob)
        elif kind == "bn" and number == "2":
            continue
        else:
            tensors[f"{own}.{_SCALES.get(number, number)}"] = blob
    return tensors


def _own(layer: str) -> tuple[str, str]:
    """What a layer of the file is and what its module is called here."""
    found = _IN_BLOCK.fullmatch(layer)
    if found:
        kind, block, branch = found.groups()
        return kind, f"blocks.{block}.{'branch' if kind == 'res' else 'bn'}{branch}"
    if layer in ("bn_conv1", "scale_conv1"):
        return layer.removesuffix("_conv1"), "bn_conv1"
    return "", layer
