"""Adam's state among the tensors of a file, so that a training that was stopped goes on to the same bits."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

__all__ = ["adam_tensors", "restore_adam"]

Named = Iterable[tuple[object, Tensor]]
"""Parameters with what they are called in the file."""


def adam_tensors(adam: torch.optim.Optimizer, parameters: Named) -> dict[str, Tensor]:
    """By "adam/PARAMETER/NAME"; parameters that were never stepped have none."""
    return {
        f"adam/{called}/{name}": values
        for called, parameter in parameters
        for name, values in adam.state.get(parameter, {}).items()
    }


def restore_adam(adam: torch.optim.Optimizer, parameters: Named, tensors: dict[str, Tensor]) -> None:
    """Put back what `adam_tensors` took; moments go to their parameter's device, steps stay on the CPU."""
    for called, parameter in parameters:
        prefix = f"adam/{called}/"
        kept = {key[len(prefix) :]: values for key, values in tensors.items() if key.startswith(prefix)}
        if kept:
            adam.state[parameter] = {k: v if k == "step" else v.to(parameter) for k, v in kept.items()}
