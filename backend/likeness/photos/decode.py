"""A picture file to a `Photo`: every kind a camera, phone or editor writes, within limits, or one clear sentence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from likeness.errors import PhotoError
from likeness.photos.colour import to_srgb
from likeness.photos.header import KEPT_PIXELS, damaged, opened
from likeness.photos.lens import focal_length
from likeness.photos.photo import Photo

__all__ = ["load", "load_photos"]


def load(path: Path | str, name: str | None = None) -> Photo:
    """Read a photo; errors call it `name` where its file is called otherwise.

    JPEG, PNG, WebP, TIFF, AVIF, GIF, BMP, JPEG 2000, plain EXR, and HEIC where pillow-heif is installed; 8 or
    16 bits, grey, palette, CMYK and transparent ones too. Orientation and colour profile are applied.

    Raises:
        PhotoError: one sentence that says what is wrong with the file and what to do.
    """
    path = Path(path)
    name = name or path.name or str(path)
    with opened(path, name) as image:
        return _decoded(image, path, name)


def load_photos(paths: Iterable[Path | str]) -> list[Photo]:
    """Read several photos; see `load`."""
    return [load(path) for path in paths]


def _decoded(image: Image.Image, path: Path, name: str) -> Photo:
    notes = []
    try:
        if image.format != "MPO" and getattr(image, "is_animated", False):
            notes.append(f"only the first of its {getattr(image, 'n_frames', 'many')} frames is used")
        focal, remark = focal_length(image)
        notes += remark
        image.load()
        notes += getattr(image, "remarks", ())  # of the light in an EXR file
        upright = _upright(image)
        pixels, remarks = to_srgb(upright)
        notes += remarks
    except MemoryError as error:
        raise PhotoError(f"There is not enough memory to decode {name}; scale it down.") from error
    except Exception as error:  # decoders raise all kinds on damaged or hostile files
        raise PhotoError(damaged(name, error)) from error
    before = pixels.shape[1]
    pixels, remarks = _limited(pixels)
    notes += remarks
    if focal is not None:
        focal *= pixels.shape[1] / before
    return Photo(path, pixels, focal, tuple(notes))


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF; the picture itself is whole
        return image


def _limited(pixels: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], list[str]]:
    height, width = pixels.shape[:2]
    if width * height <= KEPT_PIXELS:
        return pixels, []
    scale = math.sqrt(KEPT_PIXELS / (width * height))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    smaller = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
    return smaller, [f"scaled down from {width} x {height} to {size[0]} x {size[1]} pixels"]
