"""The focal length of a photo from its EXIF data, or nothing where it cannot be trusted."""

from __future__ import annotations

import math
from typing import Any

from PIL import ExifTags, Image

__all__ = ["focal_length"]

FULL_FRAME_DIAGONAL = math.hypot(36, 24)
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}

# By the picture's aspect (long side over short): the sensor's diagonal over the picture's long side. 4:3 and 3:2 are
# sensors; 16:9 keeps the long side of either, a square the short side of either, so those are means (to 2 and 4 %).
_ASPECTS = {4 / 3: 1.25, 3 / 2: math.hypot(1, 2 / 3), 16 / 9: 1.226, 1.0: 1.735}
_SAME = 0.012

_WIDEST, _NARROWEST = 0.4, 12.0
"""Focal length over the long side: from a fish-eye to a strong telephoto lens."""


def focal_length(image: Image.Image) -> tuple[float | None, list[str]]:
    """Focal length in pixels (of the picture as it is, square pixels), or None, and a remark where EXIF is not used.

    By the 35 mm equivalent (defined over the diagonal), else by focal length and focal-plane resolution. A picture
    that was cropped since, as far as its size tells, has a principal point elsewhere, and a 35 mm equivalent
    says nothing about it: None.
    """
    try:
        tags = image.getexif().get_ifd(ExifTags.IFD.Exif)
    except Exception:  # whatever a damaged block raises
        return None, []
    equivalent = _number(tags, ExifTags.Base.FocalLengthIn35mmFilm)
    physical = _number(tags, ExifTags.Base.FocalLength)
    if not equivalent and not physical:
        return None, []
    size = float(max(image.size)), float(min(image.size))
    taken = sorted(_number(tags, t) for t in (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight))
    aspect = size[0] / size[1]
    diagonal = next((d for a, d in _ASPECTS.items() if abs(aspect / a - 1) < _SAME), None)
    same_shape = not all(taken) or abs(aspect * taken[0] / taken[1] - 1) < _SAME
    if diagonal is None or not same_shape:
        return None, ["it seems to be cropped, so the focal length is estimated from the face"]
    if equivalent:
        focal = equivalent / FULL_FRAME_DIAGONAL * diagonal * size[0]
    else:
        focal = physical * _pixels_per_mm(tags, size[0], taken[1])
    if not _WIDEST < focal / size[0] < _NARROWEST:
        return None, []
    return focal, []


def _pixels_per_mm(tags: dict[int, Any], long_side: float, taken: float) -> float:
    """Pixels of the picture a millimetre of the sensor, 0 when unknown; a sensor is 3 to 60 mm wide."""
    unit = _UNIT_MM.get(int(_number(tags, ExifTags.Base.FocalPlaneResolutionUnit)) or 2, 25.4)
    density = _number(tags, ExifTags.Base.FocalPlaneXResolution) / unit
    full = taken or long_side
    if density <= 0 or not 3 <= full / density <= 60:
        return 0.0
    return density * long_side / full


def _number(tags: dict[int, Any], tag: int) -> float:
    """A finite positive number, or 0."""
    try:
        value = float(tags.get(tag, 0))
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if math.isfinite(value) and value > 0 else 0.0
