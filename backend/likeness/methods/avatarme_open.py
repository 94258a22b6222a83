"""The open de-lighting weights as AvatarMe's provider, where the user has no network of that stage."""

from __future__ import annotations

import numpy as np

from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.maps.delight import freed, own_weights, shipped_weights

__all__ = ["OPEN", "looked_over", "open_weights_there"]

OPEN = "open weights: likeness train delight, over likeness maps"


def open_weights_there() -> bool:
    """Whether there are weights, the user's own or the program's."""
    return own_weights().exists() or shipped_weights().exists()


def looked_over(head: HeadModel, vertices: np.ndarray[tuple[int, ...], np.dtype[np.float32]], skin: Material) -> Map:
    """A skin's albedo without what the network says is still light; raises WeightsError where it is damaged."""
    # Half where only the skin's other side is seen: there the network did more harm than good.
    known = skin.maps["confidence"].pixels.astype(np.float32) / np.float32(255)
    return Map(freed(head, vertices, skin.maps["albedo"].pixels, known), "srgb")
