"""Maps of a head whose skin, light and cameras are known."""

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_head import (
    COLUMNS,
    IRIS,
    SKIN,
    egg,
    even_light,
    front,
    paint,
    reconstruction,
    side_light,
    take_photo,
)

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))


from likeness import maps
from likeness.avatar import Material
from likeness.errors import MethodError
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of
from likeness.methods.base import Reconstruction, Settings
from likeness.progress import quiet
from skin_seam import seam_step, seams

SIZE = 512


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return egg()


def make(head: HeadModel, *views: object, size: int = SIZE, seed: int = 0) -> dict[str, Material]:
    return maps.make(reconstruction(head, *views), Settings(texture_size=size, seed=seed), quiet).materials


def light_of(material: Material) -> np.ndarray:
    shown = material.maps["albedo"].pixels / 255.0
    return np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)


def places(head: HeadModel, size: int = SIZE) -> np.ndarray:
    return atlas_of(head, "Skin", size).texels(head.template.numpy())


def texel(head: HeadModel, x: float, y: float, size: int = SIZE) -> tuple[int, int]:
    """Row and column where the skin's front shows (x, y)."""
    away = np.linalg.norm(places(head, size) - front(x, y), axis=-1)
    row, column = np.unravel_index(away.argmin(), away.shape)
    return int(row), int(column)


@pytest.fixture(scope="module")
def frontal(head: HeadModel) -> dict[str, Material]:
    return make(head, take_photo(head, light=side_light(0.4)))


def cheek(head: HeadModel) -> np.ndarray:
    """(S, S) bool: bare skin of the face."""
    p = places(head)
    x, y, z = np.moveaxis(p, -1, 0)
    bare = (z > 0.06) & (abs(x) < 0.05) & (y > 0.06) & (y < 0.19)
    for cy, reach in ((0.085, 0.016), (0.148, 0.026), (0.108, 0.008)):
        bare &= abs(y - cy) > reach
    return bare


def test_skin_comes_back_without_its_light(head: HeadModel, frontal: dict[str, Material]) -> None:
    found, true = light_of(frontal["Skin"]), paint(places(head))
    bare = cheek(head)
    ratio = np.log(found[bare] / true[bare])
    # How bright the light was nobody can tell, but it was the same everywhere.
    ratio -= np.median(ratio)
    assert np.abs(ratio).mean() < 0.045
    assert np.percentile(np.abs(ratio), 95) < 0.12


def test_no_shadow_side_is_left(head: HeadModel, frontal: dict[str, Material]) -> None:
    bare, left = cheek(head), places(head)[..., 0] > 0.01
    right = places(head)[..., 0] < -0.01
    sides = [light_of(frontal["Skin"])[bare & side].mean() for side in (left, right)]
    assert sides[0] / sides[1] == pytest.approx(1, abs=0.04)
    photo = take_photo(head, light=side_light(0.4)).face.photo.pixels[190:260].astype(float)
    assert photo[:, 250:270].mean() > 1.15 * photo[:, 150:170].mean(), "the photo had one"


def test_background_never_enters_the_skin(head: HeadModel) -> None:
    backgrounds = [(0, 255, 0), (20, 40, 250), (255, 255, 255), (0, 0, 0)]
    made = [make(head, take_photo(head, 25, background=b))["Skin"] for b in backgrounds]
    albedo = np.stack([m.maps["albedo"].pixels for m in made]).astype(int)
    assert np.ptp(albedo, axis=0).max() <= 2
    p, inside = places(head), atlas_of(head, "Skin", SIZE).inside
    light = light_of(made[0])
    neck, face = light[inside & (p[..., 1] < 0.03)], light[cheek(head)]
    assert neck.mean(0) == pytest.approx(face.mean(0), rel=0.1)
    assert np.abs(np.log(face.mean(0) / SKIN)).max() < 0.7, "skin, whatever the exposure"


def test_the_unseen_side_mirrors_the_seen_one(head: HeadModel) -> None:
    # The egg's left cheek with a spot on it is all that the camera sees of the cheeks.
    spot = (0.045, 0.10)
    material = make(head, take_photo(head, -50, spot=spot))["Skin"]
    light, confidence = light_of(material).mean(-1), material.maps["confidence"].pixels / 255
    for side, sure, least, most in ((1, 1.0, 0.0, 0.75), (-1, 0.5, 0.9, 1.1)):
        row, column = texel(head, side * spot[0], spot[1])
        around = light[row - 12 : row + 13, column - 12 : column + 13]
        shown = light[row - 1 : row + 2, column - 1 : column + 2].mean() / np.median(around)
        assert least < shown < most, "a mole stays on its side"
        assert confidence[row, column] == pytest.approx(sure, abs=0.06)


