"""A head to be photographed: its meshes by material, and where its 68 landmarks lie."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

__all__ = ["Body", "Part", "canonical", "split"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EYE_TO_EYE = 8.92  # centimetres between the outer eye corners of the canonical head
EYE_LINE = np.array([0.0, 3.43, 8.6])


@dataclass(frozen=True, eq=False)
class Part:
    """Faces that share a material.

    Attributes:
        polygons: (F, 4) int64 into the body's vertices, -1 last for triangles.
        uv: (T, 2) in [0, 1], or None for a plain material; polygons_uv: (F, 4) into uv.
    """

    polygons: Ints
    uv: Floats | None = None
    polygons_uv: Ints | None = None


@dataclass(frozen=True, eq=False)
class Body:
    """A topology.

    Attributes:
        name: "ict" or "anny".
        template: (V, 3) float64 metres, +Y up, face along +Z.
        parts: "skin" (with UVs of aspect `aspect`), "eye.L", "eye.R" and any of cornea, lashes, teeth, gums, mouth.
        landmarks: (68, 3) vertex indices, with `weights` (68, 3).
        aspect: width over height of the skin's texture.
    """

    name: str
    template: Floats
    parts: dict[str, Part]
    landmarks: Ints
    weights: Floats
    aspect: int = 1
    hidden: tuple[str, ...] = field(default=("lashes", "cornea"))

    def landmarks_on(self, vertices: Floats) -> Floats:
        """The 68 landmarks (68, 3) on vertices (V, 3)."""
        return np.einsum("lk,lkc->lc", self.weights, vertices[self.landmarks])

    @cached_property
    def skin(self) -> Ints:
        """(T, 3) triangles of the skin."""
        return split(self.parts["skin"].polygons)

    @cached_property
    def solid(self) -> Ints:
        """(T, 3) triangles of everything that hides what lies behind it."""
        return np.concatenate([split(p.polygons) for n, p in self.parts.items() if n not in self.hidden])


def split(polygons: Ints) -> Ints:
    """Quads and triangles (F, 4) to triangles (T, 3)."""
    quads = polygons[polygons[:, 3] >= 0]
    return np.concatenate([polygons[:, :3], quads[:, [0, 2, 3]]])


def canonical(points: Floats, landmarks: Floats) -> Floats:
    """Points (..., 3) in centimetres of a head of standard size, whatever head and unit they come from.

    The outer eye corners lie 8.92 cm apart around (0, 3.43, 8.6); the numbers of the painters are in this frame.
    """
    middle = (landmarks[36] + landmarks[45]) / 2
    scale = EYE_TO_EYE / np.linalg.norm(landmarks[36] - landmarks[45])
    return (points - middle) * scale + EYE_LINE
