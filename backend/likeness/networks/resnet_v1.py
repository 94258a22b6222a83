"""ResNet-50 v1 as TF-Slim builds it, up to the pooled feature.

Differs from torchvision's in padding, and in where it strides: the last unit of blocks 1 to 3.
Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["BLOCKS", "ResNetV1"]

BLOCKS = (3, 4, 6, 3)


class Unit(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, each normalised."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width, eps=1e-5)
        self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(width, eps=1e-5)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(4 * width, eps=1e-5)
        self.beside: nn.Sequential | None = None
        if channels != 4 * width:
            self.beside = nn.Sequential(
                nn.Conv2d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm2d(4 * width, eps=1e-5)
            )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, 4 width, H / stride, W / stride)."""
        y = torch.relu(self.norm1(self.conv1(x)))
        y = torch.relu(self.norm2(self.conv2(y)))
        y = self.norm3(self.conv3(y))
        return torch.relu(y + (x[:, :, :: self.stride, :: self.stride] if self.beside is None else self.beside(x)))


class ResNetV1(nn.Module):
    """Pictures (B, 3, 224, 224) float32 to features (B, 2048)."""

    wide = 2048

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.norm1 = nn.BatchNorm2d(64, eps=1e-5)
        channels = 64
        for number, count in enumerate(BLOCKS):
            width = 64 << number
            units: list[nn.Module] = []
            for i in range(count):
                units.append(Unit(channels, width, 2 if i == count - 1 and number < 3 else 1))
                channels = 4 * width
            setattr(self, f"block{number + 1}", nn.Sequential(*units))

    def forward(self, x: Tensor) -> Tensor:
        """Pictures to the mean over the last map."""
        return self.features(x)[1]

    def features(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures to the first block's map (B, 256, 28, 28) and the mean over the last."""
        x = torch.relu(self.norm1(self.conv1(x)))
        # TensorFlow's SAME for 3x3/2 on an even side pads after, not before.
        x = functional.max_pool2d(functional.pad(x, (0, 1, 0, 1), value=-torch.inf), 3, 2)
        first = x = self.get_submodule("block1")(x)
        for number in range(2, len(BLOCKS) + 1):
            x = self.get_submodule(f"block{number}")(x)
        return first, x.mean((2, 3))
