"""From official files of a stand-in to a FLAME head, and through DECA and RingNet to a package."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from deca_stand_in import write_ringnet
from flame_home import linked
from flame_stand_in import StandIn

from likeness import faces, package, photos, pipeline
from likeness.errors import WeightsError
from likeness.heads import flame_files
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.flame_files import FlameFiles, flame_head, open_flame, texture_space
from likeness.heads.flame_head import origin_of
from likeness.methods import deca, ringnet
from likeness.methods.base import Settings
from likeness.methods.flame_family import posed_in
from likeness.methods.registry import find_method, status
from likeness.progress import quiet
from likeness.weights import store

SETTINGS = Settings(head="anny", texture_size=256)


@pytest.fixture(scope="module")
def stand_in(anny_head: HeadModel) -> StandIn:
    return StandIn(anny_head)


@pytest.fixture(scope="module")
def home(stand_in: StandIn, flame_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A LIKENESS_HOME of its own, everything installed from files in the official layouts."""
    folder, official = linked(flame_home, tmp_path_factory.mktemp("homes") / "home"), tmp_path_factory.mktemp("ring")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(folder))
        patch.setattr(ringnet, "EDITION", "flame-2020")  # one head is enough for both
        write_ringnet(official / "ring" / "ring_6_68641", stand_in)
        store.install("ringnet", official / "ring")
        yield folder


@pytest.fixture(scope="module")
def files(home: Path) -> FlameFiles:
    return open_flame("flame-2020")


@pytest.fixture(scope="module")
def head(files: FlameFiles, anny_head: HeadModel) -> HeadModel:
    return flame_head(files, anny_head)


@pytest.fixture(scope="module")
def face(home: Path, astronaut: Path) -> faces.Face:
    return faces.find(photos.load(astronaut))


def test_the_head_is_named_as_all_heads_are(head: HeadModel) -> None:
    assert head.joint_names == ("root", "neck", "head", "jaw", "eye.L", "eye.R")
    assert head.expression_names[:52] == ARKIT
    assert head.expression_names[52:54] == ("FLAME exp 000", "FLAME exp 001")
    assert len(head.expression_names) == 152
    assert head.region_names == ("skin", "eye.L", "eye.R")
    left, right = (head.joints[head.joint_names.index(n)] for n in ("eye.L", "eye.R"))
    assert left[0] > 0.02
    assert right[0] < -0.02
    for name in ("eye.L", "eye.R"):
        ball = head.triangles[head.region(name)].unique()
        arms = head.template[ball] - head.joints[head.joint_names.index(name)]
        assert float(arms.norm(dim=1).max() - arms.norm(dim=1).min()) < 0.004
    assert torch.allclose(head.skin_weights.sum(1), torch.ones(len(head.template)), atol=1e-5)
    assert head.joints[1].abs().max() < 1e-6  # the base of the neck is the origin
    assert set(head.landmarks) == {"ibug68", "mediapipe478"}
    assert {"face", "lips", "brows", "scalp", "rim"} <= set(head.groups)


def test_the_skin_keeps_the_files_own_texture_layout(head: HeadModel, files: FlameFiles) -> None:
    skin = head.region("skin")
    ours = head.uv[head.triangles_uv[skin]]
    assert torch.allclose(ours, files.layout.uv[files.layout.triangles_uv[skin]], atol=1e-6)


def test_bones_give_flames_own_skinning(head: HeadModel, files: FlameFiles) -> None:
    random = torch.Generator().manual_seed(1)
    count = 200
    shape = torch.randn(count, 100, generator=random)
    pose = torch.randn(count, 5, 3, generator=random) * 0.3
    exact = files.flame.forward(shape, torch.zeros(count, 1), pose.flatten(1)).vertices - origin_of(files.flame)
    bones = torch.zeros(count, 6, 3)
    left = 4 if head.joints[4, 0] > 0 else 5
    # FLAME's root and neck are our neck and head.
    eyes = [3, 4] if _left_first(files) else [4, 3]
    bones[:, [1, 2, 3, left, 9 - left]] = pose[:, [0, 1, 2, *eyes]]
    identity = torch.cat([shape, torch.zeros(count, len(head.identity) - 100)], 1)
    ours = head.forward(identity, torch.zeros(count, len(head.expression)), bones)
    assert float((ours - exact).norm(dim=2).max()) < 1e-4


def _left_first(files: FlameFiles) -> bool:
    x = [float(files.flame.weights[:, j] @ files.flame.template[:, 0]) for j in (3, 4)]
    return x[0] > x[1]


