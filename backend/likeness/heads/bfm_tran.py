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

from likeness.heads.bfm import MILLIMETRE, Bfm
from likeness.heads.bfm_arrays import (
    basis_of,
    colours_of,
    demand,
    landmarks_numbered,
    numbered,
    rows_of,
    scaled_columns,
)

__all__ = ["TranBfm", "trimmed"]

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]

COMPONENTS = 99
"""Of shape, and of texture."""
LANDMARKS = ("innerLandmarkIndex", "outerLandmarkIndex")


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
    demand(selection, ("vertex_indices", "vertex_expr_ref", "tx", "faces", *LANDMARKS), "mod_struct_expr.mat")
    demand(basel, ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV"), "01_MorphableModel.mat")
    kept = numbered(selection["vertex_indices"], len(basel["shapeMU"]) // 3, "mod_struct_expr.mat")
    rows = rows_of(kept)
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
        **{name: selection[name].reshape(-1, 1) for name in LANDMARKS},
    }
    if expression is not None:
        demand(expression, ("mu_exp", "w_exp"), "Model_Expression.mat")
        of = np.asarray(selection["vertex_expr_ref"]).reshape(-1)[kept]
        rows = rows_of(numbered(of, len(expression["mu_exp"]) // 3, "mod_struct_expr.mat"))
        fields |= {
            "expMU": np.asarray(expression["mu_exp"], np.float64)[rows].reshape(-1, 1) / 1000,
            "expPC": np.asarray(expression["w_exp"])[rows] / 1000,
            "expEV": selection["expEV"],
        }
    return fields


@dataclass(frozen=True, eq=False)
class TranBfm:
    """The cut model.

    Attributes:
        model: millimetres, with colours; a coefficient of 1 of shape or colour is one standard deviation.
        expression_mean: (V, 3) float32 millimetres that come with any expression.
        expression_spread: (E,) float32 standard deviations of its coefficients; E is 0 where it was not installed.
    """

    model: Bfm
    expression_mean: Floats
    expression_spread: Floats

    @classmethod
    def of(cls, fields: Arrays, source: str = "BaselFaceModel_mod.mat") -> Self:
        """From the fields of ``BaselFaceModel_mod``.

        Raises:
            HeadError: one is missing, or does not go with the others.
        """
        demand(fields, ("faces", "shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", LANDMARKS[0]), source)
        mean = np.asarray(fields["shapeMU"], np.float32).reshape(-1, 3)
        V, every = len(mean), slice(None)
        moods = np.size(fields["expEV"]) if "expPC" in fields else 0
        still = np.zeros((3 * V, 0), np.float32)
        model = Bfm(
            mean,
            basis_of(scaled_columns(fields["shapePC"], fields["shapeEV"], every, COMPONENTS), V, source),
            basis_of(fields["expPC"] if moods else still, V, source),
            # The inner ones differ from the outer ones on the contour alone.
            landmarks_numbered(fields[LANDMARKS[0]], V, source),
            numbered(fields["faces"], V, source).reshape(-1, 3),
            unit=MILLIMETRE,
            colours=colours_of(
                fields["texMU"], scaled_columns(fields["texPC"], fields["texEV"], every, COMPONENTS), V, source
            ),
        )
        return cls(
            model,
            np.asarray(fields["expMU"] if moods else np.zeros(3 * V), np.float32).reshape(V, 3),
            np.asarray(fields["expEV"] if moods else np.zeros(0), np.float32).reshape(-1),
        )
