"""ResNet-22 of 3DDFA_V2: a 120-pixel crop to 62 whitened parameters, under the checkpoint's own names.

Source: He et al., CVPR 2016; the layout is that of 3DDFA_V2's ``models/resnet.py`` as specified, no weights of it are
public at hand.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["ResNet22"]

LAYERS = ((64, 128, 3), (128, 256, 4), (256, 512, 3))


class Basic(nn.Module):
    """Two 3x3 convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet22(nn.Module):
    """The widest of 3DDFA_V2's regressors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 5, 2, 2, bias=False)
        self.bn1 = nn.BatchNorm2d(32)
        self.conv2 = nn.Conv2d(32, 64, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(64)
        for number, (inputs, outputs, count) in enumerate(LAYERS, 1):
            blocks = [Basic(inputs if i == 0 else outputs, outputs, 2 if i == 0 else 1) for i in range(count)]
            setattr(self, f"layer{number}", nn.Sequential(*blocks))
        self.conv_param = nn.Conv2d(512, 62, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Crops (B, 3, 120, 120) float32, blue, green, red as (v - 127.5) / 128, to whitened parameters (B, 62)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        x = torch.relu(self.bn2(self.conv2(x)))
        for number in range(1, len(LAYERS) + 1):
            x = self.get_submodule(f"layer{number}")(x)
        return self.conv_param(x).mean((2, 3)), None
