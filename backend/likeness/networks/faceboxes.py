"""FaceBoxes, the face detector of 3DDFA_V2, under its checkpoint's own names.

Source: Zhang et al., "FaceBoxes: A CPU Real-time Face Detector with High Accuracy", IJCB 2017.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["FaceBoxes"]


class Block(nn.Module):
    """Convolution, batch normalisation, ReLU; or CReLU, which keeps the negative part as channels of their own."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, crelu: bool = False) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-5)
        self.crelu = crelu

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, outputs, H / stride, W / stride), twice the outputs with CReLU."""
        y: Tensor = self.bn(self.conv(x))
        return (torch.cat([y, -y], 1) if self.crelu else y).relu_()


class Inception(nn.Module):
    """Four branches of 32 channels with growing fields of view."""

    def __init__(self) -> None:
        super().__init__()
        self.branch1x1 = Block(128, 32, 1)
        self.branch1x1_2 = Block(128, 32, 1)
        self.branch3x3_reduce = Block(128, 24, 1)
        self.branch3x3 = Block(24, 32, 3)
        self.branch3x3_reduce_2 = Block(128, 24, 1)
        self.branch3x3_2 = Block(24, 32, 3)
        self.branch3x3_3 = Block(32, 32, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 128, H, W) to the same shape."""
        around = functional.avg_pool2d(x, 3, 1, 1)  # zeros outside count
        wide = self.branch3x3_3(self.branch3x3_2(self.branch3x3_reduce_2(x)))
        branches = self.branch1x1(x), self.branch1x1_2(around), self.branch3x3(self.branch3x3_reduce(x)), wide
        return torch.cat(branches, 1)


class FaceBoxes(nn.Module):
    """Pictures to offsets and scores of prior boxes on three grids, of 32, 64 and 128 pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = Block(3, 24, 7, 4, crelu=True)
        self.conv2 = Block(48, 64, 5, 2, crelu=True)
        self.inception1, self.inception2, self.inception3 = Inception(), Inception(), Inception()
        self.conv3_1, self.conv3_2 = Block(128, 128, 1), Block(128, 256, 3, 2)
        self.conv4_1, self.conv4_2 = Block(256, 128, 1), Block(128, 256, 3, 2)
        heads = ((128, 21), (256, 1), (256, 1))
        self.loc = nn.ModuleList(nn.Conv2d(width, 4 * boxes, 3, padding=1) for width, boxes in heads)
        self.conf = nn.ModuleList(nn.Conv2d(width, 2 * boxes, 3, padding=1) for width, boxes in heads)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Detect.

        Args:
            x: (1, 3, H, W) float32, blue, green, red minus 104, 117, 123.

        Returns:
            loc (N, 4) offsets and score (N,) in 0..1, in the order of `likeness.methods.tddfa_detect.priors`.
        """
        x = functional.max_pool2d(self.conv1(x), 3, 2, 1)
        x = functional.max_pool2d(self.conv2(x), 3, 2, 1)
        first = self.inception3(self.inception2(self.inception1(x)))
        second = self.conv3_2(self.conv3_1(first))
        third = self.conv4_2(self.conv4_1(second))
        maps = (first, second, third)
        loc = [_flat(head(m), 4) for head, m in zip(self.loc, maps, strict=True)]
        conf = [_flat(head(m), 2) for head, m in zip(self.conf, maps, strict=True)]
        return torch.cat(loc), torch.softmax(torch.cat(conf), 1)[:, 1]


def _flat(x: Tensor, width: int) -> Tensor:
    """(1, C, H, W) to (H W C / width, width): row, column, box."""
    return x.permute(0, 2, 3, 1).reshape(-1, width)
