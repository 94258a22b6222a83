"""Teeth take the colour that a smile in a photo shows, freed of the light; without a smile they are usual enamel."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from likeness import faces
from likeness.camera import Camera
from likeness.maps.places import MOUTH
from likeness.maps.teeth import ENAMEL, REACHED, WHITEST, enamel_of, teeth_material
from likeness.methods.base import View
from likeness.photos import Photo

SKIN = np.array([0.5, 0.3, 0.2])


@pytest.fixture(scope="module")
def smile() -> faces.Face:
    from likeness import photos

    return faces.find(photos.load(Path(__file__).parents[1] / "data" / "astronaut.png"))


def painted(smile: faces.Face, teeth: np.ndarray, light: float, count: int = 7) -> View:
    """The face in plain skin under an even light, with teeth between its lips and dark gaps between them."""
    photo = np.empty((*smile.photo.pixels.shape[:2], 3), np.float32)
    photo[:] = light * SKIN
    mouth = np.zeros(photo.shape[:2], np.uint8)
    cv2.fillPoly(mouth, [np.rint(smile.landmarks[list(MOUTH), :2]).astype(np.int32)], 1)
    photo[mouth > 0] = light * np.array(REACHED) * teeth
    photo[(mouth > 0) & (np.arange(photo.shape[1]) % count == 0)] = 0.02
    shown = np.where(photo <= 0.0031308, 12.92 * photo, 1.055 * np.maximum(photo, 1e-9) ** (1 / 2.4) - 0.055)
    pixels = np.rint(255 * shown.clip(0, 1)).astype(np.uint8)
    face = replace(smile, photo=Photo(Path("smile.png"), pixels))
    height, width = pixels.shape[:2]
    camera = Camera(width, height, 1000.0, 1000.0, width / 2, height / 2, np.eye(3), np.zeros(3))
    return View(face, camera, np.zeros(1, np.float32), np.zeros((1, 3), np.float32))


def even(strength: float) -> np.ndarray:
    light = np.zeros((9, 3))
    light[0] = strength / 0.282095
    return light


def test_teeth_are_as_white_as_in_the_photo(smile: faces.Face) -> None:
    pale, yellow = np.array([0.80, 0.76, 0.68]), np.array([0.68, 0.60, 0.46])
    big = scaled(smile, 4)
    for true in (pale, yellow):
        found = [enamel_of([painted(big, true, light)], [even(light)]) for light in (0.6, 1.1)]
        assert np.abs(np.array(found) - true).max() < 0.03, "whatever the light"
    assert enamel_of([painted(big, np.array([1.2, 1.2, 1.2]), 1.0)], [even(1.0)]) == pytest.approx(WHITEST, abs=0.03)


def scaled(face: faces.Face, factor: int) -> faces.Face:
    pixels = cv2.resize(face.photo.pixels, None, fx=factor, fy=factor)
    return replace(face, photo=Photo(face.photo.path, pixels), landmarks=face.landmarks * factor)


def test_few_pixels_count_for_little(smile: faces.Face) -> None:
    true = np.array([0.84, 0.80, 0.74])
    near, far = (enamel_of([painted(face, true, 1.0)], [even(1.0)]) for face in (scaled(smile, 4), smile))
    assert np.linalg.norm(near - true) < np.linalg.norm(far - true) < np.linalg.norm(np.array(ENAMEL) - true)


def test_what_is_no_tooth_leaves_usual_enamel(smile: faces.Face) -> None:
    big = scaled(smile, 4)
    for inside in (0.8 * SKIN / REACHED, np.array([0.5, 0.15, 0.14]), np.array([0.05, 0.05, 0.05])):
        assert enamel_of([painted(big, inside, 1.0)], [even(1.0)]) == pytest.approx(ENAMEL), "tongue, lips, darkness"
    shut = big.landmarks.copy()
    shut[14] = shut[13]
    assert enamel_of([painted(replace(big, landmarks=shut), np.ones(3), 1.0)], [even(1.0)]) == pytest.approx(ENAMEL)
    assert enamel_of([], []) == pytest.approx(ENAMEL)


def test_the_map_has_the_colour() -> None:
    material = teeth_material(np.array([0.8, 0.7, 0.6]), 64, 0)
    shown = material.maps["albedo"].pixels / 255.0
    linear = ((shown + 0.055) / 1.055) ** 2.4
    assert np.abs(linear.mean((0, 1)) - (0.8, 0.7, 0.6)).max() < 0.03
    assert material.values["albedo"] == [0.8, 0.7, 0.6]
