"""Arrays of Basel Face Models as their files have them: flat, counted from 1, components in columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.bfm import Colours

__all__ = ["basis_of", "colours_of", "demand", "landmarks_numbered", "numbered", "rows_of", "scaled_columns"]

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def demand(arrays: Arrays, names: tuple[str, ...], source: str) -> None:
    """Raises HeadError where one of the names is missing."""
    for name in names:
        if name not in arrays:
            raise HeadError(f"{source} lacks {name}; it is another file than its name says.")


def numbered(numbers: NDArray[Any], count: int, source: str) -> Ints:
    """Numbers counted from 1, of whatever type, as places (n,) among ``count``; raises HeadError."""
    places = np.asarray(numbers).reshape(-1).astype(np.int64) - 1
    if not len(places) or places.min() < 0 or places.max() >= count:
        raise HeadError(f"{source} numbers vertices that do not exist; use the files of one edition.")
    return places


def landmarks_numbered(numbers: NDArray[Any], count: int, source: str) -> Ints:
    """68 numbers of vertices counted from 1 as places (68,) among ``count``; raises HeadError."""
    if np.size(numbers) != 68:
        raise HeadError(f"{source} has {np.size(numbers)} landmarks where 68 belong; use the files of one edition.")
    return numbered(numbers, count, source)


def rows_of(vertices: Ints) -> Ints:
    """Rows of x, y, z of vertices (n,), (3n,)."""
    return (3 * vertices[:, None] + np.arange(3)).reshape(-1)


def scaled_columns(components: NDArray[Any], deviations: NDArray[Any], rows: Ints | slice, count: int) -> NDArray[Any]:
    """The first columns of components (3V, K) at some rows, times their deviations (K,)."""
    scaled: NDArray[Any] = components[rows, :count] * np.asarray(deviations).reshape(1, -1)[:, :count]
    return scaled


def basis_of(columns: NDArray[Any], vertices: int, source: str) -> Floats:
    """(K, V, 3) from columns (3V, K); raises HeadError."""
    if columns.ndim != 2 or len(columns) != 3 * vertices:
        raise HeadError(f"{source} has a basis that does not fit its {vertices} vertices; get the file again.")
    return np.ascontiguousarray(np.asarray(columns, np.float32).T).reshape(-1, vertices, 3)


def colours_of(mean: NDArray[Any], basis: NDArray[Any], vertices: int, source: str) -> Colours:
    """From mean (3V, 1) and columns (3V, K) in 0..255; raises HeadError."""
    flat = np.asarray(mean, np.float32).reshape(-1, 3) / 255
    if len(flat) != vertices:
        raise HeadError(f"{source} has colours of {len(flat)} vertices and shapes of {vertices}; get the file again.")
    return Colours(flat, basis_of(basis, vertices, source) / np.float32(255))