def test_arkit_expressions_are_those_of_the_open_head(head: HeadModel, stand_in: StandIn, anny_head: HeadModel) -> None:
    """The stand-in is made of the open head, so what each vertex should do is known; the transfer does not know it."""
    used, place = stand_in.open_vertices, stand_in.place[: len(stand_in.open_vertices)]
    face = anny_head.groups["face"][used] > 0.3
    for k, name in enumerate(ARKIT):
        theirs = anny_head.expression[anny_head.expression_names.index(name)][used][face]
        ours = head.expression[k][place][face]
        size = float(theirs.norm(dim=1).square().mean().sqrt())
        error = float((ours - theirs).norm(dim=1).square().mean().sqrt())
        # Where an eye turns, its lids make way for the cornea.
        least = 0.0003 if name.startswith("eyeLook") else 0.0001
        assert error < least + 0.08 * size, (name, error, size)


def test_lids_stay_outside_the_eyeballs(head: HeadModel) -> None:
    for side, name in ((4, "eye.L"), (5, "eye.R")):
        ball = head.triangles[head.region(name)].unique()
        centre = head.joints[side]
        rest = head.template[ball] - centre
        lids = torch.nonzero(
            (head.groups["eyelids"] > 0.2) & ((head.template - centre).norm(dim=1) > rest.norm(dim=1).max())
        )[:, 0]
        assert len(lids) > 20
        for k in range(52):
            arms = head.template[lids] + head.expression[k, lids] - centre
            turned = rest + head.expression[k, ball]
            cosine = torch.nn.functional.normalize(arms, dim=1) @ torch.nn.functional.normalize(turned, dim=1).T
            assert (arms.norm(dim=1) > turned.norm(dim=1)[cosine.argmax(1)]).all(), (name, head.expression_names[k])


def test_landmarks_lie_where_the_open_heads_do(head: HeadModel, stand_in: StandIn, anny_head: HeadModel) -> None:
    given = anny_head.landmarks["mediapipe478"]
    corners = anny_head.triangles[given.triangle].numpy()
    known = np.isin(corners, stand_in.open_vertices).all(1)
    known[468:] = False
    place = stand_in.place[np.searchsorted(stand_in.open_vertices, corners[known])]
    there = (head.template[place] * given.barycentric[known][..., None]).sum(1)
    ours = head.landmarks["mediapipe478"].on(head.template, head.triangles)[torch.from_numpy(known)]
    away = (ours - there).norm(dim=1)
    assert float(away.median()) < 0.001
    assert float(away.quantile(0.95)) < 0.003
    # The irises' centres look ahead of the eyes' middles.
    irises = head.landmarks["mediapipe478"].on(head.template, head.triangles)[[473, 468]]
    assert (irises[:, 2] > head.joints[4:, 2] + 0.008).all()
    assert ((irises - head.joints[4:])[:, :2].norm(dim=1) < 0.002).all()


def test_a_head_is_made_once(
    files: FlameFiles, head: HeadModel, anny_head: HeadModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flame_files, "compile_flame", None)
    assert torch.equal(flame_head(files, anny_head).template, head.template)


def test_deca_from_photo_to_package(home: Path, astronaut: Path, head: HeadModel, tmp_path: Path) -> None:
    assert status(find_method("deca")) == "ready"
    avatar = pipeline.reconstruct([astronaut], "deca", SETTINGS)
    package.save(avatar, tmp_path / "a.likeness")
    again = package.load(tmp_path / "a.likeness")
    assert again.head == "flame-2020"
    assert again.corrective_joints == ("head", "jaw", "eye.L", "eye.R")
    assert again.correctives is not None
    assert np.abs(again.correctives - head.correctives.numpy()).max() < 2e-6
    assert again.expression_limits["FLAME exp 000"] == (-5.0, 5.0)
    assert "jawOpen" not in again.expression_limits
    weights = again.views[0].expression
    assert min(weights.values()) < 0
    assert all(name.startswith("FLAME exp") for name in weights)
    assert "non-commercial" in again.provenance["licences"][0]
    details = again.provenance["details"]
    assert set(details["files"]) >= {"generic_model.pkl", "deca_model.tar", "head_template.obj"}
    told = details["photos"][0]
    sizes = {"shape": 100, "tex": 50, "exp": 50, "pose": 6, "cam": 3, "light": 9, "detail": 128}
    assert {name: len(told[name]) for name in sizes} == sizes
    maps = again.materials["Skin"].maps
    assert {"albedo", "normal", "displacement", "photo", "photo_seen", "normal_object"} <= set(maps)
    assert {f"detail.{name}" for name in deca.DETAIL_KEYS} | {"detail.photo1"} <= set(maps)
    assert again.own_mesh is not None
    assert again.own_mesh.colours is not None
    assert len(again.own_mesh.vertices) > 10_000
    height = maps["displacement"]
    metres = height.pixels / 65535 * height.scale + height.offset
    assert 0.0005 < np.abs(metres).max() < 0.0105
    # The normals show DECA's relief, not ours alone: EEVEE and other programs see little else.
    leaning = maps["normal"].pixels[..., 0] / 127.5 - 1
    rising = np.gradient(metres, axis=1)
    steep = np.abs(rising) > np.quantile(np.abs(rising), 0.9)
    assert np.corrcoef(leaning[steep], -rising[steep])[0, 1] > 0.8
    assert again.identity is not None
    assert again.identity.names[:2] == ("FLAME shape 000", "FLAME shape 001")
    mean = again.vertices - np.tensordot(again.identity.weights, again.identity.deltas, 1)
    assert np.abs(mean - head.template.numpy()).max() < 2e-5


