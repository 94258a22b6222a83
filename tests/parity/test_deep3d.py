"""Deep3D against what the originals compute, from stand-in files in the official layouts, through the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from deep3d_cases import case, coefficients, drawn, of_any_size, write_model
from fill import fill
from made_protobuf import number, raw
from scipy.io import savemat

from likeness.errors import HeadError, WeightsError
from likeness.heads import bfm_files
from likeness.heads.bfm import Bfm
from likeness.methods import deep3d_losses
from likeness.methods.deep3d import networks, standard_face
from likeness.methods.deep3d_crops import align, arcface_matrix, five_points
from likeness.methods.deep3d_model import Coefficients, normals, projected, shaded, world
from likeness.networks import deep3d as release
from likeness.weights import store

# --- The face model


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("BFM")
    write_model(folder)
    return folder


@pytest.fixture(scope="module")
def model(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bfm]:
    """Cut from the installed files."""
    with pytest.MonkeyPatch.context() as patch:
        of_any_size(patch)
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("bfm-2009", "bfm-expression", "deep3d-data"):
            store.install(name, sources)
        yield bfm_files.open_bfm("bfm-front")


@pytest.fixture(scope="module")
def posed(model: Bfm) -> list[tuple[Coefficients, np.ndarray]]:
    every = [Coefficients.of(flat) for flat in coefficients()]
    return [(c, world(model, c)) for c in every]


def test_the_model_is_cut_as_the_original_cuts_it(model: Bfm) -> None:
    given = case("facemodel")
    assert model.colours is not None
    bases = {"idBase": model.shape, "exBase": model.expression, "texBase": 255 * model.colours.basis}
    for name, basis in bases.items():
        columns = basis.reshape(len(basis), -1).T
        wanted = given[f"front_{name}"]
        np.testing.assert_allclose(columns[::7, ::5], wanted, atol=1e-6 * np.abs(wanted).max())
    mean = given["front_meanshape"].reshape(-1, 3)
    np.testing.assert_allclose(model.mean, mean - mean.mean(0), atol=1e-6)
    np.testing.assert_allclose(255 * model.colours.mean, given["front_meantex"].reshape(-1, 3), atol=1e-3)
    assert model.masks["front"].sum() == 210
    assert 0 < model.masks["skin"].sum() < 420


def test_a_model_that_the_original_built_is_taken(model: Bfm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = bfm_files._data_arrays()
    basel = store.open_weights("bfm-2009").tensors("model/")
    fields = dict(bfm_files.cut_front(basel, bfm_files._expression(), data, data["idx"], data["trimIndex"]))
    fields["exBase"] = fields["exBase"].astype(np.float64)
    of_any_size(monkeypatch)
    savemat(tmp_path / "BFM_model_front.mat", fields)
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    store.install("bfm-front", tmp_path / "BFM_model_front.mat")
    again = bfm_files.open_bfm("bfm-front")
    for one, other in ((again.mean, model.mean), (again.expression, model.expression), (again.shape, model.shape)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.keypoints, model.keypoints)
    with pytest.raises(HeadError, match="keypoints"):
        bfm_files.front({name: value for name, value in fields.items() if name != "keypoints"})
    with pytest.raises(HeadError, match="vertices that do not exist"):
        bfm_files.front(fields | {"tri": fields["tri"] + 1})


def test_shape_pose_and_projection(model: Bfm, posed: list[tuple[Coefficients, np.ndarray]]) -> None:
    given = case("facemodel")
    for i, (c, vertices) in enumerate(posed):
        np.testing.assert_allclose(model.vertices(c.identity, c.expression), given["shape"][i], atol=1e-5)
        np.testing.assert_allclose(c.rotation().T, given["rotation"][i], atol=1e-6)
        np.testing.assert_allclose(vertices, given["world"][i], atol=1e-5)
        before = np.array([0, 0, 10]) + vertices * (1, 1, -1)
        np.testing.assert_allclose(before, given["vertex_camera"][i], atol=1e-5)
        np.testing.assert_allclose(projected(vertices), given["projection"][i], atol=2e-3)
        marks = projected(vertices)[model.keypoints]
        np.testing.assert_allclose(marks, given["landmarks"][i], atol=2e-3)
        np.testing.assert_allclose(np.stack([marks[:, 0], 223 - marks[:, 1]], 1), given["lm68_saved"][i], atol=2e-3)
    np.testing.assert_allclose(posed[0][1], given["obj_vertices"], atol=1e-5)


def test_albedo_and_light(model: Bfm, posed: list[tuple[Coefficients, np.ndarray]]) -> None:
    given = case("facemodel")
    assert model.colours is not None
    assert model.triangles is not None
    for i, (c, _) in enumerate(posed):
        albedo = model.colours.of(c.texture)
        np.testing.assert_allclose(albedo, given["texture"][i], atol=3e-5)
        facing = normals(model.vertices(c.identity, c.expression), model.triangles)
        np.testing.assert_allclose(facing, given["normals"][i], atol=3e-5)
        colour = shaded(albedo, facing @ c.rotation().T, c.light)
        np.testing.assert_allclose(colour, given["color"][i], atol=5e-5)
        if i == 0:
            np.testing.assert_allclose(np.clip(colour, 0, 1), given["obj_colors"], atol=1 / 255 + 1e-4)


# --- The crop


@pytest.mark.parametrize("name", ["down5", "up5", "edge5", "down68"])
def test_alignment(name: str) -> None:
    given = case("align")
    part = {key: given[f"{name}/{key}"] for key in ("image", "landmarks", "pos_t", "scale", "trans_params", "crop")}
    crop = align(part["image"], part["landmarks"], given["lm3d"])
    np.testing.assert_allclose(crop.middle, part["pos_t"], rtol=1e-6)
    np.testing.assert_allclose(crop.scale, part["scale"], rtol=1e-6)
    np.testing.assert_allclose([*crop.size, crop.scale, *crop.middle], part["trans_params"], rtol=1e-6)
    up = part["landmarks"] * (1, -1) + (0, part["image"].shape[0] - 1)
    np.testing.assert_allclose(crop.points(up), given[f"{name}/lm_out"], atol=1e-4)
    away = np.abs(crop.pixels[::3, ::3].astype(int) - part["crop"])
    assert away.max() <= 1


def test_a_large_photo_is_cut_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without being scaled as a whole."""
    given = case("align")
    for name in ("edge5", "up5"):
        crop = align(given[f"{name}/image"], given[f"{name}/landmarks"], given["lm3d"])
        monkeypatch.setattr("likeness.methods.deep3d_crops.MOST", 0)
        part = align(given[f"{name}/image"], given[f"{name}/landmarks"], given["lm3d"])
        monkeypatch.undo()
        assert np.abs(crop.pixels.astype(int) - part.pixels).max() <= 2


