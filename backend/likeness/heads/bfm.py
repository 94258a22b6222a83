"""The Basel Face Model as a linear model of vertices: mean, shape, expression and colour.

Source: Paysan et al., "A 3D Face Model for Pose and Illumination Invariant Face Recognition", AVSS 2009; Gerig et al.,
"Morphable Face Models: An Open Framework", FG 2018 (the 2017 edition). The files are the user's own; nothing of them
is here. `likeness.heads.bfm_files` reads them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.bfm_uv import unwrap

__all__ = ["DECIMETRE", "MICROMETRE", "MILLIMETRE", "Bfm", "Colours"]

Floats = NDArray[np.float32]

MICROMETRE, MILLIMETRE, DECIMETRE = 1e-6, 1e-3, 0.1


@dataclass(frozen=True, eq=False)
class Colours:
    """A linear model of vertex colours.

    Attributes:
        mean: (V, 3) float32 RGB, about 0..1; display values, as the model's authors have them.
        basis: (T, V, 3) float32 per unit of a coefficient.
    """

    mean: Floats
    basis: Floats

    def of(self, coefficients: Floats) -> Floats:
        """(V, 3) RGB, not clipped, from coefficients (T,), or fewer for the first ones."""
        mixed: Floats = self.mean + _mixed(coefficients, self.basis)
        return mixed


@dataclass(frozen=True, eq=False)
class Bfm:
    """A morphable model. +Y up, +Z towards the viewer, +X to the picture's right.

    Attributes:
        mean: (V, 3) float32, in the model's own unit.
        shape: (S, V, 3) and expression: (E, V, 3) float32, displacement per unit of a coefficient.
        keypoints: (68,) int64 vertices of the iBUG landmarks, -1 where they are not known.
        triangles: (F, 3) int64 seen counter-clockwise from outside, or None where no file of them was given.
        uv: (V, 2) float32, origin lower left, or None; `layout` always has some.
        unit: metres per unit.
        colours: of the vertices, or None.
        masks: (V,) bool by name; "skin" for what is bare skin, "front" for what a photo from the front shows well.
    """

    mean: Floats
    shape: Floats
    expression: Floats
    keypoints: NDArray[np.int64]
    triangles: NDArray[np.int64] | None = None
    uv: Floats | None = None
    unit: float = MICROMETRE
    colours: Colours | None = None
    masks: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)

    @classmethod
    def from_noneck(
        cls,
        arrays: Mapping[str, NDArray[Any]],
        triangles: NDArray[Any] | None = None,
        indices: NDArray[Any] | None = None,
        uv: NDArray[Any] | None = None,
        source: str = "bfm_noneck_v3.pkl",
    ) -> Bfm:
        """From the arrays of 3DDFA_V2's files under their own names.

        Args:
            arrays: ``u`` (3V, 1), ``w_shp`` (3V, 40 or more), ``w_exp`` (3V, 10 or more), ``keypoints`` (204,).
            triangles: ``tri.pkl``, (3, F), wound inwards.
            indices: ``indices.npy``, (V,) vertices of the model with neck, to look the UVs up.
            uv: ``BFM_UV.mat``'s UV, (53215, 2).

        Raises:
            HeadError: an array is missing or of a shape that does not go with the others.
        """
        for name in ("u", "w_shp", "w_exp", "keypoints"):
            if name not in arrays:
                raise HeadError(f"{source} lacks the array {name}; it is not 3DDFA_V2's model.")
        mean = np.asarray(arrays["u"], np.float32).reshape(-1)
        rows = len(mean)
        if rows % 3 or any(np.shape(arrays[n])[:1] != (rows,) for n in ("w_shp", "w_exp")):
            raise HeadError(f"{source} has bases that do not fit its mean; download it again.")
        flat = np.asarray(arrays["keypoints"]).astype(np.int64).reshape(-1, 3)
        if flat.shape != (68, 3) or flat.min() < 0 or flat.max() >= rows or (flat[:, 0] % 3).any():
            raise HeadError(f"{source} has keypoints that are not 68 of its vertices; download it again.")
        V = rows // 3

        def basis(name: str, columns: int) -> Floats:
            taken = np.asarray(arrays[name], np.float32)
            if taken.ndim != 2 or taken.shape[1] < columns:
                raise HeadError(f"{source} has {name} with fewer than {columns} columns; use another edition.")
            return np.ascontiguousarray(taken[:, :columns].T.reshape(columns, V, 3))

        faces = None
        if triangles is not None:
            faces = np.ascontiguousarray(np.asarray(triangles).astype(np.int64).T[:, ::-1])
            if faces.ndim != 2 or faces.shape[1] != 3 or faces.min() < 0 or faces.max() >= V:
                raise HeadError("tri.pkl does not fit the model; use the files of one edition.")
        laid = None
        if uv is not None and indices is not None:
            laid = np.asarray(uv, np.float32)[np.asarray(indices).astype(np.int64)]
        return cls(mean.reshape(V, 3), basis("w_shp", 40), basis("w_exp", 10), flat[:, 0] // 3, faces, laid)

    @cached_property
    def layout(self) -> Floats:
        """(V, 2) float32 UVs, origin lower left: the file's where there was one, else computed (two seconds).

        Raises:
            HeadError: the model has neither UVs nor triangles.
        """
        if self.uv is not None:
            return self.uv
        if self.triangles is None:
            raise HeadError("A face model without triangles cannot be laid out; give the file of its triangles, too.")
        return unwrap(self.mean, self.triangles)

    def vertices(self, shape: Floats, expression: Floats, only: NDArray[np.int64] | None = None) -> Floats:
        """(V, 3) in the model's unit from coefficients (S,) and (E,); of some vertices where ``only`` names them."""
        if only is None:
            moved: Floats = self.mean + (_mixed(shape, self.shape) + _mixed(expression, self.expression))
            return moved
        mean, bases = self.mean[only], (self.shape[:, only], self.expression[:, only])
        some: Floats = mean + np.einsum("k,kvc->vc", shape, bases[0]) + np.einsum("k,kvc->vc", expression, bases[1])
        return some

    def metres(self, shape: Floats) -> Floats:
        """(V, 3) metres without expression from coefficients (S,), or fewer for the first ones."""
        moved: Floats = np.float32(self.unit) * (self.mean + _mixed(shape, self.shape))
        return moved

    def motion(self, expression: Floats) -> Floats:
        """(V, 3) metres by which expression coefficients (E,), or the first few, move the vertices."""
        moved: Floats = np.float32(self.unit) * _mixed(expression, self.expression)
        return moved


def _mixed(coefficients: Floats, basis: Floats) -> Floats:
    """(V, 3) from coefficients (K,) and a basis (K or more, V, 3)."""
    used = basis[: len(coefficients)]
    return np.asarray((coefficients @ used.reshape(len(used), -1)).reshape(-1, 3), np.float32)
