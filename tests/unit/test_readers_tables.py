"""NumPy's files, text, OBJ, pictures, Exp_Pca.bin, and dlib's face network."""

import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from likeness.errors import WeightsError
from likeness.weights.readers import dlib_face, numpy_file, tables


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6, dtype=">i2").reshape(2, 3)),
        np.array(1.5, np.float32),
        np.zeros((0, 4)),
        np.array(["a", "bc"]),
    ],
)
def test_npy(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array)
    found = numpy_file.read(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype.newbyteorder("=")


def npy(head: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93NUMPY",
        b"\x93NUMPY\x01\x00\xff\xff{",
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (3,)}", bytes(16)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-3,)}", bytes(16)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2**60, 2**60)}", bytes(16)),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1152921504606846976, 1152921504606846976)}", bytes(16)),
        npy("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (2,)}", bytes(16)),
        npy("{'descr': '<f8', 'shape': (2,)}", bytes(16)),
        npy("__import__('os').system('true')", bytes(16)),
        npy("(" * 5000),
    ],
)
def test_npy_that_lies(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with pytest.raises(WeightsError, match=r"^a\.npy is damaged"):
        numpy_file.read(tmp_path / "a.npy")


def test_npz(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.npz"
    np.savez_compressed(path, mean=np.ones((2, 2)), vt=np.arange(4))
    found = numpy_file.read_archive(path)
    assert found.keys() == {"mean", "vt"}
    np.testing.assert_array_equal(found["vt"], np.arange(4))
    monkeypatch.setattr(numpy_file, "MOST_BYTES", 1000)
    np.savez_compressed(path, mean=np.ones(1000))
    with pytest.raises(WeightsError, match="would unpack to 8128 bytes"):
        numpy_file.read_archive(path)
    data = bytearray(path.read_bytes())
    at = data.index(b"PK\x01\x02")
    data[at + 24 : at + 28] = struct.pack("<I", 500)  # says that it is smaller than it is
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=r"a\.npz"):
        numpy_file.read_archive(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", "hello")
    with pytest.raises(WeightsError, match=r"a\.npz/x\.npy is damaged"):
        numpy_file.read_archive(path)
    path.write_bytes(b"PK")
    with pytest.raises(WeightsError, match=r"a\.npz is damaged"):
        numpy_file.read_archive(path)


def test_text(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for text, wanted in [
        ("1 2\n3 4\n", [[1, 2], [3, 4]]),
        ("1\n2\n3\n", [1, 2, 3]),
        ("1.5e3 -2.5\n\n", [1500.0, -2.5]),
        ("4.0000000e+00\r\n5e0\r\n", [4, 5]),
    ]:
        path.write_text(text)
        found = tables.read_text(path)
        np.testing.assert_array_equal(found, wanted)
        assert found.dtype == np.asarray(wanted).dtype
    for text in ("", "a b\n", "1 2\n3\n", "nan\n", "1e999\n"):
        path.write_text(text)
        with pytest.raises(WeightsError, match=r"^a\.txt is damaged"):
            tables.read_text(path)


OBJ = "# head\nv 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\nf 1/1 2/2 3/3\n"


def test_obj(tmp_path: Path) -> None:
    path = tmp_path / "a.obj"
    path.write_text(OBJ)
    found = tables.read_obj(path)
    np.testing.assert_array_equal(found["f"], [[0, 1, 2]])
    np.testing.assert_array_equal(found["ft"], [[0, 1, 2]])
    assert (found["v"].shape, found["vt"].shape) == ((3, 3), (3, 2))
    path.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1//1 2//1 3//1\n")
    assert tables.read_obj(path).keys() == {"v", "f"}
    for old, new in [("3/3", "4/3"), ("3/3", "3/9"), ("1/1 2", "0/1 2"), ("v 1 0 0", "v 1 x 0"), ("3/3", "3/3 1/1")]:
        path.write_text(OBJ.replace(old, new))
        with pytest.raises(WeightsError, match=r"^a\.obj is damaged"):
            tables.read_obj(path)


def test_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise = np.random.default_rng(0).integers(0, 256, (5, 7, 4), np.uint8)
    for channels in (1, 3, 4):
        wanted = noise[..., 0] if channels == 1 else noise[..., :channels]
        Image.fromarray(wanted).save(path)
        np.testing.assert_array_equal(tables.read_picture(path), wanted)
    data = path.read_bytes()
    for wrong in (b"", b"hello", data[:60], data.replace(b"IHDR\0\0\0\x07", b"IHDR\0\0\x7f\xff")):
        path.write_bytes(wrong)
        with pytest.raises(WeightsError, match=r"^a\.png is damaged"):
            tables.read_picture(path)


def test_expression_basis(tmp_path: Path) -> None:
    numbers = np.random.default_rng(0).standard_normal((3, 159645)).astype("<f4")
    path = tmp_path / "Exp_Pca.bin"
    path.write_bytes(struct.pack("<i", 2) + numbers.tobytes())
    found = tables.read_expression_basis(path)
    np.testing.assert_array_equal(found["mean"], numbers[0])
    np.testing.assert_array_equal(found["components"], numbers[1:].T)
    for count in (3, 0, -1, 2**30):
        path.write_bytes(struct.pack("<i", count) + numbers.tobytes())
        with pytest.raises(WeightsError, match="bytes for"):
            tables.read_expression_basis(path)


# dlib


def integer(value: int) -> bytes:
    body = abs(value).to_bytes(max(1, (abs(value).bit_length() + 7) // 8), "little")
    return bytes([len(body) | (0x80 if value < 0 else 0)]) + body


def real(value: float) -> bytes:
    mantissa, exponent = value, 0
    while mantissa != int(mantissa):
        mantissa, exponent = mantissa * 2, exponent - 1
    return integer(int(mantissa)) + integer(exponent)


def tensor(*shape: int) -> bytes:
    size = int(np.prod(shape))
    return integer(2) + b"".join(map(integer, shape)) + np.arange(size, dtype="<f4").tobytes()


def alias(*shape: int) -> bytes:
    return integer(1) + b"".join(map(integer, shape))


def text(value: str) -> bytes:
    return integer(len(value)) + value.encode()


def dlib_network(**changed: Any) -> bytes:
    """The published file's grammar with tiny layers."""
    tail = b"110" + tensor(0, 0, 0, 0) * 3
    con = text("con_4") + tensor(10, 1, 1, 1) + b"".join(map(integer, (2, 2, 2, 2, 2, 0, 0)))
    con += alias(2, 1, 2, 2) + alias(1, 2, 1, 1) + real(1.0) * 4
    affine = text("affine_") + tensor(4, 1, 1, 1) + alias(1, 2, 1, 1) * 2 + integer(0)
    pool = text("max_pool_2") + b"".join(map(integer, (3, 3, 2, 2, 0, 0)))
    fc = text("fc_2") + integer(3) + integer(2) + tensor(2, 3, 1, 1) + alias(2, 3, 1, 1) + alias(0, 0, 0, 0)
    fc += integer(1) + real(0.5) * 4
    layers = [con, affine, text("relu_"), pool, text("add_prev_"), fc]
    layers += [text("relu_")] * (108 - len(layers))
    head = integer(1) + text(changed.get("loss", "loss_metric_2")) + real(0.0390625) + real(0.625) + integer(2) * 130
    head += text("input_rgb_image_sized") + real(122.5) + real(117.0) + real(104.25) + integer(150) * 2
    return head + layers[0] + tail + integer(1) + b"".join(layer + tail for layer in layers[1:])


def test_dlibs_network(tmp_path: Path) -> None:
    path = tmp_path / "net.dat"
    path.write_bytes(dlib_network())
    found = dlib_face.read(path)
    np.testing.assert_array_equal(found["mean"], [122.5, 117.0, 104.25])
    np.testing.assert_array_equal(found["000.con.weight"], np.arange(8.0).reshape(2, 1, 2, 2))
    np.testing.assert_array_equal(found["000.con.bias"], [8, 9])
    np.testing.assert_array_equal(found["000.con.step"], [2, 2, 0, 0])
    np.testing.assert_array_equal(found["001.affine.beta"], [2, 3])
    np.testing.assert_array_equal(found["005.fc.weight"], np.arange(6.0).reshape(2, 3))
    assert len({name.split(".")[0] for name in found}) == 109
    data = dlib_network()
    for wrong in (
        b"",
        data[:50],
        data[:-1],
        data + b"x",
        data.replace(b"con_4", b"con_5"),
        dlib_network(loss="loss_x"),
    ):
        path.write_bytes(wrong)
        with pytest.raises(WeightsError, match=r"^net\.dat is damaged"):
            dlib_face.read(path)
