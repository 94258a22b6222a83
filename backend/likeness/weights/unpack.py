"""Takes wanted files out of zip, tar and bz2 archives: by their names alone, into names of our own, within limits."""

from __future__ import annotations

import bz2
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from likeness.errors import WeightsError
from likeness.progress import Progress
from likeness.weights.readers.mapped import damaged

__all__ = ["Member", "is_archive", "opened"]

MOST_BYTES = 8 << 30
"""Of one file, unpacked."""
MOST_RATIO = 2000
"""Unpacked to packed; real weights stay below 20, tables of text below 200."""
MOST_MEMBERS = 200_000


@dataclass(frozen=True)
class Member:
    """A file in an archive: its path there, its size (0 where not known beforehand), and how to open it."""

    path: PurePosixPath
    size: int
    open: Callable[[], IO[bytes]]

    def extract(self, target: Path, packed: int, progress: Progress) -> None:
        """Write it to `target`; raises WeightsError beyond the limits or where the archive is damaged."""
        most = min(MOST_BYTES, MOST_RATIO * packed + (1 << 20))
        if self.size > most:
            raise damaged(self.path.name, f"it would unpack to {self.size} bytes")
        if self.size > shutil.disk_usage(target.parent).free:
            raise WeightsError(f"{self.path.name} does not fit on the disk; make room or set LIKENESS_HOME.")
        done = 0
        try:
            with self.open() as source, target.open("wb") as file:
                while piece := source.read(1 << 20):
                    done += len(piece)
                    if done > most:
                        raise damaged(self.path.name, f"it unpacks to more than {most} bytes")
                    file.write(piece)
                    if self.size:
                        progress("weights", min(1.0, done / self.size), f"Unpacking {self.path.name}")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, RuntimeError) as error:
            raise damaged(self.path.name, error) from error


def is_archive(path: Path) -> bool:
    """Whether a file is something that `opened` opens."""
    return path.is_file() and (path.suffix == ".bz2" or zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


@contextmanager
def opened(path: Path) -> Iterator[list[Member]]:
    """The files in an archive; links and the like are left out. Raises WeightsError."""
    with ExitStack() as stack:
        try:
            members = list(_members(path, stack))
        except (zipfile.BadZipFile, tarfile.TarError, OSError, EOFError, zlib.error, lzma.LZMAError) as error:
            raise damaged(path.name, error) from error
        yield members


def _members(path: Path, stack: ExitStack) -> Iterator[Member]:
    if zipfile.is_zipfile(path):
        archive = stack.enter_context(zipfile.ZipFile(path))
        infos = [info for info in archive.infolist() if not info.is_dir()]
        _few(path, len(infos))
        yield from (_zipped(archive, info) for info in infos)
    elif tarfile.is_tarfile(path):
        tar = stack.enter_context(tarfile.open(path))  # noqa: SIM115 - the stack closes it
        for count, info in enumerate(tar):
            _few(path, count)
            if info.isreg():
                yield Member(PurePosixPath(info.name), info.size, _from_tar(tar, info))
    else:
        yield Member(PurePosixPath(path.name.removesuffix(".bz2")), 0, partial(bz2.open, path))


def _few(path: Path, count: int) -> None:
    if count > MOST_MEMBERS:
        raise damaged(path.name, f"more than {MOST_MEMBERS} files")


def _zipped(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Member:
    return Member(PurePosixPath(info.filename.replace("\\", "/")), info.file_size, lambda: archive.open(info))


def _from_tar(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def open_() -> IO[bytes]:
        file = tar.extractfile(info)
        if file is None:
            raise tarfile.ReadError(f"{info.name} is no file")
        return file

    return open_
