"""Where a package's files lie: a folder or a zip, written whole or not at all, read without trusting it."""

from __future__ import annotations

import io
import os
import shutil
import stat
import zipfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import OutputError, PackageError
from likeness.package.format import MANIFEST

__all__ = ["Store", "read_arrays", "write_folder", "write_zip"]

MAX_FILES = 1024
MAX_FILE_BYTES = 1 << 30
MAX_TOTAL_BYTES = 4 << 30
MAX_ARRAY_BYTES = 1 << 30


def write_folder(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files (name with forward slashes, content) as the folder ``path``.

    They are written beside it and renamed, so an existing package is replaced only by a complete one.
    Raises OutputError where that cannot be done, or where ``path`` is something else than a package.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise OutputError(f"{path} is not a folder; choose another name for the package.")
    if path.is_dir() and any(path.iterdir()) and not (path / MANIFEST).is_file():
        raise OutputError(f"The folder {path} holds something else than an avatar package; choose another name.")

    def fill(aside: Path) -> None:
        aside.mkdir()
        for name, content in files:
            target = aside / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(content)

    _replace(path, fill)


def write_zip(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Write files as the zip ``path``, beside it and renamed; stored, because PNG and npz are compressed already."""
    if path.is_dir():
        raise OutputError(f"{path} is a folder; choose another name for the package.")

    def fill(aside: Path) -> None:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_STORED) as archive:
            for name, content in files:
                # A fixed date: the same avatar gives the same bytes.
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)

    _replace(path, fill)


def _replace(path: Path, fill: Callable[[Path], None]) -> None:
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove(aside)
        fill(aside)
        if path.is_dir():
            path.rename(old)  # a folder cannot be replaced in one step as a file can
            try:
                aside.rename(path)
            except OSError:
                old.rename(path)
                raise
        else:
            aside.replace(path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The package {path} cannot be written ({reason}); free space or choose another folder."
        ) from (error)
    finally:
        with suppress(OSError):
            _remove(aside)
        if path.exists():
            with suppress(OSError):
                _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


class Store:
    """The files of a package, by names with forward slashes. A context manager."""

    def __init__(self, path: Path) -> None:
        """Open a folder or a zip; raises PackageError when it is neither or is built to do harm."""
        self.path = path
        self._zip: zipfile.ZipFile | None = None
        self._top = ""
        self._left = MAX_TOTAL_BYTES
        if path.is_dir():
            return
        if not path.is_file():
            raise PackageError(
                f"There is no avatar package at {path}; give the path of a .likeness folder or its .zip."
            )
        try:
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise PackageError(f"{path} is not an avatar package: it is neither a folder nor a whole zip.") from error
        try:
            self._check_zip(self._zip)
        except PackageError:
            self._zip.close()
            raise

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        if self._zip is not None:
            self._zip.close()

    def _check_zip(self, archive: zipfile.ZipFile) -> None:
        entries = archive.infolist()
        if len(entries) > MAX_FILES or sum(e.file_size for e in entries) > MAX_TOTAL_BYTES:
            raise PackageError(f"The package {self.path} is refused: it unpacks to more than a package can hold.")
        for entry in entries:
            parts = PurePosixPath(entry.filename).parts
            if entry.filename.startswith("/") or ".." in parts or "\\" in entry.filename or ":" in entry.filename:
                raise PackageError(
                    f"The package {self.path} is refused: its file {entry.filename!r} leaves the package."
                )
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise PackageError(f"The package {self.path} is refused: its file {entry.filename!r} is a link.")
        # Zipping the folder by hand puts everything below one folder.
        tops = {e.filename.split("/")[0] for e in entries}
        if len(tops) == 1 and MANIFEST not in tops:
            self._top = tops.pop() + "/"

    def read(self, name: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Content of a file of at most ``limit`` bytes; raises PackageError when it is missing, too big or outside."""
        parts = name.split("/")
        if not name or "\\" in name or ":" in name or "\0" in name or any(p in ("", ".", "..") for p in parts):
            raise PackageError(f"The package {self.path} is refused: its file {name!r} leaves the package.")
        try:
            size = self._size(name, parts)
            self._left -= size
            if size > limit or self._left < 0:
                raise PackageError(f"The package {self.path} is refused: its file {name} is too big.")
            if self._zip is not None:
                return self._zip.read(self._top + name)
            return self.path.joinpath(*parts).read_bytes()
        except (KeyError, FileNotFoundError, NotADirectoryError) as error:
            raise PackageError(f"The package {self.path} lacks its file {name}; make it anew.") from error
        except (OSError, zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
            raise PackageError(f"The file {name} of the package {self.path} cannot be read ({error}).") from error
        except Exception as error:  # zlib and its kin raise errors of their own on damaged streams
            if isinstance(error, PackageError):
                raise
            raise PackageError(f"The file {name} of the package {self.path} is damaged ({error}).") from error

    def _size(self, name: str, parts: list[str]) -> int:
        if self._zip is not None:
            return self._zip.getinfo(self._top + name).file_size
        target = self.path.joinpath(*parts)
        if not target.resolve(strict=True).is_relative_to(self.path.resolve()):
            raise PackageError(f"The package {self.path} is refused: its file {name!r} leaves the package.")
        if not target.is_file():
            raise PackageError(f"The package {self.path} is refused: {name!r} is not a plain file.")
        return target.stat().st_size


def read_arrays(content: bytes, where: str) -> dict[str, NDArray[Any]]:
    """The arrays of an npz, sizes checked against the headers before anything is unpacked, never a pickle.

    Raises PackageError; ``where`` names the package in it.
    """
    arrays: dict[str, NDArray[Any]] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            if len(entries) > MAX_FILES or sum(e.file_size for e in entries) > MAX_ARRAY_BYTES:
                raise PackageError(
                    f"The package {where} is refused: its geometry unpacks to more than a head can hold."
                )
            for entry in entries:
                arrays[entry.filename.removesuffix(".npy")] = _read_array(archive.read(entry))
    except PackageError:
        raise
    except Exception as error:  # whatever a damaged zip, stream or header raises
        raise PackageError(f"The geometry of the package {where} is damaged ({error}); make it anew.") from error
    return arrays


def _read_array(content: bytes) -> NDArray[Any]:
    stream = io.BytesIO(content)
    version = np.lib.format.read_magic(stream)  # type: ignore[no-untyped-call]
    if version != (1, 0):
        raise ValueError("unknown array format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)  # type: ignore[no-untyped-call]
    if dtype.hasobject or fortran or dtype.kind not in "fiu":
        raise ValueError("an array is not of plain numbers in row order")
    body = content[stream.tell() :]
    if any(n < 0 for n in shape) or len(body) != dtype.itemsize * int(np.prod([int(n) for n in shape], dtype=object)):
        raise ValueError("an array's size differs from its header")
    return np.frombuffer(body, dtype).reshape(shape)
