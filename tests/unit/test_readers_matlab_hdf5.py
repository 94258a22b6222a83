"""MATLAB's and HDF5's files: numbers, text, structs and cells, and nothing that leads out of the file."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from likeness.errors import WeightsError
from likeness.weights.readers import hdf5, matlab

VALUE: dict[str, Any] = {
    "shapeMU": np.linspace(0, 1, 12).reshape(12, 1),
    "tl": np.arange(6, dtype=np.uint16).reshape(2, 3),
    "text": "hello",
    "sparse": scipy.sparse.csc_matrix(np.eye(3)),
    "struct": {"faces": np.arange(3.0), "name": "face", "inner": {"x": np.ones((2, 2), np.float32)}},
    "cell": np.array([np.ones(2), "a"], object),
}


@pytest.mark.parametrize("compressed", [False, True])
def test_version_5(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "model.mat"
    scipy.io.savemat(path, VALUE, do_compression=compressed)
    found = matlab.read(path)
    np.testing.assert_array_equal(found["shapeMU"], VALUE["shapeMU"])
    np.testing.assert_array_equal(found["tl"], VALUE["tl"])
    np.testing.assert_array_equal(found["sparse"], np.eye(3))
    assert (found["text"], found["struct"]["name"]) == ("hello", "face")
    np.testing.assert_array_equal(found["struct"]["inner"]["x"], np.ones((2, 2)))
    assert found["cell"][1] == "a"


def test_version_7_3_has_matlabs_axes(tmp_path: Path) -> None:
    path = tmp_path / "model.mat"
    with h5py.File(path, "w", userblock_size=512) as file:
        file["tri"] = np.arange(6.0).reshape(3, 2)  # MATLAB's 2 x 3, stored the other way round
        file["#refs#/a"] = np.zeros(1)
    with path.open("r+b") as raw:
        raw.write(b"MATLAB 7.3 MAT-file")
    found = matlab.read(path)
    np.testing.assert_array_equal(found["tri"], np.arange(6.0).reshape(3, 2).T)
    assert found.keys() == {"tri"}


def bomb() -> bytes:
    """A compressed part of a few kilobytes that unpacks to 32 megabytes of zeros."""
    head = struct.pack("<II", 14, 2**32 - 100)
    packer = zlib.compressobj(9)
    data = packer.compress(head) + b"".join(packer.compress(bytes(1 << 22)) for _ in range(8)) + packer.flush()
    return b"MATLAB".ljust(124, b" ") + struct.pack("<H", 0x100) + b"IM" + struct.pack("<II", 15, len(data)) + data


def whole(**values: Any) -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, values)
    return file.getvalue()


def test_a_bomb_stays_packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matlab, "MOST_BYTES", 1 << 24)
    path = tmp_path / "model.mat"
    path.write_bytes(bomb())
    with pytest.raises(WeightsError, match="unpacks to more than"):
        matlab.read(path)


@pytest.mark.parametrize("kind", [3, 16, 17])
def test_functions_and_objects_are_refused(tmp_path: Path, kind: int) -> None:
    path = tmp_path / "model.mat"
    data = bytearray(whole(x=np.ones(3)))
    assert data[144] == 6  # a double matrix
    data[144] = kind
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"model\.mat was refused: it holds a MATLAB function or object"):
        matlab.read(path)


@pytest.mark.parametrize("cut", [0, 100, 127, 130, 140, 180, 190])
def test_a_mat_file_cut_short(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "model.mat"
    path.write_bytes(whole(x=np.ones(30))[:cut])
    if cut in (0, 100, 127):
        with pytest.raises(WeightsError, match=r"^model\.mat is damaged"):
            matlab.read(path)
    else:
        with pytest.raises(WeightsError, match="it should have"):
            matlab.read(path)


def test_lengths_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "model.mat"
    good = whole(x=np.ones(3))
    for at, value in ((132, 2**31), (132, 8), (160, 2**20), (156, 99), (128, 7)):
        data = bytearray(good)
        data[at : at + 4] = struct.pack("<I", value)
        path.write_bytes(data)
        with pytest.raises(WeightsError, match=r"^model\.mat "):
            matlab.read(path)


# HDF5


def test_data_sets_by_their_paths(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["shape/model/mean"] = np.arange(6.0)
        file.create_dataset("color/basis", data=np.ones((4, 2), "<f4"), compression="gzip", shuffle=True)
        file["cells"] = np.arange(3, dtype=">i4")
        file["notes"] = "text is left out"
        file["again"] = h5py.SoftLink("/cells")
        file["loop"] = file["shape"]
        file["shape/loop"] = file["/"]
        file["empty"] = h5py.Empty("f4")
    found = hdf5.read(path)
    assert found.keys() == {"shape/model/mean", "color/basis", "cells"} or found.keys() == {
        "loop/model/mean",
        "color/basis",
        "cells",
    }
    np.testing.assert_array_equal(found["cells"], [0, 1, 2])
    np.testing.assert_array_equal(found["color/basis"], np.ones((4, 2)))


def test_other_files_stay_shut(tmp_path: Path) -> None:
    secret = tmp_path / "secret.h5"
    with h5py.File(secret, "w") as file:
        file["x"] = np.ones(4)
    (tmp_path / "secret.bin").write_bytes(bytes(32))
    path = tmp_path / "model.h5"

    with h5py.File(path, "w") as file:
        file["a"] = np.ones(2)
        file["x"] = h5py.ExternalLink(str(secret), "/x")
    with pytest.raises(WeightsError, match="x lies in another file"):
        hdf5.read(path)

    with h5py.File(path, "w") as file:
        file.create_dataset("y", (4,), "f8", external=[(str(tmp_path / "secret.bin"), 0, 32)])
    with pytest.raises(WeightsError, match="y lies in another file"):
        hdf5.read(path)

    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource(str(secret), "x", (4,))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("z", layout)
    with pytest.raises(WeightsError, match="z lies in another file"):
        hdf5.read(path)


def test_filters_are_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.zeros(100), compression="lzf")
    with pytest.raises(WeightsError, match="x needs a filter that would have to be loaded"):
        hdf5.read(path)


def test_sizes_that_lie(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (2**40,), "f8", chunks=(1024,), compression="gzip")
    assert path.stat().st_size < 10_000
    with pytest.raises(WeightsError, match="far larger than the file"):
        hdf5.read(path)


def test_what_is_no_hdf5(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(10_000.0)
    data = path.read_bytes()
    for wrong in (b"", b"hello", data[:100], data[: len(data) // 2]):
        path.write_bytes(wrong)
        with pytest.raises(WeightsError, match=r"^model\.h5 is damaged"):
            hdf5.read(path)
