"""Lips: their colour in folds, gloss on them, the lines across."""

import numpy as np
import pytest
from made_head import egg

from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of, material_triangles
from likeness.maps.field import Surface
from likeness.maps.lips import BRIGHTER, USUAL, across_lips, lip_colour, matt_lips
from likeness.maps.places import HeadFrame

RED = np.array([-0.2, -0.75, -0.55], np.float32)


@pytest.fixture(scope="module")
def head() -> HeadModel:
    return egg()


def around_front(head: HeadModel, size: int, reach: float) -> np.ndarray:
    """Texels within a reach in metres of the foremost point."""
    points = head.template.numpy()
    middle = points[points[:, 2].argmax()]
    away = np.linalg.norm(atlas_of(head, "Skin", size).texels(points) - middle, axis=-1)
    return ((away < reach) & (atlas_of(head, "Skin", size).area > 0)).astype(np.float32)


def test_folds_take_the_colour_of_the_lip_beside_them_darker_and_redder(head: HeadModel) -> None:
    atlas = atlas_of(head, "Skin", 256)
    surface = Surface(head.template.numpy(), head.triangles[material_triangles(head, "Skin")])
    lips = around_front(head, 256, 0.03)
    shown = np.where(lips[..., None] > 0, RED, np.float32(0))
    field = lip_colour([shown], [lips], atlas, surface)
    picture = atlas.texels(field)
    inner = around_front(head, 256, 0.012) > 0
    assert np.abs(picture[inner] - RED).max() < 0.03
    far = picture[(around_front(head, 256, 0.08) > 0) & (around_front(head, 256, 0.06) == 0)].mean(0)
    assert far.mean() < RED.mean() - 0.08
    assert far[0] - far[1] > RED[0] - RED[1] + 0.05
    # Without any lips there is a usual colour.
    none = lip_colour([shown], [np.zeros_like(lips)], atlas, surface)
    assert none[surface.area > 0, 0].max() <= USUAL[0] + 1e-3


def test_shine_on_lips_is_bounded_and_their_shade_stays(head: HeadModel) -> None:
    atlas = atlas_of(head, "Skin", 256)
    lips = around_front(head, 256, 0.03)
    field = np.broadcast_to(RED, head.template.shape).copy()
    detail = np.where(lips[..., None] > 0, RED, np.float32(0)).astype(np.float32)
    spot = around_front(head, 256, 0.008) > 0
    dark = (around_front(head, 256, 0.02) > 0) & (around_front(head, 256, 0.015) == 0)
    detail[spot] += 0.6
    detail[dark] -= 0.2
    before = detail.copy()
    matt_lips(detail, lips, field, atlas, atlas)
    assert (detail[spot].mean(-1) - RED.mean()).max() <= BRIGHTER + 1e-3
    assert detail[dark].mean() == pytest.approx(before[dark].mean(), abs=0.02)
    assert np.array_equal(detail[lips == 0], before[lips == 0])


def test_lines_run_across_lips_alone(head: HeadModel) -> None:
    small, full = atlas_of(head, "Skin", 256), atlas_of(head, "Skin", 512)
    points = head.template.numpy()
    frame = HeadFrame.of(points, np.array([0.03, 0.1, 0.05]), np.array([-0.03, 0.1, 0.05]))
    lips = around_front(head, 256, 0.03)
    lines = across_lips(lips, frame, small, full, 0)
    inside = around_front(head, 512, 0.02) > 0
    assert lines[inside].std() > 0.3
    assert np.abs(lines[around_front(head, 512, 0.05) == 0]).max() == 0
    assert np.array_equal(lines, across_lips(lips, frame, small, full, 0))
    assert not across_lips(np.zeros_like(lips), frame, small, full, 0).any()
