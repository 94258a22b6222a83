"""A morphable model as the training wants it: linear shape, vertex colours, the points that faces are aligned by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from likeness.errors import HeadError
from likeness.faces.chip import FIVE as DENSE
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.pigments import Pigments

__all__ = ["Morphable"]

HIDDEN = ("lashes", "wet")  # without their textures they would be masks
FIVE = {"mediapipe478": DENSE, "ibug68": (45, 42, 36, 39, 33)}
"""Outer and inner corner of the eye on the picture's right, of the other one, and under the nose."""


@dataclass(frozen=True, eq=False)
class Morphable:
    """A linear model of a face.

    Attributes:
        name: of the head model.
        mean: (V, 3) metres, +Y up, looking along +Z; identity: (N, V, 3) and expression: (M, V, 3) displacements;
            identity coefficients are independent N(0, 1), expression weights run 0..1.
        expression_names: M names.
        triangles: (T, 3) int64 of what a picture shows, anticlockwise from outside.
        five: the five points of `FIVE`, on `triangles`.
        scalp: (V,) 0..1, where hair grows; 0 for models without.
        colours: linear reflectance (B, V, 3) from `albedo_count` coefficients (B, K), independent N(0, 1).
        albedo_count: K.
    """

    name: str
    mean: Tensor
    identity: Tensor
    expression: Tensor
    expression_names: tuple[str, ...]
    triangles: Tensor
    five: LandmarkEmbedding
    scalp: Tensor
    colours: Callable[[Tensor], Tensor]
    albedo_count: int

    @classmethod
    def of(cls, head: HeadModel, device: torch.device | None = None) -> Morphable:
        """Any head with identity and landmarks; raises HeadError for one without."""
        embedding = next((head.landmarks[name] for name in FIVE if name in head.landmarks), None)
        if embedding is None or not len(head.identity) or "ibug68" not in head.landmarks:
            raise HeadError(f"The head {head.name} has no landmarks or no identity; train with another one.")
        which = torch.tensor(next(FIVE[name] for name in FIVE if name in head.landmarks))
        shown = ~head.region(*HIDDEN)
        place = torch.full((len(shown),), -1)
        place[shown] = torch.arange(int(shown.sum()))
        device = device or torch.device("cpu")
        five = LandmarkEmbedding(place[embedding.triangle[which]].to(device), embedding.barycentric[which].to(device))
        pigments = Pigments.of(head).to(device)
        scalp = head.groups.get("scalp", torch.zeros(len(head.template)))
        return cls(
            head.name,
            head.template.to(device),
            head.identity.to(device),
            head.expression.to(device),
            head.expression_names,
            head.triangles[shown].to(device),
            five,
            scalp.to(device),
            pigments.colours,
            len(pigments.modes),
        )

    def vertices(self, identity: Tensor, expression: Tensor) -> Tensor:
        """(B, V, 3) metres from identity (B, N) and expression (B, M); differentiable."""
        flat = identity @ self.identity.flatten(1) + expression @ self.expression.flatten(1)
        return self.mean + flat.reshape(len(identity), -1, 3)
