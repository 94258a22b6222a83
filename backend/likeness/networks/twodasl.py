"""2DASL's regressor: a crop and a map of its landmarks to 62 whitened parameters, under the checkpoint's own names.

Source: Tu et al., "Joint 3D Face Reconstruction and Dense Face Alignment from A Single Image with 2D-Assisted
Self-Supervised Learning", 2019; ResNet-50 (He et al., CVPR 2016) with the last stage's stride taken out.
"""

from __future__ import annotations

from torch import Tensor, nn

from likeness.networks.resnet import BLOCKS, Bottleneck

__all__ = ["TwoDASLNet"]

STRIDES = (1, 2, 2, 1)


class TwoDASLNet(nn.Module):
    """Inputs (B, 4, 120, 120) float32, see `likeness.methods.twodasl_model.network_input`, to (B, 62)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(4, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = 64
        for number, (count, stride) in enumerate(zip(BLOCKS, STRIDES, strict=True)):
            width = 64 << number
            blocks: list[nn.Module] = []
            for i in range(count):
                blocks.append(Bottleneck(channels, width, stride if i == 0 else 1))
                channels = 4 * width
            setattr(self, f"layer{number + 1}", nn.Sequential(*blocks))
        # On the 8 x 8 map of a 120-pixel crop one mean, without the last row and column.
        self.avgpool = nn.AvgPool2d(7, 2)
        self.fc = nn.Linear(channels, 62)

    def forward(self, x: Tensor) -> Tensor:
        """Inputs to whitened parameters."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        for number in range(len(BLOCKS)):
            x = self.get_submodule(f"layer{number + 1}")(x)
        parameters: Tensor = self.fc(self.avgpool(x).flatten(1))
        return parameters
