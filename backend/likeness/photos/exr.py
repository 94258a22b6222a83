"""OpenEXR pictures, as renderers and editors write them: a small reader that is safe on strangers' files.

Read are single-part scan-line files with no, RLE or ZIP compression and red, green and blue (or only Y) of any type.
Libraries that read more have had many holes; what is left out here is refused with a hint how to save the file.

Source: "OpenEXR File Layout" and "Technical Introduction to OpenEXR", openexr.com.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

from likeness.photos.exr_mark import EXR_MAGIC, UnsupportedExrError
from likeness.photos.srgb import srgb_encoded

__all__ = ["light_in", "register"]

LONGEST_HEADER = 1 << 20
MOST_CHANNELS = 1024
LINES = {0: 1, 1: 1, 2: 1, 3: 16}
"""Compression -> lines in a block: none, RLE, ZIP of single lines, ZIP."""
TYPES: dict[int, np.dtype[Any]] = {0: np.dtype("<u4"), 1: np.dtype("<f2"), 2: np.dtype("<f4")}
TILED, DEEP, PARTS = 0x200, 0x800, 0x1000
ONE_WHITE = 0.02
"""Share of a picture that may be brighter than white before all of it is made darker."""
GREY = 0.2159  # linear, on which transparent parts are laid: 128 of sRGB


@dataclass(frozen=True)
class Header:
    """What the file says of itself; channels are names and types in their order, end is where the header ends."""

    width: int
    height: int
    top: int
    compression: int
    channels: tuple[tuple[str, np.dtype[Any]], ...]
    end: int


class ExrImage(ImageFile.ImageFile):
    """Pillow's view of an EXR file; decoded to RGB when loaded. `remarks` says what was done to its light."""

    format = "EXR"
    format_description = "OpenEXR"
    remarks: tuple[str, ...] = ()

    def _open(self) -> None:
        assert self.fp is not None
        self._header = _read_header(self.fp)
        self._wanted = _wanted(self._header)
        self._size = self._header.width, self._header.height
        self._mode = "RGB"
        self._decoded = False

    def load(self) -> Any:
        """Decode, once; raises ValueError and its like on damaged files."""
        if not self._decoded:
            assert self.fp is not None
            pixels, self.remarks = _developed(_light(self.fp, self._header, self._wanted))
            self.im = Image.fromarray(pixels).im
            self._decoded = True
        return Image.Image.load(self)


def register() -> None:
    """Make Pillow know the format."""
    Image.register_open(ExrImage.format, ExrImage, lambda head: head.startswith(EXR_MAGIC))


def light_in(file: IO[bytes], side: int) -> NDArray[np.float16]:
    """Linear light (H, W, 3 or 4) of an open EXR file, number for number.

    Raises:
        UnsupportedExrError: it is of a kind that is not read.
        SyntaxError, ValueError, struct.error, zlib.error: it is damaged, or has more than ``side`` pixels along a side.
    """
    header = _read_header(file)
    if not 0 < min(header.width, header.height) <= max(header.width, header.height) <= side:
        raise ValueError(f"{header.width} x {header.height} pixels, where {side} are allowed")
    return _light(file, header, _wanted(header))


def _read_header(file: IO[bytes]) -> Header:
    file.seek(0)
    data = file.read(LONGEST_HEADER)
    if len(data) < 8 or not data.startswith(EXR_MAGIC):
        raise SyntaxError("no EXR file")
    (version,) = struct.unpack_from("<I", data, 4)
    if version & 0xFF != 2:
        raise UnsupportedExrError(f"of version {version & 0xFF}")
    for flag, kind in ((PARTS, "with several parts"), (DEEP, "with deep data"), (TILED, "in tiles")):
        if version & flag:
            raise UnsupportedExrError(kind)
    found: dict[bytes, bytes] = {}
    at = 8
    while True:
        name, at = _text(data, at)
        if not name:
            break
        _, at = _text(data, at)
        (size,) = struct.unpack_from("<i", data, at)
        at += 4
        if size < 0 or at + size > len(data):
            raise SyntaxError("an attribute ends beyond the header")
        found[name] = data[at : at + size]
        at += size
    try:
        left, top, right, bottom = struct.unpack("<4i", found[b"dataWindow"])
        (compression,) = struct.unpack("<B", found[b"compression"])
        channels = tuple(_channels(found[b"channels"]))
    except (KeyError, struct.error) as error:
        raise SyntaxError("the header lacks what every EXR file has") from error
    if compression not in LINES:
        raise UnsupportedExrError("of another compression than ZIP")
    if right < left or bottom < top:
        raise SyntaxError("its window is empty")
    return Header(right - left + 1, bottom - top + 1, top, compression, channels, at)


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    end = data.find(b"\0", at, at + 256)
    if end < 0:
        raise SyntaxError("a name has no end")
    return data[at:end], end + 1


def _channels(data: bytes) -> Iterator[tuple[str, np.dtype[Any]]]:
    at = 0
    for _ in range(MOST_CHANNELS):
        name, at = _text(data, at)
        if not name:
            return
        kind, across, down = struct.unpack_from("<i4x2i", data, at)
        at += 16
        if kind not in TYPES:
            raise SyntaxError(f"a channel has the unknown type {kind}")
        if (across, down) != (1, 1):
            raise UnsupportedExrError("with colours of fewer pixels than its brightness")
        yield name.decode("utf-8", "replace"), TYPES[kind]
    raise UnsupportedExrError(f"with more than {MOST_CHANNELS} channels")


