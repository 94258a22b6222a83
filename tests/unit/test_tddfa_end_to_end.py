"""From 3DDFA_V2's published networks and a stand-in of its licensed model to a head that moves, and to a package."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import bfm_stand_in
import numpy as np
import pytest
import torch

from likeness import faces, package, photos, pipeline
from likeness.errors import WeightsError
from likeness.heads.base import HeadModel
from likeness.heads.retarget import expression_weights
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.registry import find_method, status
from likeness.methods.tddfa_v2 import loaded, look
from likeness.progress import quiet
from likeness.weights import face_networks, store
from likeness.weights.readers import plain

SHARED = Path(__file__).parents[3] / "shared"
SETTINGS = Settings(head="anny", texture_size=256)


@pytest.fixture(scope="module")
def home(anny_head: HeadModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own with the published networks and the stand-in."""
    published = SHARED / "weights" / "3ddfa_v2"
    if not published.exists():
        pytest.skip("needs 3DDFA_V2's published files in shared/weights/3ddfa_v2 beside the checkout")
    folder, official = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("official")
    networks = face_networks.install()
    shutil.copyfile(networks, folder / networks.name)
    shutil.copytree(
        networks.parent / "heads", folder / "heads", ignore=lambda _, names: {n for n in names if "anny" not in n}
    )
    whitening = plain.read(published / "param_mean_std_62d_120x120.pkl")
    bfm_stand_in.write(official, anny_head, whitening["std"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        store.install("3ddfa_v2", published)
        store.install("3ddfa-bfm", official)
        yield folder


@pytest.fixture(scope="module")
def face(home: Path, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


@pytest.fixture(scope="module")
def made(home: Path, face: faces.Face) -> Reconstruction:
    return find_method("3ddfa_v2")().reconstruct([face], SETTINGS, quiet)


def test_the_head_stands_where_the_method_sees_the_face(made: Reconstruction, face: faces.Face) -> None:
    """The rigged head's landmarks against the method's own: as far as the head lies from the mesh."""
    detector, tddfa, which = loaded()
    assert which == "mb05"
    flat, roi = look(face, detector, tddfa)
    theirs = tddfa.sparse(flat, roi)[:2].T + 0.5
    (view,) = made.views
    assert made.head is not None
    posed = made.vertices + np.einsum("m,mvc->vc", view.expression, made.head.expression.numpy())
    marks = made.head.landmarks["ibug68"].on(torch.from_numpy(posed).float(), made.head.triangles).numpy()
    ours = view.camera.project(marks)
    apart = np.linalg.norm(ours - theirs, axis=1)[17:] / face.interocular
    assert apart.mean() < 0.05
    assert made.details["gap_mm"] < 1.5


def test_the_published_network_sees_the_astronaut(made: Reconstruction, face: faces.Face) -> None:
    """The landmarks of its checkpoint are those of our own network."""
    detector, tddfa, _ = loaded()
    roi = look(face, detector, tddfa)[1]
    own = tddfa.regressor.landmarks(np.ascontiguousarray(face.photo.pixels[..., ::-1]), roi)
    assert own is not None
    # Outer corners of eyes and mouth, tip of the nose: iBUG against MediaPipe's numbers.
    pairs = {36: 33, 45: 263, 48: 61, 54: 291, 30: 1}
    apart = [np.linalg.norm(own[:, i] + 0.5 - face.landmarks[m, :2]) for i, m in pairs.items()]
    assert np.mean(apart) < 0.08 * face.interocular
    assert abs(made.details["photos"][0]["yaw_pitch_roll"][0]) < 10


def test_from_photo_to_package(home: Path, astronaut: Path, tmp_path: Path) -> None:
    avatar = pipeline.reconstruct([astronaut], "3ddfa_v2", SETTINGS)
    back = package.load(package.save(avatar, tmp_path / "a.likeness"))
    assert back.provenance["method"]["name"] == "3ddfa_v2"
    assert back.provenance["licences"][0] == "non-commercial research (Basel Face Model)"
    assert set(back.materials) >= {"Skin", "Eye"}
    assert len(back.expression_names) == 52
    assert back.views[0].camera.kind == "orthographic"


def test_several_photos_share_a_shape(face: faces.Face, made: Reconstruction) -> None:
    twice = find_method("3ddfa_v2")().reconstruct([face, face], SETTINGS, quiet)
    np.testing.assert_allclose(twice.vertices, made.vertices, atol=1e-6)
    assert len(twice.views) == 2


def test_expressions_are_said_in_the_heads_own(anny_head: HeadModel) -> None:
    names = anny_head.expression_names
    known = (anny_head.groups["face"] > 0.5).numpy()
    motion = (
        0.6 * anny_head.expression[names.index("mouthSmileLeft")] + 0.3 * anny_head.expression[names.index("jawOpen")]
    )
    weights = dict(zip(names, expression_weights(anny_head, motion.numpy(), known), strict=True))
    assert abs(weights.pop("mouthSmileLeft") - 0.6) < 0.12
    assert abs(weights.pop("jawOpen") - 0.3) < 0.12
    assert max(weights.values()) < 0.15


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    assert "needs 3ddfa_v2 and 3ddfa-bfm" in status(find_method("3ddfa_v2"))
    with pytest.raises(WeightsError, match="3ddfa_v2"):
        loaded()
