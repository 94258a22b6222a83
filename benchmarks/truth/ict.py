"""Heads drawn from ICT-FaceKit (USC ICT, MIT licence; https://github.com/ICT-VGL/ICT-FaceKit), packed as one npz."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from truth.body import Body, Part

__all__ = ["Ict"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SKIN = range(0, 11248)
RANGES = {
    "mouth": range(11248, 13294),
    "sockets": range(13294, 14062),
    "gums": range(14062, 17039),
    "teeth": range(17039, 21451),
    "cornea.L": range(21451, 22221),
    "eye.L": range(22221, 23021),
    "cornea.R": range(23021, 23791),
    "eye.R": range(23791, 24591),
    "lashes": (*range(25351, 25693), *range(26035, 26377)),
}
"""Vertices. The wet film, the eye blend, the occlusion meshes and the lower lashes are left out."""


@dataclass(frozen=True, eq=False)
class Ict:
    """The model: metres, +Y up, face along +Z, the file's own origin.

    Attributes:
        body: topology and mean head; vertices in the file's order.
        identity: (100, V, 3) deltas, coefficients N(0, 1).
        expression: (57, V, 3) deltas; names: 57 names.
    """

    body: Body
    identity: Floats
    expression: Floats
    names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Ict:
        """Read the npz."""
        with np.load(path) as data:
            vertices = data["neutral"].astype(np.float64) / 100
            identity = data["identity"].astype(np.float64) / 100
            expression = data["expression"].astype(np.float64) / 100
            names = tuple(str(n) for n in data["names"])
            polygons, polygons_uv = data["faces"].astype(np.int64), data["faces_uv"].astype(np.int64)
            uv = data["uv"].astype(np.float64)
            index = json.loads(str(data["vertex_indices_json"]))
        first = polygons[:, 0]

        def faces(of: Sequence[int]) -> NDArray[np.bool_]:
            return np.isin(first, of)

        # The face and the back of the head lie on two tiles side by side: one picture, twice as wide.
        parts = {"skin": Part(polygons[faces(SKIN)], uv * [0.5, 1.0], polygons_uv[faces(SKIN)])}
        parts |= {name: Part(polygons[faces(of)]) for name, of in RANGES.items() if "." not in name}
        for side in "LR":
            ball, shell = polygons[faces(RANGES[f"eye.{side}"])], polygons[faces(RANGES[f"cornea.{side}"])]
            parts[f"eye.{side}"] = Part(ball)
            parts[f"cornea.{side}"] = Part(shell)
        points = np.array(index["idx_to_landmark_verts"], np.int64)
        weights = np.tile([1.0, 0.0, 0.0], (68, 1))
        body = Body("ict", vertices, parts, np.tile(points[:, None], 3), weights, aspect=2,
                    hidden=("lashes", "cornea.L", "cornea.R"))  # fmt: skip
        return cls(body, identity, expression, names)

    def shape(self, identity: Floats, expression: Floats | None = None) -> Floats:
        """Vertices (V, 3) metres from coefficients (100,) and weights (57,)."""
        vertices = self.body.template + np.tensordot(identity, self.identity, 1)
        return vertices if expression is None else vertices + np.tensordot(expression, self.expression, 1)
