"""A pickle's tree made plain: dicts, lists, numbers, strings and numpy arrays.

Knows the objects that published models are made of: NumPy arrays and scalars (of any age), SciPy's sparse matrices
(made dense), chumpy's `Ch` (its array; chumpy itself cannot be imported with today's NumPy), OrderedDict, Counter,
argparse.Namespace, sets, paths. Everything else is refused by name before it is looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.weights.readers.mapped import damaged, map_file, refused
from likeness.weights.readers.pickles import Global, Made, canonical, read_pickle

__all__ = ["Maker", "Plain", "array", "element_type", "flatten", "known", "read"]

Array = NDArray[Any]
Maker = Callable[["Plain", Made], Any]

DEEPEST = 100
MOST_CELLS = 1 << 28
"""Of a sparse matrix made dense."""
MOST_ARRAYS = 100_000
MOST_PARTS = 1_000_000

_TYPE = re.compile(r"[|<>=]?(\?|b1|[iu][1248]|f(2|4|8)|c(8|16)|[SUa]\d{1,6}|[bBhHiIlLqQefd]|O8?)")


def read(path: Path) -> Any:
    """The content of a pickle file, Python 2's included, as plain values.

    Raises:
        WeightsError: the file is damaged, or asks for something that a model has no need of.
    """
    data = map_file(path)
    tree, _ = read_pickle(data, known())
    return Plain(data.name).value(tree)


def known(more: Iterable[str] = ()) -> Callable[[str], bool]:
    """Says which names a file may mention: those below, and `more`."""
    names = {*_MAKERS, *_MENTIONED, *more}
    return names.__contains__


class Plain:
    """Translates one tree; parts that are shared are translated once.

    Args:
        name: of the file, for messages.
        more: makers for objects that only some files hold, by canonical name.
    """

    def __init__(self, name: str, more: Mapping[str, Maker] | None = None) -> None:
        self.name = name
        self._makers = {**_MAKERS, **(more or {})}
        self._done: dict[int, tuple[Any, Any]] = {}
        self._under_way: set[int] = set()
        self._depth = 0

    def value(self, tree: Any) -> Any:
        """The plain value of a part of the tree; raises WeightsError."""
        if isinstance(tree, Global):
            return str(tree)
        if not isinstance(tree, dict | list | tuple | Made):
            return tree
        key = id(tree)
        if key in self._done:
            return self._done[key][0]
        if key in self._under_way or self._depth > DEEPEST:
            raise damaged(self.name, "its objects hold themselves or are nested without end")
        self._under_way.add(key)
        self._depth += 1
        try:
            value = self._new(tree)
        except (ValueError, TypeError, KeyError, IndexError, OverflowError, MemoryError) as error:
            raise damaged(self.name, f"{type(error).__name__}: {error}") from error
        finally:
            self._under_way.discard(key)
            self._depth -= 1
        self._done[key] = (value, tree)  # the tree as well: its id must not be given to another
        return value

    def _new(self, tree: Any) -> Any:
        if isinstance(tree, dict):
            return {key: self.value(item) for key, item in tree.items()}
        if isinstance(tree, list):
            return [self.value(item) for item in tree]
        if isinstance(tree, tuple):
            return tuple(self.value(item) for item in tree)
        maker = self._makers.get(canonical(tree.made_of.module, tree.made_of.name))
        if maker is None:
            raise self.refused(f"to call {tree.made_of}")
        return maker(self, tree)

    def refused(self, what: str) -> WeightsError:
        """The error for something a model has no need of."""
        return refused(self.name, what)


def element_type(text: object) -> np.dtype[Any]:
    """A NumPy type by its code ("f8", "<i4", "U7"); raises ValueError for structured and unknown ones."""
    if not isinstance(text, str) or not _TYPE.fullmatch(text):
        raise ValueError(f"elements of type {text!r}")
    return np.dtype(text)


def array(raw: Any, kind: np.dtype[Any], shape: Any, fortran: bool = False) -> Array:
    """An array of raw bytes (or Python 2's, as Latin-1 text) that has exactly that shape; raises ValueError."""
    if isinstance(raw, str):
        raw = raw.encode("latin-1")
    if isinstance(shape, int):
        shape = (shape,)
    size = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError(f"a shape of {shape}")
        size *= length
    if size * kind.itemsize != len(raw):
        raise ValueError(f"{len(raw)} bytes for {size} elements of {kind}")
    if not size:
        return np.zeros(shape, kind.newbyteorder("="))
    flat = np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")
    return flat.astype(kind.newbyteorder("="), copy=False)


def flatten(tree: Any, name: str) -> dict[str, Array]:
    """The arrays in nested dicts and lists by their joined keys ("state_dict.conv1.weight"); "" for a lone array.

    Lists of numbers, and of arrays of one shape, become one array; text and the like are left out.

    Raises:
        WeightsError: two arrays would have one name, or there are more than a model has.
    """
    found: dict[str, Array] = {}
    steps = count()
    for key, value in _leaves(tree, "", 0):
        if next(steps) > MOST_PARTS or len(found) >= MOST_ARRAYS:
            raise damaged(name, "too many parts")
        if value is None:
            continue
        if key in found:
            raise damaged(name, f"two arrays called {key}")
        found[key] = value
    return found


def _leaves(tree: Any, prefix: str, depth: int) -> Iterator[tuple[str, Array | None]]:
    """Every part, arrays with their numbers."""
    stacked = _stacked(tree, 0)
    yield prefix, stacked
    if stacked is None and isinstance(tree, dict | list | tuple) and depth < DEEPEST:
        parts = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in parts:
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key), depth + 1)


