"""RingNet's regressor from the variables of its TensorFlow checkpoint.

Source: Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision", CVPR
2019; its code follows Kanazawa et al., "End-to-end Recovery of Human Shape and Pose" (HMR), CVPR 2018. The network's
own source is not public, so variables are found by shape and by how their names end, and the width of the hidden layers
is taken from the file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.networks.resnet_v2 import BLOCKS, ResNetV2
from likeness.weights.strict import load_into

__all__ = ["FEATURE", "PARAMETERS", "STAGES", "RingNet"]

PARAMETERS = 159
"""Camera 3, pose 6 (global, jaw), shape 100, expression 50."""
FEATURE = 2048
STAGES = 3
_IGNORED = ("adam", "momentum", "beta1_power", "beta2_power", "global_step")

Arrays = Mapping[str, NDArray[np.float32]]


class RingNet(nn.Module):
    """Crops (B, 3, 224, 224) RGB in -1..1 to 159 parameters, refined in three rounds from a learned start."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = ResNetV2()
        self.fc1 = nn.Linear(FEATURE + PARAMETERS, width)
        self.fc2 = nn.Linear(width, width)
        self.fc3 = nn.Linear(width, PARAMETERS)
        self.start = nn.Parameter(torch.zeros(1, PARAMETERS))

    def forward(self, crops: Tensor) -> Tensor:
        """(B, 159), the last round's."""
        return self.rounds(self.encoder(crops))[-1]

    def rounds(self, feature: Tensor) -> Tensor:
        """(3, B, 159): the parameters after each round, from features (B, 2048)."""
        theta = self.start.expand(len(feature), -1)
        found = []
        for _ in range(STAGES):
            hidden = torch.relu(self.fc2(torch.relu(self.fc1(torch.cat([feature, theta], 1)))))
            theta = theta + self.fc3(hidden)
            found.append(theta)
        return torch.stack(found)

    @classmethod
    def from_variables(cls, variables: Arrays, source: str) -> RingNet:
        """Build from TensorFlow variables by name (convolutions HWIO, dense layers in x out).

        Raises:
            WeightsError: a variable is missing, of another shape, or there are several that could be meant.
        """
        used = {n: v for n, v in variables.items() if not any(word in n.lower() for word in _IGNORED)}
        tensors: dict[str, Tensor] = {}
        first = _only(used, source, "the first convolution", "conv1/weights", (7, 7, 3, 64))
        root = first.removesuffix("conv1/weights")
        for ours, theirs in encoder_names().items():
            tensors[f"encoder.{ours}"] = _take(used, root + theirs, source)
        layers, width = _dense(used, source)
        tensors |= layers
        net = cls(width)
        load_into(net, {name: value.numpy() for name, value in tensors.items()}, source)
        net.requires_grad_(False).eval()
        return net


def encoder_names() -> dict[str, str]:
    """Our name -> the name in TF-Slim's ResNet-v2-50, below its root."""
    names = {"conv1.weight": "conv1/weights", "conv1.bias": "conv1/biases"}
    names |= _norm("postnorm", "postnorm")
    place = 0
    for block, count in enumerate(BLOCKS, 1):
        for unit in range(1, count + 1):
            ours, theirs = f"units.{place}", f"block{block}/unit_{unit}/bottleneck_v2"
            names |= _norm(f"{ours}.preact", f"{theirs}/preact")
            for k in (1, 2):
                names[f"{ours}.conv{k}.weight"] = f"{theirs}/conv{k}/weights"
                names |= _norm(f"{ours}.norm{k}", f"{theirs}/conv{k}/BatchNorm")
            for part in ("conv3", "shortcut") if unit == 1 else ("conv3",):
                names[f"{ours}.{part}.weight"] = f"{theirs}/{part}/weights"
                names[f"{ours}.{part}.bias"] = f"{theirs}/{part}/biases"
            place += 1
    return names


def _norm(ours: str, theirs: str) -> dict[str, str]:
    parts = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}
    return {f"{ours}.{a}": f"{theirs}/{b}" for a, b in parts.items()}


def _take(variables: Arrays, name: str, source: str) -> Tensor:
    if name not in variables:
        raise WeightsError(f"{source} lacks the variable {name}; get the checkpoint that RingNet's page offers.")
    value = torch.from_numpy(np.ascontiguousarray(variables[name], np.float32))
    return value.permute(3, 2, 0, 1).contiguous() if value.ndim == 4 else value


def _dense(variables: Arrays, source: str) -> tuple[dict[str, Tensor], int]:
    """The regressor's tensors by our names, and the width of its hidden layers."""
    inputs = FEATURE + PARAMETERS
    one = _only(variables, source, "the first dense layer", "", (inputs, None))
    width = variables[one].shape[1]
    two = _only(variables, source, "the second dense layer", "", (width, width))
    three = _only(variables, source, "the third dense layer", "", (width, PARAMETERS))
    start = _only(variables, source, "the start vector", "", (1, PARAMETERS))
    tensors = {"start": _take(variables, start, source)}
    for number, name in enumerate((one, two, three), 1):
        tensors[f"fc{number}.weight"] = _take(variables, name, source).T.contiguous()
        bias = name.removesuffix("weights") + "biases" if name.endswith("weights") else f"{name}/biases"
        tensors[f"fc{number}.bias"] = _take(variables, bias, source)
    return tensors, width


def _only(variables: Arrays, source: str, what: str, ending: str, shape: tuple[int | None, ...]) -> str:
    """The one variable of that ending and shape (None: any size)."""
    fits = [
        name
        for name, value in variables.items()
        if name.endswith(ending)
        and value.ndim == len(shape)
        and all(want is None or want == have for want, have in zip(shape, value.shape, strict=True))
    ]
    if len(fits) == 1:
        return fits[0]
    size = " x ".join("any" if n is None else str(n) for n in shape)
    found = f"{len(fits)} variables could be" if fits else "no variable is"
    listed = f" ({', '.join(sorted(fits)[:5])})" if fits else ""
    raise WeightsError(f"In {source} {found} {what} of {size}{listed}; get the checkpoint that RingNet's page offers.")
