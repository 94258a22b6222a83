"""The landmarks of a head as a linear model, and what the landmark network makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.base import HeadModel

__all__ = ["LandmarkModel", "landmark_model"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LandmarkModel:
    """Embedded landmarks, linear in the head's coefficients; metres in the head's frame.

    Attributes:
        index: (K,) int64, which of the 478 points the head has.
        mean: (K, 3); identity: (N, K, 3) per coefficient; expression: (M, K, 3) per weight.
    """

    index: NDArray[np.int64]
    mean: Floats
    identity: Floats
    expression: Floats

    def at(self, identity: Floats, expression: Floats) -> Floats:
        """(K, 3) metres from coefficients (N,) and weights (M,)."""
        placed: Floats = (
            self.mean + np.tensordot(identity, self.identity, 1) + np.tensordot(expression, self.expression, 1)
        )
        return placed


def landmark_model(head: HeadModel) -> LandmarkModel:
    """The head's "mediapipe478" landmarks; raises HeadError where it has none."""
    embedding = head.landmarks.get("mediapipe478")
    if embedding is None:
        raise HeadError(f"The head {head.name} has no face landmarks; delete its cached file and it is made anew.")
    index = np.flatnonzero(embedding.triangle.numpy() >= 0)
    corners = head.triangles[embedding.triangle[index]].numpy()
    weights = embedding.barycentric[index].numpy().astype(np.float64)

    def on(values: NDArray[np.float32]) -> Floats:
        placed: Floats = np.einsum("kc,...kcd->...kd", weights, values[..., corners, :].astype(np.float64))
        return placed

    return LandmarkModel(index, on(head.template.numpy()), on(head.identity.numpy()), on(head.expression.numpy()))
