"""From 3dmm_cnn's files to a head that moves: stand-ins of network and model, both in the official layout."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from bfm_stand_in import KEYS
from caffe_stand_in import write_mean, write_model
from scipy.io import loadmat, savemat

from likeness import faces, package, photos
from likeness.assemble import assemble
from likeness.errors import WeightsError
from likeness.heads.base import HeadModel
from likeness.heads.bfm_tran import TranBfm
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.registry import find_method, missing, status
from likeness.methods.tran3dmm import loaded
from likeness.methods.tran3dmm_expression import expression_seen
from likeness.networks.resnet_caffe import ResNet101
from likeness.progress import quiet
from likeness.weights import face_networks, store

SETTINGS = Settings(head="anny", texture_size=256)
SHAPE, TEXTURE = np.zeros((2, 99), np.float32)
SHAPE[:4], TEXTURE[:2] = (1.5, -1.0, 0.5, 0.5), (1.0, -2.0)
"""What the stand-in says of every face, in standard deviations."""


def official(layer: str) -> str:
    """A module's name in the caffemodel."""
    if layer.startswith("blocks."):
        _, block, part = layer.split(".")
        return f"res{block}_{part}" if part.startswith("branch") else f"{{}}{block}_branch{part.removeprefix('bn')}"
    return "{}_conv1" if layer == "bn_conv1" else layer


def write_network(folder: Path) -> None:
    """A network without weights, whose last layer's bias is all it says."""
    with torch.device("meta"):
        network = ResNet101()
    layers: dict[str, tuple[str, list[np.ndarray]]] = {}
    for name, module in network.named_modules():
        if isinstance(module, torch.nn.Conv2d):
            layers[official(name)] = ("Convolution", [np.zeros(tuple(module.weight.shape), np.float32)])
        elif isinstance(module, torch.nn.BatchNorm2d):
            zeros, ones = np.zeros(module.num_features, np.float32), np.ones(module.num_features, np.float32)
            layers[official(name).format("bn")] = ("BatchNorm", [zeros, 999 * ones, np.full(1, 999, np.float32)])
            layers[official(name).format("scale")] = ("Scale", [ones, zeros])
    layers["fc_ftnew"] = ("InnerProduct", [np.zeros((198, 2048), np.float32), np.concatenate([SHAPE, TEXTURE])])
    write_model(folder / "3dmm_cnn_resnet_101.caffemodel", layers)
    write_mean(folder / "mean.binaryproto", np.full((3, 224, 224), 120, np.float32))


def write_face(folder: Path, head: HeadModel) -> None:
    """``BaselFaceModel_mod.mat`` made of the open head's face: it looks like a face."""
    person = head.shape(torch.zeros(1, len(head.identity)))[0].double().numpy()
    triangles = head.triangles[head.region("skin")].numpy()
    triangles = triangles[(head.groups["face"].numpy()[triangles] > 0.5).all(1)]
    used = np.unique(triangles)
    marks = head.landmarks["ibug68"].on(torch.from_numpy(person).float(), head.triangles).double().numpy()
    keypoints = np.linalg.norm(person[used][None] - marks[:, None], axis=2).argmin(1)

    def flat(fields: Any, columns: int) -> np.ndarray:
        rows = 1e3 * np.asarray(fields, np.float64)[:, used].reshape(len(fields), -1).T
        return np.concatenate([rows, np.zeros((len(rows), columns - rows.shape[1]))], 1).astype(np.float32)

    height = (person[used, 1:2] - person[used, 1].mean()) / 0.1
    skin = np.concatenate([[200.0, 150, 130] + 0 * height, 20 * height * [1, 0.5, 0], 0 * height + [5, 10, 20]], 1)
    colours = skin.reshape(len(used), 3, 3).transpose(0, 2, 1).reshape(-1, 3)
    keys = head.expression[[head.expression_names.index(k) for k in KEYS]]
    fields = {
        "faces": np.searchsorted(used, triangles) + 1,
        "shapeMU": flat(person[None], 1).astype(np.float64),
        "shapePC": flat(head.identity[:40].numpy() / 3, 99),
        "shapeEV": np.full((99, 1), 3.0),
        "texMU": colours[:, :1],
        "texPC": np.concatenate([colours[:, 1:], np.zeros((len(colours), 97))], 1).astype(np.float32),
        "texEV": np.ones((99, 1)),
        "expMU": np.zeros((3 * len(used), 1)),
        "expPC": flat(keys, len(KEYS)),
        "expEV": np.full((len(KEYS), 1), 0.5),
        "innerLandmarkIndex": keypoints[:, None] + 1.0,
        "outerLandmarkIndex": keypoints[:, None] + 1.0,
    }
    savemat(folder / "BaselFaceModel_mod.mat", {"BFM": fields})
    # Of the official sizes; not looked at where the Basel model is already cut.
    sizes = {"tx": (1, 1), "vertex_indices": (1, 46990), "vertex_expr_ref": (53490, 1), "faces": (93323, 3)}
    selection = {name: np.zeros(size, np.uint16) for name, size in (sizes | {"innerLandmarkIndex": (1, 68)}).items()}
    savemat(folder / "mod_struct_expr.mat", {"mod_struct": selection})