def test_the_way_back_to_the_photo() -> None:
    """A landmark's pixel of the crop shows what the landmark's pixel of the photo shows: within the crop's rounding."""
    given = case("align")
    photo, points = given["down5/image"], given["down5/landmarks"].astype(np.float64)
    crop = align(photo, points, given["lm3d"])
    up = points * (1, -1) + (0, photo.shape[0] - 1)
    there = crop.in_photo(crop.points(up) * (1, -1) + (0, 223) + 0.5)
    assert np.abs(there - (points + 0.5)).max() < 1.5 / crop.scale


def test_the_crop_that_recognition_networks_take() -> None:
    given = case("align")
    five = five_points(given["down68/lm_out"]) * (1, -1) + (0, 223)
    np.testing.assert_allclose(arcface_matrix(five), given["down68/arcface_M"], atol=1e-4)


def test_the_standard_face_is_the_files(model: Bfm) -> None:
    np.testing.assert_allclose(standard_face(), case("align")["lm3d"], atol=1e-6)


# --- The networks


def test_network_of_the_pytorch_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = case("reconnet")
    state = {name: torch.from_numpy(np.array(value)) for name, value in drawn(given).items()}
    moments = {"state": {0: {"step": 3, "exp_avg": torch.zeros(2)}}, "param_groups": [{"lr": 1e-4}]}
    torch.save({"net_recon": state, "opt_00": moments, "sched_00": {"last_epoch": 20}}, tmp_path / "epoch_20.pth")
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    store.install("deep3d", tmp_path / "epoch_20.pth")
    network, confidence, which = networks()
    assert (which, confidence) == ("deep3d", None)
    with torch.inference_mode():
        found, first, pooled = network.seen(torch.from_numpy(fill("deep3d/recon_input", (1, 3, 224, 224), "uniform")))
    close(found, given["coeff"], 1e-5)
    close(pooled, given["pooled"], 1e-5)
    close(first[:, ::16, ::8, ::8], given["layer1"], 1e-5)
    broken = {name: value.numpy() for name, value in state.items() if name != "final_layers.4.bias"}
    with pytest.raises(WeightsError, match="final_layers"):
        release.from_checkpoint(broken, "epoch_20.pth")


