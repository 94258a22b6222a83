"""IResNet, the residual network that ArcFace is trained with: an aligned face of 112 pixels to 512 numbers.

Source: Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019, section 3.1, with the
names of InsightFace's arcface_torch (https://github.com/deepinsight/insightface). Two faces are as alike as the cosine
of their numbers says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.networks.iresnet_graph import state_of
from likeness.weights import catalog, store
from likeness.weights.strict import load_into

__all__ = ["BLOCKS", "IResNet", "depth", "installed_network", "of_state"]

BLOCKS = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 14, 3), 100: (3, 13, 30, 3), 200: (6, 26, 60, 6)}
"""Blocks of the four stages by the network's usual number."""
WIDTHS = (64, 128, 256, 512)
EPS = 1e-5
_BLOCK = re.compile(r"layer([1-4])\.(\d+)\.")


class Block(nn.Module):
    """Two 3x3 convolutions between normalisations beside a shortcut; nothing bends their sum. The first of a stage
    halves the map, by its second convolution."""

    def __init__(self, inputs: int, outputs: int, *, halve: bool) -> None:
        super().__init__()
        step = 2 if halve else 1
        self.bn1 = nn.BatchNorm2d(inputs, EPS)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs, EPS)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, step, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs, EPS)
        self.downsample = None
        if halve:
            shortcut = nn.Conv2d(inputs, outputs, 1, step, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(outputs, EPS))

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), or half that high and wide."""
        y = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        y = self.bn3(self.conv2(y))
        return torch.as_tensor(y + (x if self.downsample is None else self.downsample(x)))


class IResNet(nn.Module):
    """The network.

    Args:
        blocks: of the four stages, one of `BLOCKS` in the published files.
    """

    def __init__(self, blocks: tuple[int, ...]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0], EPS)
        self.prelu = nn.PReLU(WIDTHS[0])
        inputs = WIDTHS[0]
        for number, (width, count) in enumerate(zip(WIDTHS, blocks, strict=True), 1):
            first = Block(inputs, width, halve=True)
            others = (Block(width, width, halve=False) for _ in range(count - 1))
            setattr(self, f"layer{number}", nn.Sequential(first, *others))
            inputs = width
        self.bn2 = nn.BatchNorm2d(WIDTHS[-1], EPS)
        self.fc = nn.Linear(WIDTHS[-1] * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512, EPS)

    def stages(self, faces: Tensor) -> list[Tensor]:
        """Faces (B, 3, 112, 112) float32 sRGB in -1..1 to what comes out of the four stages: (B, 64, 56, 56),
        (B, 128, 28, 28), (B, 256, 14, 14), (B, 512, 7, 7)."""
        x = self.prelu(self.bn1(self.conv1(faces)))
        found = []
        for number in range(1, len(WIDTHS) + 1):
            x = getattr(self, f"layer{number}")(x)
            found.append(x)
        return found

    def descriptor(self, last: Tensor) -> Tensor:
        """The last stage's maps (B, 512, 7, 7) to (B, 512); not of unit length."""
        return torch.as_tensor(self.features(self.fc(self.bn2(last).flatten(1))))

    def forward(self, faces: Tensor) -> Tensor:
        """Faces (B, 3, 112, 112) as in `stages` to (B, 512)."""
        return self.descriptor(self.stages(faces)[-1])


def of_state(tensors: Mapping[str, NDArray[Any]], what: str) -> IResNet:
    """The network of a state by arcface_torch's names, of whichever depth it is; frozen, for inference.

    Args:
        what: the file, for messages.

    Raises:
        WeightsError: it is of another network: a tensor is missing, too much, or of another shape.
    """
    network = IResNet(_blocks(tensors, what))
    load_into(network, tensors, what)
    return network.eval().requires_grad_(False)


def _blocks(names: Iterable[str], what: str) -> tuple[int, ...]:
    found = [0, 0, 0, 0]
    for name in names:
        if place := _BLOCK.match(name):
            stage, number = int(place[1]) - 1, int(place[2])
            found[stage] = max(found[stage], number + 1)
    if tuple(found) not in BLOCKS.values():
        listed = "-".join(map(str, found))
        raise WeightsError(f"{what} is no IResNet of 18, 34, 50, 100 or 200 layers (its stages have {listed} blocks).")
    return tuple(found)


def depth(network: IResNet) -> int:
    """The network's usual number."""
    blocks = tuple(len(getattr(network, f"layer{n}")) for n in range(1, len(WIDTHS) + 1))
    return next(number for number, listed in BLOCKS.items() if listed == blocks)


def installed_network(name: str, device: torch.device | str = "cpu") -> IResNet:
    """The network of an entry of the weights catalogue, frozen.

    Raises:
        WeightsError: it is not installed, or its file is of another network.
    """
    return _loaded(name, store.stamp([name]), str(device))


@lru_cache(maxsize=2)
def _loaded(name: str, stamp: tuple[tuple[str, float], ...], device: str) -> IResNet:
    weights = store.open_weights(name)
    what = f"{catalog.entry(name).title} ({', '.join(weights.sources)})"
    state = weights.tensors("backbone/")
    if not state:
        stored = weights.tensors("onnx/")
        if "graph" not in stored:
            raise WeightsError(f"{what} holds no network; install it again with likeness weights install {name}.")
        graph = json.loads(stored.pop("graph").tobytes())
        state = state_of(graph, {key.removeprefix("value/"): value for key, value in stored.items()}, what)
    # Whoever asks first, the parameters must be such that gradients can pass through them.
    with torch.inference_mode(False):
        return of_state(state, what).to(device)
