"""Deep3D's networks: R-Net in both releases, and the confidence network of its image sets.

Source: Deng et al., "Accurate 3D Face Reconstruction with Weakly-Supervised Learning: From Single Image to Image Set",
CVPRW 2019; the PyTorch release (sicxu/Deep3DFaceRecon_pytorch) and the TensorFlow one (microsoft/…) as specified.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.networks.fuse import fold_batch_norms
from likeness.networks.resnet import ResNet, ResNet18, ResNet50
from likeness.networks.resnet_v1 import BLOCKS, ResNetV1
from likeness.weights.strict import load_into

__all__ = ["FEATURE", "HEADS", "ConfidenceNet", "ReconNet", "confidence_net", "from_checkpoint", "from_graph"]

HEADS = {"id": 80, "ex": 64, "tex": 80, "angles": 3, "gamma": 27, "XY": 2, "Z": 1}
"""Names (the TensorFlow release's) and sizes of what is predicted, in order: 257 numbers."""
FEATURE = 2048
"""Size of the larger backbone's pooled feature, which the confidence network looks at."""
WHITE = 9
"""Size of gamma in the release for white light, the paper's."""

Arrays = Mapping[str, NDArray[Any]]


class ReconNet(nn.Module):
    """Crops (B, 3, 224, 224) float32 RGB in 0..1 to coefficients (B, 257)."""

    def __init__(self, backbone: ResNet | ResNetV1, sizes: tuple[int, ...] = (*HEADS.values(),)) -> None:
        """Take the backbone and the sizes of the heads: one of all where a release has a single last layer."""
        super().__init__()
        self.backbone = backbone
        self.final_layers = nn.ModuleList(nn.Conv2d(backbone.wide, size, 1) for size in sizes)

    def forward(self, crops: Tensor) -> Tensor:
        """The coefficients."""
        return self.seen(crops)[0]

    def seen(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Coefficients (B, 257), the first stage's map (B, C, h, w) and the pooled feature (B, W)."""
        if isinstance(self.backbone, ResNetV1):  # blue first, 0..255, no mean taken off
            crops = 255 * crops.flip(1)
        first, pooled = self.backbone.features(crops)
        column = pooled[:, :, None, None]
        parts = [layer(column).flatten(1) for layer in self.final_layers]
        if len(parts) == len(HEADS) and parts[4].shape[1] == WHITE:
            parts[4] = parts[4].repeat(1, 3)
        return torch.cat(parts, 1), first, pooled


def from_checkpoint(tensors: Arrays, source: str) -> ReconNet:
    """R-Net of the PyTorch release from its ``net_recon``: ResNet-50 or 18, seven heads or one last layer.

    Raises:
        WeightsError: a tensor is missing, too much, or of another shape.
    """
    backbone = ResNet50() if "backbone.layer1.0.conv3.weight" in tensors else ResNet18()
    given, last = dict(tensors), {name: f"backbone.fc.{name}" for name in ("weight", "bias")}
    if last["weight"] in given:
        network = ReconNet(backbone, (sum(HEADS.values()),))
        for name, theirs in last.items():
            given[f"final_layers.0.{name}"] = given.pop(theirs)
        given["final_layers.0.weight"] = given["final_layers.0.weight"][:, :, None, None]
    else:
        network = ReconNet(backbone)
    load_into(network, given, source)
    return _ready(network)


def from_graph(constants: Arrays, source: str) -> ReconNet:
    """R-Net of the TensorFlow release from the constants of its frozen graph, whatever their scope.

    Raises:
        WeightsError: a constant is missing, twice there, or of another shape.
    """
    gamma = _constant(constants, "fc-gamma/biases", source).size
    network = ReconNet(ResNetV1(), tuple(gamma if name == "gamma" else size for name, size in HEADS.items()))
    tensors = {}
    for ours, theirs in graph_names().items():
        value = np.asarray(_constant(constants, theirs, source), np.float32)
        tensors[ours] = np.ascontiguousarray(value.transpose(3, 2, 0, 1)) if value.ndim == 4 else value
    load_into(network, tensors, source)
    return _ready(network)


def graph_names() -> dict[str, str]:
    """Our name -> the end of the name in the TensorFlow release."""
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    names = {}

    def layer(convolution: str, norm: str, theirs: str) -> None:
        names[f"backbone.{convolution}.weight"] = f"{theirs}/weights"
        for ours, part in parts.items():
            names[f"backbone.{norm}.{ours}"] = f"{theirs}/BatchNorm/{part}"

    layer("conv1", "norm1", "resnet_v1_50/conv1")
    for block, count in enumerate(BLOCKS, 1):
        for unit in range(count):
            ours, theirs = f"block{block}.{unit}", f"block{block}/unit_{unit + 1}/bottleneck_v1"
            for k in (1, 2, 3):
                layer(f"{ours}.conv{k}", f"{ours}.norm{k}", f"{theirs}/conv{k}")
            if unit == 0:
                layer(f"{ours}.beside.0", f"{ours}.beside.1", f"{theirs}/shortcut")
    for number, name in enumerate(HEADS):
        names[f"final_layers.{number}.weight"] = f"fc-{name}/weights"
        names[f"final_layers.{number}.bias"] = f"fc-{name}/biases"
    return names


def _constant(constants: Arrays, ending: str, source: str) -> NDArray[Any]:
    fits = [name for name in constants if name == ending or name.endswith(f"/{ending}")]
    if len(fits) != 1:
        raise WeightsError(
            f"{source} has {len(fits)} constants called {ending} where one belongs; get the graph that the project's "
            "page offers."
        )
    return constants[fits[0]]


def _ready(network: ReconNet) -> ReconNet:
    fold_batch_norms(network)
    network.requires_grad_(False).eval()
    return network


class ConfidenceNet(nn.Module):
    """How far to trust each of the 80 identity coefficients of a photo, (B, 80) in 0..1.

    The paper's C-Net was never released. This is its shape as the paper tells it: three convolutions over the first
    stage's map, pooled, beside R-Net's pooled feature; two dense layers and a sigmoid.
    """

    def __init__(self, widths: tuple[int, int, int], hidden: int) -> None:
        super().__init__()
        channels = (256, *widths)
        self.shallow = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in zip(channels, widths, strict=False))
        self.fc1 = nn.Linear(widths[-1] + FEATURE, hidden)
        self.fc2 = nn.Linear(hidden, HEADS["id"])

    def forward(self, first: Tensor, pooled: Tensor) -> Tensor:
        """Confidences from the first stage's map (B, 256, h, w) and the pooled feature (B, 2048)."""
        for layer in self.shallow:
            first = torch.relu(layer(first))
        both = torch.cat([first.mean((2, 3)), pooled], 1)
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(both))))


def confidence_net(tensors: Arrays, source: str) -> ConfidenceNet:
    """From a state dict: ``shallow.{0,1,2}``, ``fc1``, ``fc2``, each ``weight`` and ``bias``; widths are its own.

    Raises:
        WeightsError: a tensor is missing, too much, or of another shape.
    """
    sizes = [len(tensors.get(f"{name}.bias", ())) for name in ("shallow.0", "shallow.1", "shallow.2", "fc1")]
    network = ConfidenceNet((sizes[0], sizes[1], sizes[2]), sizes[3]) if all(sizes) else ConfidenceNet((1, 1, 1), 1)
    load_into(network, tensors, source)
    network.requires_grad_(False).eval()
    return network
