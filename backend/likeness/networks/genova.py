"""The regressor of Genova et al. (CVPR 2018): from a face descriptor to coefficients of a morphable model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from likeness.errors import WeightsError
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["Regressor"]


class Regressor(nn.Module):
    """Two hidden layers and a linear one, on descriptors that are brought to mean 0 and deviation 1 first.

    Buffers `centre` (D,) and `scale` (D,) are those of the descriptors of the training; `gain` (N + K,) is, of each
    coefficient, the share of what is said that is true on average of heads the training has not seen; `doubt` (N,) is
    the mean squared error of identity as `likely` says it, of the same heads, whose variance is 1.
    """

    centre: Tensor
    scale: Tensor
    gain: Tensor
    doubt: Tensor

    def __init__(self, descriptor: int, identity: int, albedo: int, width: int) -> None:
        """D = `descriptor` numbers to N = `identity` and K = `albedo` coefficients, by way of `width` units."""
        super().__init__()
        self.sizes = (descriptor, identity, albedo, width)
        self.register_buffer("centre", torch.zeros(descriptor))
        self.register_buffer("scale", torch.ones(descriptor))
        self.register_buffer("gain", torch.ones(identity + albedo))
        self.register_buffer("doubt", torch.ones(identity))
        self.layers = nn.Sequential(
            nn.Linear(descriptor, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, identity + albedo),
        )

    def forward(self, descriptor: Tensor) -> tuple[Tensor, Tensor]:
        """Identity (B, N) and albedo (B, K) for descriptors (B, D), as the training wants them."""
        found: Tensor = self.layers((descriptor - self.centre) / self.scale)
        return found[:, : self.sizes[1]], found[:, self.sizes[1] :]

    def likely(self, descriptor: Tensor) -> tuple[Tensor, Tensor]:
        """The same, each coefficient drawn towards the average by its `gain`: the smaller error is expected of that."""
        identity, albedo = self(descriptor)
        return identity * self.gain[: self.sizes[1]], albedo * self.gain[self.sizes[1] :]

    def save(self, path: Path, told: dict[str, Any]) -> None:
        """Write a safetensors file with what is told of it, beside and then renamed."""
        write_tensors(path, dict(self.state_dict()), told | {"sizes": list(self.sizes)})

    @classmethod
    def load(cls, path: Path) -> tuple[Self, dict[str, Any]]:
        """What `save` wrote, ready to be used, and what was told of it; raises WeightsError for anything else."""
        tensors, told = read_tensors(path)
        try:
            regressor = cls(*(int(size) for size in told["sizes"]))
            # Weights from before doubt was measured say nothing of how sure they are.
            regressor.load_state_dict({"doubt": regressor.doubt} | tensors)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise WeightsError(f"{path} holds another network; give the weights of a training of genova.") from error
        return regressor.eval().requires_grad_(False), told
