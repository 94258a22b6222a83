"""PRNet and VRN from what their networks say to heads that move; what they say is the known shape of a known head."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import face_relief as relief
import numpy as np
import prnet_stand_in
import pytest
import torch
import vrn_stand_in

from likeness import faces, maps, package, photos
from likeness.assemble import assemble
from likeness.errors import HeadError, WeightsError
from likeness.heads.base import HeadModel
from likeness.heads.surface import similarity
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.flame_family import landmarks68
from likeness.methods.photo_mesh import PhotoMesh
from likeness.methods.prnet import from_positions
from likeness.methods.prnet import loaded as prnet_loaded
from likeness.methods.registry import find_method, status
from likeness.methods.vrn import loaded as vrn_loaded
from likeness.methods.vrn import volume_of
from likeness.methods.vrn_volume import SIDE, Cut, heatmaps, isosurface, smoothed
from likeness.progress import quiet
from likeness.weights import face_networks, store

SETTINGS = Settings(head="anny", texture_size=256)


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the open head."""
    folder, networks = tmp_path_factory.mktemp("home"), face_networks.install()
    shutil.copyfile(networks, folder / networks.name)
    shutil.copytree(
        networks.parent / "heads", folder / "heads", ignore=lambda _, names: {n for n in names if "anny" not in n}
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def face(home: Path, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture(scope="module")
def truth(anny_head: HeadModel, face: faces.Face) -> np.ndarray:
    """(478, 2) pixels of the photo where the head's landmarks are."""
    marks = anny_head.landmarks["mediapipe478"].on(relief.smiling(anny_head), anny_head.triangles)
    return relief.over(anny_head, face, marks.double().numpy())[:, :2]


def apart(made: Reconstruction, truth: np.ndarray, face: faces.Face) -> float:
    """Mean distance of the head's landmarks in the photo from the truth, in inter-ocular distances."""
    (view,) = made.views
    assert made.head is not None
    posed = made.vertices + np.einsum("m,mvc->vc", view.expression, made.head.expression.numpy())
    marks = made.head.landmarks["mediapipe478"].on(torch.from_numpy(posed).float(), made.head.triangles).numpy()
    return float(np.linalg.norm(view.camera.project(marks) - truth, axis=1)[:468].mean() / face.interocular)


def neutral_error(made: Reconstruction, head: HeadModel) -> float:
    """Median distance in metres of the face's vertices from the neutral head that was drawn smiling, size aside."""
    front = head.groups["face"].numpy() > 0.5
    ours, theirs = made.vertices[front].astype(np.float64), head.template.double().numpy()[front]
    scale, rotation, shift = similarity(ours, theirs)
    return float(np.median(np.linalg.norm(scale * ours @ rotation.T + shift - theirs, axis=1)))


def smile(made: Reconstruction) -> float:
    """How much the corners of the mouth were found to smile."""
    assert made.head is not None
    weights = dict(zip(made.head.expression_names, made.views[0].expression, strict=True))
    return float(weights["mouthSmileLeft"] + weights["mouthSmileRight"]) / 2


@pytest.fixture(scope="module")
def vrn(home: Path, anny_head: HeadModel, face: faces.Face, tmp_path_factory: pytest.TempPathFactory) -> Reconstruction:
    """By a network of VRN's kinds of modules that draws the head's depth, from its .t7 file on."""
    cut = Cut.of_landmarks(landmarks68(face))
    points = relief.over(anny_head, face, relief.smiling(anny_head).double().numpy())
    points = np.concatenate([cut.in_crop(points[:, :2] - 0.5) + 0.5, cut.scale * points[:, 2:]], 1)
    front = relief.front(anny_head)
    points[:, 2] += 8 - points[np.unique(front), 2].min()
    depth, away = relief.seen_at(points, front, points[:, 2:].astype(np.float32), (SIDE, SIDE)).transpose(2, 0, 1)
    official = tmp_path_factory.mktemp("vrn")
    vrn_stand_in.write_relief(official, np.where(away > 0, np.maximum(-2 * away, -20), depth))
    store.install("vrn", official)
    return find_method("vrn")().reconstruct([face], SETTINGS, quiet)


def test_vrn_becomes_the_head_that_was_drawn(
    vrn: Reconstruction, anny_head: HeadModel, face: faces.Face, truth: np.ndarray
) -> None:
    assert apart(vrn, truth, face) < 0.035
    assert neutral_error(vrn, anny_head) < 0.002
    assert smile(vrn) > 0.3
    assert vrn.details["gap_mm"] < 0.3
    assert vrn.details["covered"] > 0.7
    assert vrn.mesh is not None
    assert vrn.mesh.colours is not None
    covered = vrn.maps["covered"] == 255
    assert covered.any()
    assert not covered.all()
    assert np.median(vrn.maps["residual"][covered]) < 0.0003


def test_vrn_says_how_it_normalises(vrn: Reconstruction, face: faces.Face) -> None:
    """The stand-in has no normalisation, so both ways are alike and the file's own is kept."""
    network = vrn_loaded()
    volume, mode = volume_of(face, Cut.of_landmarks(landmarks68(face)), network)
    assert mode == vrn.details["normalisation"] == "running"
    assert 0.02 < (volume > 0.5).mean() < 0.3


def test_vrn_from_photo_to_package(vrn: Reconstruction, tmp_path: Path) -> None:
    avatar = assemble("a", vrn, maps.make(vrn, SETTINGS, quiet).materials)
    back = package.load(package.save(avatar, tmp_path / "a.likeness"))
    assert back.provenance["method"]["name"] == "vrn"
    assert back.own_mesh is not None
    assert len(back.expression_names) == 52
    assert {"residual", "covered"} <= set(back.materials["Skin"].maps)


@pytest.fixture(scope="module")
def prnet_files(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    official = tmp_path_factory.mktemp("prnet")
    prnet_stand_in.write(official)
    store.install("prnet", official)


def test_prnet_becomes_the_head_that_is_in_its_map(
    prnet_files: None, anny_head: HeadModel, face: faces.Face, truth: np.ndarray
) -> None:
    """A position map of the head, seen from the front in its own frame, then as it stands in the photo."""
    topology = prnet_loaded()[1]
    posed, front = relief.smiling(anny_head).double().numpy(), relief.front(anny_head)
    box = posed[np.unique(front)]
    low, high = box.min(0), box.max(0)
    flat = (posed - low) / (high - low) * (256, 256, 1)
    flat[:, 1] = 256 - flat[:, 1]
    positions = relief.seen_at(flat, front, posed.astype(np.float32), (256, 256))[..., :3]
    placed = relief.over(anny_head, face, positions.reshape(-1, 3).astype(np.float64)).reshape(256, 256, 3)
    made = from_positions(face, placed - (0.5, 0.5, 0.0), topology, SETTINGS, quiet)
    assert apart(made, truth, face) < 0.05
    assert neutral_error(made, anny_head) < 0.0032
    assert smile(made) > 0.3
    assert made.details["gap_mm"] < 0.3


def test_prnet_that_sees_no_face_says_so(prnet_files: None, face: faces.Face) -> None:
    """Weights that were never trained put the mesh anywhere."""
    with pytest.raises(HeadError, match="PRNet saw no face"):
        find_method("prnet")().reconstruct([face], SETTINGS, quiet)


def test_what_the_photo_does_not_show_has_the_nearest_colour(face: faces.Face) -> None:
    """Two sheets, one behind the other."""
    x, y = face.landmarks[1, :2]
    sheet = np.array([[x - 20, y - 20, 0], [x + 20, y - 20, 0], [x, y + 30, 0]], np.float64)
    mesh = PhotoMesh(
        face, np.concatenate([sheet, 0.5 * (sheet - (x, y, 0)) + (x, y, -30)]), np.array([[0, 2, 1], [3, 5, 4]])
    )
    shown, depth = mesh.raster()
    assert mesh.seen(shown, depth).tolist() == [True] * 3 + [False] * 3
    colours = mesh.colours(shown, depth)
    assert np.array_equal(colours[3:], colours[:3])


def test_the_surface_of_a_ball() -> None:
    depth, row, column = np.mgrid[:200, :SIDE, :SIDE]
    ball = (50.0 - np.sqrt((column - 90) ** 2 + (row - 100) ** 2 + (depth / 2 - 50) ** 2)).clip(-1, 1) / 2 + 0.5
    vertices, triangles = isosurface(ball, 0.5)
    np.testing.assert_allclose(vertices.min(0), (40, 50, 0), atol=0.1)
    np.testing.assert_allclose(vertices.max(0), (140, 150, 99.5), atol=0.6)
    upright = vertices * (1, -1, 1)
    a, b, c = (upright[triangles[:, k]] for k in range(3))
    volume = np.einsum("tk,tk->", a, np.cross(b, c)) / 6
    assert volume == pytest.approx(4 / 3 * np.pi * 50**3, rel=0.01)
    middle = (90, 100, 50)
    rounder = smoothed(vertices, triangles)
    assert np.linalg.norm(rounder - middle, axis=1).mean() == pytest.approx(50, abs=0.05)
    assert len(isosurface(np.zeros((200, SIDE, SIDE)), 0.5)[0]) == 0


def test_the_cut_keeps_places() -> None:
    points = np.array([[100.0, 80.0], [220.0, 80.0], [220.0, 200.0], [100.0, 200.0]])
    cut = Cut.of_landmarks(points)
    assert cut.scale == pytest.approx(90 / 120)
    there = cut.in_crop(points)
    np.testing.assert_allclose(there.mean(0), (96, 96))
    back = cut.in_photo(np.concatenate([there, np.full((4, 1), 9.0)], 1))
    np.testing.assert_allclose(back[:, :2], points)
    np.testing.assert_allclose(back[:, 2], 12)
    photo = np.zeros((300, 300, 3), np.uint8)
    photo[120:160, 140:180] = 255
    row, column = np.nonzero(cut.crop(photo)[..., 0] > 0.5)
    where = cut.in_crop(np.array([[140 - 0.5, 120 - 0.5], [180 - 0.5, 160 - 0.5]]))
    np.testing.assert_allclose(
        [column.min() - 0.5, row.min() - 0.5, column.max() + 0.5, row.max() + 0.5], where.ravel(), atol=0.6
    )
    assert heatmaps(there)[:, 96 - 45, 96 - 45].argmax() == 0


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    for name, loaded in (("prnet", prnet_loaded), ("vrn", vrn_loaded)):
        assert f"needs {name}" in status(find_method(name))
        with pytest.raises(WeightsError, match="is not installed"):
            loaded()
