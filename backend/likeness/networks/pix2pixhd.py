"""pix2pixHD's generators, which translate pictures: the global one, and the one with local enhancers around it.

Source: Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs", CVPR 2018; names
of parameters as in NVIDIA/pix2pixHD (`model.…`, `model1_1.…`, `model1_2.…`), so that checkpoints of that code fit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.weights.strict import load_into

__all__ = ["GlobalGenerator", "LocalEnhancer", "translator_of"]

Arrays = Mapping[str, NDArray[Any]]

FIRST = 4
"""Layers up to the first that halves the picture: padding, convolution, norm, ReLU."""


def _norm(features: int, batch: bool) -> nn.Module:
    return nn.BatchNorm2d(features) if batch else nn.InstanceNorm2d(features)


class _Residual(nn.Module):
    def __init__(self, features: int, batch: bool) -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(features, features, 3),
            _norm(features, batch),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(features, features, 3),
            _norm(features, batch),
        )

    def forward(self, x: Tensor) -> Tensor:
        made: Tensor = x + self.conv_block(x)
        return made


def _enter(inputs: int, features: int, batch: bool) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(inputs, features, 7), _norm(features, batch), nn.ReLU()]


def _halve(features: int, batch: bool) -> list[nn.Module]:
    return [nn.Conv2d(features, 2 * features, 3, 2, 1), _norm(2 * features, batch), nn.ReLU()]


def _double(features: int, batch: bool) -> list[nn.Module]:
    half = features // 2
    return [nn.ConvTranspose2d(features, half, 3, 2, 1, output_padding=1), _norm(half, batch), nn.ReLU()]


def _leave(features: int, outputs: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(3), nn.Conv2d(features, outputs, 7), nn.Tanh()]


class GlobalGenerator(nn.Module):
    """Pictures (B, inputs, h, w) in -1..1 to (B, outputs, h, w) in -1..1; h and w are multiples of `multiple`."""

    def __init__(
        self, inputs: int, outputs: int, features: int = 64, halvings: int = 4, blocks: int = 9, batch: bool = False
    ) -> None:
        """Take the sizes; batch: batch norms in place of instance norms."""
        super().__init__()
        self.inputs, self.outputs, self.multiple = inputs, outputs, 2**halvings
        self.model = nn.Sequential(*_trunk(inputs, features, halvings, blocks, batch), *_leave(features, outputs))

    def forward(self, pictures: Tensor) -> Tensor:
        """The translated pictures."""
        made: Tensor = self.model(pictures)
        return made


def _trunk(inputs: int, features: int, halvings: int, blocks: int, batch: bool) -> list[nn.Module]:
    layers = _enter(inputs, features, batch)
    for k in range(halvings):
        layers += _halve(features * 2**k, batch)
    layers += [_Residual(features * 2**halvings, batch) for _ in range(blocks)]
    for k in range(halvings, 0, -1):
        layers += _double(features * 2**k, batch)
    return layers


class LocalEnhancer(nn.Module):
    """The global generator at half the size (or less), and enhancers that bring its features to the full one.

    Takes and gives what `GlobalGenerator` does.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        features: int = 32,
        halvings: int = 4,
        blocks: int = 9,
        local_blocks: int = 3,
        enhancers: int = 1,
        batch: bool = False,
    ) -> None:
        """Take the sizes; features are those of the finest level, where the picture has its full size."""
        super().__init__()
        self.inputs, self.outputs, self.enhancers = inputs, outputs, enhancers
        self.multiple = 2 ** (halvings + enhancers)
        self.model = nn.Sequential(*_trunk(inputs, features * 2**enhancers, halvings, blocks, batch))
        for n in range(1, enhancers + 1):
            wide = features * 2 ** (enhancers - n)
            above = [_Residual(2 * wide, batch) for _ in range(local_blocks)] + _double(2 * wide, batch)
            if n == enhancers:
                above += _leave(wide, outputs)
            self.add_module(f"model{n}_1", nn.Sequential(*_enter(inputs, wide, batch), *_halve(wide, batch)))
            self.add_module(f"model{n}_2", nn.Sequential(*above))
        self.downsample = nn.AvgPool2d(3, 2, 1, count_include_pad=False)

    def forward(self, pictures: Tensor) -> Tensor:
        """The translated pictures."""
        pyramid = [pictures]
        for _ in range(self.enhancers):
            pyramid.append(self.downsample(pyramid[-1]))
        made: Tensor = self.model(pyramid.pop())
        for n in range(1, self.enhancers + 1):
            below, above = self.get_submodule(f"model{n}_1"), self.get_submodule(f"model{n}_2")
            made = above(below(pyramid.pop()) + made)
        return made


def translator_of(tensors: Arrays, source: str) -> GlobalGenerator | LocalEnhancer:
    """The generator of a checkpoint, global or with enhancers, its sizes read from the tensors.

    Args:
        tensors: by name, "model.1.weight" and so on.
        source: the file, for messages.

    Raises:
        WeightsError: it is no checkpoint of these networks, or a tensor is missing, too much or of another shape.
    """
    first = _tensor(tensors, "model.1.weight", source).shape
    places = _numbers(tensors, r"model\.(\d+)\.conv_block\.1\.weight")
    if not places or places[0] < FIRST or (places[0] - FIRST) % 3:
        raise WeightsError(f"{source}: model.N.conv_block.1.weight is not where a generator of pix2pixHD has it.")
    halvings = (places[0] - FIRST) // 3
    batch = "model.2.weight" in tensors
    enhancers = len(_numbers(tensors, r"model(\d+)_1\.1\.weight"))
    network: GlobalGenerator | LocalEnhancer
    if enhancers:
        blocks = _numbers(tensors, r"model1_2\.(\d+)\.conv_block\.1\.weight")
        last = f"model{enhancers}_2.{len(blocks) + 4}.weight"
        outputs = _tensor(tensors, last, source).shape[0]
        features = first[0] // 2**enhancers
        network = LocalEnhancer(first[1], outputs, features, halvings, len(places), len(blocks), enhancers, batch)
    else:
        last = f"model.{FIRST + 6 * halvings + len(places) + 1}.weight"
        outputs = _tensor(tensors, last, source).shape[0]
        network = GlobalGenerator(first[1], outputs, first[0], halvings, len(places), batch)
    load_into(network, tensors, source)
    return network.eval().requires_grad_(False)


def _tensor(tensors: Arrays, name: str, source: str) -> NDArray[Any]:
    if name not in tensors:
        raise WeightsError(f"{source} lacks {name}; it is no checkpoint of a generator of pix2pixHD.")
    if tensors[name].ndim != 4:
        raise WeightsError(f"{source}: {name} has shape {tensors[name].shape} where four sizes are needed.")
    return tensors[name]


def _numbers(tensors: Arrays, pattern: str) -> list[int]:
    return sorted(int(found[1]) for name in tensors if (found := re.fullmatch(pattern, name)))
