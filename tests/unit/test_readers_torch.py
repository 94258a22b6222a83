"""PyTorch checkpoints of both kinds: the same numbers as torch.load, and no trust in what they say of themselves."""

import argparse
import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from likeness.errors import WeightsError
from likeness.weights.readers import numpy_file, plain, torch_file

SHARED = Path(__file__).parents[3] / "shared"


def saved(path: Path, value: Any, legacy: bool = False) -> Path:
    torch.save(value, path, _use_new_zipfile_serialization=not legacy)
    return path


def same(found: Any, wanted: Any) -> None:
    if isinstance(wanted, torch.Tensor):
        plain_one = wanted.detach().float() if wanted.dtype == torch.bfloat16 else wanted.detach()
        np.testing.assert_array_equal(found, plain_one.numpy())
    elif isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        for key in wanted:
            same(found[key], wanted[key])
    else:
        assert found == wanted


@pytest.mark.parametrize("legacy", [False, True])
def test_all_kinds_of_tensors(tmp_path: Path, legacy: bool) -> None:
    base = torch.arange(24.0)
    value = {
        "state_dict": torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)).state_dict(),
        "transposed": base.reshape(4, 6).T,
        "a view": base[3:9],
        "expanded": torch.ones(1).expand(5),
        "point": torch.tensor(3.5),
        "none": torch.zeros(0, 3),
        "half": torch.ones(2, dtype=torch.float16),
        "brain": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "whole": torch.tensor([-1, 2]),
        "bytes": torch.tensor([255], dtype=torch.uint8),
        "truth": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        "epoch": 20,
        "names": OrderedDict(a=1),
        "size": torch.Size([1, 2]),
    }
    found = torch_file.read(saved(tmp_path / "a.pth", value, legacy))
    assert found.pop("size") == (1, 2)
    same(found, {k: v for k, v in value.items() if k != "size"})


@pytest.mark.parametrize("legacy", [False, True])
def test_a_training_snapshot(tmp_path: Path, legacy: bool) -> None:
    """DataParallel's prefix, an optimiser's state, a Namespace of arguments: as the originals' files have them."""
    network = torch.nn.DataParallel(torch.nn.Linear(2, 2))
    optimiser = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    value = {
        "res_state_dict": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "args": argparse.Namespace(arch="resnet", workers=4),
        "device": torch.device("cuda:0"),
        "type": torch.float32,
    }
    found = torch_file.read(saved(tmp_path / "a.pth.tar", value, legacy))
    assert found["args"] == {"arch": "resnet", "workers": 4}
    assert (found["device"], found["type"]) == ("cuda:0", "torch.float32")
    arrays = plain.flatten(found, "a")
    same(arrays["res_state_dict.module.weight"], network.module.weight)
    same(arrays["optimiser.state.0.exp_avg"], optimiser.state_dict()["state"][0]["exp_avg"])


def test_published_files(tmp_path: Path) -> None:
    for name in ("mb05_120x120.pth", "FaceBoxesProd.pth"):
        path = SHARED / "weights" / "3ddfa_v2" / name
        if not path.exists():
            pytest.skip("needs 3DDFA_V2's weights in shared/weights/3ddfa_v2 beside the checkout")
        same(torch_file.read(path), torch.load(path, "cpu", weights_only=True))


def test_tensors_inside_a_table(tmp_path: Path) -> None:
    """DECA's landmark table: an .npy whose object is a dict with PyTorch's tensors in it."""
    table = {"numpy": np.arange(3), "torch": torch.arange(6.0).reshape(2, 3).T}
    np.save(tmp_path / "table.npy", np.array(table, object), allow_pickle=True)
    found = numpy_file.read(tmp_path / "table.npy")
    np.testing.assert_array_equal(found["numpy"], table["numpy"])
    same(found["torch"], table["torch"])


def test_hostile_storages_inside_a_table(tmp_path: Path) -> None:
    inner = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + pickle.dumps({}, 2) + b"cos\nsystem\n."
    data = b"\x80\x03ctorch.storage\n_load_from_bytes\nC" + bytes([len(inner)]) + inner + b"\x85R."
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (), }\n"
    (tmp_path / "t.npy").write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data)
    with pytest.raises(WeightsError, match=r"t\.npy was refused: .*os\.system"):
        numpy_file.read(tmp_path / "t.npy")
    (tmp_path / "a.pth").write_bytes(data)
    with pytest.raises(WeightsError):
        torch_file.read(tmp_path / "a.pth")


def test_a_class_of_ones_own_is_named(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=r"a\.pth was refused: it asks for torch\.nn\.modules\.linear\.Linear"):
        torch_file.read(tmp_path / "a.pth")