def _wanted(header: Header) -> list[str]:
    """Names of red, green, blue and, where there is one, alpha: of the layer with the shortest name."""
    names = [name for name, _ in header.channels]
    for layer in sorted({name.rpartition(".")[0] for name in names}, key=lambda n: (len(n), n)):
        start = f"{layer}." if layer else ""
        for colours in (("R", "G", "B"), ("Y", "Y", "Y")):
            if all(start + c in names for c in colours):
                return [start + c for c in (*colours, "A") if start + c in names]
    raise UnsupportedExrError("without red, green and blue")


def _light(file: IO[bytes], header: Header, wanted: list[str]) -> NDArray[np.float16]:
    """Linear light (H, W, 3 or 4) of the wanted channels."""
    lines = LINES[header.compression]
    count = -(-header.height // lines)
    file.seek(header.end)
    table = file.read(8 * count)
    if len(table) < 8 * count:
        raise ValueError("its table of blocks is cut short")
    offsets = np.frombuffer(table, "<u8")
    line_bytes = header.width * sum(kind.itemsize for _, kind in header.channels)
    picture = np.zeros((header.height, header.width, len(wanted)), np.float16)
    shown = np.zeros(header.height, bool)
    for offset in offsets.tolist():
        if offset > 1 << 62:
            raise ValueError("a block lies beyond the file")
        file.seek(offset)
        start = file.read(8)
        if len(start) < 8:
            raise ValueError("a block is missing")
        row, size = struct.unpack("<2i", start)
        row -= header.top
        if not 0 <= row < header.height or row % lines:
            raise ValueError("a block lies outside the picture")
        rows = min(lines, header.height - row)
        if not 0 <= size <= rows * line_bytes:
            raise ValueError("a block has an impossible size")
        packed = file.read(size)
        if len(packed) < size:
            raise ValueError("a block is cut short")
        data = _unpacked(packed, header.compression, rows * line_bytes)
        _place(data, header, wanted, picture[row : row + rows])
        shown[row : row + rows] = True
    if not shown.all():
        raise ValueError("lines are missing")
    return picture


def _place(data: bytes, header: Header, wanted: list[str], picture: NDArray[np.float16]) -> None:
    """A block's channels into the lines (N, W, C) of the picture."""
    lines = np.frombuffer(data, np.uint8).reshape(len(picture), -1)
    at = 0
    for name, kind in header.channels:
        size = header.width * kind.itemsize
        if name in wanted:
            values = np.ascontiguousarray(lines[:, at : at + size]).view(kind)
            with np.errstate(over="ignore", invalid="ignore"):
                half = values.astype(np.float16)
            for k in (k for k, n in enumerate(wanted) if n == name):
                picture[..., k] = half
        at += size


def _unpacked(packed: bytes, compression: int, size: int) -> bytes:
    """A block's bytes; writers store what compression would lengthen as it is."""
    if compression == 0 or len(packed) == size:
        data = packed
    else:
        data = _reordered(_run_lengths(packed, size) if compression == 1 else _inflated(packed, size))
    if len(data) != size:
        raise ValueError("a block has the wrong length")
    return data


def _inflated(packed: bytes, size: int) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, size + 1)
    except zlib.error as error:
        raise ValueError("a block cannot be unpacked") from error


def _run_lengths(packed: bytes, size: int) -> bytes:
    data = bytearray()
    at = 0
    while at + 1 < len(packed) and len(data) <= size:
        count = packed[at] - 256 if packed[at] > 127 else packed[at]
        if count < 0:
            data += packed[at + 1 : at + 1 - count]
            at += 1 - count
        else:
            data += packed[at + 1 : at + 2] * (count + 1)
            at += 2
    return bytes(data)


def _reordered(data: bytes) -> bytes:
    """Undo the differences of neighbouring bytes, then the parting of even and odd ones."""
    steps = np.frombuffer(data, np.uint8).astype(np.int64)
    steps[1:] -= 128
    values = np.cumsum(steps).astype(np.uint8)
    half = (len(values) + 1) // 2
    joined = np.empty_like(values)
    joined[0::2], joined[1::2] = values[:half], values[half:]
    return joined.tobytes()


def _developed(light: NDArray[np.float16]) -> tuple[NDArray[np.uint8], tuple[str, ...]]:
    """Light (H, W, 3 or 4) as (H, W, 3) uint8 sRGB, made darker where much of it is brighter than white."""
    remarks = ["its linear light was turned into sRGB"]
    step = max(1, int(np.sqrt(light[..., 0].size / 250_000)))
    sample = np.nan_to_num(light[::step, ::step, :3].max(-1).astype(np.float32), posinf=65504.0)
    white = max(1.0, float(np.quantile(sample, 1 - ONE_WHITE)))
    if white > 1:
        remarks.append(f"it was made darker by {np.log2(white):.1f} stops")
    if light.shape[2] == 4:
        alpha = light[..., 3:].astype(np.float32)
        if float(np.nan_to_num(alpha).min()) < 1:
            # Light of an EXR file is multiplied with its alpha already.
            light = (light[..., :3] + (1 - np.clip(np.nan_to_num(alpha), 0, 1)) * (GREY * white)).astype(np.float16)
            remarks.append("its transparent parts are shown on grey")
    codes = np.arange(65536, dtype=np.uint16).view(np.float16).astype(np.float32)
    codes = np.clip(np.nan_to_num(codes, nan=0.0, posinf=65504.0, neginf=0.0) / white, 0, 1)
    table = np.rint(255 * srgb_encoded(codes)).astype(np.uint8)
    pixels: NDArray[np.uint8] = table[np.ascontiguousarray(light[..., :3]).view(np.uint16)]
    return pixels, tuple(remarks)
