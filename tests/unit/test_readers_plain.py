"""Objects of other libraries in pickles: SciPy's sparse matrices, chumpy, old and new ways of writing them."""

import argparse
import collections
import pathlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from likeness.errors import WeightsError
from likeness.weights.readers import plain

MATRIX = scipy.sparse.random(5, 40, 0.1, format="csc", random_state=np.random.default_rng(0))


def pickled(tmp_path: Path, value: Any, protocol: int = 2, **renamed: str) -> Path:
    data = pickle.dumps(value, protocol)
    for new, old in renamed.items():
        data = data.replace(old.encode(), new.replace("__", ".").encode())
    path = tmp_path / "model.pkl"
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("form", ["csc", "csr", "coo"])
def test_sparse_becomes_dense(tmp_path: Path, form: str) -> None:
    found = plain.read(pickled(tmp_path, MATRIX.asformat(form)))
    np.testing.assert_array_equal(found, MATRIX.toarray())
    assert found.dtype == np.float64


def test_older_scipy_says_another_module(tmp_path: Path) -> None:
    path = pickled(tmp_path, MATRIX, scipy__sparse__csc="scipy.sparse._csc")
    assert b"scipy.sparse.csc\n" in path.read_bytes()
    np.testing.assert_array_equal(plain.read(path), MATRIX.toarray())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("indices", np.array([-1], np.int32)),
        ("indices", np.array([5], np.int32)),
        ("indptr", np.array([0, 2], np.int32)),
        ("indptr", np.array([1, 1], np.int32)),
        ("data", np.zeros(3)),
        ("_shape", (2**40, 1)),
        ("_shape", (-5, 1)),
        ("_shape", (2**20, 2**20)),
    ],
)
def test_impossible_sparse_is_told(tmp_path: Path, field: str, value: Any) -> None:
    one = scipy.sparse.csc_matrix(([1.0], ([2], [0])), (5, 1))
    setattr(one, field, value)
    with pytest.raises(WeightsError, match=r"model\.pkl is damaged"):
        plain.read(pickled(tmp_path, one))


def test_chumpy_without_chumpy(tmp_path: Path) -> None:
    """An object of chumpy.ch.Ch, as Python 2 writes it: class, and a state whose `x` is the array."""
    array = np.arange(6.0).reshape(2, 3)
    inner = pickle.dumps({"x": array, "_dirty_vars": {"x"}, "_itr": None}, 2)[2:-1]
    for head in (b"cchumpy.ch\nCh\n)\x81", b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR"):
        path = tmp_path / "model.pkl"
        path.write_bytes(b"\x80\x02" + head + inner + b"b.")
        np.testing.assert_array_equal(plain.read(path), array)
    path.write_bytes(b"\x80\x02cchumpy.ch\nCh\n)\x81}b.")
    with pytest.raises(WeightsError, match="a chumpy object without its array"):
        plain.read(path)
    path.write_bytes(b"\x80\x02cchumpy.reordering\nSelect\n)\x81}b.")
    with pytest.raises(WeightsError, match=r"chumpy\.reordering\.Select"):
        plain.read(path)


def test_windows_line_ends_in_a_text_pickle(tmp_path: Path) -> None:
    """A text pickle that a careless copy gave Windows' line ends is read all the same."""
    array = {"idx": np.arange(4, dtype=np.uint32), "name": "static"}
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps(array, 0).replace(b"\n", b"\r\n"))
    found = plain.read(path)
    np.testing.assert_array_equal(found["idx"], array["idx"])
    assert found["name"] == "static"


def test_bystanders_of_checkpoints(tmp_path: Path) -> None:
    value = {
        "args": argparse.Namespace(lr=0.1, files=["a"], folder=pathlib.Path("x", "y")),
        "milestones": collections.Counter({30: 1}),
        "byte array": bytearray(b"abc"),
    }
    for protocol in (2, 4, 5):
        found = plain.read(pickled(tmp_path, value, protocol))
        assert found["args"] == {"lr": 0.1, "files": ["a"], "folder": "x/y"}
        assert found["milestones"] == {30: 1}
        assert found["byte array"] == b"abc"


def test_flatten_names_arrays_by_their_way() -> None:
    tree = {
        "net": {"a.weight": np.ones((2, 2)), "step": 3, "name": "x"},
        "rows": [[1, 2], [3, 4]],
        "points": [np.zeros(3), np.ones(3)],
        "mixed": [np.zeros(3), np.ones(2)],
        "texts": np.array(["a"]),
    }
    found = plain.flatten(tree, "m")
    shapes = {name: value.shape for name, value in found.items()}
    assert shapes == {
        "net.a.weight": (2, 2),
        "net.step": (),
        "rows": (2, 2),
        "points": (2, 3),
        "mixed.0": (3,),
        "mixed.1": (2,),
    }
    assert plain.flatten(np.ones(2), "m").keys() == {""}
    with pytest.raises(WeightsError, match=r"two arrays called a\.b"):
        plain.flatten({"a": {"b": np.ones(1)}, "a.b": np.ones(1)}, "m")
