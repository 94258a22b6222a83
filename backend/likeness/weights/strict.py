"""Loads tensors into a network, all of them or none: what is missing, too much or mis-shaped is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from numpy.typing import NDArray

from likeness.errors import WeightsError

__all__ = ["load_into"]


def load_into(
    network: torch.nn.Module,
    tensors: Mapping[str, NDArray[Any]],
    what: str,
    optional: Sequence[str] = ("*num_batches_tracked",),
    ignored: Sequence[str] = (),
) -> None:
    """Copy tensors into a network's parameters and buffers.

    Args:
        network: changed only when everything fits.
        tensors: by the network's own names.
        what: the file or entry they come from, for messages.
        optional: patterns of names that may be missing.
        ignored: patterns of names that may be too much.

    Raises:
        WeightsError: a tensor is missing, too much, of another shape, or not finite.
    """
    own = network.state_dict()
    missing = [n for n in own if n not in tensors and not any(fnmatchcase(n, p) for p in optional)]
    if missing:
        raise WeightsError(f"{what} lacks {_some(missing)}; it is not the file that this network needs.")
    extra = [n for n in tensors if n not in own and not any(fnmatchcase(n, p) for p in (*ignored, *optional))]
    if extra:
        raise WeightsError(f"{what} holds {_some(extra)}, which this network does not know.")
    state = {}
    for name in own:
        if name in tensors:
            value = torch.tensor(tensors[name])
            if value.shape != own[name].shape:
                raise WeightsError(
                    f"{what}: {name} has shape {tuple(value.shape)} where {tuple(own[name].shape)} is needed."
                )
            if value.is_floating_point() and not bool(torch.isfinite(value).all()):
                raise WeightsError(f"{what}: {name} holds numbers that are not finite.")
            state[name] = value
    network.load_state_dict(state, strict=False)


def _some(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"
