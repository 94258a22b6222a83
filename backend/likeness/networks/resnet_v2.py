"""ResNet-50 v2 (pre-activation) as TF-Slim builds it, up to the pooled feature.

Differs from torchvision's in order, in padding, and in where it strides: the last unit of blocks 1 to 3.
Source: He et al., "Identity Mappings in Deep Residual Networks", ECCV 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BLOCKS", "ResNetV2"]

BLOCKS = (3, 4, 6, 3)


class Unit(nn.Module):
    """Normalised input through 1x1, 3x3 and 1x1 convolutions beside a shortcut."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.preact = nn.BatchNorm2d(channels, eps=1e-5)
        self.shortcut = nn.Conv2d(channels, 4 * width, 1, stride) if channels != 4 * width else None
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width, eps=1e-5)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width, eps=1e-5)
        self.conv3 = nn.Conv2d(width, 4 * width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 width, H / stride, W / stride)."""
        p = torch.relu(self.preact(x))
        beside = x[:, :, :: self.stride, :: self.stride] if self.shortcut is None else self.shortcut(p)
        y = torch.relu(self.norm1(self.conv1(p)))
        y = torch.relu(self.norm2(self.conv2(y)))
        added: Tensor = beside + self.conv3(y)
        return added


class ResNetV2(nn.Module):
    """Pictures (B, 3, 224, 224) float32 to features (B, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3)
        units: list[nn.Module] = []
        channels = 64
        for number, count in enumerate(BLOCKS):
            width = 64 << number
            for i in range(count):
                units.append(Unit(channels, width, 2 if i == count - 1 and number < 3 else 1))
                channels = 4 * width
        self.units = nn.Sequential(*units)
        self.postnorm = nn.BatchNorm2d(channels, eps=1e-5)

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to the mean over the last map."""
        # TensorFlow's SAME for 3x3/2 on an even side pads after, not before.
        x = functional.max_pool2d(functional.pad(self.conv1(x), (0, 1, 0, 1), value=-torch.inf), 3, 2)
        x = torch.relu(self.postnorm(self.units(x)))
        return x.mean((2, 3))
