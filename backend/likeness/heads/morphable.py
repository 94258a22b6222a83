"""A morphable model as Genova's method and training want it: linear shape, vertex colours, points to align faces by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from likeness.errors import HeadError
from likeness.faces.chip import FIVE as DENSE
from likeness.heads.base import HeadModel, LandmarkEmbedding
from likeness.heads.bfm import Bfm
from likeness.heads.bfm_files import open_bfm
from likeness.heads.library import open_head
from likeness.heads.pigments import Pigments
from likeness.progress import Progress, quiet
from likeness.render.light import srgb_to_linear

__all__ = ["BASEL", "Morphable", "open_morphable"]

BASEL = ("bfm-2019", "bfm-2017", "bfm-2009", "bfm-front")
"""Basel Face Models with colours, by their names in the weights catalogue; the richest first."""
HIDDEN = ("lashes", "wet")  # without their textures they would be masks
FIVE = {"mediapipe478": DENSE, "ibug68": (45, 42, 36, 39, 33)}
"""Outer and inner corner of the eye on the picture's right, of the other one, and under the nose."""
DARKEST = 0.004  # linear reflectance; a sum of modes may be below what any skin is


@dataclass(frozen=True, eq=False)
class Morphable:
    """A linear model of a face.

    Attributes:
        name: of the head model.
        mean: (V, 3) metres, +Y up, looking along +Z; identity: (N, V, 3) and expression: (M, V, 3) displacements;
            identity coefficients are independent N(0, 1).
        expression_names: M names of weights that run 0..1; none where M coefficients are independent N(0, 1).
        triangles: (T, 3) int64 of what a picture shows, anticlockwise from outside.
        skin: (T,) bool, those of skin.
        five, marks: the five points of `FIVE` and the 68 iBUG landmarks, on `triangles`.
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
    skin: Tensor
    five: LandmarkEmbedding
    marks: LandmarkEmbedding
    scalp: Tensor
    colours: Callable[[Tensor], Tensor]
    albedo_count: int

    @classmethod
    def of(cls, head: HeadModel, device: torch.device | None = None) -> Morphable:
        """Any head with identity and landmarks; raises HeadError for one without."""
        embedding = next((head.landmarks[name] for name in FIVE if name in head.landmarks), None)
        if embedding is None or not len(head.identity) or "ibug68" not in head.landmarks:
            raise HeadError(f"The head {head.name} has no landmarks or no identity; train with another one.")
        which = list(next(FIVE[name] for name in FIVE if name in head.landmarks))
        shown = ~head.region(*HIDDEN)
        place = torch.full((len(shown),), -1)
        place[shown] = torch.arange(int(shown.sum()))
        device = device or torch.device("cpu")

        def moved(marks: LandmarkEmbedding) -> LandmarkEmbedding:
            on = torch.where(marks.triangle < 0, -1, place[marks.triangle])
            return LandmarkEmbedding(on.to(device), marks.barycentric.to(device))

        pigments = Pigments.of(head).to(device)
        scalp = head.groups.get("scalp", torch.zeros(len(head.template)))
        return cls(
            head.name,
            head.template.to(device),
            head.identity.to(device),
            head.expression.to(device),
            head.expression_names,
            head.triangles[shown].to(device),
            head.region("skin")[shown].to(device),
            moved(LandmarkEmbedding(embedding.triangle[which], embedding.barycentric[which])),
            moved(head.landmarks["ibug68"]),
            scalp.to(device),
            pigments.colours,
            len(pigments.modes),
        )

    @classmethod
    def of_basel(cls, name: str, model: Bfm, device: torch.device | None = None) -> Morphable:
        """A Basel Face Model with its own colours; raises HeadError for one without colours, triangles or landmarks."""
        if model.colours is None or model.triangles is None:
            raise HeadError(f"{name} has no colours or no triangles; train with one of {', '.join(BASEL)}.")
        if (model.keypoints[list(FIVE["ibug68"])] < 0).any():
            raise HeadError(f"{name} does not say where eyes and nose are; install it again with its landmarks.")
        device = device or torch.device("cpu")
        triangles = torch.from_numpy(np.ascontiguousarray(model.triangles))
        marks = _at_vertices(model.keypoints, triangles)
        which = list(FIVE["ibug68"])
        mean, modes = (torch.from_numpy(part).to(device) for part in (model.colours.mean, model.colours.basis))

        def colours(coefficients: Tensor) -> Tensor:
            display = mean + (coefficients @ modes.flatten(1)).reshape(len(coefficients), -1, 3)
            return srgb_to_linear(display.clamp(0, 1)).clamp(min=DARKEST)

        vertices = len(model.mean)
        bases = (torch.from_numpy(basis).float() * model.unit for basis in (model.shape, model.expression))
        identity, expression = (basis.reshape(-1, vertices, 3).to(device) for basis in bases)
        return cls(
            name,
            (torch.from_numpy(model.mean).double() * model.unit).float().to(device),
            identity,
            expression,
            (),
            triangles.to(device),
            torch.ones(len(triangles), dtype=torch.bool, device=device),
            LandmarkEmbedding(marks.triangle[which].to(device), marks.barycentric[which].to(device)),
            LandmarkEmbedding(marks.triangle.to(device), marks.barycentric.to(device)),
            torch.zeros(vertices, device=device),
            colours,
            len(modes),
        )

    def vertices(self, identity: Tensor, expression: Tensor) -> Tensor:
        """(B, V, 3) metres from identity (B, N) and expression (B, M); differentiable."""
        flat = identity @ self.identity.flatten(1) + expression @ self.expression.flatten(1)
        return self.mean + flat.reshape(len(identity), -1, 3)


def open_morphable(name: str, device: torch.device | None = None, progress: Progress = quiet) -> Morphable:
    """A head by its name in `likeness heads`, or one of `BASEL` as the user has installed it.

    Raises:
        HeadError, WeightsError: there is no such model, it is not installed, or it lacks what is needed.
    """
    if name in BASEL:
        return Morphable.of_basel(name, open_bfm(name, open_head("anny", progress)), device)
    return Morphable.of(open_head(name, progress), device)


def _at_vertices(vertices: np.ndarray[tuple[int], np.dtype[np.int64]], triangles: Tensor) -> LandmarkEmbedding:
    """Landmarks at vertices (L,), -1 where not known, on a triangle that each is a corner of."""
    flat = triangles.flatten()
    first = torch.full((int(flat.max()) + 1,), -1)
    first[flat.flip(0)] = torch.arange(len(flat) - 1, -1, -1)
    at = torch.from_numpy(vertices)
    known = (at >= 0) & (at < len(first))
    corner = torch.where(known, first[at.clamp(0, len(first) - 1)], -1)
    barycentric = torch.zeros(len(at), 3)
    barycentric[torch.arange(len(at)), corner % 3] = 1
    return LandmarkEmbedding(torch.where(corner < 0, -1, corner // 3), barycentric)
