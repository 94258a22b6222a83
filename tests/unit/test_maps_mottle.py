"""Invented variation of skin: as lively as the person's, the same on both sides of a cut, stretched nowhere."""

import cv2
import numpy as np
import pytest

from likeness.maps.mottle import LIVELY, PATCHES, solid, vividness, volume

TEXEL = 0.0007


def plane(right: np.ndarray, down: np.ndarray, side: int = 256) -> np.ndarray:
    steps = (np.arange(side, dtype=np.float32) - side / 2) * TEXEL
    return (steps[None, :, None] * right + steps[:, None, None] * down).astype(np.float32)


@pytest.mark.parametrize("axes", [((1, 0, 0), (0, 1, 0)), ((0, 0, 1), (0, 1, 0)), ((0.6, 0.8, 0), (0, 0, 1))])
def test_patches_are_as_wide_as_they_are_tall(axes: tuple[tuple[float, ...], ...]) -> None:
    noise = solid(plane(*(np.array(a, np.float32) for a in axes)), 0.002, volume(0))
    assert noise.std() == pytest.approx(1, abs=0.2)
    across, down = (np.abs(np.diff(noise, axis=k)).mean() for k in (1, 0))
    assert across / down == pytest.approx(1, abs=0.25)
    broad = solid(plane(*(np.array(a, np.float32) for a in axes)), 0.006, volume(0))
    assert np.abs(np.diff(broad, axis=0)).mean() < 0.5 * down


def test_a_place_has_one_tone_whatever_square_it_lies_in() -> None:
    points = plane(np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32))
    cube = volume(3)
    whole = solid(points, PATCHES[0], cube)
    assert np.abs(solid(points[::-1, 100:].copy(), PATCHES[0], cube) - whole[::-1, 100:]).max() < 1e-4
    assert np.abs(solid(points, PATCHES[0], volume(4)) - whole).max() > 1
    fine = np.linspace([0, 0, 0], [0.2, 0.01, 0.03], 30000, dtype=np.float32)[None]
    assert np.abs(np.diff(solid(fine, PATCHES[0], cube))).max() < 0.1, "no steps where the cube begins anew"


def test_vividness_is_that_of_the_skin_without_its_moles() -> None:
    random = np.random.default_rng(0)
    noise = cv2.GaussianBlur(random.standard_normal((200, 200)).astype(np.float32), (0, 0), 1.5)
    noise *= 0.02 / noise.std()
    bare = np.zeros((200, 200), np.float32)
    bare[40:160, 40:160] = 1
    calm, lively = (vividness(k * noise, bare, TEXEL) for k in (0.5, 1.0))
    assert lively == pytest.approx(2 * calm, rel=0.05)
    marked = noise.copy()
    marked[90:96, 90:96] = -1.5
    assert vividness(marked, bare, TEXEL) == pytest.approx(lively, rel=0.08)
    assert vividness(9 * noise, bare, TEXEL) == LIVELY[1]
    assert vividness(noise, 0 * bare, TEXEL) == 1
