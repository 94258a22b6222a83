"""From 2DASL's files to a head that moves: stand-ins of network and model, both in the official layout."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import bfm_stand_in
import numpy as np
import pytest
import torch

from likeness import faces, package, photos
from likeness.assemble import assemble
from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import IBUG68
from likeness.heads.surface import similarity
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.registry import find_method, status
from likeness.methods.tddfa_crops import roi_from_points
from likeness.methods.twodasl import loaded, look
from likeness.methods.twodasl_model import in_crop
from likeness.networks.twodasl import TwoDASLNet
from likeness.progress import quiet
from likeness.weights import face_networks, store
from likeness.weights.readers import plain

SETTINGS = Settings(head="anny", texture_size=256)
V, NONECK = 53215, 38365
STD = np.concatenate([np.full(12, 1e-3), np.full(40, 2e5), np.full(10, 0.5)]).astype(np.float32)
CODES = np.zeros(50, np.float32)
CODES[:3], CODES[40] = (0.8, -0.6, 0.5), 1.0
"""What the stand-in says of shape, and of the jaw, in deviations."""


def write(folder: Path, head: HeadModel, face: faces.Face) -> None:
    """Files of a network that says the same of every face: what is true of this one."""
    bfm_stand_in.write(folder, head, STD)
    model = plain.read(folder / "bfm_noneck_v3.pkl")
    arrays = {
        "u_shp": model["u"],
        "u_exp": np.zeros_like(model["u"]),
        "w_shp_sim": model["w_shp"],
        "w_exp_sim": model["w_exp"],
    }
    for name, array in arrays.items():
        whole = np.zeros((3 * V, array.shape[1]), np.float32)
        whole[: 3 * NONECK] = array
        np.save(folder / f"{name}.npy", whole)
    np.save(folder / "keypoints_sim.npy", model["keypoints"])
    (folder / "param_whitening.pkl").write_bytes(pickle.dumps({"param_mean": np.zeros(62), "param_std": STD}, 2))

    codes = CODES * STD[12:]
    flat = model["u"][:, 0] + model["w_shp"] @ codes[:40] + model["w_exp"] @ codes[40:]
    marks = flat[model["keypoints"]].reshape(68, 3).astype(np.float64)
    points = face.landmarks[list(IBUG68)]
    roi = roi_from_points((points[:, :2] - 0.5).T)
    # 3DDFA's crop: y up, pixels counted from 1 at the first one's centre.
    x, y = in_crop(points[:, :2] - 0.5, roi)
    z = points[:, 2] * 120 / (roi[2] - roi[0])
    scale, rotation, shift = similarity(marks, np.stack([x + 0.5, 120.5 - y, -z], 1))
    affine = np.concatenate([scale * rotation, shift[:, None]], 1)
    with torch.device("meta"):
        state = {name: torch.zeros_like(value, device="cpu") for name, value in TwoDASLNet().state_dict().items()}
    state["fc.bias"] = torch.from_numpy(np.concatenate([affine.ravel(), codes]) / STD).float()
    named = {f"module.{name}": value for name, value in state.items()}
    torch.save({"res_state_dict": named}, folder / "2DASL_checkpoint_epoch_allParams_stage2.pth.tar")


@pytest.fixture(scope="module")
def face(anny_head: HeadModel, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, face: faces.Face, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the stand-ins."""
    folder, official = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("official")
    networks = face_networks.install()
    shutil.copyfile(networks, folder / networks.name)
    shutil.copytree(
        networks.parent / "heads", folder / "heads", ignore=lambda _, names: {n for n in names if "anny" not in n}
    )
    write(official, anny_head, face)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        store.install("2dasl", official)
        store.install("3ddfa-bfm", official)
        yield folder


@pytest.fixture(scope="module")
def made(home: Path, face: faces.Face) -> Reconstruction:
    return find_method("2dasl")().reconstruct([face, face], SETTINGS, quiet)


def test_its_own_mesh_is_the_person_without_expression(made: Reconstruction) -> None:
    _, model = loaded()
    assert made.mesh is not None
    assert made.mesh.vertices.shape == (NONECK, 3)
    told = np.tensordot(CODES[:40] * STD[12:52], model.shape, 1)
    np.testing.assert_allclose(made.mesh.vertices, 1e-6 * (model.mean + told), atol=1e-6)
    assert abs(told).max() > 1000  # micrometres
    # Outside is outside: the front's triangles face the viewer.
    a, b, c = (made.mesh.vertices[made.mesh.triangles[:, k]] for k in range(3))
    assert np.cross(b - a, c - a)[:, 2].sum() > 0
    assert made.mesh.colours is not None
    assert made.mesh.colours.std() > 0.05


def test_the_head_stands_where_the_face_is(made: Reconstruction, face: faces.Face) -> None:
    assert made.head is not None
    assert len(made.views) == 2
    view = made.views[0]
    posed = made.vertices + np.einsum("m,mvc->vc", view.expression, made.head.expression.numpy())
    marks = made.head.landmarks["ibug68"].on(torch.from_numpy(posed).float(), made.head.triangles).numpy()
    apart = np.linalg.norm(view.camera.project(marks) - face.landmarks[list(IBUG68), :2], axis=1)[17:]
    assert apart.mean() < 0.08 * face.interocular
    assert made.details["gap_mm"] < 1.5
    jaw = made.head.expression_names.index("jawOpen")
    assert 0.2 < view.expression[jaw] < 0.5
    assert np.argmax(view.expression) == jaw


def test_what_is_kept_of_a_photo(made: Reconstruction, face: faces.Face) -> None:
    regressor, _ = loaded()
    flat, roi = look(face, regressor)
    told = made.details["photos"][1]
    np.testing.assert_allclose(told["parameters"], flat, rtol=1e-6)
    np.testing.assert_allclose(told["roi"], roi, atol=1e-3)
    assert abs(told["yaw_pitch_roll"][0]) < 15
    assert "2DASL_checkpoint_epoch_allParams_stage2.pth.tar" in made.details["files"]


def test_the_package_holds_both_meshes_and_the_terms(made: Reconstruction, tmp_path: Path) -> None:
    back = package.load(package.save(assemble("a", made, {}), tmp_path / "a.likeness"))
    assert back.provenance["method"]["name"] == "2dasl"
    assert back.provenance["licences"][0] == "non-commercial research (Basel Face Model)"
    assert len(back.expression_names) == 52
    assert back.views[0].camera.kind == "orthographic"
    assert back.own_mesh is not None
    assert back.own_mesh.vertices.shape == (NONECK, 3)
    assert back.own_mesh.colours is not None


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    assert "needs 2dasl and 3ddfa-bfm" in status(find_method("2dasl"))