def test_confidence_says_what_was_seen(head: HeadModel, frontal: dict[str, Material]) -> None:
    confidence = frontal["Skin"].maps["confidence"].pixels / 255
    p, inside = places(head), atlas_of(head, "Skin", SIZE).inside
    assert np.median(confidence[cheek(head)]) == 1
    assert confidence[inside & (p[..., 2] < -0.03)].max() == 0


def test_origin_tells_seen_from_mirrored_from_filled(head: HeadModel) -> None:
    skin = make(head, take_photo(head, -50))["Skin"].maps
    origin, confidence = skin["origin"].pixels, skin["confidence"].pixels / 255
    assert set(np.unique(origin)) == {0, 127, 255}
    for value, low, high in ((255, 0.75, 1), (127, 0.35, 0.6), (0, 0, 0.25)):
        inner = cv2.erode((origin == value).astype(np.uint8), np.ones((15, 15))) > 0
        assert inner.sum() > 500
        assert low <= np.median(confidence[inner]) <= high


def test_two_photos_see_more_than_one(head: HeadModel) -> None:
    spot = (-0.055, 0.11)
    left = take_photo(head, -40, light=side_light(0.2), spot=spot)
    right = take_photo(head, 40, light=side_light(-0.2) * 0.8, spot=spot)
    one, two = make(head, left)["Skin"], make(head, left, right)["Skin"]
    seen = [(m.maps["confidence"].pixels > 230).sum() for m in (one, two)]
    assert seen[1] > 1.25 * seen[0]
    row, column = texel(head, *spot)
    dark = []
    for material in (one, two):
        light = light_of(material).mean(-1)
        around = np.median(light[row - 12 : row + 13, column - 12 : column + 13])
        dark.append(light[row - 1 : row + 2, column - 1 : column + 2].mean() / around)
    assert dark[0] > 0.9, "one photo cannot see the spot"
    assert dark[1] < 0.75
    # Photos of different exposure meet without a step.
    found, true, bare = light_of(two), paint(places(head)), cheek(head)
    ratio = np.log(found[bare] / true[bare]).mean(-1)
    sides = [np.median(ratio[(places(head)[bare][:, 0] > 0) == side]) for side in (True, False)]
    assert sides[0] == pytest.approx(sides[1], abs=0.05)


def test_hair_stays_on_the_scalp(head: HeadModel, frontal: dict[str, Material]) -> None:
    light, p = light_of(frontal["Skin"]).mean(-1), places(head)
    inside = atlas_of(head, "Skin", SIZE).inside
    crown = inside & (p[..., 1] > 0.225) & (p[..., 2] < 0.02)
    assert np.median(light[crown]) < 0.25 * SKIN.mean()
    forehead = inside & (p[..., 2] > 0.06) & (p[..., 1] > 0.17) & (p[..., 1] < 0.185)
    assert np.percentile(light[forehead], 2) > 0.6 * SKIN.mean()


def test_the_iris_has_the_photos_colour(head: HeadModel, frontal: dict[str, Material]) -> None:
    eye = frontal["Eye"]
    red, green, blue = eye.values["iris"]
    assert blue > green > red
    assert np.array(eye.values["iris"]) / sum(eye.values["iris"]) == pytest.approx(IRIS / IRIS.sum(), abs=0.08)
    pixels = eye.maps["albedo"].pixels.astype(float)
    middle, rim = len(pixels) // 2, int(len(pixels) * 0.5 * (1 + 2 * 0.2 * 0.6))
    assert pixels[middle, middle].max() < 30, "the pupil"
    assert pixels[middle, rim, 2] > pixels[middle, rim, 0], "the iris"
    assert pixels[middle, int(len(pixels) * 0.8)].min() > 150, "the white"