def test_network_of_the_tensorflow_release(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = case("tf_rnet")
    constants = drawn(given)
    (tmp_path / "FaceReconModel.pb").write_bytes(b"".join(node(name, value) for name, value in constants.items()))
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    store.install("deep3d-tf", tmp_path / "FaceReconModel.pb")
    network, _, which = networks()
    assert which == "deep3d-tf"
    picture = np.round(255 * fill("deep3d/tf_input", (1, 224, 224, 3), "uniform"))[..., ::-1] / np.float32(255)
    with torch.inference_mode():
        found, first, pooled = network.seen(torch.from_numpy(np.ascontiguousarray(picture.transpose(0, 3, 1, 2))))
    close(found, given["coeff"], 2e-5)
    close(pooled, given["pooled"], 2e-5)
    close(first[:, ::16, ::4, ::4].permute(0, 2, 3, 1), given["block1"], 2e-5)
    for changed, said in (
        ({**constants, "copy/fc-Z/biases": constants["fc-Z/biases"]}, "2 constants called fc-Z/biases"),
        ({n: v for n, v in constants.items() if n != "fc-XY/weights"}, "0 constants called fc-XY/weights"),
    ):
        with pytest.raises(WeightsError, match=said):
            release.from_graph(changed, "FaceReconModel.pb")


def node(name: str, value: np.ndarray) -> bytes:
    """A constant of a TensorFlow graph."""
    shape = b"".join(raw(2, number(1, n)) for n in value.shape)
    tensor = number(1, 1) + raw(2, shape) + raw(4, value.astype("<f4").tobytes())
    return raw(1, raw(1, name) + raw(2, "Const") + raw(5, raw(1, "value") + raw(2, raw(8, tensor))))


def close(found: torch.Tensor, wanted: np.ndarray, share: float) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=0, atol=share * np.abs(wanted).max())


@pytest.mark.parametrize("last", [False, True])
def test_the_smaller_backbone_and_the_single_last_layer(last: bool) -> None:
    """The release's other options, which no published weights use."""
    network = release.ReconNet(release.ResNet18(), (257,) if last else tuple(release.HEADS.values()))
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    if last:
        state["backbone.fc.weight"] = state.pop("final_layers.0.weight")[:, :, 0, 0]
        state["backbone.fc.bias"] = state.pop("final_layers.0.bias")
    again = release.from_checkpoint(state, "a checkpoint")
    crop = torch.from_numpy(fill("deep3d/recon_input", (1, 3, 224, 224), "uniform"))
    with torch.inference_mode():
        torch.testing.assert_close(again(crop), network.eval()(crop), atol=1e-5, rtol=1e-4)


def test_white_light_is_the_same_for_all_colours() -> None:
    """The TensorFlow project's other release, with the paper's nine numbers for light."""
    sizes = tuple(9 if name == "gamma" else size for name, size in release.HEADS.items())
    network = release.ReconNet(release.ResNet18(), sizes).eval()
    with torch.inference_mode():
        flat = network(torch.from_numpy(fill("deep3d/recon_input", (1, 3, 224, 224), "uniform")))[0].numpy()
    light = Coefficients.of(flat).light
    np.testing.assert_array_equal(light[1:], light[:1].repeat(2, 0))
    assert light[0].any()


# --- The losses


def test_losses() -> None:
    given = {name: torch.from_numpy(value) for name, value in case("losses").items() if value.dtype.kind == "f"}
    c = given["coeff"]
    found = {
        "photo": deep3d_losses.photometric(given["imageA"], given["imageB"], given["mask"]),
        "landmark": deep3d_losses.landmarks(given["pred_lm"], given["gt_lm"]),
        "reg": deep3d_losses.regularisation(c[:, :80], c[:, 80:144], c[:, 144:224]),
        "gamma": deep3d_losses.gamma(c[:, 227:254].reshape(-1, 3, 9)),
        "reflectance": deep3d_losses.reflectance(given["texture"], given["skin"]),
        "perceptual": deep3d_losses.perceptual(given["featA"], given["featB"]),
    }
    for name, value in found.items():
        assert float(value) == pytest.approx(float(given[f"out_{name}"]), rel=1e-5), name
