# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch a computer gets. Data alone: sizes are measured, addresses are PyTorch's public indexes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["BUILDS", "Build", "Device", "build_for"]

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Build:
    """A build of PyTorch.

    Attributes:
        index: where pip finds it besides the user's own index; "" where the user's index has it.
        download: bytes that the whole backend takes to fetch.
        disk: bytes that it takes installed, with what is needed in between.
    """

    index: str
    download: int
    disk: int


BUILDS: dict[tuple[str, Device], Build] = {
    ("linux", "cpu"): Build("https://download.pytorch.org/whl/cpu", 420_000_000, 2_000_000_000),
    ("linux", "cuda"): Build("", 3_000_000_000, 9_000_000_000),
    ("win32", "cpu"): Build("", 420_000_000, 2_000_000_000),
    ("win32", "cuda"): Build("https://download.pytorch.org/whl/cu130", 3_000_000_000, 9_000_000_000),
    ("darwin", "cpu"): Build("", 420_000_000, 2_000_000_000),
}
"""By sys.platform and device. macOS has one build; it uses the GPU by itself."""


def build_for(device: Device, platform: str = sys.platform) -> Build | None:
    """The build for a computer, None where there is none."""
    return BUILDS.get((platform, device))
