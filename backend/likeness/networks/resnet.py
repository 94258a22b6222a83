"""ResNet-18 and 50 as torchvision builds and names them (v1.5: the stride is in the 3x3 convolution), up to the pooled
feature.

Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from likeness.networks.resnet22 import Basic

__all__ = ["ResNet", "ResNet18", "ResNet50"]

BLOCKS = (3, 4, 6, 3)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut; the output is four times as wide as the middle."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels != 4 * width:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """Pictures (B, 3, 224, 224) float32 to features (B, `wide`); no classifier."""

    def __init__(self, counts: tuple[int, ...], widening: int, block: Callable[[int, int, int], nn.Module]) -> None:
        """Take the blocks of each stage, how much wider than its middle a block's output is, and what makes one of
        channels, width and stride.
        """
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, count in enumerate(counts):
            width = 64 << number
            blocks: list[nn.Module] = []
            for i in range(count):
                blocks.append(block(channels, width, 2 if i == 0 and number > 0 else 1))
                channels = widening * width
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        self.stages, self.wide = len(counts), channels

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to the mean over the last map."""
        return self.features(x)[1]

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures to the first stage's map (B, C, 56, 56) and the mean over the last."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        first = x = self.get_submodule("layer1")(x)
        for number in range(2, self.stages + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return first, x.mean((2, 3))


class ResNet50(ResNet):
    """To features (B, 2048)."""

    def __init__(self) -> None:
        super().__init__(BLOCKS, 4, Bottleneck)


class ResNet18(ResNet):
    """To features (B, 512)."""

    def __init__(self) -> None:
        super().__init__((2, 2, 2, 2), 1, Basic)