def _stacked(tree: Any, depth: int) -> Array | None:
    if isinstance(tree, np.ndarray):
        return tree if tree.dtype.kind in "biufc" else None
    if isinstance(tree, int | float):
        return np.asarray(tree) if _fits(tree) else None
    if not isinstance(tree, list | tuple) or not tree or depth > 3:
        return None
    if all(isinstance(x, int | float) for x in tree):
        return np.asarray(tree) if all(_fits(x) for x in tree) else None
    rows: list[Array] = []
    for part in tree:
        row = _stacked(part, depth + 1) if isinstance(part, np.ndarray | list | tuple) else None
        if row is None or (rows and row.shape != rows[0].shape):
            return None
        rows.append(row)
    return np.stack(rows)


def _fits(number: float) -> bool:
    return not isinstance(number, int) or -(2**63) <= number < 2**63


# One maker for each kind of object


def _dtype(plain: Plain, made: Made) -> np.dtype[Any]:
    state = plain.value(made.state)
    if state is None:
        return element_type(plain.value(made.arguments[0]))
    _, order, sub, names, *_ = state
    if sub is not None or names is not None or order not in ("<", ">", "|", "="):
        raise plain.refused("an array of records")
    return element_type(plain.value(made.arguments[0])).newbyteorder(order)


def _ndarray(plain: Plain, made: Made) -> Any:
    if made.state is None:
        return np.zeros(0)
    *_, shape, kind, fortran, raw = plain.value(made.state)
    if not isinstance(kind, np.dtype):
        raise ValueError("an array without a type")
    if kind.hasobject:
        return _objects(raw, shape)
    return array(raw, kind, shape, bool(fortran))


