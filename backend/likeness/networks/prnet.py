"""PRNet's network: a picture of a face to a position map, by its TensorFlow variables.

Source: Feng et al., "Joint 3D Face Reconstruction and Dense Alignment with Position Map Regression Network", ECCV 2018.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from likeness.weights.strict import load_into

__all__ = ["ResFcn", "torch_name"]

SIDE = 256
REACH = 1.1 * SIDE
"""Largest coordinate that the network can say, in pixels of its picture."""
SCOPE = "resfcn256/"
ENCODER = (32, 32, 64, 64, 128, 128, 256, 256, 512, 512)
# Channels and stride.
DECODER = (
    (512, 1), (256, 2), (256, 1), (256, 1), (128, 2), (128, 1), (128, 1), (64, 2), (64, 1), (64, 1),
    (32, 2), (32, 1), (16, 2), (16, 1), (3, 1), (3, 1), (3, 1),
)  # fmt: skip
_PARTS = {"weights": "weight", "gamma": "weight", "beta": "bias", "moving_mean": "running_mean",
          "moving_variance": "running_var"}  # fmt: skip


def torch_name(variable: str) -> str:
    """Our name of a TensorFlow variable: "resfcn256/Conv/BatchNorm/gamma" is "Conv.BatchNorm.weight"."""
    *path, last = variable.removeprefix(SCOPE).split("/")
    return ".".join([*path, _PARTS.get(last, last)])


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Conv(nn.Conv2d):
    """TensorFlow's SAME padding; at kernel 4 and stride 1 that is one pixel before and two after."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, norm: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)
        self.BatchNorm = _norm(outputs) if norm else None
        after = 2 if stride == 1 else 1
        self._around = (1, after, 1, after) if kernel == 4 else (0, 0, 0, 0)

    def forward(self, x: Tensor) -> Tensor:
        x = super().forward(functional.pad(x, self._around))
        return x if self.BatchNorm is None else functional.relu(self.BatchNorm(x))


class _Up(nn.ConvTranspose2d):
    """The same for transposed convolutions of kernel 4: at stride 1 the last row and column are too much."""

    def __init__(self, inputs: int, outputs: int, stride: int, last: bool) -> None:
        super().__init__(inputs, outputs, 4, stride, padding=1, bias=False)
        self.BatchNorm = _norm(outputs)
        self._last = last

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        height, width = (n * self.stride[0] for n in x.shape[2:])
        x = self.BatchNorm(super().forward(x, output_size)[:, :, :height, :width])
        return torch.sigmoid(x) if self._last else functional.relu(x)


class _Block(nn.Module):
    """A residual block; the sum is normalised, not its parts."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.Conv = _Conv(inputs, outputs // 2, 1)
        self.Conv_1 = _Conv(outputs // 2, outputs // 2, 4, stride)
        self.Conv_2 = _Conv(outputs // 2, outputs, 1, norm=False)
        changes = stride > 1 or inputs != outputs
        self.shortcut = _Conv(inputs, outputs, 1, stride, norm=False) if changes else None
        self.BatchNorm = _norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        beside = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.BatchNorm(beside + self.Conv_2(self.Conv_1(self.Conv(x)))))


class ResFcn(nn.Module):
    """Pictures (B, 3, 256, 256) RGB in 0..1 to position maps (B, 3, 256, 256) in pixels of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv = _Conv(3, 16, 4)
        channels, self._layers = 16, ["Conv"]
        for i, outputs in enumerate(ENCODER):
            self._add(f"resBlock_{i}" if i else "resBlock", _Block(channels, outputs, 2 - i % 2))
            channels = outputs
        for i, (outputs, stride) in enumerate(DECODER):
            name = f"Conv2d_transpose_{i}" if i else "Conv2d_transpose"
            self._add(name, _Up(channels, outputs, stride, i + 1 == len(DECODER)))
            channels = outputs

    def _add(self, name: str, layer: nn.Module) -> None:
        self.add_module(name, layer)
        self._layers.append(name)

    def forward(self, x: Tensor) -> Tensor:
        """See the class."""
        for name in self._layers:
            x = self.get_submodule(name)(x)
        return x * REACH

    @classmethod
    def from_variables(cls, variables: Mapping[str, NDArray[Any]], source: str) -> ResFcn:
        """Build from TensorFlow variables by name (kernels height, width, then channels).

        Raises:
            WeightsError: a variable is missing, too much, or of another shape.
        """
        tensors = {
            torch_name(name): np.ascontiguousarray(value.transpose(3, 2, 0, 1)) if value.ndim == 4 else value
            for name, value in variables.items()
        }
        net = cls()
        load_into(net, tensors, source)
        net.requires_grad_(False).eval()
        return net
