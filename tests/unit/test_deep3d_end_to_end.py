"""From a stand-in of Deep3D's network and of its licensed model to a head that moves, and to a package.

The network is the release's smaller one, untrained but for its last layers, which say for every picture what fits the
astronaut: so where everything lands in the photo can be checked.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import bfm_stand_in
import numpy as np
import pytest
import torch
from scipy.optimize import least_squares

from likeness import faces, package, photos, pipeline
from likeness.avatar import Avatar
from likeness.errors import WeightsError
from likeness.heads.base import HeadModel
from likeness.heads.bfm_files import open_front
from likeness.methods.base import Settings
from likeness.methods.bfm_family import aggregated
from likeness.methods.deep3d import networks, regress, standard_face
from likeness.methods.deep3d_crops import SIDE, Aligned, align
from likeness.methods.deep3d_model import Coefficients, model_camera, projected, world
from likeness.methods.flame_family import landmarks68
from likeness.methods.registry import find_method, status
from likeness.networks.deep3d import HEADS, ConfidenceNet, ReconNet, ResNet18, ResNet50
from likeness.weights import face_networks, store

SETTINGS = Settings(head="anny", texture_size=256)


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the stand-in of the model."""
    folder, official = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("official")
    networks_ = face_networks.install()
    shutil.copyfile(networks_, folder / networks_.name)
    shutil.copytree(
        networks_.parent / "heads", folder / "heads", ignore=lambda _, names: {n for n in names if "anny" not in n}
    )
    bfm_stand_in.write_front(official, anny_head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        assert "needs deep3d, bfm-2009, bfm-expression and deep3d-data" in status(find_method("deep3d"))
        store.install("bfm-front", official / "BFM_model_front.mat")
        store.install("deep3d-data", official)
        yield folder


@pytest.fixture(scope="module")
def face(home: Path, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture(scope="module")
def crop(face: faces.Face) -> Aligned:
    return align(face.photo.pixels, landmarks68(face), standard_face())


@pytest.fixture(scope="module")
def fitting(face: faces.Face, crop: Aligned) -> np.ndarray:
    """(257,) that put the model's landmarks on the photo's."""
    model = open_front()
    wanted = crop.points(landmarks68(face) * (1, -1) + (0, face.photo.height - 1))

    def coefficients(free: np.ndarray) -> np.ndarray:
        flat = np.zeros(257, np.float32)
        flat[:20], flat[80:90], flat[224:227], flat[254:] = free[:20], free[20:30], free[30:33], free[33:]
        return flat

    def away(free: np.ndarray) -> np.ndarray:
        c = Coefficients.of(coefficients(free))
        marks = model.vertices(c.identity, c.expression, model.keypoints) @ c.rotation().T + c.place
        return np.concatenate([(projected(marks) - wanted).ravel(), free[:30]])

    found = coefficients(least_squares(away, np.zeros(36)).x)
    found[144:146] = 0.5, 1.0
    found[227:254:9] = 0.1
    return found


@pytest.fixture(scope="module")
def made(home: Path, astronaut: Path, fitting: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Avatar:
    network = ReconNet(ResNet18())
    state = dict(network.state_dict())
    for number, part in enumerate(np.split(fitting, np.cumsum([*HEADS.values()])[:-1])):
        state[f"final_layers.{number}.weight"].zero_()
        state[f"final_layers.{number}.bias"] = torch.from_numpy(part.copy())
    file = tmp_path_factory.mktemp("checkpoint") / "epoch_20.pth"
    torch.save({"net_recon": state, "opt_00": {}, "sched_00": {}}, file)
    store.install("deep3d", file)
    return pipeline.reconstruct([astronaut, astronaut], "deep3d", SETTINGS)


def test_the_head_stands_where_the_method_sees_the_face(
    made: Avatar, face: faces.Face, crop: Aligned, fitting: np.ndarray, anny_head: HeadModel
) -> None:
    """The rigged head's landmarks against the model's own in the whole photo."""
    model, c = open_front(), Coefficients.of(fitting)
    posed = world(model, c)
    theirs = crop.in_photo(projected(posed)[model.keypoints] * (1, -1) + (0, SIDE))
    # The camera of the whole photo says the same as the method's way back from its crop.
    metres = 0.1 * model.vertices(c.identity, c.expression)[model.keypoints]
    np.testing.assert_allclose(model_camera(c, crop).project(metres), theirs, atol=1e-2)
    for view in made.views:
        assert view.camera.kind == "perspective"
        weights = np.array([view.expression.get(name, 0.0) for name in made.expression_names])
        moved = made.vertices + np.einsum("m,mvc->vc", weights, made.expression)
        marks = anny_head.landmarks["ibug68"].on(torch.from_numpy(moved).float(), anny_head.triangles).numpy()
        apart = np.linalg.norm(view.camera.project(marks) - theirs, axis=1)[17:] / face.interocular
        assert apart.mean() < 0.04
        seen = np.linalg.norm(view.camera.project(marks) - landmarks68(face) - 0.5, axis=1)[17:] / face.interocular
        assert seen.mean() < 0.08


def test_what_the_method_says_is_kept(made: Avatar, face: faces.Face, crop: Aligned, fitting: np.ndarray) -> None:
    details = made.provenance["details"]
    assert (details["release"], details["aggregation"]) == ("deep3d", "mean")
    assert details["gap_mm"] < 1.5
    first = details["photos"][0]
    np.testing.assert_allclose(first["coefficients"], fitting, atol=1e-5)
    losses = first["losses"]
    c = Coefficients.of(fitting)
    wanted = crop.points(landmarks68(face) * (1, -1) + (0, face.photo.height - 1))
    away = ((projected(world(open_front(), c))[open_front().keypoints] - wanted) ** 2).sum(1)
    weight = np.array([20 if 27 < i < 31 or i > 59 else 1 for i in range(68)])
    assert losses["landmarks"] == pytest.approx((weight * away).mean(), rel=1e-4)
    assert 0 < losses["photometric"] < 0.6
    assert losses["gamma"] == pytest.approx(0, abs=1e-9)
    assert made.provenance["licences"][0].startswith("non-commercial")


def test_the_own_mesh_and_the_albedo(made: Avatar, fitting: np.ndarray) -> None:
    model, c = open_front(), Coefficients.of(fitting)
    own = made.own_mesh
    assert own is not None
    assert own.colours is not None
    np.testing.assert_allclose(own.vertices, model.metres(c.identity), atol=1e-6)
    assert model.colours is not None
    np.testing.assert_allclose(own.colours / 255, np.clip(model.colours.of(c.texture), 0, 1), atol=0.003)
    picture = made.materials["Skin"].maps["albedo_model"].pixels
    shown = picture[picture.any(2)].astype(float)
    assert picture.shape == (256, 256, 3)
    assert np.abs(np.median(shown, 0) - np.median(own.colours, 0)).max() < 8


def test_from_photo_to_package(made: Avatar, tmp_path: Path) -> None:
    back = package.load(package.save(made, tmp_path / "a.likeness"))
    assert back.provenance["method"]["name"] == "deep3d"
    assert len(back.expression_names) == 52
    assert back.views[0].camera.kind == "perspective"


def test_sets_of_photos_are_weighed_where_a_network_says_how(crop: Aligned) -> None:
    """Photo by photo and coefficient by coefficient."""
    torch.manual_seed(0)
    network, confidence = ReconNet(ResNet50()).eval(), ConfidenceNet((8, 8, 16), 16).eval()
    mirrored = Aligned(
        np.ascontiguousarray(crop.pixels[:, ::-1]), crop.size, crop.scaled, crop.scale, crop.middle, crop.corner
    )
    flat, trust = regress(network, confidence, [crop, mirrored])
    assert flat.shape == (2, 257)
    assert trust is not None
    assert trust[0].shape == (80,)
    assert all(((row > 0) & (row < 1)).all() for row in trust)
    first, second = (Coefficients.of(row).identity for row in flat)
    one = aggregated([first, second], trust)
    np.testing.assert_allclose(one, (trust[0] * first + trust[1] * second) / (trust[0] + trust[1]), atol=1e-6)
    np.testing.assert_allclose(aggregated([first, second]), (first + second) / 2, atol=1e-6)
    assert regress(network, confidence, [crop])[1] is None


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match=r"epoch_20\.pth"):
        networks()
    with pytest.raises(WeightsError, match=r"01_MorphableModel\.mat"):
        open_front()
    assert store.installed("deep3d") is False
