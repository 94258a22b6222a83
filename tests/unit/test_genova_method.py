"""The weights that ship with the method do what their card says, in a cheap form, and a photo becomes a head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness import faces, photos
from likeness.cli import main
from likeness.errors import HeadError, WeightsError
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import draw_scene
from likeness.heads.base import HeadModel
from likeness.heads.morphable import Morphable
from likeness.heads.pigments import CLEAREST, NAMES, Pigments
from likeness.methods.base import Reconstruction, Settings
from likeness.methods.genova import Genova
from likeness.methods.recognised import own_weights, shipped_weights
from likeness.networks.dlib_face import DlibFace, dlib_face
from likeness.networks.genova import Regressor
from likeness.progress import quiet
from likeness.training.samples import draw_heads

HEADS = 10
ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.png"


@pytest.fixture(scope="module")
def network() -> DlibFace:
    try:
        return dlib_face()
    except WeightsError as error:
        pytest.skip(f"needs the face descriptor: {error}")


def apart(ours: NDArray[np.float64], true: NDArray[np.float64]) -> float:
    """Mean distance in metres of corresponding points (P, 3) after the best similarity."""
    a, b = ours - ours.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    moved = (s * signs).sum() / (a**2).sum() * a @ ((u * signs) @ vt).T
    return float(np.linalg.norm(moved - b, axis=1).mean())


@pytest.mark.parametrize("name", ["anny", "ict"])
def test_on_heads_it_has_not_seen_it_is_better_than_the_mean_head(
    name: str, network: DlibFace, request: pytest.FixtureRequest
) -> None:
    head: HeadModel = request.getfixturevalue(f"{name}_head")
    regressor, told = Regressor.load(shipped_weights(name))
    assert told["head"] == head.name
    model, rng = Morphable.of(head), np.random.default_rng(20261125)
    heads = draw_heads(model, HEADS, rng)
    with torch.no_grad():
        chips = shoot(
            model, heads.identity, heads.albedo, [draw_scene(model.expression_names, rng) for _ in range(HEADS)]
        )
        identity, albedo = regressor.likely(network(chips))
    face = (head.groups["face"] > 0.5).numpy()
    shapes = [head.shape(given).double().numpy()[:, face] for given in (heads.identity, identity)]
    mean = head.template.double().numpy()[face]
    ratios = [apart(ours, true) / apart(mean, true) for true, ours in zip(*shapes, strict=True)]
    assert np.mean(ratios) < 0.9
    assert np.mean(np.array(ratios) < 1) >= 0.7
    tone, said = heads.albedo[:, NAMES.index("tone")], albedo[:, NAMES.index("tone")]
    assert np.corrcoef(tone, said)[0, 1] > 0.7


@pytest.fixture(scope="module")
def made(astronaut: Path, anny_head: HeadModel, network: DlibFace) -> Reconstruction:
    found = [faces.find(photos.load(astronaut))]
    return Genova().reconstruct(found, Settings(), quiet)


def test_a_photo_becomes_a_head_and_a_coloured_mesh(made: Reconstruction, anny_head: HeadModel) -> None:
    assert made.head is not None
    assert made.head.name == "anny"
    assert made.identity is not None
    assert 0.1 < np.sqrt((made.identity**2).mean()) < 1.5
    expected = anny_head.shape(torch.from_numpy(made.identity)[None])[0].numpy()
    np.testing.assert_allclose(made.vertices, expected, atol=1e-6)
    (view,) = made.views
    marks = anny_head.landmarks["mediapipe478"].on(torch.from_numpy(made.vertices), anny_head.triangles).numpy()
    corners = view.camera.project(marks[[33, 263]])
    assert np.linalg.norm(corners - view.face.landmarks[[33, 263], :2], axis=1).max() < 0.12 * view.face.interocular
    assert view.expression.max() <= 1
    mesh = made.mesh
    assert mesh is not None
    assert mesh.colours is not None
    assert mesh.colours.shape == mesh.vertices.shape
    skin = np.median(mesh.colours[(anny_head.groups["face"] > 0.9).numpy()], axis=0)
    assert skin[0] > skin[1] > skin[2] > 0.1  # a light skin is reddish
    assert made.details["trained_for"] == "anny"
    assert len(made.details["weights"]["sha256"]) == 64


def test_ones_own_weights_come_first(
    made: Reconstruction, anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    face = made.views[0].face
    monkeypatch.setattr("likeness.methods.recognised.home", lambda: tmp_path)
    blank = Regressor(128, len(anny_head.identity), len(NAMES), 4)
    for parameter in blank.parameters():
        torch.nn.init.zeros_(parameter)
    blank.save(own_weights("anny"), {"head": "anny"})
    for module in ("methods.genova", "heads.morphable"):
        monkeypatch.setattr(f"likeness.{module}.open_head", lambda *_: anny_head)
    plain = Genova().reconstruct([face], Settings("anny"), quiet)
    np.testing.assert_allclose(plain.vertices, anny_head.template.numpy(), atol=1e-7)
    Regressor(128, 7, len(NAMES), 4).save(own_weights("anny"), {"head": "anny"})
    with pytest.raises(WeightsError, match="another edition of the head anny"):
        Genova().reconstruct([face], Settings("anny"), quiet)


def test_pigments_are_linear_in_absorbance_and_stay_where_they_belong(anny_head: HeadModel) -> None:
    pigments = Pigments.of(anny_head)
    assert pigments.modes.shape == (len(NAMES), len(anny_head.template), 3)
    one = torch.zeros(2, len(NAMES))
    one[1, NAMES.index("lips blood")] = 1
    plain, red = pigments.colours(one)
    changed = (plain - red).abs().amax(1)
    lips = anny_head.groups["lips"]
    assert changed[lips == 0].max() == 0
    ratio = (red / plain)[lips > 0.99]
    assert (ratio[:, 1] < ratio[:, 0]).all()  # blood takes green
    extreme = pigments.colours(torch.stack([torch.full((len(NAMES),), s) for s in (-4.0, 4.0)]))
    assert extreme.min() > 0
    assert extreme.max() <= np.exp(-CLEAREST) + 1e-6


def test_a_head_without_landmarks_is_no_morphable_model(anny_head: HeadModel) -> None:
    with pytest.raises(HeadError, match="no landmarks or no identity"):
        Morphable.of(replace(anny_head, landmarks={}))


def test_the_command_trains_and_puts_in_place(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw = torch.Generator().manual_seed(0)
    mix = torch.randn(128, 675, generator=draw) / 26
    monkeypatch.setattr(
        "likeness.networks.dlib_face.dlib_face",
        lambda device: lambda chips: torch.nn.functional.avg_pool2d(chips / 255, 10).flatten(1) @ mix.T,
    )
    for module in ("samples", "genova"):
        monkeypatch.setattr(f"likeness.training.{module}.PIECE", 16)
    monkeypatch.setattr("likeness.training.pictures.HEADS", 2)
    monkeypatch.setattr("likeness.methods.recognised.home", lambda: tmp_path / "home")
    monkeypatch.setattr("likeness.heads.morphable.open_head", lambda *_: anny_head)
    monkeypatch.setattr("likeness.training.samples.faces.find", lambda photo: photo)
    monkeypatch.setattr("likeness.training.samples.describe", lambda face: np.full(128, 0.1, np.float32))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.png").write_bytes(ASTRONAUT.read_bytes())
    (tmp_path / "photos" / "two.txt").write_text("no picture")
    command = ["train", "genova", "-o", str(tmp_path / "run"), "--photos", str(tmp_path / "photos")]
    command += ["--renders", "20", "--start-steps", "3", "--steps", "1", "--device", "cpu"]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "add --use" in said.out
    assert "two.txt" in said.err
    assert not own_weights("anny").exists()
    assert main([*command, "--use"]) == 0
    regressor, told = Regressor.load(own_weights("anny"))
    assert regressor.sizes == (128, len(anny_head.identity), len(NAMES), 256)
    assert (told["head"], told["plan"]["pieces"]) == ("anny", 2)


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "genova", "-o", str(tmp_path / "run")]
    assert main([*command, "--photos", str(tmp_path / "absent")]) == 2
    assert "no folder" in capsys.readouterr().err
    if not torch.cuda.is_available():
        assert main([*command, "--device", "cuda"]) == 2
        assert "sees no CUDA device" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