def altered(tmp_path: Path, old: bytes, new: bytes, value: Any = None) -> Path:
    """A checkpoint whose pickle was changed, stored as torch stores it."""
    plain_file = saved(tmp_path / "plain.pth", {"w": torch.arange(6.0).reshape(2, 3)} if value is None else value)
    target = tmp_path / "a.pth"
    with zipfile.ZipFile(plain_file) as source, zipfile.ZipFile(target, "w") as copy:
        for info in source.infolist():
            data = source.read(info)
            if info.filename.endswith("data.pkl"):
                assert old in data
                data = data.replace(old, new)
            copy.writestr(info.filename, data)
    return target


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K\x02K\x03\x86", b"K\x02K\x04\x86"),  # more rows than there are numbers
        (b"K\x02K\x03\x86", b"K\x02J\xff\xff\xff\xff\x86"),  # a negative length
        (b"K\x03K\x01\x86", b"K\xffK\x01\x86"),  # strides that lead outside
        (b"K\x03K\x01\x86", b"J\xfd\xff\xff\xffK\x01\x86"),
        (b"K\x03K\x01\x86", b"K\x03\x85"),  # one stride for two lengths
        (b"QK\x00K\x02", b"QK\x01K\x02"),  # an offset
        (b"QK\x00K\x02", b"QJ\xff\xff\xff\xffK\x02"),
        (b"K\x06", b"K\x07"),  # a longer storage
        (b"FloatStorage", b"DoubleStorage"),
        (b"FloatStorage", b"QInt8Storage"),
        (b"X\x01\x00\x00\x000", b"X\x01\x00\x00\x009"),  # another member
        (b"X\x07\x00\x00\x00storage", b"X\x07\x00\x00\x00gabarit"),
        (b"_rebuild_tensor_v2", b"_rebuild_qtensor"),
    ],
)
def test_tensors_that_reach_outside(tmp_path: Path, old: bytes, new: bytes) -> None:
    with pytest.raises(WeightsError, match=r"^a\.pth "):
        torch_file.read(altered(tmp_path, old, new))


def test_a_small_file_does_not_become_a_huge_tensor(tmp_path: Path) -> None:
    """Strides of zero repeat one number without end."""
    path = altered(tmp_path, b"K\x05\x85", b"J\xff\xff\xff\x7f\x85", {"w": torch.ones(1).expand(5)})
    with pytest.raises(WeightsError, match="far larger than the file"):
        torch_file.read(path)


def test_zips_that_are_no_checkpoints(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"N." + bytes(100_000_000))
    assert path.stat().st_size < 200_000
    with pytest.raises(WeightsError, match="unpack it first"):
        torch_file.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(WeightsError, match="without a checkpoint in it"):
        torch_file.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a/data.pkl", b"N.")
        archive.writestr("a/byteorder", b"big")
    with pytest.raises(WeightsError, match="big-endian"):
        torch_file.read(path)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.3, 0.6, 0.9, 0.999])
def test_a_file_cut_short(tmp_path: Path, legacy: bool, part: float) -> None:
    data = saved(tmp_path / "whole.pth", {"w": torch.ones(200), "v": torch.zeros(3)}, legacy).read_bytes()
    (tmp_path / "a.pth").write_bytes(data[: int(len(data) * part)])
    with pytest.raises(WeightsError, match=r"^a\.pth is damaged"):
        torch_file.read(tmp_path / "a.pth")


def test_what_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "a.pth"
    path.write_bytes(pickle.dumps({"x": 1}, 2))
    with pytest.raises(WeightsError, match="no PyTorch checkpoint"):
        torch_file.read(path)
    path.write_bytes(b"<!DOCTYPE html>")
    with pytest.raises(WeightsError, match="no PyTorch checkpoint"):
        torch_file.read(path)
    archive = io.BytesIO(bytes(257) + b"ustar" + bytes(300))
    path.write_bytes(archive.getvalue())
    with pytest.raises(WeightsError, match="is a tar archive; unpack it"):
        torch_file.read(path)
    with pytest.raises(WeightsError, match="cannot be read"):
        torch_file.read(tmp_path / "missing.pth")


def test_legacy_storages_that_lie(tmp_path: Path) -> None:
    data = saved(tmp_path / "whole.pth", {"w": torch.ones(4)}, legacy=True).read_bytes()
    at = data.rindex(struct.pack("<q", 4))
    for count in (5, -1, 2**40):
        (tmp_path / "a.pth").write_bytes(data[:at] + struct.pack("<q", count) + data[at + 8 :])
        with pytest.raises(WeightsError, match="another length"):
            torch_file.read(tmp_path / "a.pth")


def test_views_of_the_file_cannot_be_written(tmp_path: Path) -> None:
    found = torch_file.read(saved(tmp_path / "a.pth", {"w": torch.ones(4)}))
    with pytest.raises(ValueError, match="read-only"):
        found["w"][0] = 2
