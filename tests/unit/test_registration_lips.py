"""Lips that a mesh without a slit leaves a little apart meet again and do not pass through each other; a mouth that
stands open stays open."""

from __future__ import annotations

import numpy as np
import torch

from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import LOWER_LIP, UPPER_LIP
from likeness.heads.lips import lips_apart, lips_met


def skin_of(head: HeadModel) -> np.ndarray:
    return np.unique(head.triangles.numpy()[head.region("skin").numpy()])


def gaps(head: HeadModel, skin: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Metres between the lips, point by point."""
    whole = head.template.clone()
    whole[skin] = torch.from_numpy(places).float()
    marks = head.landmarks["mediapipe478"].on(whole, head.triangles).numpy()
    return marks[list(UPPER_LIP), 1] - marks[list(LOWER_LIP), 1]


def opened(head: HeadModel, jaw: float) -> np.ndarray:
    """Somebody's skin with the jaw a little open."""
    some = torch.randn(1, len(head.identity), generator=torch.Generator().manual_seed(2))
    weights = torch.zeros(1, len(head.expression))
    weights[0, head.expression_names.index("jawOpen")] = jaw
    return head.shape(some, weights)[0].double().numpy()[skin_of(head)]


def test_lips_a_little_apart_meet_and_the_face_around_stays(anny_head: HeadModel) -> None:
    skin = skin_of(anny_head)
    apart = opened(anny_head, 0.05)
    before = gaps(anny_head, skin, apart)
    met = lips_met(anny_head, skin, apart)
    after = gaps(anny_head, skin, met)
    assert before.max() > 0.0006
    assert np.abs(after[3:6].mean()) < 0.0005
    assert after.max() < 0.4 * before.max()
    moved = np.linalg.norm(met - apart, axis=1)
    lips = anny_head.groups["lips"].numpy()[skin]
    assert moved.max() <= before.max()
    assert moved[lips == 0].mean() < 0.00002


def test_lips_that_overlap_part(anny_head: HeadModel) -> None:
    skin = skin_of(anny_head)
    crossed = opened(anny_head, -0.08)
    usual = gaps(anny_head, skin, anny_head.template.double().numpy()[skin])
    off, left = (
        np.abs(gaps(anny_head, skin, places) - usual)[2:7].mean()
        for places in (crossed, lips_met(anny_head, skin, crossed))
    )
    assert left < 0.4 * off


def test_an_open_mouth_stays_open(anny_head: HeadModel) -> None:
    skin, wide = skin_of(anny_head), opened(anny_head, 0.5)
    assert np.array_equal(lips_met(anny_head, skin, wide), wide)


def test_a_mesh_as_it_is_keeps_lips_that_stand_open(anny_head: HeadModel) -> None:
    skin = skin_of(anny_head)
    nearly, open_ = opened(anny_head, 0.05), opened(anny_head, 0.12)
    assert gaps(anny_head, skin, lips_met(anny_head, skin, nearly, shut=False))[3:6].mean() < 0.0005
    assert gaps(anny_head, skin, open_).max() < 0.004, "so little is closed where it is left by an expression"
    assert np.array_equal(lips_met(anny_head, skin, open_, shut=False), open_)


def test_lips_that_pass_through_each_other_come_out(anny_head: HeadModel) -> None:
    skin = skin_of(anny_head)
    crossed = opened(anny_head, -0.05)
    usual = gaps(anny_head, skin, anny_head.template.double().numpy()[skin])
    before, after = (
        np.minimum(gaps(anny_head, skin, places) - usual, 0)[2:7]
        for places in (crossed, lips_apart(anny_head, skin, crossed))
    )
    assert before.min() < -0.001
    assert after.mean() > 0.5 * before.mean()


def test_lips_that_do_not_touch_are_not_moved(anny_head: HeadModel) -> None:
    skin, wide = skin_of(anny_head), opened(anny_head, 0.5)
    moved = np.linalg.norm(lips_apart(anny_head, skin, wide) - wide, axis=1)
    middle = np.abs(wide[:, 0]) < 0.01
    assert moved[middle].max() < 1e-6
