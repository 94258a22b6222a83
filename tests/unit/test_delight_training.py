"""The de-lighting network's training: its faces, its losses, that it learns, and that stopping it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from likeness.cli import main
from likeness.errors import MethodError
from likeness.heads.base import HeadModel
from likeness.maps.delight import shipped_weights
from likeness.networks.delight import DelightNet
from likeness.progress import Cancelled, Progress
from likeness.render.light import sh_basis
from likeness.training import delight, delight_samples
from likeness.training.delight import Plan, batch_of, losses_of, train
from likeness.training.delight_samples import Subject, draw_sample, piece
from likeness.training.delight_score import score
from likeness.training.delight_solver import solved

TINY = Plan(seed=3, pieces=2, steps=6, batch=2, widths=(4, 6, 8), keep=2)


@pytest.fixture(scope="module")
def subject(anny_head: HeadModel) -> Subject:
    return Subject(anny_head)


@pytest.fixture(scope="module")
def samples(subject: Subject, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pieces of four faces."""
    folder = tmp_path_factory.mktemp("delight")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(delight_samples, "PIECE", 4)
        delight_samples.render_pieces(subject, folder, 2, 3, lambda *_: None)
    return folder


def test_faces_are_what_they_are_said_to_be(subject: Subject) -> None:
    rows = [draw_sample(subject, np.random.default_rng([7, k])) for k in range(4)]
    for one in rows:
        seen = one.weight > 0.3
        assert 0.04 < seen.mean() < 0.9
        assert 0 <= one.gloss.min() <= one.gloss.max() <= 1
        np.testing.assert_allclose(np.linalg.norm(one.normal[seen], axis=-1), 1, atol=1e-4)
        for values in (one.log, one.shading, one.albedo):
            assert np.isfinite(values).all()
        assert one.albedo.max() <= 0
        assert one.tone[0] > one.tone[2]
    again = draw_sample(subject, np.random.default_rng([7, 0]))
    np.testing.assert_array_equal(again.log, rows[0].log)
    tones = [one.tone.mean() for one in rows]
    assert max(tones) > 1.3 * min(tones)


def test_a_solver_takes_off_what_harmonics_explain() -> None:
    rng = np.random.default_rng(4)
    normals = torch.nn.functional.normalize(torch.from_numpy(rng.normal(0, 1, (40, 40, 3))) + torch.eye(3)[2], dim=-1)
    transfer = sh_basis(normals).float().numpy()
    light = np.zeros((9, 3), np.float32)
    light[0], light[1], light[3] = 3, 1.6, -1.2
    log = np.log(transfer @ light * np.array([0.4, 0.2, 0.1], np.float32))
    found = [solved(log, np.ones((40, 40), np.float32), transfer, log, np.random.default_rng(k)) for k in range(8)]
    left = [float((log - one - log.mean((0, 1))).mean(-1).std()) for one in found]
    assert max(left) < 0.75 * log.mean(-1).std()
    assert min(left) < 0.2 * log.mean(-1).std()
    assert solved(log, np.zeros((40, 40), np.float32), transfer, log, rng).any() == np.False_


