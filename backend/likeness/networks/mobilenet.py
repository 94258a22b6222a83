"""MobileNet of 3DDFA: a 120-pixel crop to 62 whitened parameters and 68 landmarks, under the checkpoint's own names.

Source: Howard et al., "MobileNets", 2017, without a stride in block 5_6's neighbours as 3DDFA has it; Guo et al.,
"Towards Fast, Accurate and Stable 3D Dense Face Alignment", ECCV 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MobileNet"]

BLOCKS = (
    ("dw2_1", 32, 64, 1),
    ("dw2_2", 64, 128, 2),
    ("dw3_1", 128, 128, 1),
    ("dw3_2", 128, 256, 2),
    ("dw4_1", 256, 256, 1),
    ("dw4_2", 256, 512, 2),
    *((f"dw5_{i}", 512, 512, 1) for i in range(1, 6)),
    ("dw5_6", 512, 1024, 2),
    ("dw6", 1024, 1024, 1),
)


class Separable(nn.Module):
    """A 3x3 convolution of each channel by itself, then a 1x1 convolution across them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = nn.Conv2d(inputs, inputs, 3, stride, 1, groups=inputs, bias=False)
        self.bn_dw = nn.BatchNorm2d(inputs)
        self.conv_sep = nn.Conv2d(inputs, outputs, 1, bias=False)
        self.bn_sep = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H / stride, W / stride)."""
        x = torch.relu(self.bn_dw(self.conv_dw(x)))
        return torch.relu(self.bn_sep(self.conv_sep(x)))


class MobileNet(nn.Module):
    """MobileNet of some width: 1.0 (mb1) or 0.5 (mb05).

    Args:
        width: share of the channels.
        landmarks: whether the checkpoint has the head ``fc_lm``.
    """

    def __init__(self, width: float, *, landmarks: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, int(32 * width), 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(int(32 * width))
        for name, inputs, outputs, stride in BLOCKS:
            setattr(self, name, Separable(int(inputs * width), int(outputs * width), stride))
        self.fc_param = nn.Linear(int(1024 * width), 62)
        self.fc_lm = nn.Linear(int(1024 * width), 136) if landmarks else None

    def features(self, x: Tensor) -> Tensor:
        """Crops (B, 3, 120, 120) float32, blue, green, red as (v - 127.5) / 128, to (B, 1024 width)."""
        x = torch.relu(self.bn1(self.conv1(x)))
        for name, *_ in BLOCKS:
            x = self.get_submodule(name)(x)
        return x.mean((2, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Whitened parameters (B, 62), and landmarks (B, 2, 68) where the checkpoint has their head.

        A landmark v lies at 60 (v + 1) pixels of the crop, x right and y down, iBUG order.
        """
        x = self.features(x)
        return self.fc_param(x), None if self.fc_lm is None else self.fc_lm(x).reshape(-1, 2, 68)
