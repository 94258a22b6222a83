"""Basel's own editions and the layout of their meshes, in the shape of the open head's face."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from likeness.errors import HeadError
from likeness.heads import bfm_files
from likeness.heads.base import HeadModel
from likeness.heads.bfm import Bfm
from likeness.heads.bfm_uv import unwrap
from likeness.heads.uv import signed_areas
from likeness.weights import face_networks, store


@pytest.fixture(scope="module")
def face(anny_head: HeadModel) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3) metres, triangles (T, 3) and colours (V, 3) of skin and eyes."""
    rows = anny_head.region("skin", "eye.L", "eye.R").numpy()
    triangles = anny_head.triangles.numpy()[rows]
    kept = (anny_head.groups["face"].numpy() > 0.5) | ~np.isin(
        np.arange(len(anny_head.template)), anny_head.triangles.numpy()[anny_head.region("skin").numpy()]
    )
    used, faces = np.unique(triangles[kept[triangles].all(1)], return_inverse=True)
    colours = np.tile([0.75, 0.58, 0.5], (len(used), 1))
    for group, colour in (("lips", (0.62, 0.36, 0.35)), ("brows", (0.25, 0.2, 0.17))):
        share = anny_head.groups[group].numpy()[used, None]
        colours = (1 - share) * colours + share * np.array(colour)
    return anny_head.template.double().numpy()[used], faces.reshape(-1, 3), colours


