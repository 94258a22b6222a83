"""What the unsupervised training of Genova et al. (CVPR 2018, section 3) asks of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["Coefficients", "batch_distribution", "multi_view_identity", "parameter_distance"]


@dataclass(frozen=True, eq=False)
class Coefficients:
    """Heads: identity (B, N) and albedo (B, K), each coefficient N(0, 1) among people."""

    identity: Tensor
    albedo: Tensor

    def detach(self) -> Coefficients:
        """The same numbers, without a past."""
        return Coefficients(self.identity.detach(), self.albedo.detach())


def parameter_distance(found: Coefficients, true: Coefficients, shape: float, colour: float) -> Tensor:
    """Squared distances, summed over coefficients, averaged over the batch, identity times `shape` plus albedo times
    `colour`: the loss of the synthetic start, and of the loopback, where `true` is what was rendered."""
    apart = (found.identity - true.identity).square().sum(1).mean()
    return shape * apart + colour * (found.albedo - true.albedo).square().sum(1).mean()


def batch_distribution(found: Coefficients) -> Tensor:
    """How far each coefficient's mean over the batch is from 0 and its standard deviation from 1, squared and summed.

    It asks the batch, not each face, to be as people are: a face far from the average costs nothing.
    """
    values = torch.cat([found.identity, found.albedo], 1)
    spread = values.std(0, unbiased=False)
    return values.mean(0).square().sum() + (spread - 1).square().sum()


def multi_view_identity(photo: Tensor, renders: Tensor) -> Tensor:
    """1 - cosine between descriptors of photos (B, D) and of renders from several sides (B, W, D), averaged."""
    return (1 - functional.cosine_similarity(photo[:, None], renders, dim=2)).mean()
