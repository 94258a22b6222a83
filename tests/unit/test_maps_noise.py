"""A picture's noise is taken off its skin, and its lines and spots stay."""

import cv2
import numpy as np
import pytest

from likeness.maps.noise import noise_in, without_noise

SIDE = 160
SKIN = np.log(np.array([0.5, 0.3, 0.2], np.float32))


def plain() -> np.ndarray:
    """A smooth slope of light, a dark line as a crease, a brown spot."""
    slope = np.linspace(-0.2, 0.2, SIDE, dtype=np.float32)[None, :, None]
    picture = np.broadcast_to(SKIN + slope, (SIDE, SIDE, 3)).copy()
    picture[60:63, 30:130] -= 0.4
    row, column = np.mgrid[:SIDE, :SIDE]
    picture[(row - 110) ** 2 + (column - 80) ** 2 < 25] -= [0.3, 0.5, 0.6]
    return picture


def noisy(seed: int = 0) -> np.ndarray:
    """With fine grain in brightness and coarse grain in colour, as a compressed file has it."""
    random = np.random.default_rng(seed)
    grain = random.normal(0, 0.02, (SIDE, SIDE, 1))
    colour = cv2.resize(random.normal(0, 0.03, (SIDE // 2, SIDE // 2, 3)), (SIDE, SIDE))
    return (plain() + grain + colour).astype(np.float32)


def test_noise_goes_and_marks_stay() -> None:
    bare = np.ones((SIDE, SIDE), bool)
    noise = noise_in(noisy(), bare, bare)
    assert noise is not None
    still = without_noise(noisy(), noise)
    calm = np.s_[8:50, 8:152]
    before, after = (np.std((p - plain())[calm], axis=(0, 1)) for p in (noisy(), still))
    assert (before > 0.025).all()
    assert (after < 0.4 * before).all()
    line, spot = still[61, 40:120].mean(0) - still[70, 40:120].mean(0), still[110, 80] - still[110, 95]
    assert line == pytest.approx(-0.4, abs=0.12), "a crease is none"
    assert spot == pytest.approx([-0.3, -0.5, -0.6], abs=0.1), "nor is a mole"


def test_a_picture_without_noise_stays_as_it_is() -> None:
    noise = noise_in(plain(), *2 * [np.ones((SIDE, SIDE), bool)])
    assert noise is not None
    assert np.abs(without_noise(plain(), noise) - plain()).max() < 0.02


def test_what_stands_behind_has_no_say() -> None:
    face = np.zeros((SIDE, SIDE), bool)
    face[10:150, 20:140] = True
    still = []
    for behind in (-4.0, 0.0):
        picture = np.where(face[..., None], noisy(), np.float32(behind))
        noise = noise_in(picture, face, face)
        assert noise is not None
        still.append(without_noise(picture, noise))
    assert (still[0] == still[1])[face].all()
    assert (still[0][~face] == -4).all()


def test_a_calmer_wall_beside_tells_freckles_from_noise() -> None:
    random = np.random.default_rng(1)
    picture = np.broadcast_to(SKIN, (SIDE, SIDE, 3)) + random.normal(0, 0.01, (SIDE, SIDE, 1))
    face = np.zeros((SIDE, SIDE), bool)
    face[:, :90] = True
    freckled = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)), (0, 0), 1.2)
    freckles = np.where(face, 0.05 * freckled / freckled.std(), 0)[..., None] * [0.8, 1.0, 1.2]
    picture = (picture + freckles).astype(np.float32)
    kept = []
    for wall in (0.0, 1.0):  # as bright as the skin, and much brighter
        shown = np.where(face[..., None], picture, picture + np.float32(wall))
        noise = noise_in(shown, face, face)
        assert noise is not None
        still = without_noise(shown, noise)[10:150, 10:80, 1]
        kept.append(float(np.polyfit(freckles[10:150, 10:80, 1].ravel(), still.ravel(), 1)[0]))
    assert kept[0] > 0.65
    assert kept[1] < kept[0] - 0.2, "a wall in another light tells nothing"


def test_too_little_skin_tells_no_noise() -> None:
    bare = np.zeros((SIDE, SIDE), bool)
    bare[:10, :10] = True
    assert noise_in(noisy(), bare, bare) is None