def statismo(face: tuple[np.ndarray, np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """The data sets of an edition of 2017: millimetres, variances, triangles wound inwards here."""
    vertices, triangles, colours = face
    random = np.random.default_rng(2)
    found: dict[str, np.ndarray] = {"shape/representer/cells": triangles[:, ::-1].T.astype(np.uint32)}
    means = {"shape": 1000 * vertices - 3, "expression": np.full_like(vertices, 3.0), "color": colours}
    for part, count in (("shape", 199), ("expression", 100), ("color", 199)):
        found[f"{part}/model/mean"] = means[part].reshape(-1).astype(np.float32)
        found[f"{part}/model/pcaBasis"] = random.normal(0, 0.01, (vertices.size, count)).astype(np.float32)
        found[f"{part}/model/pcaVariance"] = (9.0 / np.arange(1, count + 1)).astype(np.float32)
        found[f"{part}/model/noiseVariance"] = np.zeros(1, np.float32)
    return found


@pytest.fixture(scope="module")
def arrays(face: Any) -> dict[str, np.ndarray]:
    return statismo(face)


@pytest.fixture(scope="module")
def model(
    anny_head: HeadModel, arrays: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bfm]:
    """Out of the store, its landmarks seen by the networks."""
    official, home = tmp_path_factory.mktemp("official"), tmp_path_factory.mktemp("home")
    with h5py.File(official / "model2017-1_face12_nomouth.h5", "w") as file:
        for name, value in arrays.items():
            file[name] = value
    kept = face_networks.install()
    (home / kept.name).symlink_to(kept)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(home))
        store.install("bfm-2017", official)
        yield bfm_files.open_bfm("bfm-2017", anny_head)


def test_the_edition_of_2017(model: Bfm, arrays: dict[str, np.ndarray], face: Any) -> None:
    vertices, triangles, colours = face
    np.testing.assert_allclose(model.metres(np.zeros(1, np.float32)), vertices, atol=1e-6)
    np.testing.assert_array_equal(model.triangles, triangles)  # turned to face outwards
    flat = np.zeros(199, np.float32)
    flat[3] = 2
    moved = 2 * np.sqrt(9 / 4) * arrays["shape/model/pcaBasis"][:, 3].reshape(-1, 3) / 1000
    np.testing.assert_allclose(model.metres(flat) - vertices, moved, atol=1e-6)
    assert model.colours is not None
    changed = 2 * np.sqrt(9 / 4) * arrays["color/model/pcaBasis"][:, 3].reshape(-1, 3)
    np.testing.assert_allclose(model.colours.of(flat), colours + changed, atol=1e-5)
    wrong = {name: value for name, value in arrays.items() if name != "color/model/mean"}
    with pytest.raises(HeadError, match="color/model/mean"):
        bfm_files.basel_hdf5(wrong)


def test_landmarks_are_seen_on_a_model_that_does_not_say_them(model: Bfm, anny_head: HeadModel, face: Any) -> None:
    true = anny_head.landmarks["ibug68"].on(anny_head.template, anny_head.triangles).numpy()
    known = model.keypoints >= 0
    assert known[17:].sum() > 48
    away = np.linalg.norm(face[0][model.keypoints[known]] - true[known], axis=1)
    inside = np.flatnonzero(known) >= 17
    assert np.median(away[inside]) < 0.004


def test_the_edition_of_2009(face: Any) -> None:
    vertices, triangles, colours = face
    V, random = len(vertices), np.random.default_rng(3)
    basel = {
        "shapeMU": 1e6 * vertices.reshape(-1, 1).astype(np.float32),
        "shapePC": random.normal(0, 0.01, (3 * V, 199)).astype(np.float32),
        "shapeEV": np.linspace(9e5, 1e4, 199)[:, None],
        "texMU": 255 * colours.reshape(-1, 1),
        "texPC": random.normal(0, 0.01, (3 * V, 199)),
        "texEV": np.linspace(900, 10, 199)[:, None],
        "tl": triangles + 1.0,
    }
    trim, selected = np.arange(5, V), np.arange(10, V)
    expression = {
        "components": random.normal(0, 0.01, (3 * len(trim), 79)).astype(np.float32),
        "deviation": np.linspace(4e5, 1e4, 79),
    }
    marks = np.arange(68) * 3 + 1
    places = {"select_id": selected + 1, "keypoints": marks, "trimIndex": trim + 1}
    model = bfm_files.basel_2009(basel, expression, places)
    np.testing.assert_array_equal(model.keypoints, selected[marks - 1])
    np.testing.assert_array_equal(model.triangles, triangles)
    flat = np.zeros(79, np.float32)
    flat[1] = 1
    moved = model.motion(flat)
    assert not moved[:5].any()
    wanted = 1e-6 * expression["deviation"][1] * expression["components"][:, 1].reshape(-1, 3)
    np.testing.assert_allclose(moved[5:], wanted, atol=1e-7)
    alone = bfm_files.basel_2009(basel)
    assert (alone.keypoints == -1).all()
    assert alone.expression.shape == (0, V, 3)
    with pytest.raises(HeadError, match="do not exist"):
        bfm_files.basel_2009(basel, expression, places | {"trimIndex": trim + 2})


def test_a_layout_has_no_overlaps_and_stands_upright(anny_head: HeadModel) -> None:
    triangles = anny_head.triangles.numpy()[anny_head.region("skin").numpy()]
    triangles = triangles[(anny_head.groups["face"].numpy() > 0.5)[triangles].all(1)]
    vertices = anny_head.template.double().numpy()
    uv = unwrap(vertices, triangles)
    assert uv.shape == (len(vertices), 2)
    assert uv.min() >= 0
    assert uv.max() <= 1
    area = signed_areas(uv.astype(np.float64), triangles)
    assert (area > 0).all()
    # Within a circle and nowhere flipped, the sheet covers every place once: areas add up to the circle's.
    rim = np.pi * 0.49**2
    assert 0.7 * rim < area.sum() < rim
    marks = anny_head.landmarks["ibug68"]
    spots = (torch.from_numpy(uv)[anny_head.triangles[marks.triangle]] * marks.barycentric[..., None]).sum(1).numpy()
    assert spots[30, 1] < spots[27, 1]
    assert spots[57, 1] < spots[33, 1]
    assert spots[36, 0] < spots[45, 0]


def test_a_file_with_uvs_is_believed() -> None:
    uv = np.random.default_rng(0).random((4, 2)).astype(np.float32)
    flat = np.zeros((4, 3), np.float32)
    model = Bfm(flat, flat[None], flat[None], np.zeros(68, np.int64), uv=uv)
    np.testing.assert_array_equal(model.layout, uv)
    with pytest.raises(HeadError, match="triangles"):
        _ = Bfm(flat, flat[None], flat[None], np.zeros(68, np.int64)).layout