def test_deca_lands_where_it_says_in_the_photo(home: Path, face: faces.Face, files: FlameFiles) -> None:
    made = deca.DECA().reconstruct([face], SETTINGS, quiet)
    told = made.details["photos"][0]
    crop = np.array(told["landmarks"])[17:]  # the contour means other vertices here
    to_photo = np.linalg.inv(np.array(told["crop"]))
    theirs = crop @ to_photo[:2, :2].T + to_photo[:2, 2] + 0.5
    assert made.head is not None
    posed = posed_in(made.head, made.vertices, made.joints, made.views[0])
    ours = made.views[0].camera.project(made.head.landmarks["ibug68"].on(posed, made.head.triangles)[17:].numpy())
    assert np.abs(ours - theirs).max() < 0.25  # pixels; the rig's joints do not move with the expression
    assert made.details["rig_error_mm"][0] < 0.1
    assert made.mesh is not None
    assert made.mesh.colours is not None
    spread = np.linalg.norm(made.mesh.vertices - made.mesh.vertices.mean(0), axis=1)
    assert spread.max() < 0.35
    shown = made.maps["photo_seen"] > 0
    assert 0.1 < shown.mean() < 0.9


def test_several_photos_give_one_shape(home: Path, face: faces.Face) -> None:
    one = deca.DECA().reconstruct([face], SETTINGS, quiet)
    two = deca.DECA().reconstruct([face, face], SETTINGS, quiet)
    assert len(two.views) == 2
    assert np.abs(one.vertices - two.vertices).max() < 1e-6
    assert "detail.photo2" in two.maps


def test_detail_follows_the_expression(home: Path, face: faces.Face) -> None:
    maps = deca.DECA().reconstruct([face], SETTINGS, quiet).maps
    smile, frown = maps["detail.mouthSmileLeft"], maps["detail.browDownLeft"]
    assert np.abs(smile).max() > 2e-5
    assert np.abs(smile - frown).max() > 2e-5


def test_ringnet_from_photo_to_reconstruction(home: Path, face: faces.Face, files: FlameFiles) -> None:
    made = ringnet.RingNet().reconstruct([face], SETTINGS, quiet)
    told = made.details["photos"][0]
    theta = {k: torch.tensor(told[k])[None] for k in ("shape", "exp", "pose", "cam")}
    posed = files.flame.forward(theta["shape"], theta["exp"], theta["pose"])
    assert made.head is not None
    s, tx, ty = told["cam"]
    picture, corner = ringnet.loose_crop(face)
    window = ringnet.ringnet_window(picture)
    flat = posed.vertices[0, :, :2].numpy() + np.array([tx, ty])
    theirs = (112 * s * flat + window.start + 0.5) / window.scale + corner
    camera = made.views[0].camera
    ours = camera.project(posed_in(made.head, made.vertices, made.joints, made.views[0]).numpy())
    assert np.abs(ours - theirs).max() < 0.25
    # In the picture the head stands upright, and its face is nearer to us than the back of the head.
    seen = camera.to_camera(made.vertices)
    nose, crown = made.vertices[:, 2].argmax(), made.vertices[:, 1].argmax()
    assert seen[nose, 2] < seen[:, 2].mean()
    assert seen[crown, 1] == pytest.approx(seen[:, 1].min(), abs=0.02)
    eye = camera.project(made.joints[4:])
    assert eye[0, 0] > eye[1, 0]  # the person's left eye is on the picture's right


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, face: faces.Face) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    assert "needs deca" in status(find_method("deca"))
    assert texture_space() is None
    with pytest.raises(WeightsError, match="likeness weights install deca"):
        deca.DECA().reconstruct([face], SETTINGS, quiet)
    with pytest.raises(WeightsError, match="likeness weights install flame-2020"):
        open_flame()


def test_albedo_comes_with_a_texture_space(
    home: Path, face: faces.Face, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the layout of FLAME_texture.npz, in BGR: a red face must come out red."""
    mean, directions = np.zeros((512, 512, 3), np.float32), np.zeros((512, 512, 3, 200), np.float32)
    mean[..., 2] = 200
    np.savez_compressed(tmp_path / "FLAME_texture.npz", mean=mean, tex_dir=directions)
    store.install("flame-texture", tmp_path / "FLAME_texture.npz")
    try:
        albedo = deca.DECA().reconstruct([face], SETTINGS, quiet).maps["albedo_model"]
    finally:
        store.remove("flame-texture")
    assert albedo.shape == (512, 512, 3)
    assert (albedo == (200, 0, 0)).all()