def test_the_right_answer_costs_nothing_and_level_is_free(samples: Path) -> None:
    batch = batch_of(load_file(samples / "0000.safetensors"), [0, 1, 2])

    class Right(DelightNet):
        def forward(self, seen: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return batch.albedo - batch.found + torch.tensor([0.3, -0.2, 0.1])[:, None, None], batch.gloss

    for value in losses_of(Right((2, 2)), batch):
        assert value < 1e-3
    untrained = losses_of(DelightNet((2, 2)), batch)
    assert min(untrained[:3]) > 0.01
    mirrored = batch_of(load_file(samples / "0000.safetensors"), [0, 1, 2], np.random.default_rng(0))
    flipped = [bool(np.allclose(mirrored.weight[k], batch.weight[k].flip(-1))) for k in range(3)]
    assert any(flipped)
    k = flipped.index(True)
    assert torch.allclose(mirrored.given[k, 4], -batch.given[k, 4].flip(-1), atol=1e-6)
    assert torch.allclose(mirrored.albedo[k], batch.albedo[k].flip(-1))


def stopped_at(stage: str, fraction: float) -> Progress:
    """A progress that interrupts."""

    def report(where: str, share: float, _: str) -> None:
        if where == stage and share >= fraction:
            raise Cancelled

    return report


def test_a_training_that_was_interrupted_ends_bit_for_bit_as_one_that_was_not(
    subject: Subject, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (delight, delight_samples):
        monkeypatch.setattr(module, "PIECE", 4)
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "samples").symlink_to(samples)
    whole = train(subject, tmp_path / "whole", TINY).read_bytes()
    for fraction in (0.3, 0.7):
        with pytest.raises(Cancelled):
            train(subject, tmp_path / "parts", TINY, stopped_at("train", fraction))
        assert not (tmp_path / "parts" / delight.WEIGHTS).exists()
    assert train(subject, tmp_path / "parts", TINY).read_bytes() == whole
    for name in ("curves.png", "faces.png"):
        with Image.open(tmp_path / "parts" / name) as picture:
            assert np.asarray(picture).std() > 10
    with pytest.raises(MethodError, match="another plan"):
        train(subject, tmp_path / "parts", replace(TINY, seed=4))
    with pytest.raises(MethodError, match="at least two pieces"):
        train(subject, tmp_path / "none", replace(TINY, pieces=1))


def test_it_learns(samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delight, "PIECE", 4)
    torch.manual_seed(1)
    network = DelightNet((8, 16))
    adam = torch.optim.Adam(network.parameters(), 8e-3)
    # Photos that no solver has looked at: all their light is to be found.
    unsolved = load_file(samples / "0000.safetensors")
    unsolved["shading"].zero_()
    paths = [tmp_path / "0000.safetensors"]
    save_file(unsolved, paths[0])
    batch = batch_of(unsolved, [0, 1, 2, 3])
    before = score(network, paths)["all"]
    assert before.network == pytest.approx(before.solver, abs=1e-4)
    assert before.faces == 4
    for _ in range(25):
        albedo, gradient, _, gloss = losses_of(network, batch)
        adam.zero_grad()
        (albedo + gradient + gloss).backward()  # type: ignore[no-untyped-call]
        adam.step()
    after = score(network, paths)["all"]
    assert after.network < 0.9 * before.network
    assert after.solver == before.solver == before.photo


def test_a_piece_is_made_anew_where_it_is_damaged(
    subject: Subject, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delight_samples, "PIECE", 1)
    (tmp_path / "0000.safetensors").write_bytes(b"half a file")
    (path,) = delight_samples.render_pieces(subject, tmp_path, 1, 3, lambda *_: None)
    first = piece(subject, np.random.default_rng([3, 0, 0]), 1)
    kept = load_file(path)
    assert all(torch.equal(first[name], kept[name]) for name in first)
    assert torch.equal(kept["log"][0], load_file(samples / "0000.safetensors")["log"][0])


def test_the_command_trains_and_puts_in_place(
    anny_head: HeadModel,
    samples: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for module in (delight, delight_samples):
        monkeypatch.setattr(module, "PIECE", 4)
    monkeypatch.setattr("likeness.maps.delight.home", lambda: tmp_path / "home")
    monkeypatch.setattr("likeness.heads.library.open_head", lambda *_: anny_head)
    monkeypatch.setattr(delight.Plan, "__init__", _small(delight.Plan.__init__))
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "samples").symlink_to(samples)
    command = ["train", "delight", "-o", str(tmp_path / "run"), "--renders", "8", "--steps", "2"]
    assert main(command) == 0
    assert "add --use" in capsys.readouterr().out
    place = tmp_path / "home" / "delight" / "delight.safetensors"
    assert not place.exists()
    assert main([*command, "--use"]) == 0
    network, told = DelightNet.load(place)
    assert network.widths == (4, 6, 8)
    assert told["plan"]["pieces"] == 2
    assert told["score"]["all"]["faces"] == 4


def _small(plain: object) -> object:
    """A plan's constructor that asks for a small network."""

    def made(self: Plan, **given: object) -> None:
        plain(self, **({"batch": 2, "widths": (4, 6, 8)} | given))  # type: ignore[operator]

    return made


def test_the_shipped_weights_take_off_light_that_a_solver_left(subject: Subject, tmp_path: Path) -> None:
    network, told = DelightNet.load(shipped_weights())
    paths = [tmp_path / "fresh.safetensors"]
    save_file(piece(subject, np.random.default_rng(20261130), 8), paths[0])
    found = score(network, paths)["all"]
    assert found.network < 0.9 * found.solver
    assert told["score"]["all"]["network"] < 0.9 * told["score"]["all"]["solver"]
    assert shipped_weights().stat().st_size < 6e6
