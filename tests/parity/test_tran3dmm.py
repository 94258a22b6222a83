"""3dmm_cnn against what the original computes, from invented weights and an invented Basel Face Model in the official
files' layout, through the real store.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from caffe_stand_in import write_mean, write_model
from fill import fill
from scipy.io import savemat

from likeness.errors import WeightsError
from likeness.heads.bfm_tran import trimmed
from likeness.methods.tran3dmm import loaded
from likeness.methods.tran3dmm_model import OF_BOX, OF_POINTS, Regressor, crop
from likeness.networks.resnet_caffe import ResNet101, from_caffe
from likeness.weights import catalog, store
from likeness.weights.strict import load_into

BASEL, KEPT, EXPRESSED = 600, 450, 560
"""Vertices of the invented model, of its cut, of its expression."""


@pytest.fixture(scope="module")
def numbers() -> Any:
    return np.load(Path(__file__).parent / "data" / "tran3dmm.npz")


def drawn(name: str, shape: tuple[int, ...], kind: str = "basis") -> np.ndarray:
    return fill(f"tran3dmm/{name}", shape, kind)


def picture() -> np.ndarray:
    return np.round(drawn("image", (224, 224, 3), "uniform") * 255).astype(np.uint8)


def write_network(folder: Path, params: list[Any]) -> None:
    layers: dict[str, tuple[str, list[np.ndarray]]] = {}
    for name, shape, kind, layer, factor in params:
        values = np.ones(shape, np.float32) if kind == "one" else fill(name, tuple(shape), kind)
        layers.setdefault(name.rsplit("/", 1)[0], (layer, []))[1].append(values * np.float32(factor))
    write_model(folder / "3dmm_cnn_resnet_101.caffemodel", layers)
    colours = np.array([93, 104, 129], np.float32)[:, None, None]
    write_mean(folder / "mean.binaryproto", drawn("mean", (3, 224, 224), "uniform") * np.float32(20) + colours)


def write_basel(folder: Path) -> None:
    k = np.arange(199)
    rows, columns = 3 * BASEL, 199
    basel = {
        "shapeMU": drawn("shapeMU", (rows, 1)) * np.float32(5e4),
        "shapePC": drawn("shapePC", (rows, columns)) / np.float32(400),
        "shapeEV": (8e5 * np.exp(-k / 30.0)).astype(np.float32)[:, None],
        "texMU": 128 + 30 * drawn("texMU", (rows, 1)),
        "texPC": drawn("texPC", (rows, columns)) / np.float32(400),
        "texEV": (4e3 * np.exp(-k / 30.0)).astype(np.float32)[:, None],
    }
    savemat(folder / "01_MorphableModel.mat", basel)
    expression = {
        "mu_exp": (drawn("mu_exp", (3 * EXPRESSED, 1)) * np.float32(1e3)).astype(np.float64),
        "w_exp": (drawn("w_exp", (3 * EXPRESSED, 29)) * np.float32(1e2)).astype(np.float64),
    }
    savemat(folder / "Model_Expression.mat", expression)

    def pick(name: str, count: int) -> np.ndarray:
        return (drawn(name, (count,), "uniform").astype(np.float64) * KEPT).astype(np.uint16) + 1

    kept = np.sort(np.argsort(drawn("vid", (BASEL,), "uniform"), kind="stable")[:KEPT]) + 1
    of = (drawn("ref", (BASEL,), "uniform").astype(np.float64) * EXPRESSED).astype(np.int32) + 1
    selection = {
        "tx": 0.231,
        "vertex_indices": kept.astype(np.uint16)[:, None],
        "innerLandmarkIndex": pick("inner", 68)[:, None],
        "outerLandmarkIndex": pick("outer", 68)[:, None],
        "expEV": (2.1 * np.exp(-np.arange(29) / 10.0))[:, None],
        "vertex_expr_ref": of[:, None],
        "faces": pick("faces", 900).reshape(300, 3),
    }
    savemat(folder / "mod_struct_expr.mat", {"mod_struct": selection})


def of_any_size(entry: catalog.Entry, files: tuple[str, ...]) -> catalog.Entry:
    """An entry that takes models smaller than the published one."""
    return replace(entry, files=tuple(replace(f, expect={}) if f.id in files else f for f in entry.files))


@pytest.fixture(scope="module")
def home(numbers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A LIKENESS_HOME of its own in which the stand-ins are installed."""
    official = tmp_path_factory.mktemp("official")
    write_network(official, json.loads(str(numbers["network.params"])))
    write_basel(official)
    known = dict(catalog.load())
    known["3dmm_cnn"] = of_any_size(known["3dmm_cnn"], ("selection", "expression"))
    known["bfm-2009"] = of_any_size(known["bfm-2009"], ("model",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setattr(catalog, "load", lambda: known)
        store.install("3dmm_cnn", official)
        store.install("bfm-2009", official)
        for file in official.iterdir():
            file.unlink()
        yield


@pytest.fixture(scope="module")
def blobs(home: None) -> dict[str, Any]:
    return store.open_weights("3dmm_cnn").tensors("model/")


@pytest.fixture(scope="module")
def fields(home: None) -> dict[str, Any]:
    weights = store.open_weights("3dmm_cnn")
    basel = store.open_weights("bfm-2009").tensors("model/")
    return trimmed(basel, weights.tensors("selection/"), weights.tensors("expression/"))


def near(got: Any, wanted: np.ndarray, share: float = 1e-5) -> None:
    np.testing.assert_allclose(got, wanted, rtol=0, atol=share * max(abs(wanted).max(), 1e-12))


def test_network(numbers: Any, blobs: dict[str, Any]) -> None:
    """Layer by layer, with the normalisations as they are in the file."""
    network = ResNet101()
    load_into(network, from_caffe(blobs, "the model"), "the model")
    network.eval()
    mean = store.open_weights("3dmm_cnn").tensor("mean")[0]
    inputs = torch.from_numpy(picture().transpose(2, 0, 1) - mean)[None]
    near(inputs[:, :, ::28, ::28], numbers["network.x_sample"], 1e-7)
    seen: dict[str, np.ndarray] = {}

    def keep(name: str) -> Any:
        return lambda _, inside, out: seen.update({name: out.numpy().copy(), f"{name} in": inside[0].numpy().copy()})

    network.conv1.register_forward_hook(keep("conv1"))
    network.pool1.register_forward_hook(keep("pool1"))
    network.fc_ftnew.register_forward_hook(keep("fc"))
    for block in ("2c", "3b3", "4b22", "5c"):
        network.blocks[block].register_forward_hook(keep(f"res{block}"))
    with torch.inference_mode():
        near(network(inputs), numbers["network.params198"])
    near(seen["fc in"], numbers["network.pool5"])
    for name, steps in json.loads(str(numbers["network.strides"])).items():
        wanted = numbers[f"network.{name}"]
        got = seen[name][tuple(slice(None, None, step) for step in steps)]
        # The original's sums are from before the last rectification of a block.
        near(got, np.maximum(wanted, 0) if name.startswith("res") else wanted)


def test_a_picture_to_coefficients(numbers: Any, home: None) -> None:
    """The network as it is used, its normalisations folded away."""
    regressor, _, files = loaded()
    near(np.concatenate(regressor.coefficients(picture())), numbers["network.params198"][0], 2e-5)
    assert set(files) >= {"3dmm_cnn_resnet_101.caffemodel", "mean.binaryproto", "01_MorphableModel.mat"}


def test_a_caffemodel_of_another_network_is_refused(blobs: dict[str, Any]) -> None:
    mean = np.zeros((1, 3, 224, 224), np.float32)
    for name, told in (
        ("res4b22_branch2b/0", r"lacks blocks\.4b22\.branch2b\.weight"),
        ("bn5a_branch1/2", "lacks bn5a"),
    ):
        with pytest.raises(WeightsError, match=told):
            Regressor.from_blobs({k: v for k, v in blobs.items() if k != name}, mean, "the model")
    with pytest.raises(WeightsError, match="holds conv9"):
        Regressor.from_blobs({**blobs, "conv9/0": np.zeros(3, np.float32)}, mean, "the model")
    with pytest.raises(WeightsError, match="mean picture"):
        Regressor.from_blobs(blobs, mean[..., 1:], "the model")


def test_normalisation_of_no_samples(blobs: dict[str, Any]) -> None:
    made = from_caffe({**blobs, "bn_conv1/2": np.zeros(1, np.float32)}, "the model")
    assert not made["bn_conv1.running_mean"].any()
    assert not made["bn_conv1.running_var"].any()


NAMES = ("shapeMU", "shapeEV", "texMU", "texEV", "expMU", "expEV", "faces", "innerLandmarkIndex", "outerLandmarkIndex")


@pytest.mark.parametrize("name", NAMES)
def test_fields_of_the_cut_model(numbers: Any, fields: dict[str, Any], name: str) -> None:
    wanted = numbers[f"model.bfm_{name}"]
    near(fields[name].reshape(wanted.shape), wanted, 1e-7)


@pytest.mark.parametrize("name", ["shapePC", "texPC", "expPC"])
def test_bases_of_the_cut_model(numbers: Any, fields: dict[str, Any], name: str) -> None:
    assert fields[name].shape[1] == (29 if name == "expPC" else 99)
    near(fields[name][::9, ::4], numbers[f"model.bfm_{name}"], 1e-7)


def test_shape_and_texture(numbers: Any, home: None) -> None:
    shape, texture = np.split(numbers["model.features"].reshape(-1), 2)
    face = loaded()[1]
    assert len(face.expression_spread) == 29
    assert face.model.colours is not None
    vertices = face.model.metres(shape) / face.model.unit
    colours = 255 * np.clip(face.model.colours.of(texture), 0, 1)
    near(vertices, numbers["model.S"])
    near(colours, numbers["model.T"])
    assert colours.min() >= 0
    assert colours.max() <= 255
    # As its own PLY has them.
    first = [line.split() for line in json.loads(str(numbers["model.ply_head"])).split("end_header\n")[1].splitlines()]
    np.testing.assert_allclose(vertices[: len(first)], [[float(v) for v in row[:3]] for row in first], atol=2e-4)
    np.testing.assert_allclose(colours[: len(first)], [[int(v) + 0.5 for v in row[3:]] for row in first], atol=0.51)
    assert face.model.triangles is not None
    np.testing.assert_array_equal(face.model.triangles, numbers["model.bfm_faces"].astype(np.int64) - 1)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_crops_about_landmarks(numbers: Any, which: int) -> None:
    points = numbers[f"model.lm{which}"]
    made = crop(numbers["model.crop_img"], (*points.min(0), *points.max(0)), OF_POINTS)
    np.testing.assert_array_equal(made, numbers[f"model.cropLM{which}"])
    np.testing.assert_array_equal(made, numbers[f"model.cropInputLM{which}"])
    if which == 0:
        resized = cv2.resize(made, (224, 224))[::4, ::4].astype(int)
        assert abs(resized - numbers["model.resized_cropLM0"]).max() <= 1


@pytest.mark.parametrize("which", [0, 1])
def test_crops_about_boxes(numbers: Any, which: int) -> None:
    made = crop(numbers["model.crop_img"], tuple(numbers[f"model.det{which}"]), OF_BOX)
    np.testing.assert_array_equal(made, numbers[f"model.cropDet{which}"])


def test_a_crop_beside_the_picture_is_black() -> None:
    white = np.full((50, 60, 3), 255, np.uint8)
    assert not crop(white, (200, 200, 220, 230)).any()
    assert crop(white, (20, 20, 30, 30)).any()
