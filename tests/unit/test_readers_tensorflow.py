"""TensorFlow 1's files: checkpoints (an index of our own making) and frozen graphs; OpenCV agrees about the graph."""

import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_protobuf import number, packed, raw, single, varint

from likeness.errors import WeightsError
from likeness.weights.readers import tf_checkpoint, tf_graph
from likeness.weights.readers.crc32c import crc32c, masked


def test_checksums() -> None:
    assert crc32c(b"") == 0
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA
    assert crc32c(b"\xff" * 32) == 0x62A8AB43
    noise = np.random.default_rng(0).integers(0, 256, 300_001, np.uint8).tobytes()
    slow = 0xFFFFFFFF
    for byte in noise:
        slow ^= byte
        for _ in range(8):
            slow = slow >> 1 ^ (0x82F63B78 if slow & 1 else 0)
    assert crc32c(noise) == slow ^ 0xFFFFFFFF
    assert crc32c(noise[1000:], crc32c(noise[:1000])) == crc32c(noise)


def block(entries: list[tuple[bytes, bytes]], kind: int = 0) -> bytes:
    body = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in entries)
    body += struct.pack("<II", 0, 1) + bytes([kind])
    return body + struct.pack("<I", masked(crc32c(body)))


def variable(shape: tuple[int, ...], data: bytes, offset: int, kind: int = 1, shard: int = 0) -> bytes:
    lengths = b"".join(raw(2, number(1, n)) for n in shape)
    crc = varint(6 << 3 | 5) + struct.pack("<I", masked(crc32c(data)))
    return number(1, kind) + raw(2, lengths) + number(3, shard) + number(4, offset) + number(5, len(data)) + crc


def write(folder: Path, entries: list[tuple[bytes, bytes]], shards: list[bytes], name: str = "model") -> Path:
    blocks, table = b"", []
    for entry in [(b"", number(1, len(shards))), *entries]:
        one = block([entry])
        table.append((entry[0] or b"\0", varint(len(blocks)) + varint(len(one) - 5)))
        blocks += one
    meta, index = block([]), block(table)
    footer = varint(len(blocks)) + varint(len(meta) - 5) + varint(len(blocks) + len(meta)) + varint(len(index) - 5)
    path = folder / f"{name}.index"
    path.write_bytes(blocks + meta + index + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))
    for i, data in enumerate(shards):
        (folder / f"{name}.data-{i:05d}-of-{len(shards):05d}").write_bytes(data)
    return path


W = np.arange(6, dtype="<f4").reshape(2, 3)
B = np.array([7, -8], "<i8")


def test_a_checkpoint_of_two_files(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        [
            (b"b", variable((2,), B.tobytes(), 4, 9, shard=1)),
            (b"w", variable((2, 3), W.tobytes(), 0)),
            (b"w/Adam", variable((2, 3), W.tobytes(), 0)),
            (b"x", variable((), b"\0\0\xc0?", 0, 1, shard=1)),
        ],
        [W.tobytes(), b"\0\0\xc0?" + B.tobytes()],
    )
    for given in (path, path.with_suffix("")):
        found = tf_checkpoint.read(given, ["*/Adam"])
        assert found.keys() == {"b", "w", "x"}
        np.testing.assert_array_equal(found["w"], W)
        np.testing.assert_array_equal(found["b"], B)
        assert (found["x"].shape, float(found["x"])) == ((), 1.5)
    assert [f.name for f in tf_checkpoint.Checkpoint(path).files] == [
        "model.data-00000-of-00002",
        "model.data-00001-of-00002",
    ]
    (tmp_path / "model.data-00001-of-00002").unlink()
    with pytest.raises(WeightsError, match=r"model\.data-00001-of-00002 belongs beside model\.index and is missing"):
        tf_checkpoint.read(path)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (variable((2, 4), W.tobytes(), 0), "has shape .2, 4. and 24 bytes"),
        (variable((2, 3), W.tobytes(), 1), "should have 24 bytes at 1"),
        (variable((2, 3), W.tobytes(), 2**40), "should have 24 bytes at 1099511627776"),
        (variable((2, 3), W.tobytes(), 0, 7), "type 7, which is not supported"),
        (variable((2, 3), W.tobytes(), 0, shard=3), "data file 3 of 1"),
        (variable((2**33, 2**33), b"", 0), "shape"),
        (variable((-1, 3), W.tobytes(), 0), "shape"),
        (variable((2, 3), W.tobytes(), 0) + raw(7, b"\x0a\x00"), "stored in slices"),
    ],
)
def test_variables_that_lie(tmp_path: Path, entry: bytes, says: str) -> None:
    path = write(tmp_path, [(b"w", entry)], [W.tobytes()])
    with pytest.raises(WeightsError, match=says):
        tf_checkpoint.read(path)


def test_damage_is_noticed(tmp_path: Path) -> None:
    path = write(tmp_path, [(b"w", variable((2, 3), W.tobytes(), 0))], [W.tobytes()[:-1] + b"\1"])
    with pytest.raises(WeightsError, match="checksum of w is wrong"):
        tf_checkpoint.read(path)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"w", b"v"))
    with pytest.raises(WeightsError, match="checksum of a block is wrong"):
        tf_checkpoint.read(path)
    for data in (b"", whole[:40], whole[:-1], b"x" * 100):
        path.write_bytes(data)
        with pytest.raises(WeightsError, match="no TensorFlow checkpoint index"):
            tf_checkpoint.read(path)


