"""What GANFIT's objective asks of a drawn head: landmarks, pixels, who it is, what a network sees, what is likely.

Source: Gecer et al., "GANFIT: Generative Adversarial Network Fitting for High Fidelity 3D Face Reconstruction", CVPR
2019, section 3.3. The identity network is dlib's here; a prior of grey light after Bai et al. (FFHQ-UV), CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from likeness.faces.chip import cut_smoothly
from likeness.networks.dlib_face import Block, dlib_face

__all__ = ["Looks", "Recogniser", "coloured", "content", "directed", "dlib_looks", "identity", "landmarks", "pixels"]

POINTS = 68
"""The paper's number of landmarks; ours together weigh as much."""
STRANGE = 0.2
"""Difference of colour from which on a pixel shows something else than the skin: hair, glasses, a hand."""
WHITE = 0.8
"""Linear light that a camera gives a white face, and the deviation of its logarithm."""
WHITE_SPREAD = 0.25


@dataclass(frozen=True, eq=False)
class Looks:
    """What a face network sees: descriptor (D,) and the maps (C, H, W) of its middle layers."""

    descriptor: Tensor
    layers: tuple[Tensor, ...]

    def detached(self) -> Looks:
        """Without a past."""
        return Looks(self.descriptor.detach(), tuple(layer.detach() for layer in self.layers))


Recogniser = Callable[[Tensor, NDArray[np.float64]], Looks]
"""From a picture (3, S, S), sRGB in 0..1, and the pixels (5, 2) of its five points (`likeness.faces.chip.FIVE`)."""


def dlib_looks(picture: Tensor, five: NDArray[np.float64]) -> Looks:
    """What dlib's network sees: its descriptor, and what comes out of each of its four lower stages.

    Raises:
        WeightsError: it cannot be fetched or read.
    """
    network = dlib_face(picture.device)
    chip = cut_smoothly(picture, five)[None] * 255
    x = functional.max_pool2d(torch.relu(network.stem((chip - network.mean) / 256)), 3, 2)
    layers = []
    for block in network.blocks:
        assert isinstance(block, Block)
        if block.halve:
            layers.append(x[0])
        x = block(x)
    return Looks(network.head(x.mean((2, 3)))[0], tuple(layers))


def landmarks(found: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Squared distances of landmarks (K, 2) in pixels, weighted (K,), as if there were `POINTS` of them."""
    return POINTS * ((found - wanted).square().sum(1) * weight).sum() / weight.sum()


def pixels(drawn: Tensor, photo: Tensor, skin: Tensor) -> Tensor:
    """Mean absolute difference of pictures (3, S, S) in 0..1 where skin (S, S) shows, flattened where it is strange."""
    away = (drawn - photo).abs().mean(0)
    bounded = STRANGE * torch.atan(away / STRANGE)
    return (bounded * skin).sum() / skin.sum().clamp(min=1)


def identity(one: Looks, other: Looks) -> Tensor:
    """One minus the cosine of two descriptors."""
    return 1 - functional.cosine_similarity(one.descriptor, other.descriptor, dim=0)


def content(one: Looks, other: Looks) -> Tensor:
    """How differently the middle layers see two pictures: norms of the differences over their sizes, summed."""
    apart = [((a - b).square().sum() + 1e-12).sqrt() / a.numel() for a, b in zip(one.layers, other.layers, strict=True)]
    return torch.stack(apart).sum()


def coloured(light: Tensor) -> Tensor:
    """How coloured light (9, 3) is: its mean squared distance from grey, its level being 1."""
    level = light[0].mean().detach().abs().clamp(min=1e-3)
    return ((light - light.mean(1, keepdim=True)) / level).square().mean()


def directed(light: Tensor) -> Tensor:
    """How unlikely light (9, 3) is: squared, against even light in which a white face is exposed as photos are."""
    level = (light[0].mean() * 0.282095).clamp(min=1e-3)
    return light[1:].mean(1).square().sum() + ((level / WHITE).log() / WHITE_SPREAD).square()


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted sum of the terms."""
    terms: Sequence[Tensor] = [weights[name] * part for name, part in parts.items()]
    return torch.stack(list(terms)).sum()
