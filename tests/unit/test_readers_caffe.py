"""Caffe's models, of both generations; OpenCV reads the same numbers."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_protobuf import number, packed, raw

from likeness.errors import WeightsError
from likeness.weights.readers import caffe

KERNEL = np.random.default_rng(0).standard_normal((4, 3, 3, 3)).astype("<f4")
BIAS = np.arange(4, dtype="<f4")


def blob(array: np.ndarray) -> bytes:
    return raw(7, packed(1, list(array.shape))) + packed(5, array.reshape(-1))


def blob_v1(array: np.ndarray, one_by_one: bool = False) -> bytes:
    lengths = (1,) * (4 - array.ndim) + array.shape
    head = b"".join(number(i, n) for i, n in enumerate(lengths, 1))
    if one_by_one:
        return head + b"".join(b"\x2d" + x.tobytes() for x in array.reshape(-1))
    return head + packed(5, array.reshape(-1))


def layer(name: str, kind: str, *blobs: bytes) -> bytes:
    return raw(100, raw(1, name) + raw(2, kind) + b"".join(raw(7, b) for b in blobs))


def write(path: Path, *parts: bytes) -> Path:
    path.write_bytes(raw(1, "net") + b"".join(parts))
    return path


def test_todays_layers(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.caffemodel",
        layer("data", "Input"),
        layer("conv1", "Convolution", blob(KERNEL), blob(BIAS)),
        layer("scale", "BatchNorm", blob(BIAS), blob(BIAS), raw(7, packed(1, [1])) + packed(5, np.float32([999.0]))),
        layer("double", "X", raw(7, packed(1, [2])) + packed(8, np.array([1.5, 2.5], "<f8"))),
    )
    found = caffe.read(path)
    assert list(found) == ["conv1/0", "conv1/1", "scale/0", "scale/1", "scale/2", "double/0"]
    np.testing.assert_array_equal(found["conv1/0"], KERNEL)
    np.testing.assert_array_equal(found["scale/2"], [999.0])
    assert found["double/0"].dtype == np.float64


@pytest.mark.parametrize("one_by_one", [False, True])
def test_the_first_versions_layers(tmp_path: Path, one_by_one: bool) -> None:
    """Layers in field 2, blobs with four lengths, numbers packed or one by one."""
    blobs = b"".join(raw(6, blob_v1(a, one_by_one)) for a in (KERNEL, BIAS))
    path = write(tmp_path / "a.caffemodel", raw(2, raw(4, "conv1") + number(5, 4) + blobs))
    found = caffe.read(path)
    np.testing.assert_array_equal(found["conv1/0"], KERNEL)
    np.testing.assert_array_equal(found["conv1/1"], BIAS.reshape(1, 1, 1, 4))


def test_two_layers_of_one_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.caffemodel", layer("x", "A", blob(BIAS)), layer("x", "A", blob(BIAS)))
    assert list(caffe.read(path)) == ["x/0", "x#2/0"]


def test_a_mean_image(tmp_path: Path) -> None:
    mean = np.random.default_rng(0).random((3, 5, 6)).astype("<f4")
    path = tmp_path / "mean.binaryproto"
    path.write_bytes(blob_v1(mean))
    np.testing.assert_array_equal(caffe.read_mean(path), mean[None])


def test_another_reader_sees_the_same_numbers(tmp_path: Path) -> None:
    """OpenCV loads the model these tests write, and holds the numbers our reader gives."""
    path = write(tmp_path / "a.caffemodel", layer("conv1", "Convolution", blob(KERNEL), blob(BIAS)))
    text = tmp_path / "a.prototxt"
    text.write_text(
        'name: "net" input: "data" input_shape { dim: 1 dim: 3 dim: 8 dim: 8 }\n'
        'layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"\n'
        "  convolution_param { num_output: 4 kernel_size: 3 } }\n"
    )
    network = cv2.dnn.readNetFromCaffe(str(text), str(path))
    found = caffe.read(path)
    np.testing.assert_array_equal(network.getParam("conv1", 0), found["conv1/0"])
    np.testing.assert_array_equal(network.getParam("conv1", 1).reshape(-1), found["conv1/1"])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "no layers with weights"),
        (b"not a model", "damaged"),
        (layer("c", "X", raw(7, packed(1, [5])) + packed(5, BIAS)), r"4 numbers for a blob of shape \[5\]"),
        (layer("c", "X", raw(7, packed(1, [2**62, 2**62])) + packed(5, BIAS)), "4 numbers for a blob"),
        (layer("c", "X", raw(7, packed(1, [(1 << 64) - 4])) + packed(5, BIAS)), "a blob of shape"),
        (layer("c", "X", raw(7, packed(1, [1])) + raw(5, b"abc")), "no numbers of 4 bytes"),
        (layer("c", "X", blob(BIAS))[:-2], "a field of"),
        (raw(100, number(7, 3) + raw(1, "c")), "is no message"),
    ],
)
def test_damaged_models(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "a.caffemodel"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=says):
        caffe.read(path)
