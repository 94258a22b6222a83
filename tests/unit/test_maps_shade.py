"""The shade that a photo shows beyond its light: what the albedo leaves of it is in the map, and nothing else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_head import egg, reconstruction, side_light, take_photo

from likeness import maps
from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of
from likeness.methods.base import Settings, View
from likeness.photos.srgb import srgb_decoded
from likeness.progress import quiet
from likeness.render.view import project

SIZE = 512
SPOT, REACH = np.array([0.036, 0.104]), 0.02
"""Middle of a cheek, and metres around it that are in the shade."""


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return egg()


def shaded(head: HeadModel, view: View, depth: float) -> View:
    """The photo with light darker by up to ``depth`` (natural logarithm) around a cheek's middle."""
    pixels = view.face.photo.pixels
    front = head.template[(head.template[:, 2] > 0.05)].numpy()
    centre = front[np.linalg.norm(front[:, :2] - SPOT, axis=1).argmin()]
    x, y, z = project(view.camera, torch.from_numpy(centre[None])).numpy()[0]
    rows, columns = np.mgrid[0 : pixels.shape[0], 0 : pixels.shape[1]] + 0.5
    away = np.hypot(columns - x, rows - y) / (view.camera.fx / z)
    factor = np.exp(-depth * np.exp(-((away / REACH) ** 2)))[..., None]
    light = srgb_decoded(pixels / 255.0) * factor
    dark = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)
    photo = replace(view.face.photo, pixels=np.rint(255 * dark).astype(np.uint8))
    return replace(view, face=replace(view.face, photo=photo))


def skin(head: HeadModel, *views: View) -> Material:
    return maps.make(reconstruction(head, *views), Settings(texture_size=SIZE), quiet).materials["Skin"]


def values(image: Map) -> np.ndarray:
    return image.pixels / 255.0 * image.scale + image.offset


def around(head: HeadModel, x: float, y: float) -> np.ndarray:
    """(S, S) bool: the skin's front within 8 mm of a place."""
    p = atlas_of(head, "Skin", SIZE).texels(head.template.numpy())
    return np.asarray((np.hypot(p[..., 0] - x, p[..., 1] - y) < 0.008) & (p[..., 2] > 0.05))


def shown(material: Material, number: int = 1) -> np.ndarray:
    """(S, S) log luminance of the skin with its shade."""
    light = srgb_decoded(material.maps["albedo"].pixels / 255.0) @ np.array([0.2126, 0.7152, 0.0722])
    return np.log(np.maximum(light, 1e-3)) + values(material.maps[f"shade.{number}"])


def test_what_the_albedo_leaves_is_in_the_shade(head: HeadModel) -> None:
    depth = 0.3
    plain = take_photo(head, light=side_light(0.4))
    before, after = skin(head, plain), skin(head, shaded(head, plain, depth))
    here = around(head, *SPOT)
    change = (shown(after) - shown(before))[here].mean()
    assert change == pytest.approx(-depth * 0.87, abs=0.06)  # 0.87: mean of the shade within 8 mm
    assert (values(after.maps["shade.1"]) - values(before.maps["shade.1"]))[here].mean() < -0.1
    other = around(head, -SPOT[0], SPOT[1])
    assert abs((shown(after) - shown(before))[other].mean()) < 0.05


def test_no_shade_where_no_photo_looks(head: HeadModel) -> None:
    made = skin(head, take_photo(head, light=side_light(0.4)))
    p = atlas_of(head, "Skin", SIZE).texels(head.template.numpy())
    assert np.abs(values(made.maps["shade.1"])[p[..., 2] < -0.02]).max() < 0.01
    assert made.maps["shade.1"].pixels.dtype == np.uint8
    assert made.maps["shade.1"].colour == "linear"


def test_each_photo_has_its_own(head: HeadModel) -> None:
    plain = take_photo(head)
    made = skin(head, plain, shaded(head, plain, 0.3))
    assert [n for n in made.maps if n.startswith("shade.")] == ["shade.1", "shade.2"]
    here = around(head, *SPOT)
    first, second = (values(made.maps[f"shade.{i}"])[here].mean() for i in (1, 2))
    assert second < first - 0.15
