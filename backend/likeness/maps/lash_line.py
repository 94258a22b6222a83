"""How dark the line of lashes along the upper lids is: fair lashes are hardly seen, mascara and liner from afar."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.heads.embedding_points import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS
from likeness.maps.unwrap import log_light
from likeness.methods.base import View

__all__ = ["USUAL", "lash_darkness"]

Floats = NDArray[np.float32]

USUAL = 0.4
"""Where no photo tells."""
FAINT, BLACK = 0.4, 2.0
"""Log luminance by which the line is darker than the lid above it where lashes are fair, and where they are black."""
ACROSS = (0.0, 0.07)
"""The band in which the line lies, from the lid's edge upwards, in widths of the eye."""
ABOVE = (0.16, 0.30)
"""The same of the lid that it is compared with."""
FINEST = 18.0
"""Pixels of an eye's width below which a photo shows no line."""


def lash_darkness(views: tuple[View, ...]) -> float:
    """How dark lashes look in the photos, 0..1; the mean over eyes that are seen well."""
    found, weights = [], []
    for view in views:
        landmarks, photo = view.face.landmarks[:, :2], view.face.photo.pixels
        widths = [float(np.linalg.norm(landmarks[a] - landmarks[b])) for a, b in EYE_CORNERS]
        for eye, width in enumerate(widths):
            if width < max(FINEST, 0.6 * max(widths)):
                continue
            upper = landmarks[list(UPPER_LIDS[7 * eye : 7 * eye + 7])]
            lower = landmarks[list(LOWER_LIDS[7 * eye : 7 * eye + 7])]
            if float(np.linalg.norm(upper - lower, axis=1).mean()) < 0.1 * width:
                continue  # shut
            depth = _depth(photo, upper, (upper - lower).mean(0), width)
            if depth is not None:
                found.append(np.clip((depth - FAINT) / (BLACK - FAINT), 0, 1))
                weights.append(width)
    return float(np.average(found, weights=weights)) if found else USUAL


def _depth(photo: NDArray[np.uint8], lid: NDArray[np.float64], up: NDArray[np.float64], width: float) -> float | None:
    """Log luminance by which the darkest of the line is below the lid; None where hair or glasses cover that."""
    up = up / max(float(np.linalg.norm(up)), 1e-9)

    def bands(low: float, high: float, count: int) -> Floats:
        away = np.linspace(low, high, count)[:, None, None] * width
        places = (lid[None] + away * up - 0.5).astype(np.float32)
        corner = np.floor(places.reshape(-1, 2).min(0)).astype(int) - 2
        end = np.ceil(places.reshape(-1, 2).max(0)).astype(int) + 3
        corner, end = np.maximum(corner, 0), np.minimum(end, photo.shape[1::-1])
        if (end - corner).min() < 3:
            return np.zeros((count, 0), np.float32)
        crop = log_light(np.ascontiguousarray(photo[corner[1] : end[1], corner[0] : end[0]])).mean(-1)
        where = places - corner.astype(np.float32)
        sampled = cv2.remap(crop, where[..., 0], where[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return np.asarray(sampled, np.float32)

    line, skin = bands(*ACROSS, 9), bands(*ABOVE, 5)
    if not line.size or not skin.size:
        return None
    level = float(np.median(skin))
    if float(np.percentile(skin, 20)) < level - 1.0:
        return None
    return level - float(np.median(line.min(0)))
