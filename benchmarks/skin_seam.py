"""How much a skin's colour jumps where its UVs are cut."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.heads.base import HeadModel

__all__ = ["seam_step", "seams"]

Floats = NDArray[np.float32]

ALONG = 64
"""Places along each edge of the cut."""


def seams(head: HeadModel) -> Floats:
    """(E, 2, 2, 2) UVs of the skin's edges that lie in two places: edge, side, end, (u, v)."""
    mine = head.region("skin").numpy()
    corners, places = head.triangles.numpy()[mine], head.triangles_uv.numpy()[mine]
    uv = head.uv.numpy()
    found: dict[tuple[int, int], list[Floats]] = {}
    for vertices, indices in zip(corners.tolist(), places.tolist(), strict=True):
        for a, b in ((0, 1), (1, 2), (2, 0)):
            first, last = (a, b) if vertices[a] < vertices[b] else (b, a)
            found.setdefault((vertices[first], vertices[last]), []).append(uv[[indices[first], indices[last]]])
    cut = [sides for sides in found.values() if len(sides) == 2 and np.abs(sides[0] - sides[1]).max() > 1e-6]
    return np.array(cut, np.float32).reshape(-1, 2, 2, 2)


def seam_step(colour: Floats, edges: Floats) -> float:
    """Relative step of linear colour (L, L, 3) between the two sides of the cut, of the channel that has most.

    It is the mean over the whole cut: left and right that were lit unlike differ the same way all along, while grain
    and hair, which differ by far more here and there, nearly cancel out.

    Args:
        edges: (E, 2, 2, 2), see `seams`.
    """
    if not len(edges):
        return 0.0
    side = colour.shape[0]
    share = ((np.arange(ALONG) + 0.5) / ALONG)[:, None]
    places = edges[:, :, None, 0] * (1 - share) + edges[:, :, None, 1] * share  # (E, 2, K, 2)
    pixels = (places * (side, -side) + (0, side) - 0.5).astype(np.float32).reshape(-1, ALONG, 2)
    sampled = cv2.remap(colour, pixels, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    length = np.linalg.norm(edges[:, 0, 1] - edges[:, 0, 0], axis=-1)
    one, other = np.average(sampled.mean(1).reshape(len(edges), 2, 3), axis=0, weights=length)
    return float((np.abs(one - other) / np.maximum((one + other) / 2, 1e-4)).max())
