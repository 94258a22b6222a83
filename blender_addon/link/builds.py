# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch a computer gets. Data alone; the addresses are PyTorch's public indexes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["BUILDS", "Build", "Device", "build_for"]

Device = Literal["cpu", "cuda"]
MB = 1_000_000


@dataclass(frozen=True)
class Build:
    """A build of PyTorch.

    Attributes:
        index: where pip finds it besides the user's own index; "" where the user's index has it.
        torch: bytes to fetch for PyTorch and what it needs.
        disk: bytes to have free: PyTorch and the backend installed, the fetched files beside them.
    """

    index: str
    torch: int
    disk: int


BUILDS: dict[tuple[str, Device], Build] = {
    # Measured on Linux (1.8 GB installed); those with CUDA are estimates.
    ("linux", "cpu"): Build("https://download.pytorch.org/whl/cpu", 200 * MB, 3_000 * MB),
    ("linux", "cuda"): Build("", 3_000 * MB, 11_000 * MB),
    ("win32", "cpu"): Build("", 200 * MB, 3_000 * MB),
    ("win32", "cuda"): Build("https://download.pytorch.org/whl/cu130", 3_000 * MB, 11_000 * MB),
    ("darwin", "cpu"): Build("", 200 * MB, 3_000 * MB),
}
"""By sys.platform and device. macOS has one build; it uses the GPU by itself."""

BACKEND = 320 * MB
"""Bytes to fetch for the backend besides PyTorch."""


def build_for(device: Device, platform: str = sys.platform) -> Build | None:
    """The build for a computer, None where there is none."""
    return BUILDS.get((platform, device))
