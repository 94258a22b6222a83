"""The Basel Face Model 2009 as 3dmm_cnn cuts it: 46,990 vertices, 99 components each of shape and texture.

Source: Tran, Hassner, Masi and Medioni, "Regressing Robust and Discriminative 3D Morphable Models with a very Deep
Neural Network", CVPR 2017; the cut is that of its ``trimBaselFace.py`` as specified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from likeness.errors import HeadError
from likeness.heads.bfm import MILLIMETRE, Bfm

__all__ = ["COMPONENTS", "TexturedBfm", "trimmed"]

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]

COMPONENTS = 99
"""Of shape, and of texture."""


def trimmed(basel: Arrays, selection: Arrays, expression: Arrays | None = None) -> dict[str, NDArray[Any]]:
    """The fields of ``BaselFaceModel_mod`` out of the files it is made from.

    Args:
        basel: ``01_MorphableModel.mat``, micrometres: ``shapeMU`` (160470, 1), ``shapePC`` (160470, 199), …
        selection: ``mod_struct_expr.mat``: ``vertex_indices``, ``faces``, …, counted from 1.
        expression: 3DDFA's ``Model_Expression.mat``: ``mu_exp`` (159645, 1), ``w_exp`` (159645, 29).

    Returns:
        Of the V vertices kept: ``shapeMU`` (3V, 1) millimetres, ``shapePC`` (3V, 99), ``shapeEV`` (99, 1), ``texMU``,
        ``texPC``, ``texEV`` in 0..255, ``faces``, ``innerLandmarkIndex``, ``outerLandmarkIndex``; and where there is an
        expression ``expMU`` (3V, 1), ``expPC`` (3V, 29), ``expEV`` (29, 1).

    Raises:
        HeadError: an array is missing, or the files do not go together.
    """
    _demand(selection, ("vertex_indices", "vertex_expr_ref", "tx", "faces"), "mod_struct_expr.mat")
    _demand(basel, ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV"), "01_MorphableModel.mat")
    kept = _places(selection["vertex_indices"], len(basel["shapeMU"]) // 3, "01_MorphableModel.mat")
    rows = (3 * kept[:, None] + np.arange(3)).ravel()
    mean = np.asarray(basel["shapeMU"], np.float64)[rows].reshape(-1, 1) / 1000
    mean[0::3] += float(np.asarray(selection["tx"]).reshape(-1)[0])
    fields: dict[str, NDArray[Any]] = {
        "faces": selection["faces"],
        "shapeMU": mean,
        "shapePC": np.asarray(basel["shapePC"])[rows, :COMPONENTS],
        "shapeEV": np.asarray(basel["shapeEV"], np.float64).reshape(-1, 1)[:COMPONENTS] / 1000,
        "texMU": np.asarray(basel["texMU"])[rows].reshape(-1, 1),
        "texPC": np.asarray(basel["texPC"])[rows, :COMPONENTS],
        "texEV": np.asarray(basel["texEV"]).reshape(-1, 1)[:COMPONENTS],
    }
    fields |= {n: selection[n].reshape(-1, 1) for n in ("innerLandmarkIndex", "outerLandmarkIndex") if n in selection}
    if expression is not None:
        _demand(expression, ("mu_exp", "w_exp"), "Model_Expression.mat")
        of = np.asarray(selection["vertex_expr_ref"]).reshape(-1)[kept]
        at = _places(of, len(expression["mu_exp"]) // 3, "Model_Expression.mat")
        rows = (3 * at[:, None] + np.arange(3)).ravel()
        fields |= {
            "expMU": np.asarray(expression["mu_exp"], np.float64)[rows].reshape(-1, 1) / 1000,
            "expPC": np.asarray(expression["w_exp"])[rows] / 1000,
            "expEV": selection["expEV"],
        }
    return fields


@dataclass(frozen=True, eq=False)
class TexturedBfm:
    """A face of shape and colour.

    Attributes:
        model: its shape, a coefficient of 1 being one standard deviation; its expression where that is installed.
        expression_mean: (V, 3) float32 millimetres that come with any expression.
        expression_spread: (E,) float32 standard deviations of its coefficients.
        mean: (V, 3) float32 and colours: (99, V, 3) float32, RGB in 0..255.
    """

    model: Bfm
    expression_mean: Floats
    expression_spread: Floats
    mean: Floats
    colours: Floats

    @classmethod
    def of(cls, fields: Arrays, source: str = "BaselFaceModel_mod.mat") -> Self:
        """From the fields of ``BaselFaceModel_mod``.

        Raises:
            HeadError: one is missing, or does not go with the others.
        """
        _demand(fields, ("faces", "shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV"), source)
        _demand(fields, ("innerLandmarkIndex",), source)
        rows = np.size(fields["shapeMU"])
        V = rows // 3

        def vectors(name: str, columns: int = COMPONENTS) -> Floats:
            taken = np.asarray(fields[name], np.float32)
            if taken.shape != (rows, columns):
                raise HeadError(f"{source} has {name} of shape {taken.shape} where {(rows, columns)} belongs.")
            return np.ascontiguousarray(taken.T).reshape(columns, V, 3)

        faces = _places(fields["faces"], V, source).reshape(-1, 3)
        keypoints = _places(fields["innerLandmarkIndex"], V, source)
        if len(keypoints) != 68:
            raise HeadError(f"{source} has {len(keypoints)} landmarks where 68 belong.")
        shape = vectors("shapePC") * np.asarray(fields["shapeEV"], np.float32).reshape(-1, 1, 1)
        colours = vectors("texPC") * np.asarray(fields["texEV"], np.float32).reshape(-1, 1, 1)
        moods = np.size(fields["expEV"]) if "expPC" in fields else 0
        return cls(
            Bfm(
                np.asarray(fields["shapeMU"], np.float32).reshape(V, 3),
                shape,
                vectors("expPC", moods) if moods else np.zeros((0, V, 3), np.float32),
                keypoints,
                faces,
                unit=MILLIMETRE,
            ),
            np.asarray(fields["expMU"] if moods else np.zeros(rows), np.float32).reshape(V, 3),
            np.asarray(fields["expEV"] if moods else np.zeros(0), np.float32).reshape(-1),
            np.asarray(fields["texMU"], np.float32).reshape(V, 3),
            colours,
        )

    def texture(self, coefficients: Floats) -> Floats:
        """(V, 3) RGB in 0..255 from coefficients (99,)."""
        flat = coefficients @ self.colours.reshape(len(self.colours), -1)
        seen: Floats = np.clip(self.mean + flat.reshape(-1, 3), 0, 255)
        return seen


def _demand(arrays: Arrays, names: tuple[str, ...], source: str) -> None:
    for name in names:
        if name not in arrays:
            raise HeadError(f"{source} lacks {name}; it is not the file that 3dmm_cnn uses.")


def _places(numbers: NDArray[Any], count: int, source: str) -> NDArray[np.int64]:
    """Numbers counted from 1 as places (n,) among ``count``."""
    places: NDArray[np.int64] = np.asarray(numbers).reshape(-1).astype(np.int64) - 1
    if not len(places) or places.min() < 0 or places.max() >= count:
        raise HeadError(
            f"{source} and the numbers of 3dmm_cnn's vertices do not go together; use files of one edition."
        )
    return places
