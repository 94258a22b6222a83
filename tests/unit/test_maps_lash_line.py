"""The line of lashes is as dark as the photo's, on the lids' margins and nowhere else."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from made_head import egg

from likeness.avatar import Map, Material
from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import LOWER_LIDS, UPPER_LIDS
from likeness.maps.atlas import atlas_of
from likeness.maps.lash_line import USUAL, lash_darkness
from likeness.maps.lash_roots import lash_roots
from likeness.maps.lashes import lashes_material
from likeness.maps.lid_margin import with_lash_lines

SKIN = 190


def photo(ink: int, width: float = 60.0, shut: bool = False) -> Any:
    """A view of two eyes on even skin, a line along the upper lids."""
    pixels = np.full((240, 400, 3), SKIN, np.uint8)
    landmarks = np.zeros((478, 3))
    for eye, x in enumerate((120.0, 280.0)):
        corners = ((33, 133), (362, 263))[eye]
        landmarks[list(corners), :2] = (x - width / 2, 120), (x + width / 2, 120)
        # Listed from the outer corner of the right eye, and of the left one.
        along = np.linspace(-0.4, 0.4, 7) * width * (1 if eye == 0 else -1)
        high = (0.03 if shut else 0.18) * width * (1 - (along / (0.5 * width)) ** 2)
        upper = np.stack([x + along, 120 - high], 1)
        landmarks[list(UPPER_LIDS[7 * eye : 7 * eye + 7]), :2] = upper
        landmarks[list(LOWER_LIDS[7 * eye : 7 * eye + 7]), :2] = np.stack([x + along, 120 + high], 1)
        line = np.rint((upper[np.argsort(upper[:, 0])] - (0, 0.03 * width)) * 16).astype(np.int32)
        cv2.polylines(pixels, [line], False, (ink,) * 3, max(int(0.06 * width), 1), cv2.LINE_AA, 4)
    face = SimpleNamespace(landmarks=landmarks, photo=SimpleNamespace(pixels=pixels))
    return SimpleNamespace(face=face)


def test_the_darker_the_line_the_darker_the_lashes() -> None:
    found = [lash_darkness((photo(ink),)) for ink in (SKIN, 150, 110, 70, 30)]
    assert found[0] == 0
    assert found[-1] == 1
    assert (np.diff(found) >= 0).all()
    assert 0.1 < found[2] < 0.9


@pytest.mark.parametrize("view", [photo(20, width=10), photo(20, shut=True)])
def test_eyes_too_small_or_shut_tell_nothing(view: Any) -> None:
    assert lash_darkness((view,)) == USUAL
    assert lash_darkness((view, photo(SKIN))) == 0


def test_hair_over_the_lid_tells_nothing() -> None:
    view = photo(20)
    view.face.photo.pixels[60:112:6] = 10
    assert lash_darkness((view,)) == USUAL


def test_strands_stand_on_a_line_that_is_as_dark() -> None:
    hair = np.log(np.array([0.3, 0.2, 0.1], np.float32))
    fair, black = (lashes_material(hair, 128, 0, dark) for dark in (0.0, 1.0))
    root = np.s_[56:62, 40:88]
    assert black.maps["alpha"].pixels[root].mean() > 1.5 * fair.maps["alpha"].pixels[root].mean()
    assert max(black.values["albedo"]) < 0.5 * max(fair.values["albedo"])


def test_the_line_begins_where_lashes_leave_the_lid(anny_head: HeadModel) -> None:
    vertices = anny_head.template.numpy()
    inside = lash_roots(anny_head, vertices)
    assert 0.2 < inside <= 0.45, "they grow between the edges of the margin"
    lashes = np.unique(anny_head.triangles.numpy()[anny_head.region("lashes").numpy()])
    forwards = vertices.copy()
    forwards[lashes, 2] += 0.003
    assert lash_roots(anny_head, forwards) < inside
    assert lash_roots(egg(), egg().template.numpy()) == 0
    hair = np.log(np.array([0.3, 0.2, 0.1], np.float32))
    short, long = (lashes_material(hair, 128, 0, 1.0, roots).maps["alpha"].pixels for roots in (0.0, inside))
    beyond = np.s_[64 - round(inside * 64) : 64 - round(0.2 * 64), 40:88]
    assert long[beyond].min() > 200 > short[beyond].min()


def test_margins_of_the_lids_are_darker_and_nothing_else_is(anny_head: HeadModel) -> None:
    head, size = anny_head, 512
    vertices = head.template.numpy()
    plain = Material({"albedo": Map(np.full((size, size, 3), SKIN, np.uint8), "srgb")}, {})
    marked = with_lash_lines(plain, head, vertices, 1.0).maps["albedo"].pixels.astype(int)
    faint = with_lash_lines(plain, head, vertices, 0.0).maps["albedo"].pixels.astype(int)
    assert marked.min() < 110
    assert marked.min() < faint.min() < SKIN
    assert (plain.maps["albedo"].pixels == SKIN).all(), "what was given stays as it was"
    atlas = atlas_of(head, "Skin", size)
    places = atlas.texels(vertices.astype(np.float32))
    eyes = head.joints[[head.joint_names.index(f"eye.{side}") for side in "LR"]].numpy()
    away = np.linalg.norm(places[:, :, None] - eyes, axis=-1).min(-1)
    changed = (marked < SKIN - 2).any(-1) & atlas.inside
    assert away[changed].max() < 0.022
    upper = places[..., 1] > eyes[:, 1].mean()
    assert marked[changed & upper].mean() < marked[changed & ~upper].mean() < SKIN


def test_a_head_without_borders_at_its_eyes_keeps_its_skin() -> None:
    head = egg()
    plain = Material({"albedo": Map(np.full((256, 256, 3), SKIN, np.uint8), "srgb")}, {})
    assert with_lash_lines(plain, head, head.template.numpy(), 1.0) is plain


def test_the_astronaut_wears_mascara(astronaut: Path) -> None:
    from likeness import faces, photos

    view: Any = SimpleNamespace(face=faces.find(photos.load(astronaut)))
    assert lash_darkness((view,)) > 0.8
