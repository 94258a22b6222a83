"""Everybody's eyes shut."""

import pytest
import torch

from likeness.heads.base import HeadModel
from likeness.heads.lids import blink_scale


@pytest.fixture(params=["anny_head", "ict_head"])
def head(request: pytest.FixtureRequest) -> HeadModel:
    found: HeadModel = request.getfixturevalue(request.param)
    return found


def slit(head: HeadModel, vertices: torch.Tensor, side: str) -> float:
    """Metres between the middles of the lids."""
    upper, lower = {"Left": (386, 374), "Right": (159, 145)}[side]
    at = head.landmarks["mediapipe478"].on(vertices, head.triangles)
    return float(at[upper, 1] - at[lower, 1])


def test_lids_meet_on_eyes_of_any_width(head: HeadModel) -> None:
    random = torch.Generator().manual_seed(5)
    for _ in range(12):
        person = head.shape(0.7 * torch.randn(1, len(head.identity), generator=random))[0]
        factors = blink_scale(head, person)
        for side in ("Left", "Right"):
            blink = head.expression_names.index(f"eyeBlink{side}")
            shut = person + factors[blink] * head.expression[blink]
            assert slit(head, person, side) > 0.004
            usual = slit(head, head.template + head.expression[blink], side)
            assert abs(slit(head, shut, side) - min(usual, 0.0)) < 0.0013


def test_a_wider_eye_needs_more_and_other_expressions_stay(head: HeadModel) -> None:
    wide = head.expression_names.index("eyeWideLeft")
    left, right = (head.expression_names.index(f"eyeBlink{side}") for side in ("Left", "Right"))
    usual = blink_scale(head, head.template)
    wider = blink_scale(head, head.template + head.expression[wide])
    assert wider[left] > usual[left] + 0.05
    assert abs(wider[right] - usual[right]) < 0.01
    others = torch.ones(len(usual), dtype=torch.bool)
    others[[left, right]] = False
    assert (wider[others] == 1).all()