@pytest.fixture(scope="module")
def face(anny_head: HeadModel, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the stand-ins."""
    folder, official = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("official")
    networks = face_networks.install()
    shutil.copyfile(networks, folder / networks.name)
    shutil.copytree(
        networks.parent / "heads", folder / "heads", ignore=lambda _, names: {n for n in names if "anny" not in n}
    )
    write_network(official)
    write_face(official, anny_head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        store.install("3dmm_cnn", official)
        store.install("3dmm_cnn-bfm", official / "BaselFaceModel_mod.mat")
        yield folder


@pytest.fixture(scope="module")
def made(home: Path, face: faces.Face) -> Reconstruction:
    return find_method("3dmm_cnn")().reconstruct([face, face], SETTINGS, quiet)


def test_its_own_mesh_is_the_person_in_the_models_colours(made: Reconstruction) -> None:
    face_model = loaded()[1]
    assert made.mesh is not None
    assert made.mesh.colours is not None
    told = np.tensordot(SHAPE, face_model.model.shape, 1)
    np.testing.assert_allclose(made.mesh.vertices, 1e-3 * (face_model.model.mean + told), atol=1e-6)
    assert abs(told).max() > 1  # millimetres
    assert face_model.model.colours is not None
    skin = np.clip(face_model.model.colours.of(TEXTURE), 0, 1)
    np.testing.assert_allclose(made.mesh.colours, skin, atol=1e-6)
    # The same on the head: what is drawn of its texture has the mesh's colours.
    drawn = made.maps["albedo_model"][made.maps["albedo_model"].any(2)] / 255
    np.testing.assert_allclose(drawn.mean(0), skin.mean(0), atol=0.1)
    assert made.mesh.colours[:, 0].mean() > made.mesh.colours[:, 2].mean() + 0.2  # red comes first
    a, b, c = (made.mesh.vertices[made.mesh.triangles[:, k]] for k in range(3))
    assert np.cross(b - a, c - a)[:, 2].sum() > 0


def test_the_head_stands_where_the_face_is(made: Reconstruction, face: faces.Face) -> None:
    assert made.head is not None
    assert len(made.views) == 2
    view = made.views[0]
    posed = made.vertices + np.einsum("m,mvc->vc", view.expression, made.head.expression.numpy())
    embedding = made.head.landmarks["mediapipe478"]
    known = embedding.triangle.numpy() >= 0
    marks = embedding.on(torch.from_numpy(posed).float(), made.head.triangles).numpy()
    apart = np.linalg.norm(view.camera.project(marks) - face.landmarks[:, :2], axis=1)[known]
    assert apart.mean() < 0.06 * face.interocular
    assert view.camera.kind == "perspective"
    assert made.details["gap_mm"] < 1
    # The astronaut smiles.
    smile = made.head.expression_names.index("mouthSmileLeft")
    assert view.expression[smile] > 0.2


def test_what_is_kept_of_a_photo(made: Reconstruction) -> None:
    told = made.details["photos"][1]
    np.testing.assert_allclose(told["shape"], SHAPE, rtol=1e-6)
    np.testing.assert_allclose(told["texture"], TEXTURE, rtol=1e-6)
    moods = dict(zip(KEYS, told["expression"], strict=True))
    assert moods["mouthSmileLeft"] + moods["mouthSmileRight"] > 0.3
    assert set(made.details["files"]) >= {"3dmm_cnn_resnet_101.caffemodel", "BaselFaceModel_mod.mat"}


def test_an_expression_is_found_in_its_own_landmarks(home: Path) -> None:
    face_model: TranBfm = loaded()[1]
    model = face_model.model
    rest = model.metres(SHAPE)
    weights = np.zeros(len(KEYS), np.float32)
    weights[[0, 1]] = (0.6, 0.5)

    def project(points: np.ndarray) -> np.ndarray:
        return 2000 * points[..., :2] * (1, -1) / (1.2 - points[..., 2:]) + 300

    points = project((rest + model.motion(weights))[model.keypoints])
    found = expression_seen(face_model, rest, points, project)
    np.testing.assert_allclose(found, weights, atol=0.15)
    np.testing.assert_allclose(expression_seen(face_model, rest, project(rest[model.keypoints]), project), 0, atol=1e-4)


def test_the_package_holds_both_meshes_and_the_terms(made: Reconstruction, tmp_path: Path) -> None:
    back = package.load(package.save(assemble("a", made, {}), tmp_path / "a.likeness"))
    assert back.provenance["method"]["name"] == "3dmm_cnn"
    assert set(back.provenance["licences"][:2]) == {
        "non-commercial research (Basel Face Model)",
        "non-commercial research (USC)",
    }
    assert len(back.expression_names) == 52
    assert back.own_mesh is not None
    assert back.own_mesh.colours is not None


def test_the_script_writes_the_same_model_in_both_forms(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_face(tmp_path, anny_head)
    fields = loadmat(tmp_path / "BaselFaceModel_mod.mat", simplify_cells=True)["BFM"]
    with h5py.File(tmp_path / "BaselFaceModel_mod.h5", "w") as file:
        for name, value in fields.items():
            file[name] = value if value.ndim == 2 else value[:, None]
    made = []
    for form in ("mat", "h5"):
        monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / form))
        store.install("3dmm_cnn-bfm", tmp_path / f"BaselFaceModel_mod.{form}")
        installed = store.open_weights("3dmm_cnn-bfm")
        assert {name.split("/")[0] for name in installed.names()} >= {form}
        made.append(TranBfm.of(installed.tensors(f"{form}/")))
    mat, h5 = (found.model for found in made)
    np.testing.assert_array_equal(mat.mean, h5.mean)
    np.testing.assert_array_equal(mat.shape, h5.shape)
    np.testing.assert_array_equal(mat.expression, h5.expression)
    np.testing.assert_array_equal(mat.triangles, h5.triangles)


def test_what_is_missing_is_said(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method = find_method("3dmm_cnn")
    assert missing(method) == []
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    assert "needs 3dmm_cnn and bfm-2009" in status(method)
    with pytest.raises(WeightsError, match="3dmm_cnn"):
        loaded()
