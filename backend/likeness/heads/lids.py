"""Blinks that shut: how much farther or less far the lids of one person travel than those of the mean head."""

from __future__ import annotations

import torch
from torch import Tensor

from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import LOWER_LIDS, UPPER_LIDS

__all__ = ["blink_scale"]

LIMITS = (0.7, 1.5)
SLIT = 0.0  # metres between the middles of shut lids
MIDDLE = slice(3, 6)  # of an eye's seven points on each lid: where it opens widest


def blink_scale(head: HeadModel, vertices: Tensor) -> Tensor:
    """Factors (M,) for the head's expressions on one person: 1 for all but eyeBlinkLeft and eyeBlinkRight.

    An expression is the same displacement on everybody, so a wide eye stays open a slit and a narrow one crosses its
    lids. The factor brings everybody's lids as near to each other as on the mean head, or nearer where that one does
    not shut its eyes. A weight fitted with the head's own expression is divided by it.

    Args:
        vertices: (V, 3) metres, the person's neutral head.
    """
    factors = torch.ones(len(head.expression))
    embedding = head.landmarks.get("mediapipe478")
    if embedding is None:
        return factors
    for side, first in (("Right", 0), ("Left", 7)):
        name = f"eyeBlink{side}"
        if name not in head.expression_names:
            continue
        upper, lower = list(UPPER_LIDS[first : first + 7][MIDDLE]), list(LOWER_LIDS[first : first + 7][MIDDLE])
        index = head.expression_names.index(name)

        def gap(shape: Tensor, upper: list[int] = upper, lower: list[int] = lower) -> Tensor:
            at = embedding.on(shape, head.triangles)
            return (at[upper, 1] - at[lower, 1]).mean()

        shut = gap(head.template + head.expression[index])
        travel = gap(head.template) - shut
        factors[index] = ((gap(vertices) - shut.clamp(max=SLIT)) / travel).clamp(*LIMITS)
    return factors
