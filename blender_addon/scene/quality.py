# SPDX-License-Identifier: GPL-3.0-or-later
"""How much time a picture is worth: sizes and samples of stills and turntables."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["STILLS", "TURNTABLES", "Still", "Turntable"]


@dataclass(frozen=True)
class Still:
    """Height in pixels (three quarters as wide) and Cycles' samples."""

    height: int
    samples: int


@dataclass(frozen=True)
class Turntable(Still):
    """Pictures of one turn, and how many are shown in a second."""

    frames: int
    fps: int


STILLS = {"DRAFT": Still(512, 24), "GOOD": Still(1024, 96), "FINAL": Still(2048, 384)}
TURNTABLES = {
    "DRAFT": Turntable(320, 12, 24, 12),
    "GOOD": Turntable(640, 48, 72, 24),
    "FINAL": Turntable(1080, 128, 144, 24),
}
