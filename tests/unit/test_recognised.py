"""Recognition as evidence of shape: what is believed of it, when there is none, and what becomes of it in a fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness import faces, photos
from likeness.errors import WeightsError
from likeness.faces.face import Face
from likeness.fitting.pose import Pose, rotation_of
from likeness.fitting.scenes import scene_of
from likeness.fitting.shape import Hint
from likeness.fitting.solve import Fit
from likeness.heads.base import HeadModel
from likeness.heads.pigments import NAMES
from likeness.methods import open as open_method
from likeness.methods import recognised
from likeness.methods.base import Settings
from likeness.networks.genova import Regressor
from likeness.progress import quiet
from likeness.weights.tensor_file import read_tensors, write_tensors


@pytest.fixture(scope="module")
def face(astronaut: Path) -> Face:
    return faces.find(photos.load(astronaut))


def steady(head: HeadModel, value: float, doubt: float) -> Regressor:
    """A regressor that says the same of everybody."""
    made = Regressor(128, len(head.identity), len(NAMES), 4)
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    torch.nn.init.constant_(made.layers[-1].bias, value)
    made.doubt.fill_(doubt)
    return made


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where weights of the user's own training would lie."""
    monkeypatch.setattr(recognised, "home", lambda: tmp_path)
    monkeypatch.setattr(recognised, "describe", lambda _: np.zeros(128, np.float32))
    return recognised.own_weights("anny")


@pytest.mark.parametrize("head", ["anny", "ict"])
def test_the_shipped_weights_know_how_wrong_they_are(head: str) -> None:
    found = recognised.weights_for(head)
    assert found is not None
    doubt = found[1].doubt
    assert doubt.min() > 0.3
    assert doubt.max() <= 1
    assert doubt[:10].mean() < doubt[-30:].mean() - 0.1  # what makes people differ most is told best


def test_less_doubt_is_more_precision(anny_head: HeadModel, face: Face, own: Path) -> None:
    steady(anny_head, 0.5, 0.5).save(own, {"head": "anny"})
    hint = recognised.hint(anny_head, [face, face])
    assert hint is not None
    assert hint.mean == pytest.approx(np.full(len(anny_head.identity), 0.5))
    assert hint.beyond == pytest.approx(np.full(len(anny_head.identity), recognised.BELIEVED))


def test_what_is_said_of_the_head_as_well_is_taken_off(anny_head: HeadModel, face: Face, own: Path) -> None:
    steady(anny_head, 0.5, 0.5).save(own, {"head": "anny"})
    size, names = len(anny_head.identity), len(anny_head.expression_names)
    pose = Pose(np.diag([1.0, -1, -1]), np.array([0.0, 0.05, 0.9]), 800.0, np.array([256.0, 256]))
    fit = Fit(np.zeros(size), (pose,), (np.zeros(names),), (np.zeros(0),), (np.ones(1),))
    first, then = recognised.hint(anny_head, [face]), recognised.hint(anny_head, [face], fit)
    true = recognised.hint(anny_head, [face], replace(fit, identity=np.ones(size)))
    assert first is not None
    assert then is not None
    assert true is not None

    def told(hint: Hint) -> np.ndarray:
        """Of the truth, the prior taken out."""
        return (1 + hint.beyond) * hint.mean / hint.beyond

    # Of the average head a half is said as well: that is most likely a habit.
    assert told(then) == pytest.approx(np.full(size, 0.5 * (1 - recognised.ALIKE) / 0.5))
    # Of a head that is a whole deviation off, it is what is said of such heads.
    assert told(true) == pytest.approx(np.full(size, 0.5 / 0.5))
    assert np.all(then.beyond > first.beyond)


def test_a_head_is_compared_as_it_stands() -> None:
    pose = Pose(rotation_of(np.array([2.8, 0.3, 0.2])), np.array([0.2, -0.1, 0.8]), 500.0, np.zeros(2))
    middle, points = np.array([0.0, 0.08, 0.1]), np.random.default_rng(0).normal(0, 0.1, (9, 3))
    scene = scene_of(pose, middle, 0.09, np.zeros(52))
    seen = (points - middle) @ scene.rotation.T + np.array([0, 0, scene.distance * 0.09])
    there = points @ pose.rotation.T + pose.translation
    assert np.linalg.norm(seen, axis=1) == pytest.approx(np.linalg.norm(there, axis=1))  # the same, but for a turn
    assert seen @ seen.T == pytest.approx(there @ there.T)
    assert np.linalg.det(scene.rotation) == pytest.approx(1)


def test_weights_without_doubt_say_nothing(anny_head: HeadModel, face: Face, own: Path) -> None:
    steady(anny_head, 0.5, 0.5).save(own, {"head": "anny"})
    tensors, told = read_tensors(own)
    del tensors["doubt"]
    write_tensors(own, tensors, told)
    hint = recognised.hint(anny_head, [face])
    assert hint is not None
    assert not hint.beyond.any()


def test_another_basis_has_no_hint(anny_head: HeadModel, face: Face, own: Path) -> None:
    assert recognised.hint(replace(anny_head, name="other"), [face]) is None
    fewer = replace(anny_head, identity=anny_head.identity[:7])
    assert recognised.hint(fewer, [face]) is None


def test_the_fit_follows_what_is_sure(
    anny_head: HeadModel, face: Face, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_method, "open_head", lambda *_: anny_head)
    monkeypatch.setattr(open_method.store, "installed", lambda _: True)
    said = []
    for doubt in (1.0, 0.01):
        steady(anny_head, 0.8, doubt).save(own, {"head": "anny"})
        recognised._loaded.cache_clear()
        said.append(open_method.Open().reconstruct([face], Settings(), quiet).identity)
    unsure, sure = said
    assert unsure is not None
    assert sure is not None
    assert np.abs(sure - 0.9 * 0.8).mean() < 0.1 < np.abs(unsure - 0.9 * 0.8).mean()


def test_without_the_network_landmarks_do(anny_head: HeadModel, face: Face, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(_: Face) -> None:
        raise WeightsError("There is no network.")

    monkeypatch.setattr(recognised, "describe", absent)
    monkeypatch.setattr(open_method, "open_head", lambda *_: anny_head)
    notes: list[str] = []
    made = open_method.Open().reconstruct(
        [face], Settings(), lambda stage, _, text: notes.append(text) if stage == "note" else None
    )
    assert made.identity is not None
    assert notes == ["The shape is told from landmarks alone: There is no network."]
