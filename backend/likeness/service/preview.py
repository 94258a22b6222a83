"""A small square of the first photo around the face, for lists."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from likeness.avatar import Avatar

__all__ = ["write_preview"]

SIDE = 256
"""Pixels."""

WIDTH = 0.28
"""Metres at the eyes that the square shows; a head is about 0.24 high."""

BELOW = 0.02
"""Metres from the eyes down to the middle of the square."""


def write_preview(avatar: Avatar, path: Path) -> None:
    """Write a PNG of 256 x 256 pixels, beside it and renamed; raises ValueError where the face is out of the photo."""
    view = avatar.views[0]
    names = list(avatar.joint_names)
    eyes = avatar.joints[[names.index("eye.L"), names.index("eye.R")]].mean(axis=0)
    up = np.array([0.0, 1.0, 0.0])
    middle, above = view.camera.project(np.stack([eyes - BELOW * up, eyes + (WIDTH / 2 - BELOW) * up]))
    half = max(float(np.linalg.norm(middle - above)), 16.0)
    scale = SIDE / (2 * half)
    move = np.array([[scale, 0, SIDE / 2 - scale * middle[0]], [0, scale, SIDE / 2 - scale * middle[1]]])
    flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    picture = cv2.warpAffine(view.photo, move, (SIDE, SIDE), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError("the picture cannot be encoded")
    aside = path.with_name(f".{path.name}.part")
    aside.write_bytes(data.tobytes())
    aside.replace(path)