def test_every_channel_has_its_type(frontal: dict[str, Material]) -> None:
    assert set(frontal) == {"Skin", "Eye"}, "the egg has nothing else"
    skin = frontal["Skin"].maps
    for channel, dtype, colour, shape in (
        ("albedo", np.uint8, "srgb", (SIZE, SIZE, 3)),
        ("specular", np.uint8, "linear", (SIZE, SIZE)),
        ("roughness", np.uint8, "linear", (SIZE, SIZE)),
        ("normal", np.uint16, "linear", (SIZE, SIZE, 3)),
        ("displacement", np.uint16, "linear", (SIZE, SIZE)),
        ("confidence", np.uint8, "linear", (SIZE, SIZE)),
        ("origin", np.uint8, "linear", (SIZE, SIZE)),
    ):
        assert (skin[channel].pixels.dtype, skin[channel].pixels.shape) == (dtype, shape), channel
        assert skin[channel].colour == colour, channel
    normal = skin["normal"].pixels / 32767.5 - 1
    assert np.linalg.norm(normal, axis=-1) == pytest.approx(1, abs=1e-3)
    assert normal[..., 2].min() > 0
    relief = skin["displacement"]
    metres = relief.scale * (relief.pixels / 65535) + relief.offset
    assert np.abs(metres).max() < 0.0004
    assert np.abs(np.median(metres)) < 0.00005


def test_every_size_shows_the_same_skin(head: HeadModel) -> None:
    view = take_photo(head)
    row = []
    for size in (256, 512, 1024):
        pixels = make(head, view, size=size)["Skin"].maps["albedo"].pixels
        assert pixels.shape == (size, size, 3)
        r, c = texel(head, 0.03, 0.11, size)
        row.append(pixels[r - size // 128 : r + size // 128, c - size // 128 : c + size // 128].mean((0, 1)))
    assert np.ptp(row, axis=0).max() < 8


def test_the_seed_decides_what_is_invented(head: HeadModel) -> None:
    view = take_photo(head)
    first, again, other = (make(head, view, size=256, seed=s)["Skin"] for s in (3, 3, 4))
    for channel in first.maps:
        assert (first.maps[channel].pixels == again.maps[channel].pixels).all(), channel
    assert (first.maps["albedo"].pixels != other.maps["albedo"].pixels).any()


def test_no_step_shows_where_the_skin_is_cut(head: HeadModel) -> None:
    # Lit from one side, so that left and right differ in the photo by far more.
    view = take_photo(head, 20, light=side_light(0.4))
    light = light_of(make(head, view)["Skin"])
    cut = seams(head)
    assert len(cut) >= COLUMNS // 2, "up the back"
    ramp = np.exp(np.linspace(-0.1, 0.1, SIZE))[None, :, None]
    assert seam_step((light * ramp).astype(np.float32), cut) > 0.15, "a step would be told"
    assert seam_step(light.astype(np.float32), cut) <= 0.01


@pytest.mark.parametrize("kind", ["black", "white", "far aside", "lit to death"])
def test_no_map_has_a_hole_whatever_the_photo(head: HeadModel, kind: str) -> None:
    view = {
        "black": lambda: take_photo(head, light=even_light() * 1e-3, background=(0, 0, 0)),
        "white": lambda: take_photo(head, light=even_light() * 1e3, background=(255, 255, 255)),
        "far aside": lambda: take_photo(head, 80),
        "lit to death": lambda: take_photo(head, light=side_light(3.0)),
    }[kind]()
    with np.errstate(all="raise", under="ignore"):  # a NaN would be cast to a code, and be seen by nobody
        made = maps.make(reconstruction(head, view), Settings(texture_size=256), quiet)
    assert all(np.isfinite(light).all() for light in made.lights)
    skin = made.materials["Skin"]
    for name, value in skin.values.items():
        assert np.isfinite(value).all(), name
    inside = atlas_of(head, "Skin", 256).inside
    assert light_of(skin)[inside].max(-1).min() > 0.004, "no texel is left black"
    assert (skin.maps["normal"].pixels[..., 2][inside] > 40000).all()


def test_what_cannot_be_made_is_refused(head: HeadModel) -> None:
    whole = reconstruction(head, take_photo(head, side=96))
    for size in (255, 4097):
        with pytest.raises(MethodError, match="texture size"):
            maps.make(whole, Settings(texture_size=size), quiet)
    headless = Reconstruction("open", None, None, whole.vertices, whole.joints, whole.views)
    with pytest.raises(MethodError, match="no head"):
        maps.make(headless, Settings(), quiet)


def test_a_photo_that_shows_next_to_nothing_still_gives_a_skin(head: HeadModel) -> None:
    view = take_photo(head, side=64, background=(128, 128, 128))
    skin = make(head, view, size=256)["Skin"]
    assert light_of(skin)[COLUMNS // 2].max() > 0.02
