# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a package, from a folder or a zip: nothing outside is touched, nothing too big is unpacked."""

from __future__ import annotations

import io
import shutil
import stat
import zipfile
import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

__all__ = ["PackageError", "Store", "picture_size", "read_arrays"]

MAX_FILES = 1024
MAX_FILE_BYTES = 1 << 30
MAX_TOTAL_BYTES = 4 << 30
_UNREADABLE = (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError)


class PackageError(Exception):
    """An avatar package is damaged, hostile, or written by a newer version; its text is one sentence for people."""


class Store:
    """Files of a package by names with forward slashes. A context manager."""

    def __init__(self, path: Path, room: Path) -> None:
        """Open a folder or a zip; ``room`` is an empty folder for what is taken out of a zip."""
        self.path, self._room = path, room
        self._zip: zipfile.ZipFile | None = None
        self._top = ""
        if path.is_dir():
            return
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError as error:
            raise PackageError(f"There is no avatar package at {path}.") from error
        except (OSError, zipfile.BadZipFile) as error:
            raise PackageError(f"{path} is not an avatar package: it is neither a folder nor a whole zip.") from error
        try:
            self._check(self._zip.infolist())
        except PackageError:
            self._zip.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._zip is not None:
            self._zip.close()

    def _check(self, entries: list[zipfile.ZipInfo]) -> None:
        if len(entries) > MAX_FILES or sum(e.file_size for e in entries) > MAX_TOTAL_BYTES:
            raise PackageError(f"The package {self.path} is refused: it unpacks to more than a package can hold.")
        for entry in entries:
            name = entry.filename
            if name.startswith("/") or ".." in name.split("/") or "\\" in name or ":" in name:
                raise PackageError(f"The package {self.path} is refused: its file {name!r} leaves the package.")
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise PackageError(f"The package {self.path} is refused: its file {name!r} is a link.")
        tops = {e.filename.split("/")[0] for e in entries}
        if len(tops) == 1 and "avatar.json" not in tops:
            self._top = tops.pop() + "/"  # the folder itself was zipped

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Content of a file."""
        try:
            if self._zip is not None:
                return self._zip.read(self._info(name, limit))
            return self._inside(name, limit).read_bytes()
        except _UNREADABLE as error:
            raise PackageError(f"The file {name} of the package {self.path} cannot be read ({error}).") from error

    def file(self, name: str, limit: int = MAX_FILE_BYTES) -> Path:
        """A file as a path; that of a zip is unpacked into the room first."""
        if self._zip is None:
            return self._inside(name, limit)
        target = self._room / name.replace("/", "_")
        try:
            with self._zip.open(self._info(name, limit)) as source, target.open("wb") as out:
                shutil.copyfileobj(source, out, 1 << 20)
        except _UNREADABLE as error:
            raise PackageError(f"The file {name} of the package {self.path} cannot be read ({error}).") from error
        return target

    def _info(self, name: str, limit: int) -> zipfile.ZipInfo:
        assert self._zip is not None  # narrows the type; both callers looked
        _plain(self.path, name)
        try:
            info = self._zip.getinfo(self._top + name)
        except KeyError as error:
            raise PackageError(f"The package {self.path} lacks its file {name}.") from error
        if info.file_size > limit:
            raise PackageError(f"The package {self.path} is refused: its file {name} is too big.")
        return info

    def _inside(self, name: str, limit: int) -> Path:
        _plain(self.path, name)
        path = self.path.joinpath(*name.split("/"))
        try:
            real = path.resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise PackageError(f"The package {self.path} lacks its file {name}.") from error
        if self.path.resolve() not in real.parents or not real.is_file():
            raise PackageError(f"The package {self.path} is refused: its file {name!r} leaves the package.")
        if real.stat().st_size > limit:
            raise PackageError(f"The package {self.path} is refused: its file {name} is too big.")
        return path


def _plain(package: Path, name: str) -> None:
    parts = name.split("/")
    if "\\" in name or ":" in name or "\0" in name or any(p in ("", ".", "..") for p in parts):
        raise PackageError(f"The package {package} is refused: its file {name!r} leaves the package.")


def read_arrays(content: bytes) -> dict[str, np.ndarray]:
    """Arrays of an npz: plain numbers only, sizes checked against the headers. Raises ValueError."""
    arrays = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FILES or sum(e.file_size for e in entries) > MAX_FILE_BYTES:
                raise ValueError("the geometry unpacks to more than a head can hold")
            for entry in entries:
                arrays[entry.filename.removesuffix(".npy")] = _read_array(archive.read(entry))
    except (*_UNREADABLE, SyntaxError, MemoryError) as error:
        raise ValueError(f"the geometry is damaged, {error}") from error
    return arrays


def _read_array(content: bytes) -> np.ndarray:
    stream = io.BytesIO(content)
    header: Any = np.lib.format  # whose functions have no types
    if header.read_magic(stream) != (1, 0):
        raise ValueError("unknown array format")
    shape, fortran, dtype = header.read_array_header_1_0(stream)
    if dtype.hasobject or fortran or dtype.kind not in "fiu":
        raise ValueError("an array is not of plain numbers in row order")
    body = content[stream.tell() :]
    count = dtype.itemsize
    for n in shape:
        count *= int(n)
    if any(n < 0 for n in shape) or count != len(body):
        raise ValueError("an array's size differs from its header")
    return np.frombuffer(body, dtype).reshape(shape)


def picture_size(path: Path) -> tuple[int, int]:
    """Width and height of a whole PNG (8 or 16 bit, grey or RGB) or JPEG. Raises ValueError for anything else."""
    content = path.read_bytes()
    size = _png_size(content) if path.suffix.lower() == ".png" else _jpeg_size(content)
    if not size or not all(size):
        raise ValueError(f"the picture {path.name} is damaged or of another kind")
    return size


def _png_size(content: bytes) -> tuple[int, int] | None:
    if content[:8] != b"\x89PNG\r\n\x1a\n" or content[12:16] != b"IHDR":
        return None
    # Depth, colour type (0 grey, 2 RGB), compression, filter, interlace.
    depth, colour, *rest = content[24:29]
    if depth not in (8, 16) or colour not in (0, 2) or any(rest):
        return None
    at = 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        end = at + 8 + length
        if zlib.crc32(content[at + 4 : end]).to_bytes(4, "big") != content[end : end + 4]:
            return None
        if kind == b"IEND":
            return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
        at = end + 4
    return None


def _jpeg_size(content: bytes) -> tuple[int, int] | None:
    if content[:2] != b"\xff\xd8" or content[-2:] != b"\xff\xd9":
        return None
    at = 2
    while at + 9 < len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # start of frame
            return int.from_bytes(content[at + 7 : at + 9], "big"), int.from_bytes(content[at + 5 : at + 7], "big")
        at += 2 + length
    return None
