"""A decoded photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

__all__ = ["Photo"]


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded picture, orientation applied.

    Attributes:
        path: where it came from.
        pixels: (H, W, 3) uint8 sRGB.
        focal_px: focal length in pixels of the oriented picture from EXIF, None when unknown.
        notes: what was changed or noticed while reading, one sentence each ("only the first frame is used").
    """

    path: Path
    pixels: NDArray[Any]
    focal_px: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])