def _objects(values: Any, shape: tuple[int, ...]) -> Any:
    """An array of objects as nested lists; one without dimensions as the object itself."""
    if not isinstance(values, list):
        raise ValueError("an array of objects without objects")
    if not shape:
        (value,) = values
        return value
    step = len(values) // shape[0] if shape[0] else 0
    if step * shape[0] != len(values):
        raise ValueError(f"{len(values)} objects for a shape of {shape}")
    if len(shape) == 1:
        return values
    return [_objects(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def _scalar(plain: Plain, made: Made) -> Any:
    kind, raw = (plain.value(a) for a in made.arguments)
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise ValueError("a scalar without a type")
    return array(raw, kind, ()).item()


def _frombuffer(plain: Plain, made: Made) -> Array:
    raw, kind, shape, order = (plain.value(a) for a in made.arguments)
    if not isinstance(kind, np.dtype) or kind.hasobject:
        raise ValueError("an array without a type")
    return array(raw, kind, shape, order == "F")


def _sparse(plain: Plain, made: Made) -> Array:
    state = plain.value(made.state)
    shape = state["_shape"] if "_shape" in state else state["shape"]
    rows, columns = (int(n) for n in shape)
    if not 0 <= rows * columns <= MOST_CELLS:
        raise ValueError(f"a sparse matrix of {rows} x {columns}")
    values = np.asarray(state["data"])
    if "indptr" in state:
        major, minor = np.asarray(state["indptr"], np.int64), np.asarray(state["indices"], np.int64)
        counts = np.diff(major)
        by_row = made.made_of.name.startswith("csr")
        fits = len(counts) == (rows if by_row else columns) and major[0] == 0 and major[-1] == len(minor)
        if not fits or (counts < 0).any():
            raise ValueError("a sparse matrix with impossible pointers")
        along = np.repeat(np.arange(len(counts)), counts)
        row, column = (along, minor) if by_row else (minor, along)
    else:
        ends = state["coords"] if "coords" in state else (state["row"], state["col"])
        row, column = (np.asarray(end, np.int64) for end in ends)
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns) if len(row) == len(column) else row < 0
    if not (len(values) == len(row) == len(column) and inside.all()):
        raise ValueError("a sparse matrix with entries outside")
    dense = np.zeros((rows, columns), values.dtype)
    np.add.at(dense, (row, column), values)
    return dense


def _chumpy(plain: Plain, made: Made) -> Any:
    state = plain.value(made.state)
    if not isinstance(state, dict) or "x" not in state:
        raise ValueError("a chumpy object without its array")
    return state["x"]


def _attributes(plain: Plain, made: Made) -> Any:
    return plain.value(made.state) if made.state is not None else {}


def _reconstructed(plain: Plain, made: Made) -> Any:
    """Python 2's way to make an object: class, base, and what the base is made of."""
    of, base, _ = made.arguments
    if not (isinstance(of, Global) and isinstance(base, Global)):
        raise ValueError("an object of no class")
    again = Made(of, ())
    again.state, again.items = made.state, made.items
    return plain.value(again)


def _pairs(plain: Plain, made: Made) -> dict[Any, Any]:
    first = plain.value(made.arguments[0]) if made.arguments else None
    return {**(first if isinstance(first, dict) else {}), **{k: plain.value(v) for k, v in made.items}}


def _list(plain: Plain, made: Made) -> list[Any]:
    return [*(plain.value(made.arguments[0]) if made.arguments else ()), *plain.value(made.items)]


def _bytes(plain: Plain, made: Made) -> bytes:
    first = plain.value(made.arguments[0]) if made.arguments else b""
    return first.encode("latin-1") if isinstance(first, str) else bytes(memoryview(first))


def _path(plain: Plain, made: Made) -> str:
    return "/".join(str(plain.value(part)) for part in made.arguments)


_MAKERS: dict[str, Maker] = {
    "numpy.dtype": _dtype,
    "numpy._core.multiarray._reconstruct": _ndarray,
    "numpy._core.multiarray.scalar": _scalar,
    "numpy._core.numeric._frombuffer": _frombuffer,
    **{f"scipy.sparse.{form}_{kind}": _sparse for form in ("csc", "csr", "coo") for kind in ("matrix", "array")},
    "chumpy.Ch": _chumpy,
    "copyreg._reconstructor": _reconstructed,
    "_codecs.encode": _bytes,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.set": _list,
    "builtins.frozenset": _list,
    "argparse.Namespace": _attributes,
    "collections.Counter": _pairs,
    "collections.defaultdict": _pairs,
    "pathlib.PosixPath": _path,
    "pathlib.WindowsPath": _path,
}

_MENTIONED = {
    *("numpy.ndarray", "builtins.object", "builtins.dict", "builtins.list", "builtins.int", "builtins.float"),
    "collections.OrderedDict",
}
