"""A picture file to a `Photo`: every kind a camera, phone or editor writes, within limits, or one clear sentence."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from likeness.errors import PhotoError
from likeness.photos.colour import to_srgb
from likeness.photos.lens import focal_length
from likeness.photos.photo import Photo

__all__ = ["load", "load_photos"]

MAX_BYTES = 512 << 20
MAX_PIXELS = 100_000_000
"""A picture of this many pixels or more is refused before it is decoded."""

KEPT_PIXELS = 40_000_000
"""A bigger picture is scaled down to this many pixels."""

LEAST_SIDE = 64

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF", "JPEG2000", "PPM"]
"""What is tried; the rest of Pillow's list is no photo, or starts other programs."""

SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"GIF8")

RAW = {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Pillow logs remarks about odd TIFF files; without a handler Python would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def load(path: Path | str) -> Photo:
    """Read a photo.

    JPEG, PNG, WebP, TIFF, AVIF, GIF, BMP, JPEG 2000, and HEIC where pillow-heif is installed; 8 or 16 bits, grey,
    palette, CMYK and transparent ones too. Orientation and colour profile are applied.

    Raises:
        PhotoError: one sentence that says what is wrong with the file and what to do.
    """
    path = Path(path)
    name = path.name or str(path)
    head = _first_bytes(path, name)
    formats = [*FORMATS, "HEIF"] if _heif(head) else FORMATS
    if _heif(head):
        _register_heif(name)
    if path.suffix.lower() in RAW:
        raise PhotoError(f"{name} is a camera's raw file; develop it and export it as JPEG, PNG or TIFF.")
    with _silence():
        try:
            image = Image.open(path, formats=formats)
        except UnidentifiedImageError as error:
            if head.startswith(SIGNATURES) or _heif(head):
                raise PhotoError(_damaged(name, ValueError("its header makes no sense"))) from error
            raise PhotoError(
                f"{name} is not a picture that can be read; use a JPEG, PNG, WebP or TIFF photo."
            ) from error
        except Image.DecompressionBombError as error:
            raise PhotoError(_too_big(name, None)) from error
        except Exception as error:  # decoders raise all kinds on damaged or hostile files
            raise PhotoError(_damaged(name, error)) from error
        with image:
            _check_size(image, name)
            return _decoded(image, path, name)


def load_photos(paths: Iterable[Path | str]) -> list[Photo]:
    """Read several photos; see `load`."""
    return [load(path) for path in paths]


def _first_bytes(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise PhotoError(f"{path} is a folder; give a photo.")
        if not path.exists():
            raise PhotoError(f"There is no photo at {path}; check its name and folder.")
        if not path.is_file():
            raise PhotoError(f"{path} is not a file; give a photo.")
        size = path.stat().st_size
        if size == 0:
            raise PhotoError(f"{name} is empty; copy the photo again.")
        if size > MAX_BYTES:
            raise PhotoError(f"{name} is a file of {size >> 20} MB; save it as a JPEG below {MAX_BYTES >> 20} MB.")
        with path.open("rb") as file:
            return file.read(32)
    except PermissionError as error:
        raise PhotoError(f"You are not allowed to read {path}; change its permissions or use a copy.") from error
    except (OSError, ValueError) as error:
        raise PhotoError(f"{path} cannot be read ({_reason(error)}); use a copy on another drive.") from error


def _heif(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS and b"avif" not in head


def _register_heif(name: str) -> None:
    try:
        import pillow_heif
    except ImportError as error:
        raise PhotoError(
            f"{name} is a HEIC photo, which needs a plug-in: run `pip install pillow-heif`, or export it as JPEG."
        ) from error
    pillow_heif.register_heif_opener(thumbnails=False)


def _check_size(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height >= MAX_PIXELS:
        raise PhotoError(_too_big(name, width * height))
    if min(width, height) < LEAST_SIDE:
        raise PhotoError(
            f"{name} has only {width} x {height} pixels; "
            f"use a photo with at least {LEAST_SIDE} on each side, better 1000."
        )


def _too_big(name: str, pixels: int | None) -> str:
    count = f"{pixels / 1e6:.0f}" if pixels else "too many"
    return f"{name} has {count} megapixels; scale it down to {KEPT_PIXELS // 1_000_000}, which are plenty."


def _decoded(image: Image.Image, path: Path, name: str) -> Photo:
    notes = []
    try:
        if image.format != "MPO" and getattr(image, "is_animated", False):
            notes.append(f"only the first of its {getattr(image, 'n_frames', 'many')} frames is used")
        focal, remark = focal_length(image)
        notes += remark
        image.load()
        upright = _upright(image)
        pixels, remarks = to_srgb(upright)
        notes += remarks
    except MemoryError as error:
        raise PhotoError(f"There is not enough memory to decode {name}; scale it down.") from error
    except Exception as error:  # decoders raise all kinds on damaged or hostile files
        raise PhotoError(_damaged(name, error)) from error
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


def _damaged(name: str, error: Exception) -> str:
    return f"{name} is damaged or cut short ({_reason(error)}); copy or export it again."


def _reason(error: Exception) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return (text.splitlines() or [""])[0].rstrip(".")[:120] or type(error).__name__


@contextmanager
def _silence() -> Iterator[None]:
    """Pillow's warnings (odd metadata, many pixels) are either told as notes or not worth telling."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