def test_compressed_blocks_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [], [b""])
    one = block([(b"", number(1, 1))], kind=1)
    footer = varint(0) + varint(0) + varint(0) + varint(len(one) - 5)
    path.write_bytes(one + footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db"))
    with pytest.raises(WeightsError, match="is compressed"):
        tf_checkpoint.read(path)


# Frozen graphs


def tensor(array: np.ndarray, kind: int, listed: bytes | None = None) -> bytes:
    shape = b"".join(raw(2, number(1, n)) for n in array.shape)
    return number(1, kind) + raw(2, shape) + (raw(4, array.tobytes()) if listed is None else listed)


def node(name: str, op: str, inputs: list[str], **attributes: bytes) -> bytes:
    pairs = b"".join(raw(5, raw(1, key) + raw(2, value)) for key, value in attributes.items())
    return raw(1, raw(1, name) + raw(2, op) + b"".join(raw(3, i) for i in inputs) + pairs)


def const(name: str, array: np.ndarray, kind: int = 1, listed: bytes | None = None) -> bytes:
    return node(name, "Const", [], dtype=number(6, kind), value=raw(8, tensor(array, kind, listed)))


KERNEL = np.random.default_rng(1).standard_normal((3, 3, 2, 4)).astype("<f4")


def graph() -> bytes:
    return (
        node(
            "in",
            "Placeholder",
            [],
            dtype=number(6, 1),
            shape=raw(7, b"".join(raw(2, number(1, n)) for n in (1, 8, 8, 2))),
        )
        + const("conv/weights", KERNEL)
        + node(
            "conv",
            "Conv2D",
            ["in", "conv/weights"],
            T=number(6, 1),
            strides=raw(1, packed(3, [1, 2, 2, 1])),
            padding=raw(2, "SAME"),
            data_format=raw(2, "NHWC"),
            use_cudnn_on_gpu=number(5, 1),
        )
    )


def test_a_graph_and_its_constants(tmp_path: Path) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(graph())
    nodes = tf_graph.read(path)
    assert list(nodes) == ["in", "conv/weights", "conv"]
    conv = nodes["conv"]
    assert (conv.op, conv.inputs) == ("Conv2D", ("in", "conv/weights"))
    assert {k: conv.attributes[k] for k in ("strides", "padding", "T", "use_cudnn_on_gpu")} == {
        "strides": [1, 2, 2, 1],
        "padding": b"SAME",
        "T": 1,
        "use_cudnn_on_gpu": 1,
    }
    assert nodes["in"].attributes["shape"] == [1, 8, 8, 2]
    found = tf_graph.constants(path)
    np.testing.assert_array_equal(found["conv/weights"], KERNEL)


def test_another_reader_sees_the_same_graph(tmp_path: Path) -> None:
    """OpenCV runs the graph these tests write; our constants give the same picture."""
    path = tmp_path / "net.pb"
    path.write_bytes(graph())
    picture = np.random.default_rng(2).standard_normal((1, 2, 8, 8)).astype(np.float32)
    network = cv2.dnn.readNetFromTensorflow(str(path))
    network.setInput(picture)
    theirs = network.forward()
    kernel = tf_graph.constants(path)["conv/weights"]
    padded = np.pad(picture, ((0, 0), (0, 0), (0, 1), (0, 1)))  # SAME at stride 2: none before, one after
    ours = np.zeros((1, 4, 4, 4), np.float32)
    for y in range(4):
        for x in range(4):
            ours[0, :, y, x] = np.einsum("cij,ijco->o", padded[0, :, 2 * y : 2 * y + 3, 2 * x : 2 * x + 3], kernel)
    np.testing.assert_allclose(theirs, ours, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "listed", "wanted"),
    [
        (1, single(5, 1.5), np.full((2, 2), 1.5, "<f4")),
        (1, single(5, 1.0) + single(5, 2.0), np.array([[1, 2], [2, 2]], "<f4")),
        (3, packed(7, [1, 2, 3, 4]), np.array([[1, 2], [3, 4]], "<i4")),
        (9, number(10, -5), np.full((2, 2), -5, "<i8")),
        (10, number(11, 1), np.ones((2, 2), "?")),
        (19, number(13, 0x3E00), np.full((2, 2), 1.5, "<f2")),
        (1, b"", np.zeros((2, 2), "<f4")),
    ],
)
def test_numbers_written_one_by_one(tmp_path: Path, kind: int, listed: bytes, wanted: np.ndarray) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(const("c", np.zeros((2, 2)), kind, listed))
    found = tf_graph.constants(path)["c"]
    np.testing.assert_array_equal(found, wanted)
    assert found.dtype == wanted.dtype


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "holds no graph"),
        (b"hello world", "damaged"),
        (graph()[:-3], "damaged"),
        (const("c", W) + const("c", W), "two nodes called c"),
        (const("c", np.zeros((2, 3), "<f4"), 1, raw(4, b"abcd")), "4 bytes for a constant"),
        (const("c", np.zeros((1, 1)), 1, single(5, 1) + single(5, 2)), "2 numbers for a constant"),
        (node("c", "Const", [], value=raw(8, number(1, 1) + raw(2, raw(2, number(1, 2**40))))), "far larger"),
        (node("c", "Const", [], value=raw(8, number(1, 1) + raw(2, raw(2, number(1, -1))))), "constant of shape"),
        (b"\x0a\xff\xff\xff\xff\x0fab", "a field of"),
        (b"\x0b", "wire type 3"),
        (b"\x08" + b"\xff" * 11, "more than ten bytes"),
    ],
)
def test_damaged_graphs(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match=says):
        tf_graph.constants(path)
