"""NumPy's .npy and .npz, without its loader's pickles: objects inside are read as `plain` reads a pickle.

Format: numpy/lib/format.py. Published landmark tables are dicts (with PyTorch tensors among them) saved this way.
"""

from __future__ import annotations

import ast
import zipfile
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from likeness.weights.readers.mapped import Bytes, damaged, map_file
from likeness.weights.readers.pickles import read_pickle
from likeness.weights.readers.plain import Plain, array, element_type, known
from likeness.weights.readers.torch_file import Tensors

__all__ = ["read", "read_archive", "read_bytes"]

MOST_BYTES = 4 << 30
"""Of an .npz, unpacked."""


def read(path: Path) -> Any:
    """An .npy: an array over the mapped file, or the plain value of the object it holds; raises WeightsError."""
    return read_bytes(map_file(path))


def read_bytes(data: Bytes) -> Any:
    """As `read`, for an .npy in memory."""
    if bytes(data.data[:6]) != b"\x93NUMPY":
        raise damaged(data.name, "it is no .npy file")
    wide = data.take(6, 1)[0] > 1
    size = int.from_bytes(data.take(8, 4 if wide else 2), "little")
    start = (12 if wide else 10) + size
    if size > 65536:
        raise damaged(data.name, f"a header of {size} bytes")
    try:
        head = ast.literal_eval(bytes(data.take(12 if wide else 10, size)).decode("latin-1"))
        kind = element_type(head["descr"])
        shape, fortran = head["shape"], bool(head["fortran_order"])
        if kind.hasobject:
            return _object(data, start)
        count = 1
        for length in shape:
            count *= length
        return array(data.take(start, count * kind.itemsize), kind, shape, fortran)
    except (ValueError, SyntaxError, TypeError, KeyError, RecursionError, MemoryError) as error:
        raise damaged(data.name, error) from error


def read_archive(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an .npz by name; raises WeightsError, also for one that unpacks to more than 4 GiB."""
    found = {}
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                left -= info.file_size
                if left < 0:
                    raise damaged(path.name, f"{info.filename} would unpack to {info.file_size} bytes")
                with archive.open(info) as member:
                    raw = member.read(info.file_size)
                found[info.filename.removesuffix(".npy")] = read_bytes(Bytes(raw, f"{path.name}/{info.filename}"))
    except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError, EOFError, ValueError) as error:
        raise damaged(path.name, error) from error
    return found


def _object(data: Bytes, start: int) -> Any:
    tensors = Tensors(len(data))
    tree, _ = read_pickle(data, known(tensors.names), start)
    return Plain(data.name, tensors.makers).value(tree)
