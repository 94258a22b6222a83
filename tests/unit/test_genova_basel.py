"""Genova's training and method on a Basel Face Model: a stand-in in the official file, as a user would install it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import bfm_stand_in
import numpy as np
import pytest
import torch

from likeness import faces, photos
from likeness.cli import main
from likeness.errors import HeadError
from likeness.faces.identity import describe
from likeness.heads.base import HeadModel
from likeness.heads.bfm import Bfm
from likeness.heads.bfm_files import open_front
from likeness.heads.morphable import DARKEST, Morphable, open_morphable
from likeness.methods.base import Settings
from likeness.methods.genova import Genova
from likeness.methods.recognised import own_weights
from likeness.networks.dlib_face import dlib_face
from likeness.networks.genova import Regressor
from likeness.photos.srgb import srgb_decoded
from likeness.progress import quiet
from likeness.training.genova import Plan
from likeness.weights import face_networks, store

NAME = "bfm-front"


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the stand-in of the model."""
    folder, official = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("official")
    kept = face_networks.install()
    shutil.copyfile(kept, folder / kept.name)
    shutil.copytree(kept.parent / "heads", folder / "heads", ignore=lambda _, n: {x for x in n if "anny" not in x})
    dlib_face()
    weights = store.path("dlib-face")
    (folder / "weights").mkdir()
    shutil.copyfile(weights, folder / "weights" / weights.name)
    bfm_stand_in.write_front(official, anny_head)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        store.install(NAME, official / "BFM_model_front.mat")
        yield folder


@pytest.fixture(scope="module")
def basel(home: Path) -> Bfm:
    return open_front()


@pytest.fixture(scope="module")
def model(home: Path) -> Morphable:
    return open_morphable(NAME)


def test_it_is_the_model_as_its_files_have_it(model: Morphable, basel: Bfm) -> None:
    rng = np.random.default_rng(4)
    shape, mood = (rng.normal(size=n).astype(np.float32) for n in (80, 64))
    ours = model.vertices(*(torch.from_numpy(c)[None] for c in (shape, mood)))[0].numpy()
    np.testing.assert_allclose(ours, basel.unit * basel.vertices(shape, mood), atol=1e-6)
    colours = basel.colours
    assert colours is not None
    texture = rng.normal(size=model.albedo_count).astype(np.float32)
    wanted = np.maximum(srgb_decoded(np.clip(colours.of(texture), 0, 1)), DARKEST)
    np.testing.assert_allclose(model.colours(torch.from_numpy(texture)[None])[0].numpy(), wanted, atol=1e-5)


def test_landmarks_are_where_its_keypoints_are(model: Morphable, basel: Bfm) -> None:
    on = model.marks.on(model.mean, model.triangles).numpy()
    np.testing.assert_allclose(on, basel.unit * basel.mean[basel.keypoints], atol=1e-6)
    five = model.five.on(model.mean, model.triangles).numpy()
    assert five[0, 0] > five[1, 0] > five[3, 0] > five[2, 0]  # from the corner on the picture's right to the left one
    assert five[4, 1] < five[:4, 1].min()


def test_it_says_what_it_lacks(basel: Bfm) -> None:
    with pytest.raises(HeadError, match="no colours"):
        Morphable.of_basel("plain", Bfm(basel.mean, basel.shape, basel.expression, basel.keypoints, basel.triangles))
    unseen = Bfm(basel.mean, basel.shape, basel.expression, np.full(68, -1), basel.triangles, colours=basel.colours)
    with pytest.raises(HeadError, match="where eyes and nose are"):
        Morphable.of_basel("blind", unseen)


def test_trained_on_it_a_photo_becomes_its_mesh_and_a_head_that_moves(
    model: Morphable, home: Path, astronaut: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("samples", "genova"):
        monkeypatch.setattr(f"likeness.training.{module}.PIECE", 4)
    small = partial(Plan, faces=1, yaws=(20.0,), start_batch=8, batch=8)
    monkeypatch.setattr("likeness.training.genova.Plan", small)
    monkeypatch.setattr("likeness.training.pictures.HEADS", 1)
    command = ["train", "genova", "-o", str(tmp_path), "--head", NAME, "--device", "cpu", "--use"]
    assert main([*command, "--renders", "8", "--start-steps", "20", "--steps", "1"]) == 0
    regressor, told = Regressor.load(own_weights(NAME))
    assert told["head"] == NAME
    assert regressor.sizes == (128, 80, model.albedo_count, 256)

    face = faces.find(photos.load(astronaut))
    made = Genova().reconstruct([face], Settings("anny"), quiet)
    said, _ = regressor.likely(torch.from_numpy(describe(face))[None])
    assert made.mesh is not None
    expected = model.vertices(said, torch.zeros(1, 64))[0].numpy()
    np.testing.assert_allclose(made.mesh.vertices, expected, atol=1e-6)
    assert made.mesh.colours is not None
    assert made.head is not None
    assert made.head.name == "anny"
    assert made.details["trained_for"] == NAME
    assert made.licences == ("non-commercial research (Basel Face Model)",)
    # The head was laid onto the mesh: its face is that of the model, where the model has one.
    marks = made.head.landmarks["ibug68"].on(torch.from_numpy(made.vertices), made.head.triangles).numpy()
    wanted = model.marks.on(torch.from_numpy(expected), model.triangles).numpy()
    inside = slice(17, 68)
    offset = (marks - wanted)[inside].mean(0)
    assert np.linalg.norm((marks - wanted)[inside] - offset, axis=1).mean() < 0.004
