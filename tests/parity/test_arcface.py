"""ArcFace's network against arcface_torch's own class, from stand-in files in both official layouts, by the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from arcface_cases import DATA, STEP, faces, state
from made_protobuf import number, raw, single

from likeness.errors import WeightsError
from likeness.networks.iresnet import depth, installed_network, of_state
from likeness.weights import store


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def small() -> dict[str, np.ndarray]:
    return state(18)


def close(found: torch.Tensor, wanted: np.ndarray, share: float = 1e-5) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=share * np.abs(wanted).max())


@pytest.mark.parametrize("layers", [18, 50, 100])
def test_descriptor_and_stages(layers: int) -> None:
    network, wanted = of_state(state(layers), "made"), np.load(DATA)
    assert depth(network) == layers
    with torch.no_grad():
        stages = network.stages(torch.from_numpy(faces()))
        close(network.descriptor(stages[-1]), wanted[f"{layers}/descriptor"])
    for place, stage in enumerate(stages, 1):
        close(stage.reshape(-1)[::STEP], wanted[f"{layers}/layer{place}"])


def test_the_official_file_is_installed_as_it_is(small: dict[str, np.ndarray], tmp_path: Path) -> None:
    torch.save({name: torch.from_numpy(value) for name, value in small.items()}, tmp_path / "backbone.pth")
    store.install("arcface", tmp_path / "backbone.pth")
    with torch.no_grad():
        close(installed_network("arcface")(torch.from_numpy(faces())), np.load(DATA)["18/descriptor"])


def test_another_network_is_refused(small: dict[str, np.ndarray]) -> None:
    for changed, said in (
        (small | {"head.weight": np.zeros(3, np.float32)}, "holds head.weight, which this network does not know"),
        ({n: v for n, v in small.items() if n != "layer2.1.bn3.bias"}, "lacks layer2.1.bn3.bias"),
        ({n: v for n, v in small.items() if not n.startswith("layer3.1")}, "2-2-1-2 blocks"),
        (small | {"fc.bias": np.zeros(256, np.float32)}, r"fc.bias has shape \(256,\)"),
    ):
        with pytest.raises(WeightsError, match=said):
            of_state(changed, "backbone.pth")


def exported(values: dict[str, np.ndarray], *, last: str = "PRelu") -> bytes:
    """The ONNX file that PyTorch's exporter makes: what follows a convolution is multiplied into it, names are lost."""
    nodes: list[bytes] = []
    stored: list[bytes] = []
    made = iter(range(100_000))

    def keep(value: np.ndarray) -> str:
        name = f"onnx::{next(made)}"
        sizes = b"".join(number(1, size) for size in value.shape)
        stored.append(raw(5, sizes + number(2, 1) + raw(8, name) + raw(9, value.astype("<f4").tobytes())))
        return name

    def node(op: str, inputs: list[str], attributes: bytes = b"") -> str:
        out = f"/{next(made)}"
        nodes.append(raw(1, b"".join(raw(1, name) for name in inputs) + raw(2, out) + raw(4, op) + attributes))
        return out

    def whole(name: str, numbers: list[int]) -> bytes:
        return raw(5, raw(1, name) + b"".join(number(8, value) for value in numbers))

    def conv(x: str, name: str, norm: str, step: int) -> str:
        scale = values[f"{norm}.weight"] / np.sqrt(values[f"{norm}.running_var"] + 1e-5)
        weight = values[f"{name}.weight"] * scale[:, None, None, None]
        bias = values[f"{norm}.bias"] - values[f"{norm}.running_mean"] * scale
        padding = weight.shape[2] // 2
        kept = whole("strides", [step, step]) + whole("pads", [padding] * 4) + raw(5, raw(1, "group") + number(3, 1))
        return node("Conv", [x, keep(weight), keep(bias)], kept)

    def norm(x: str, name: str) -> str:
        parts = ("weight", "bias", "running_mean", "running_var")
        inputs = [x, *(keep(values[f"{name}.{part}"]) for part in parts)]
        return node("BatchNormalization", inputs, raw(5, raw(1, "epsilon") + single(2, 1e-5)))

    def bent(x: str, name: str, op: str = "PRelu") -> str:
        return node(op, [x, keep(values[f"{name}.weight"].reshape(-1, 1, 1))])

    x = bent(conv("data", "conv1", "bn1", 1), "prelu")
    blocks = dict.fromkeys(name.rsplit(".", 2)[0] for name in values if name.startswith("layer") and ".conv1." in name)
    for block in blocks:
        halves = f"{block}.downsample.0.weight" in values
        y = conv(norm(x, f"{block}.bn1"), f"{block}.conv1", f"{block}.bn2", 1)
        y = bent(y, f"{block}.prelu", last if block == list(blocks)[-1] else "PRelu")
        y = conv(y, f"{block}.conv2", f"{block}.bn3", 2 if halves else 1)
        x = node("Add", [y, conv(x, f"{block}.downsample.0", f"{block}.downsample.1", 2) if halves else x])
    x = node("Flatten", [norm(x, "bn2")])
    x = node("Gemm", [x, keep(values["fc.weight"]), keep(values["fc.bias"])], raw(5, raw(1, "transB") + number(3, 1)))
    x = norm(x, "features")
    ends = raw(11, raw(1, "data")) + raw(12, raw(1, x))
    return raw(7, b"".join(nodes) + b"".join(stored) + ends)


def test_an_exported_network_is_the_same(small: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "glintr100.onnx").write_bytes(exported(small))
    store.install("auraface", tmp_path / "glintr100.onnx")
    assert store.verify("auraface") == []
    network = installed_network("auraface")
    assert depth(network) == 18
    with torch.no_grad():
        close(network(torch.from_numpy(faces())), np.load(DATA)["18/descriptor"])


def test_another_exported_network_is_refused(small: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "glintr100.onnx").write_bytes(exported(small, last="Relu"))
    store.install("arcface", tmp_path / "glintr100.onnx")
    with pytest.raises(WeightsError, match="no IResNet as ArcFace is trained with: PRelu is expected where Relu"):
        installed_network("arcface")
    (tmp_path / "w600k_r50.onnx").write_bytes(exported(small)[:-1000])
    with pytest.raises(WeightsError, match="damaged"):
        store.install("arcface", tmp_path / "w600k_r50.onnx")
