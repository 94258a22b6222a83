"""Pictures that are data: maps of 8 or 16 bits (PNG) or half floats (EXR), number for number."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import PhotoError
from likeness.photos.exr import light_in
from likeness.photos.exr_mark import EXR_MAGIC, UnsupportedExrError

__all__ = ["load_map"]

MOST_SIDE = 8192
MOST_BYTES = 1 << 30
PNG_MAGIC = b"\x89PNG\r\n\x1a\n"


def load_map(path: Path) -> tuple[NDArray[np.float32], bool]:
    """A map (H, W, 3), row 0 at v = 1, and whether its numbers are plain ones (EXR) rather than codes 0..1 (PNG).

    Grey comes as three equal channels; alpha is left out.

    Raises:
        PhotoError: there is no such file, it is neither PNG nor EXR, damaged, or larger than 8192 x 8192.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise PhotoError(f"{path.name} is larger than 1 GB; save the map smaller.")
        with path.open("rb") as file:
            head = file.read(24)
            if head.startswith(EXR_MAGIC):
                return _finite(light_in(file, MOST_SIDE)[..., :3].astype(np.float32), path), True
        if not head.startswith(PNG_MAGIC) or head[12:16] != b"IHDR":
            raise PhotoError(f"{path.name} is no map that can be read; save it as PNG (8 or 16 bits) or EXR.")
        width, height = struct.unpack(">II", head[16:24])
        if not 0 < max(width, height) <= MOST_SIDE:
            raise PhotoError(f"{path.name} is {width} x {height}; maps may have up to {MOST_SIDE} texels a side.")
        pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
        if pixels is None:
            raise ValueError("its pixels cannot be unpacked")
    except UnsupportedExrError as error:
        raise PhotoError(f"{path.name} is an EXR {error}; save it as a plain one, or as PNG.") from error
    except OSError as error:
        raise PhotoError(f"{path} cannot be read ({error.strerror or error}).") from error
    except (ValueError, SyntaxError, struct.error, zlib.error, cv2.error) as error:
        raise PhotoError(f"{path.name} is damaged ({error!s:.80}); export the map again.") from error
    most = np.float32(np.iinfo(pixels.dtype).max)
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, -1)
    return np.ascontiguousarray(pixels[..., 2::-1]).astype(np.float32) / most, False


def _finite(values: NDArray[np.float32], path: Path) -> NDArray[np.float32]:
    if not np.isfinite(values).all():
        raise PhotoError(f"{path.name} holds numbers that are not finite; export the map again.")
    return values
