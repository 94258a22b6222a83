"""Thousands of damaged files, the same ones each time: every reader reads them or says what is wrong, and no more."""

import io
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse
import test_readers_caffe as made_caffe
import test_readers_tables as made_tables
import test_readers_tensorflow as made_tensorflow
import test_readers_torch7 as made_torch7
import torch

from likeness.errors import WeightsError
from likeness.weights.readers import (
    caffe,
    dlib_face,
    hdf5,
    matlab,
    numpy_file,
    plain,
    tables,
    tf_checkpoint,
    tf_graph,
    torch7,
    torch_file,
)

ROUNDS = 300


def saved(value: Any, legacy: bool) -> bytes:
    file = io.BytesIO()
    torch.save(value, file, _use_new_zipfile_serialization=not legacy)
    return file.getvalue()


def mat(compressed: bool) -> bytes:
    file = io.BytesIO()
    value = {"a": np.ones((3, 2)), "s": {"x": np.arange(3), "t": "text"}, "c": np.array([1, "b"], object)}
    scipy.io.savemat(file, {**value, "p": scipy.sparse.eye(3, format="csc")}, do_compression=compressed)
    return file.getvalue()


def hdf(folder: Path) -> bytes:
    with h5py.File(folder / "made.h5", "w") as file:
        file["shape/mean"] = np.arange(6.0)
        file.create_dataset("basis", data=np.ones((4, 2)), compression="gzip")
    return (folder / "made.h5").read_bytes()


def checkpoint(folder: Path) -> bytes:
    w = made_tensorflow.W
    entries = [
        (b"w", made_tensorflow.variable((2, 3), w.tobytes(), 0)),
        (b"w/b", made_tensorflow.variable((), b"\0" * 4, 0)),
    ]
    return made_tensorflow.write(folder, entries, [w.tobytes()], "m").read_bytes()


def arrays() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.ones((2, 2)), b=np.array({"x": 1}, object))
    return file.getvalue()


def numpy_one(value: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, value, allow_pickle=True)
    return file.getvalue()


TABLE = {
    "v": np.arange(6.0).reshape(2, 3),
    "J": scipy.sparse.eye(3, format="csc"),
    "t": ["a", 1, None, 2.5],
    "f": np.float32(1),
}
STATE = {"net": torch.nn.Linear(2, 3).state_dict(), "epoch": 3, "half": torch.ones(2, dtype=torch.bfloat16)}
T7 = {
    "w": made_torch7.W,
    "n": ("nn.Sequential", {"modules": [("nn.Linear", {"weight": made_torch7.W.T})]}),
    "x": [1, "a"],
}

READERS: dict[str, tuple[str, Callable[[Path], bytes], Callable[[Path], Any]]] = {
    **{f"pickle {p}": ("m.pkl", lambda _, p=p: pickle.dumps(TABLE, p), plain.read) for p in range(6)},  # type: ignore[misc]
    "torch zip": ("m.pth", lambda _: saved(STATE, False), torch_file.read),
    "torch legacy": ("m.pth", lambda _: saved(STATE, True), torch_file.read),
    "npy": ("m.npy", lambda _: numpy_one(np.ones((2, 3))), numpy_file.read),
    "npy objects": ("m.npy", lambda _: numpy_one({"t": torch.ones(2), "n": np.ones(2)}), numpy_file.read),
    "npz": ("m.npz", lambda _: arrays(), numpy_file.read_archive),
    "tf checkpoint": ("m.index", checkpoint, tf_checkpoint.read),
    "tf graph": ("m.pb", lambda _: made_tensorflow.graph(), tf_graph.constants),
    "caffe": (
        "m.caffemodel",
        lambda _: made_caffe.layer("c", "C", made_caffe.blob(made_caffe.KERNEL[:1]), made_caffe.blob(made_caffe.BIAS)),
        caffe.read,
    ),
    "caffe mean": ("m.binaryproto", lambda _: made_caffe.blob_v1(made_caffe.BIAS), caffe.read_mean),
    "torch7": ("m.t7", lambda _: made_torch7.Writer().value(T7), torch7.read),
    "torch7 ascii": ("m.t7", lambda _: b"3\n1\n2\n2\n1\na\n1\n2.5\n2\n1\nb\n5\n1\n", torch7.read),
    "mat": ("m.mat", lambda _: mat(False), matlab.read),
    "mat packed": ("m.mat", lambda _: mat(True), matlab.read),
    "hdf5": ("m.h5", hdf, hdf5.read),
    "dlib": ("m.dat", lambda _: made_tables.dlib_network(), dlib_face.read),
    "text": ("m.txt", lambda _: b"1 2 3\n4 5 6\n", tables.read_text),
    "obj": ("m.obj", lambda _: made_tables.OBJ.encode(), tables.read_obj),
}


def damaged(data: bytes, seed: int) -> Iterator[bytes]:
    """Bytes changed, numbers blown up, parts cut out, doubled, swapped, and the end cut off."""
    random = np.random.default_rng(seed)
    big = [b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0" * 8, b"\x80", b"\xff" * 8]
    for _ in range(ROUNDS):
        one = bytearray(data)
        for _ in range(int(random.integers(1, 4))):
            at = int(random.integers(0, max(1, len(one))))
            size = int(random.integers(1, 32))
            what = int(random.integers(0, 6))
            if what == 0 and one:
                one[at] = int(random.integers(0, 256))
            elif what == 1 and one:
                one[at] ^= 1 << int(random.integers(0, 8))
            elif what == 2:
                lie = big[int(random.integers(0, len(big)))]
                one[at : at + len(lie)] = lie
            elif what == 3:
                del one[at : at + size]
            elif what == 4:
                one[at:at] = one[at : at + size]
            else:
                del one[at + size :]
        yield bytes(one)


@pytest.mark.parametrize("name", READERS)
def test_damage_is_read_or_told(tmp_path: Path, name: str) -> None:
    file, make, read = READERS[name]
    whole = make(tmp_path)
    path = tmp_path / file
    path.write_bytes(whole)
    read(path)  # as it is, it can be read
    said: list[str] = []
    for data in damaged(whole, seed=len(name)):
        path.unlink()  # the old one may still be mapped
        path.write_bytes(data)
        try:
            plain.flatten(read(path), file)
        except WeightsError as error:
            said.append(str(error))
    assert len(said) > ROUNDS // 20
    assert not [sentence for sentence in said if "\n" in sentence]
    assert {p.name for p in tmp_path.iterdir()} <= {file, "made.h5", "m.index", "m.data-00000-of-00001"}


def test_the_damage_is_the_same_each_time() -> None:
    assert list(damaged(b"hello world", 7)) == list(damaged(b"hello world", 7))
