# SPDX-License-Identifier: GPL-3.0-or-later
"""Which build of PyTorch a computer gets. Data alone; the addresses are PyTorch's public indexes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

__all__ = ["BACKEND", "BUILDS", "NOTHING", "Build", "Device", "Size", "build_for"]

Device = Literal["cpu", "cuda"]
MB = 1_000_000


@dataclass(frozen=True)
class Size:
    """Bytes to fetch, and bytes that they take once they are unpacked."""

    fetched: int
    installed: int


@dataclass(frozen=True)
class Build:
    """A build of PyTorch.

    Attributes:
        index: where pip finds it besides the user's own index; "" where the user's index has it.
        size: of PyTorch and what it needs.
    """

    index: str
    size: Size

    @property
    def disk(self) -> int:
        """Bytes to have free: all of it installed, and what was fetched twice beside it, by pip and in its cache."""
        return sum(part.installed + 2 * part.fetched for part in (self.size, BACKEND))


NOTHING = Size(0, 0)
CPU = Size(220 * MB, 1_000 * MB)
CUDA = Size(2_250 * MB, 4_900 * MB)
BACKEND = Size(320 * MB, 900 * MB)
"""The backend itself, and what it needs besides PyTorch. All sizes were measured on Linux."""

BUILDS: dict[tuple[str, Device], Build] = {
    ("linux", "cpu"): Build("https://download.pytorch.org/whl/cpu", CPU),
    ("linux", "cuda"): Build("", CUDA),
    ("win32", "cpu"): Build("", CPU),
    ("win32", "cuda"): Build("https://download.pytorch.org/whl/cu130", CUDA),
    ("darwin", "cpu"): Build("", CPU),
}
"""By sys.platform and device. macOS has one build; it uses the GPU by itself."""


def build_for(device: Device, platform: str = sys.platform) -> Build | None:
    """The build for a computer, None where there is none."""
    return BUILDS.get((platform, device))
