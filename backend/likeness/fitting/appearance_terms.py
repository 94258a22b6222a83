"""What GANFIT's objective asks of a drawn head: landmarks, pixels, who it is, what a network sees, what is likely.

Source: Gecer et al., "GANFIT: Generative Adversarial Network Fitting for High Fidelity 3D Face Reconstruction", CVPR
2019, section 3.3. A prior of grey light after Bai et al. (FFHQ-UV), CVPR 2023, is in `likeness.fitting.lights`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Looks", "Recogniser", "content", "identity", "landmarks", "pixels", "total"]

POINTS = 68
"""The paper's number of landmarks; ours together weigh as much."""
STRANGE = 0.2
"""Difference of colour from which on a pixel shows something else than the skin: hair, glasses, a hand."""


@dataclass(frozen=True, eq=False)
class Looks:
    """What a face network sees: descriptor (D,) and the maps (C, H, W) of its middle layers."""

    descriptor: Tensor
    layers: tuple[Tensor, ...]

    def detached(self) -> Looks:
        """Without a past."""
        return Looks(self.descriptor.detach(), tuple(layer.detach() for layer in self.layers))


Recogniser = Callable[[Tensor, Tensor], Looks]
"""From a picture (3, S, S), sRGB in 0..1, and the pixels (8, 2) of its `likeness.fitting.appearance.ANCHORS`."""


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


def total(parts: dict[str, Tensor], weights: dict[str, float]) -> Tensor:
    """The weighted sum of the terms."""
    terms: Sequence[Tensor] = [weights[name] * part for name, part in parts.items()]
    return torch.stack(list(terms)).sum()
