"""Looks at a photo without decoding it: is it one, and how big."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from likeness.errors import PhotoError
from likeness.photos.exr_mark import EXR_MAGIC, UnsupportedExrError

__all__ = ["KEPT_PIXELS", "damaged", "measure", "opened"]

MAX_BYTES = 512 << 20
MAX_PIXELS = 100_000_000
"""A picture of this many pixels or more is refused before it is decoded."""

KEPT_PIXELS = 40_000_000
"""A bigger picture is scaled down to this many pixels."""

LEAST_SIDE = 64

FORMATS = ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "BMP", "GIF", "JPEG2000", "PPM"]
"""What is tried; the rest of Pillow's list is no photo, or starts other programs."""

SIGNATURES = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"II*\0", b"MM\0*", b"GIF8", EXR_MAGIC)

RAW = {".3fr", ".arw", ".cr2", ".cr3", ".dng", ".erf", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2", ".srw"}
HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}

# Pillow logs remarks about odd TIFF files; without a handler Python would print them.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def measure(path: Path, name: str | None = None) -> tuple[int, int]:
    """Width and height in pixels as stored, before its orientation is applied; raises PhotoError as `load` does.

    Args:
        path: of the file.
        name: what errors call it; the file's name when left out.
    """
    with opened(path, name or path.name) as image:
        return image.size


@contextmanager
def opened(path: Path, name: str) -> Iterator[Image.Image]:
    """The picture, its header read and its size checked; raises PhotoError."""
    head = _first_bytes(path, name)
    formats = FORMATS
    if _heif(head):
        _register_heif(name)
        formats = [*FORMATS, "HEIF"]
    elif head.startswith(EXR_MAGIC):
        _register_exr()
        formats = ["EXR"]
    if Path(name).suffix.lower() in RAW:
        raise PhotoError(f"{name} is a camera's raw file; develop it and export it as JPEG, PNG or TIFF.")
    with _silence():
        try:
            image = Image.open(path, formats=formats)
        except UnidentifiedImageError as error:
            if head.startswith(SIGNATURES) or _heif(head):
                raise PhotoError(damaged(name, ValueError("its header makes no sense"))) from error
            raise PhotoError(
                f"{name} is not a picture that can be read; use a JPEG, PNG, WebP or TIFF photo."
            ) from error
        except Image.DecompressionBombError as error:
            raise PhotoError(_too_big(name, None)) from error
        except UnsupportedExrError as error:
            raise PhotoError(
                f"{name} is an EXR file {error}; save it as a plain one with ZIP compression, or as 16-bit TIFF."
            ) from error
        except Exception as error:  # decoders raise all kinds on damaged or hostile files
            raise PhotoError(damaged(name, error)) from error
        with image:
            _check_size(image, name)
            yield image


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


def _register_exr() -> None:
    from likeness.photos import exr  # here, as it needs NumPy

    exr.register()


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


def damaged(name: str, error: Exception) -> str:
    """The sentence about a file that cannot be read to its end."""
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
