"""Tensors of our own making on disk, with what is told of them; whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from likeness.errors import WeightsError

__all__ = ["read_tensors", "write_tensors"]

KEY = "likeness.told"


def write_tensors(path: Path, tensors: dict[str, Tensor], told: dict[str, Any] | None = None) -> None:
    """Write a safetensors file with what is told of it (JSON), beside and then renamed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, aside, {KEY: json.dumps(told or {})})
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `write_tensors` wrote; raises WeightsError for anything else."""
    try:
        with safe_open(path, framework="pt") as file:
            told = json.loads(file.metadata()[KEY])
            return {name: file.get_tensor(name) for name in file.keys()}, told  # noqa: SIM118 - not a dict
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read ({error}); delete it, or make it again.") from error
