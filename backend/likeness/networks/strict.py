"""Published parameters into our modules: every tensor must be there, in its shape, or be named."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from likeness.errors import WeightsError

__all__ = ["load_strictly", "part_of"]


def load_strictly(module: nn.Module, tensors: Mapping[str, Tensor], source: str) -> None:
    """Fill a module and put it into evaluation mode, without gradients.

    Batch counters (``num_batches_tracked``) are of no use here and may be absent or too many.

    Args:
        module: whose parameters and buffers have the original's names.
        tensors: by name, any real dtype.
        source: what the error calls the file.

    Raises:
        WeightsError: a tensor is missing, of another shape, not finite, or unknown; the sentence names it.
    """
    wanted = {name: t for name, t in module.state_dict().items() if not name.endswith("num_batches_tracked")}
    given = {name: t for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
    advice = "get the file that the method's page offers"
    for name, target in wanted.items():
        if name not in given:
            raise WeightsError(f"{source} lacks the tensor {name}; {advice}.")
        shape, expected = tuple(given[name].shape), tuple(target.shape)
        if shape != expected:
            raise WeightsError(f"{source} has the tensor {name} in the shape {shape}, not {expected}; {advice}.")
        if not bool(torch.isfinite(given[name]).all()):
            raise WeightsError(f"{source} holds numbers that are not finite in the tensor {name}; {advice}.")
    unknown = sorted(given.keys() - wanted.keys())
    if unknown:
        raise WeightsError(f"{source} holds the tensor {unknown[0]}, which this method does not have; {advice}.")
    module.load_state_dict({name: t.to(wanted[name].dtype) for name, t in given.items()}, strict=False)
    module.requires_grad_(False).eval()


def part_of(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors below a prefix ("E_flame."), their names without it."""
    return {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
