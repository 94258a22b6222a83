"""Torch7's files, written by these tests the way Lua's torch.save does; those of real Torch7 are in tests/parity."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_torch7 import Writer

from likeness.errors import WeightsError
from likeness.weights.readers import torch7

SHARED = Path(__file__).parents[3] / "shared"


def read(tmp_path: Path, data: bytes) -> Any:
    path = tmp_path / "net.t7"
    path.write_bytes(data)
    return torch7.read(path)


W = np.arange(6, dtype="<f4").reshape(2, 3)


def test_values(tmp_path: Path) -> None:
    value = {"n": None, "x": 1.5, "flag": True, "text": "h\xe4d", "list": [1, 2, {"deep": "x"}], "w": W, "t": W.T}
    found = read(tmp_path, Writer().value(value))
    assert found["list"] == {1: 1.0, 2: 2.0, 3: {"deep": "x"}}
    assert (found["x"], found["flag"], found["text"], found["n"]) == (1.5, True, "h\xe4d", None)
    np.testing.assert_array_equal(found["w"], W)
    np.testing.assert_array_equal(found["t"], W.T)


def test_a_network_as_data(tmp_path: Path) -> None:
    linear = ("nn.Linear", {"weight": W, "bias": W[:, 0].copy(), "train": True})
    network = ("nn.Sequential", {"modules": [linear, ("nn.ReLU", {}), ("my.Own", {"modules": [linear]})]})
    found = read(tmp_path, Writer().value(network))
    assert [m.kind for m in torch7.listed(found)] == ["nn.Linear", "nn.ReLU", "my.Own", "nn.Linear"]
    tensors = torch7.tensors(found, ("weight", "train"))
    assert tensors.keys() == {"0.weight", "0.train", "3.weight", "3.train"}
    np.testing.assert_array_equal(tensors["3.weight"], W)


def test_functions_stay_shut(tmp_path: Path) -> None:
    code = b"\x1bLJ\x01 anything"
    data = struct.pack("<iii", 8, 1, len(code)) + code + Writer().value(None)
    found = read(tmp_path, data)
    assert isinstance(found, torch7.Function)
    assert (found.code, found.upvalues, callable(found)) == (code, None, False)


def test_tables_may_hold_themselves(tmp_path: Path) -> None:
    inner = struct.pack("<i", 2) + Writer().text("self") + struct.pack("<ii", 3, 1)
    found = read(tmp_path, struct.pack("<iii", 3, 1, 1) + inner)
    assert found["self"] is found
    loop = struct.pack("<ii", 4, 1) + Writer().text("V 1") + Writer().text("nn.Sequential")
    modules = struct.pack("<i", 2) + Writer().text("modules") + struct.pack("<iii", 3, 3, 1)
    data = loop + struct.pack("<iii", 3, 2, 1) + modules + struct.pack("<id", 1, 1.0) + struct.pack("<ii", 4, 1)
    network = read(tmp_path, data)
    assert network["modules"][1] is network
    assert torch7.listed(network) == []


def test_shared_storages_are_shared_and_bounded(tmp_path: Path) -> None:
    writer = Writer()
    one = writer.tensor(np.zeros(100_000, "<f4"))
    again = struct.pack("<i", 4) + writer.fresh() + writer.text("V 1") + writer.text("torch.FloatTensor")
    again += struct.pack("<i3q", 1, 100_000, 1, 1) + struct.pack("<ii", 4, 2)  # the storage of before
    for many, fits in ((3, True), (200, False)):
        body = b"".join(
            writer.value(i) + again[:4] + struct.pack("<i", 100 + i) + again[8:] for i in range(2, many + 1)
        )
        data = (
            struct.pack("<iii", 3, 9, many)
            + writer.value(1)
            + one.replace(struct.pack("<ii", 4, 1), struct.pack("<ii", 4, 3), 1).replace(
                struct.pack("<i", 1) + writer.text("V 1"), struct.pack("<i", 2) + writer.text("V 1"), 1
            )
            + body
        )
        if fits:
            found = read(tmp_path, data)
            assert np.shares_memory(found[1], found[3])
        else:
            with pytest.raises(WeightsError, match="far larger than the file"):
                read(tmp_path, data)


def tensor_bytes(shape: list[int], strides: list[int], offset: int, count: int = 6, kind: str = "Float") -> bytes:
    writer = Writer()
    numbers = struct.pack(f"<i{len(shape) + len(strides) + 1}q", len(shape), *shape, *strides, offset)
    head = struct.pack("<i", 4) + writer.fresh() + writer.text("V 1") + writer.text("torch.FloatTensor")
    storage = struct.pack("<i", 4) + writer.fresh() + writer.text("V 1") + writer.text(f"torch.{kind}Storage")
    return head + numbers + storage + struct.pack("<q", count) + bytes(24)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x07",
        struct.pack("<i", 99),
        struct.pack("<ii", 2, 1000) + b"short",
        struct.pack("<ii", 2, -1),
        struct.pack("<iii", 3, 1, 2**31 - 1),
        struct.pack("<iii", 3, 1, -1),
        Writer().value({"a": 1})[:-3],
        Writer().value(1.0) + b"left over",
        tensor_bytes([2, 3], [3, 1], 2),
        tensor_bytes([2, 3], [3, 1], 0),
        tensor_bytes([2, 4], [3, 1], 1),
        tensor_bytes([2, -3], [3, 1], 1),
        tensor_bytes([2, 3], [-3, 1], 1),
        tensor_bytes([2**40, 2**40], [0, 0], 1),
        tensor_bytes([2, 3], [3, 1], 1, count=2**40),
        tensor_bytes([2, 3], [3, 1], 1, count=-1),
        tensor_bytes([2, 3], [3, 1], 1, kind="Int"),
        tensor_bytes([2, 3], [3, 1], 1, kind="Magic"),
        struct.pack("<iii", 3, 1, 1) + Writer().value("a") + struct.pack("<iii", 3, 2, 1) * 3,
        b"".join(struct.pack("<iii", 3, i, 1) + Writer().value("a") for i in range(1, 2000)),
    ],
)
def test_damage_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(WeightsError, match=r"^net\.t7 "):
        read(tmp_path, data)


def test_a_whole_published_layout() -> None:
    """A network of VRN's 1,339 modules, written by Torch7 itself."""
    path = SHARED / "parity" / "vrn" / "vrn_mini.t7"
    if not path.exists():
        pytest.skip("needs shared/parity/vrn beside the checkout")
    wanted = json.loads(str(np.load(path.with_suffix(".npz"))["listing"]))
    network = torch7.read(path)
    assert [m.kind for m in torch7.listed(network)] == [kind for _, kind, _ in wanted]
    tensors = torch7.tensors(network, ("weight",))
    assert {name.split(".")[0]: ",".join(map(str, w.shape)) for name, w in tensors.items()} == {
        index: shape for index, _, shape in wanted if shape
    }
