"""A method's own maps join the skin's material: its displacement carries our finer relief, the rest lies beside it."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material

__all__ = ["DISPLACEMENT", "enlarged", "with_own"]

DISPLACEMENT = "displacement"
"""Channel of a method's own relief in metres."""
ADDED = "detail."
"""Beginning of the channels that hold what an expression adds to the displacement, in metres."""


def with_own(skin: Material, maps: dict[str, NDArray[Any]]) -> Material:
    """The skin's material with a method's maps in the same square.

    "displacement" (metres) is enlarged and added to the relief that is there; "detail.NAME" (metres) and whatever else
    the method has become channels of their own: uint8 pictures of three channels are colour, all others data.
    """
    joined = dict(skin.maps)
    for name, pixels in maps.items():
        if name == DISPLACEMENT and name in skin.maps:
            joined[name] = _raised(skin.maps[name], pixels)
        elif name == DISPLACEMENT or name.startswith(ADDED):
            joined[name] = Map(pixels.astype(np.float32), "linear")
        else:
            colour = pixels.dtype == np.uint8 and pixels.ndim == 3
            joined[name] = Map(pixels, "srgb" if colour else "linear")
    return Material(joined, skin.values)


def _raised(fine: Map, broad: NDArray[Any]) -> Map:
    """The sum of a fine displacement map and a smaller one in metres."""
    side = fine.pixels.shape[0]
    most = 1.0 if fine.pixels.dtype == np.float32 else float(np.iinfo(fine.pixels.dtype).max)
    metres = fine.pixels.astype(np.float32) * np.float32(fine.scale / most) + np.float32(fine.offset)
    metres += enlarged(broad, side)
    return Map(metres, "linear")


def enlarged(broad: NDArray[Any], side: int) -> NDArray[np.float32]:
    """A method's displacement in the size of the maps, (side, side) float32 metres."""
    grown: NDArray[np.float32] = cv2.resize(broad.astype(np.float32), (side, side), interpolation=cv2.INTER_CUBIC)
    return grown
