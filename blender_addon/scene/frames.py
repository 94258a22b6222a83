# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where the package's frame becomes Blender's, and back."""

from __future__ import annotations

import numpy as np

__all__ = ["from_blender", "to_blender"]


def to_blender(vectors: np.ndarray) -> np.ndarray:
    """Points, directions or rotation vectors (..., 3) from +Y up, face along +Z to +Z up, face along -Y.

    It is a rotation, so lengths, handedness and the person's left (+X) stay.
    """
    x, y, z = np.moveaxis(np.asarray(vectors), -1, 0)
    return np.stack([x, -z, y], axis=-1)


def from_blender(vectors: np.ndarray) -> np.ndarray:
    """The opposite of `to_blender`, (..., 3)."""
    x, y, z = np.moveaxis(np.asarray(vectors), -1, 0)
    return np.stack([x, z, -y], axis=-1)
