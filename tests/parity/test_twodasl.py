"""2DASL against what the original computes, from invented weights in its files' layout, through the real store.

The published weights and bases are not at hand, see data/README.md; its authors' own stored outputs for six photos
are, and are read here with the real landmark basis where that is.
"""

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fill import fill
from PIL import Image

from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_crops import roi_from_points
from likeness.methods.tddfa_model import in_photo
from likeness.methods.twodasl_model import Regressor, crop_points, in_crop, landmark_map, network_input, without_neck
from likeness.networks.twodasl import TwoDASLNet
from likeness.weights import store
from likeness.weights.strict import load_into

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
V = 53215
WHOLE = (0.0, 0.0, 120.0, 120.0)


@pytest.fixture(scope="module")
def numbers() -> Any:
    return np.load(Path(__file__).parent / "data" / "twodasl.npz")


def write(folder: Path, numbers: Any) -> None:
    """The official files: a network of invented numbers, and the front half of an ellipsoid."""
    state = {}
    for name, shape, kind, scale in json.loads(str(numbers["params"])):
        values = np.zeros((), np.int64) if kind == "int_zero" else fill(name, tuple(shape), kind) * np.float32(scale)
        state[f"module.{name}"] = torch.from_numpy(values)
    torch.save({"epoch": 1, "res_state_dict": state}, folder / "2DASL_checkpoint_epoch_allParams_stage2.pth.tar")
    whitening = {name: numbers[name] for name in ("param_mean", "param_std")}
    (folder / "param_whitening.pkl").write_bytes(pickle.dumps(whitening, 2))
    i = np.arange(V, dtype=np.float64)
    z = (i + 0.5) / V
    r, a = np.sqrt(1 - z * z), i * np.pi * (3 - np.sqrt(5))
    mean = np.stack([75e3 * r * np.cos(a), 95e3 * r * np.sin(a), 60e3 * z + 30e3], 1).reshape(-1, 1).astype(np.float32)
    keypoints = (np.arange(68) * 557 + 13) % V
    arrays = {
        "u_shp": mean,
        "u_exp": np.zeros_like(mean),
        "w_shp_sim": fill("twodasl/w_shp_sim", (3 * V, 40), "basis") * np.float32(3e-3),
        "w_exp_sim": fill("twodasl/w_exp_sim", (3 * V, 10), "basis") * np.float32(1e3),
        "keypoints_sim": (3 * keypoints[:, None] + np.arange(3)).reshape(-1),
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.fixture(scope="module")
def weights(numbers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[store.Weights]:
    official = tmp_path_factory.mktemp("official")
    write(official, numbers)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("2dasl", official)
        for file in official.iterdir():
            file.unlink()
        yield store.open_weights("2dasl")


@pytest.fixture(scope="module")
def tensors(weights: store.Weights) -> dict[str, Any]:
    return weights.tensors("model/")


@pytest.fixture(scope="module")
def network(tensors: dict[str, Any]) -> TwoDASLNet:
    """As it is loaded, normalisations and all."""
    made = TwoDASLNet()
    load_into(made, tensors, "the checkpoint")
    return made.eval()


@pytest.fixture(scope="module")
def regressor(weights: store.Weights, tensors: dict[str, Any]) -> Regressor:
    mean, std = weights.tensor("whitening/param_mean"), weights.tensor("whitening/param_std")
    return Regressor.from_tensors(tensors, mean, std, "the checkpoint")


@pytest.fixture(scope="module")
def model(weights: store.Weights) -> Bfm:
    """All 53,215 vertices."""
    arrays = {name: weights.tensor(name) for name in ("u_shp", "u_exp", "w_shp", "w_exp", "keypoints")}
    return Bfm.from_noneck(without_neck(arrays, np.arange(V)))


def astronaut() -> np.ndarray:
    """A crop (120, 120, 3) BGR, cut by whole-number steps alone, so the same on every machine."""
    picture = np.asarray(Image.open(ROOT / "tests" / "data" / "astronaut.png").convert("RGB")).astype(np.int64)
    cut = picture[:240, 110:350].reshape(120, 2, 120, 2, 3).sum((1, 3)) // 4
    return np.ascontiguousarray(cut[..., ::-1], dtype=np.uint8)


def taps(network: TwoDASLNet, inputs: torch.Tensor) -> dict[str, np.ndarray]:
    """What the last stage, the pooling and the network give."""
    seen = {}
    hooks = [
        getattr(network, name).register_forward_hook(lambda _, __, out, name=name: seen.update({name: out.numpy()}))
        for name in ("layer4", "avgpool")
    ]
    with torch.inference_mode():
        seen["out"] = network(inputs).numpy()
    for hook in hooks:
        hook.remove()
    return seen


def test_map_of_landmarks(numbers: Any) -> None:
    seen = landmark_map(numbers["landmarks68"])
    wanted = np.full((120, 120), -1.0)
    wanted[tuple(numbers["heat_yx"].T)] = 1
    np.testing.assert_array_equal(seen, wanted)
    assert seen.sum() == numbers["input_ch4_sum"]


def test_landmarks_outside_of_the_crop_are_moved_to_its_edge() -> None:
    points = np.full((2, 68), 60.0)
    points[:, 17], points[:, 54] = (-30, 4.9), (130, 125)
    assert {(int(x), int(y)) for y, x in np.argwhere(landmark_map(points) > 0)} == {(0, 4), (119, 119), (60, 60)}


def test_network(numbers: Any, network: TwoDASLNet) -> None:
    inputs = network_input(astronaut()[None], landmark_map(numbers["landmarks68"])[None])
    seen = taps(network, inputs)
    for name, got in (("layer4", seen["layer4"][:, ::64]), ("pool", seen["avgpool"].reshape(-1)[::8])):
        wanted = numbers[f"astronaut.{name}_sub"]
        np.testing.assert_allclose(got, wanted, atol=1e-4 * abs(wanted).max(), rtol=0)
    np.testing.assert_allclose(seen["out"][0], numbers["astronaut.out62"], atol=1e-4)
    # Its own 7 x 7 pooling leaves a row and a column out; a mean over the whole map would be another network.
    assert abs(seen["layer4"].mean((2, 3)) - seen["avgpool"][..., 0, 0]).max() > 0.01


def test_folded_network_says_the_same(numbers: Any, regressor: Regressor) -> None:
    raw = regressor.raw(astronaut()[None], landmark_map(numbers["landmarks68"])[None])
    np.testing.assert_allclose(raw[0], numbers["astronaut.out62"], atol=1e-4)


def test_the_authors_own_crop(numbers: Any, network: TwoDASLNet) -> None:
    path = SHARED / "parity" / "twodasl" / "twodasl.npz"
    if not path.exists():
        pytest.skip("needs the crop in shared/parity/twodasl beside the checkout")
    case = np.load(path)
    inputs = network_input(case["crop_bgr"][None], landmark_map(case["landmarks68"])[None])
    np.testing.assert_allclose(inputs[:, :, ::8, ::8], case["input_sub"], atol=1e-6)
    seen = taps(network, inputs)
    np.testing.assert_allclose(seen["layer4"][:, ::64], case["layer4_sub"], atol=1e-4 * abs(case["layer4_sub"]).max())
    pooled = seen["avgpool"].reshape(-1)[::8]
    np.testing.assert_allclose(pooled, case["pool_sub"], atol=1e-4 * abs(case["pool_sub"]).max())
    np.testing.assert_allclose(seen["out"][0], case["out62"], atol=1e-4)


@pytest.mark.parametrize("which", ["", "real_"])
def test_vertices_and_landmarks(numbers: Any, regressor: Regressor, model: Bfm, which: str) -> None:
    white = numbers["real_white62" if which else "out62"]
    flat = white * regressor.std + regressor.mean
    dense = crop_points(model, flat)
    np.testing.assert_allclose(dense[:, ::151], numbers[f"{which}dense_sub"], atol=1e-3)
    marks = crop_points(model, flat, model.keypoints)
    marks[1] = 121 - marks[1]
    np.testing.assert_allclose(marks, numbers[f"{which}lm68"], atol=1e-3)
    # 3DDFA_V2's way into the photo counts from 0: one pixel of the crop less than the original's.
    placed = in_photo(crop_points(model, flat, model.keypoints), WHOLE)
    np.testing.assert_allclose(placed[:2] + 1, numbers[f"{which}lm68"][:2], atol=1e-3)


def test_landmarks_in_the_photo(numbers: Any, regressor: Regressor, model: Bfm) -> None:
    flat, roi = numbers["real_white62"] * regressor.std + regressor.mean, tuple(numbers["roi"])
    placed = in_photo(crop_points(model, flat, model.keypoints), roi)
    pixel = (roi[2] - roi[0]) / 120, (roi[3] - roi[1]) / 120
    np.testing.assert_allclose(placed[:2].T + pixel, numbers["real_lm68_photo"][:2].T, atol=1e-2)


def test_the_authors_stored_outputs_with_the_real_basis(numbers: Any, regressor: Regressor) -> None:
    path = SHARED / "weights" / "3ddfa_v2" / "real68_basis.npz"
    if not path.exists():
        pytest.skip("needs the real landmark basis in shared/weights/3ddfa_v2 beside the checkout")
    basis = np.load(path)
    arrays = {"u": basis["u_base"], "w_shp": basis["w_shp_base"], "w_exp": basis["w_exp_base"]}
    real = Bfm.from_noneck(arrays | {"keypoints": np.arange(204)})
    cases = [numbers[f"real68.{name}"] for name in ("white62", "lm68_crop", "roi", "lm68_photo")]
    for white, marks, roi, photo in zip(*cases, strict=True):
        seen = crop_points(real, white * regressor.std + regressor.mean)
        placed = in_photo(seen, tuple(roi))[:2].T + (roi[2:] - roi[:2]) / 120
        np.testing.assert_allclose(placed.T, photo, atol=0.01)
        seen[1] = 121 - seen[1]
        np.testing.assert_allclose(seen, marks, atol=0.01)


def test_a_region_and_its_landmarks_go_together() -> None:
    points = np.random.default_rng(0).uniform(100, 300, (68, 2))
    roi = roi_from_points(points.T)
    left, top, right, bottom = (round(v) for v in roi)
    # The edges of the region's pixels; a pixel's centre is a whole number.
    corners = in_crop(np.array([[left, top], [right, bottom], [(left + right) / 2, top]]) - 0.5, roi)
    np.testing.assert_allclose(corners, [[0, 120, 60], [0, 120, 0]])


def test_a_checkpoint_of_another_network_is_refused(tensors: dict[str, Any]) -> None:
    from likeness.errors import WeightsError

    other = {k: v for k, v in tensors.items() if not k.startswith("layer4.2.conv3")}
    with pytest.raises(WeightsError, match=r"lacks layer4\.2\.conv3\.weight"):
        Regressor.from_tensors(other, np.zeros(62, np.float32), np.ones(62, np.float32), "the checkpoint")
