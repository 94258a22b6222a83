"""HDF5 through h5py, with everything off that could reach outside of the file.

HDF5 itself can follow links to other files, read data kept in them, and load filters from plugin folders: none of it
is needed for a model, and all of it is refused.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import damaged, shown

__all__ = ["read"]

Array = NDArray[Any]

MOST_BYTES = 8 << 30
MOST_RATIO = 2000
MOST_SETS = 100_000
_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_SZIP}


def read(path: Path) -> dict[str, Array]:
    """The data sets of a file by their paths without the first slash ("shape/model/mean"); text is left out.

    Raises:
        WeightsError: the file is damaged, reaches outside of itself, or unpacks to far more than it is.
    """
    found: dict[str, Array] = {}
    try:
        size = path.stat().st_size
        most = min(MOST_BYTES, MOST_RATIO * size + (1 << 20))
        with h5py.File(path, "r") as file:
            for name, data in _sets(file, path.name):
                most -= data.size * data.dtype.itemsize
                if most < 0 or len(found) >= MOST_SETS:
                    raise damaged(path.name, "data far larger than the file")
                found[name] = np.asarray(data[()])
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, OverflowError, MemoryError) as error:
        raise damaged(path.name, error) from error
    return found


def _sets(file: h5py.File, name: str) -> list[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    seen: set[int] = set()
    todo: list[tuple[str, h5py.Group]] = [("", file)]
    while todo:
        prefix, group = todo.pop()
        where = h5py.h5o.get_info(group.id).addr
        if where in seen:  # groups may hold themselves
            continue
        seen.add(where)
        for key in group:
            link = group.get(key, getlink=True)
            if not isinstance(link, h5py.HardLink | h5py.SoftLink):
                raise _refused(name, f"{prefix}{key} lies in another file")
            if isinstance(link, h5py.SoftLink):  # another name for something that comes anyway
                continue
            item = group[key]
            if isinstance(item, h5py.Group):
                todo.append((f"{prefix}{key}/", item))
            elif isinstance(item, h5py.Dataset) and item.dtype.kind in "biuf" and item.shape is not None:
                _check(item, f"{prefix}{key}", name)
                found.append((f"{prefix}{key}", item))
            if len(found) + len(todo) > MOST_SETS:
                raise damaged(name, "too many data sets")
    return sorted(found, key=lambda pair: pair[0])


def _check(data: h5py.Dataset, label: str, name: str) -> None:
    plist = data.id.get_create_plist()
    if data.is_virtual or plist.get_external_count():
        raise _refused(name, f"{label} lies in another file")
    for i in range(plist.get_nfilters()):
        if plist.get_filter(i)[0] not in _FILTERS:
            raise _refused(name, f"{label} needs a filter that would have to be loaded")


def _refused(name: str, why: str) -> WeightsError:
    return WeightsError(f"{name} was refused: {shown(why)}, which a model has no need of.")
