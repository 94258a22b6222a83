"""The Basel Face Models out of the user's own installed files, cut and scaled as the methods' authors do it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.errors import HeadError
from likeness.heads.base import HeadModel
from likeness.heads.bfm import DECIMETRE, MICROMETRE, MILLIMETRE, Bfm, Colours
from likeness.heads.bfm_arrays import (
    basis_of,
    colours_of,
    demand,
    landmarks_numbered,
    numbered,
    rows_of,
    scaled_columns,
)
from likeness.heads.embedding_points import IBUG68
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.weights import catalog, store

__all__ = [
    "FRONT",
    "basel_2009",
    "basel_hdf5",
    "cut_front",
    "front",
    "open_bfm",
    "open_front",
    "outward",
    "with_landmarks",
]

Arrays = Mapping[str, NDArray[Any]]
Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

FRONT = "bfm-front"
BASEL, EXPRESSION, DATA = "bfm-2009", "bfm-expression", "deep3d-data"
"""What the front is cut from where it is not given ready made."""
NONECK = "3ddfa-bfm"
IDENTITY, EXPRESSIONS, TEXTURE = 80, 64, 80
"""Components that Deep3D uses of each basis."""
TO_DECIMETRES = np.float32(1e5)

# --- Deep3D's front of the 2009 edition


def cut_front(basel: Arrays, expression: Arrays, info: Arrays, front: NDArray[Any], trim: NDArray[Any]) -> Arrays:
    """The fields of ``BFM_model_front.mat`` out of the files that Deep3D makes it from.

    Args:
        basel: ``01_MorphableModel.mat``, micrometres and 0..255.
        expression: ``components`` (159645, 79) of ``Exp_Pca.bin`` and ``deviation`` (79,) of ``std_exp.txt``.
        info: ``facemodel_info.mat``, whose fields are taken over.
        front: ``idx`` (V, 1) of ``BFM_front_idx.mat``, vertices of the expression basis, counted from 1.
        trim: ``trimIndex`` (53215, 1) of ``BFM_exp_idx.mat``: those as vertices of the model, counted from 1.

    Returns:
        meanshape, meantex (1, 3V), idBase (3V, 80), exBase (3V, 64), texBase (3V, 80) in decimetres and 0..255, and
        tri, point_buf, keypoints, … as they are.

    Raises:
        HeadError: an array is missing, or numbers point outside of what they number.
    """
    demand(basel, ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV"), "01_MorphableModel.mat")
    demand(expression, ("components", "deviation"), "Exp_Pca.bin")
    of_expression = numbered(front, len(expression["components"]) // 3, "BFM_front_idx.mat")
    trimmed = numbered(trim, len(basel["shapeMU"]) // 3, "BFM_exp_idx.mat")
    if of_expression.max() >= len(trimmed):
        raise HeadError("BFM_front_idx.mat and BFM_exp_idx.mat do not go together; use the files of one edition.")
    at = rows_of(trimmed[of_expression])
    moods = scaled_columns(expression["components"], expression["deviation"], rows_of(of_expression), EXPRESSIONS)
    made = {
        "meanshape": basel["shapeMU"].reshape(1, -1)[:, at] / TO_DECIMETRES,
        "meantex": basel["texMU"].reshape(1, -1)[:, at],
        "idBase": scaled_columns(basel["shapePC"], basel["shapeEV"], at, IDENTITY) / TO_DECIMETRES,
        "exBase": moods / TO_DECIMETRES,
        "texBase": scaled_columns(basel["texPC"], basel["texEV"], at, TEXTURE),
    }
    return {**info, **made}


def front(fields: Arrays, source: str = "BFM_model_front.mat", uv: Floats | None = None) -> Bfm:
    """The model from the fields of ``BFM_model_front.mat``, its mean's middle at the origin, as Deep3D has it.

    Args:
        uv: (V, 2) of the vertices, where known.

    Raises:
        HeadError: a field is missing, or does not go with the others.
    """
    demand(fields, ("meanshape", "meantex", "idBase", "exBase", "texBase", "tri", "keypoints"), source)
    mean = np.asarray(fields["meanshape"], np.float32).reshape(-1, 3)
    V = len(mean)
    masks = {}
    if "skinmask" in fields:
        masks["skin"] = np.asarray(fields["skinmask"]).reshape(-1) > 0.5
    if "frontmask2_idx" in fields:
        masks["front"] = np.zeros(V, bool)
        masks["front"][numbered(fields["frontmask2_idx"], V, source)] = True
    if any(mask.shape != (V,) for mask in masks.values()):
        raise HeadError(f"{source} has a mask that does not fit its {V} vertices; use the files of one edition.")
    return Bfm(
        mean - mean.mean(0, dtype=np.float64).astype(np.float32),
        basis_of(fields["idBase"], V, source),
        basis_of(fields["exBase"], V, source),
        landmarks_numbered(fields["keypoints"], V, source),
        numbered(fields["tri"], V, source).reshape(-1, 3),
        uv,
        unit=DECIMETRE,
        colours=colours_of(fields["meantex"], fields["texBase"], V, source),
        masks=masks,
    )


# --- Basel's own editions


def basel_2009(basel: Arrays, expression: Arrays | None = None, places: Arrays | None = None) -> Bfm:
    """The whole face of ``01_MorphableModel.mat``, 53,490 vertices.

    Args:
        basel: its arrays.
        expression: as `cut_front` takes it; without it the model has no expression.
        places: ``select_id``, ``keypoints``, ``trimIndex`` of Deep3D's files: where the landmarks and the expression
            basis lie on it; without them it has neither.

    Raises:
        HeadError: an array is missing, or they do not go together.
    """
    source = "01_MorphableModel.mat"
    demand(basel, ("shapeMU", "shapePC", "shapeEV", "texMU", "texPC", "texEV", "tl"), source)
    mean = np.asarray(basel["shapeMU"], np.float32).reshape(-1, 3)
    V, every = len(mean), np.arange(basel["shapeMU"].size)
    moods, keypoints = np.zeros((0, V, 3), np.float32), np.full(68, -1)
    if places is not None:
        selected = numbered(places["select_id"], V, "select_vertex_id.mat")
        keypoints = selected[landmarks_numbered(places["keypoints"], len(selected), "facemodel_info.mat")]
        if expression is not None:
            trimmed = numbered(places["trimIndex"], V, "BFM_exp_idx.mat")
            flat = scaled_columns(
                expression["components"], expression["deviation"], slice(None), len(expression["deviation"])
            )
            if len(flat) != 3 * len(trimmed):
                raise HeadError("Exp_Pca.bin and BFM_exp_idx.mat do not go together; use the files of one edition.")
            moods = np.zeros((flat.shape[1], V, 3), np.float32)
            moods[:, trimmed] = flat.T.reshape(len(moods), -1, 3)
    return Bfm(
        mean,
        basis_of(scaled_columns(basel["shapePC"], basel["shapeEV"], every, basel["shapeEV"].size), V, source),
        moods,
        keypoints,
        outward(mean, numbered(basel["tl"], V, source).reshape(-1, 3)),
        unit=MICROMETRE,
        colours=colours_of(
            basel["texMU"], scaled_columns(basel["texPC"], basel["texEV"], every, basel["texEV"].size), V, source
        ),
    )


def basel_hdf5(arrays: Arrays, source: str = "the Basel Face Model") -> Bfm:
    """The 2017 and 2019 editions, as statismo lays models out: millimetres, colours in 0..1, variances.

    The mean holds the mean expression. The 68 landmarks are not known; `with_landmarks` finds them.

    Raises:
        HeadError: a data set is missing, or they do not go together.
    """
    parts = ("shape", "expression", "color")
    demand(
        arrays, tuple(f"{part}/model/{name}" for part in parts for name in ("mean", "pcaBasis", "pcaVariance")), source
    )
    demand(arrays, ("shape/representer/cells",), source)
    means = {part: np.asarray(arrays[f"{part}/model/mean"], np.float32).reshape(-1) for part in parts}
    V = len(means["shape"]) // 3
    if any(mean.shape != (3 * V,) for mean in means.values()):
        raise HeadError(f"{source} has means of different lengths; get the file again.")
    mean = (means["shape"] + means["expression"]).reshape(V, 3)
    bases = {
        part: scaled_columns(
            arrays[f"{part}/model/pcaBasis"],
            np.sqrt(np.maximum(arrays[f"{part}/model/pcaVariance"], 0)),
            slice(None),
            np.size(arrays[f"{part}/model/pcaVariance"]),
        )
        for part in parts
    }
    cells = numbered(np.asarray(arrays["shape/representer/cells"]).T + 1, V, source).reshape(-1, 3)
    return Bfm(
        mean,
        basis_of(bases["shape"], V, source),
        basis_of(bases["expression"], V, source),
        np.full(68, -1),
        outward(mean, cells),
        unit=MILLIMETRE,
        colours=Colours(means["color"].reshape(V, 3), basis_of(bases["color"], V, source)),
    )


def with_landmarks(model: Bfm, head: HeadModel | None) -> Bfm:
    """The model with its 68 landmarks as the landmark network sees them on its coloured mean.

    Args:
        head: with the embedding "mediapipe478", which says what a face looks like; without one the model stays.

    Raises:
        HeadError: no face is seen on the model.
        WeightsError: the networks cannot be fetched or read.
    """
    if head is None or model.triangles is None:
        return model
    metres = model.unit * model.mean.astype(np.float64)
    painted = None if model.colours is None else np.clip(model.colours.mean, 0, 1)
    seen = find_on_mesh(head, FaceMesh(metres, model.triangles, painted)).landmarks[list(IBUG68)]
    known = np.isfinite(seen).all(1)
    keypoints = np.full(68, -1)
    keypoints[known] = cKDTree(metres).query(seen[known])[1]
    return replace(model, keypoints=keypoints)


def outward(vertices: Floats, triangles: Ints) -> Ints:
    """Triangles (F, 3) wound so that a face, or a closed head, is seen counter-clockwise from outside."""
    a, b, c = (vertices[triangles[:, k]].astype(np.float64) for k in range(3))
    across = np.cross(b - a, c - a)
    out = (across * ((a + b + c) / 3 - vertices.mean(0))).sum()
    return triangles if out > 0 else np.ascontiguousarray(triangles[:, ::-1])


# --- From the store


def open_bfm(name: str, head: HeadModel | None = None) -> Bfm:
    """An installed edition by its name in the weights catalogue.

    Args:
        name: "bfm-front", "bfm-2009", "bfm-2017", "bfm-2019" or "3ddfa-bfm".
        head: with it the editions that do not say where their landmarks are get them, see `with_landmarks`.

    Raises:
        WeightsError: something is not installed; the sentence says how to get it.
        HeadError: there is no such edition, or files do not go together.
    """
    title = catalog.entry(name).title
    if name == FRONT:
        return open_front()
    weights = store.open_weights(name)
    if name == NONECK:
        uv = weights.tensor("uv/UV") if weights.names("uv/UV") else None
        return Bfm.from_noneck(
            weights.tensors("model/"), weights.tensor("triangles"), weights.tensor("indices"), uv, title
        )
    if name == BASEL:
        known = store.installed(DATA)
        places = _data_arrays() if known else None
        return basel_2009(
            weights.tensors("model/"), _expression() if known and store.installed(EXPRESSION) else None, places
        )
    if name in ("bfm-2017", "bfm-2019"):
        part = weights.names()[0].split("/")[0]
        return with_landmarks(basel_hdf5(weights.tensors(f"{part}/"), title), head)
    raise HeadError(f"{name} is no Basel Face Model.")


def open_front() -> Bfm:
    """Deep3D's front, ready made or cut from the model and what goes with it; kept for the next time.

    Raises:
        WeightsError, HeadError: see `open_bfm`.
    """
    return _open_front(store.stamp((FRONT, BASEL, EXPRESSION, DATA, NONECK)))


@lru_cache(maxsize=1)
def _open_front(_: tuple[tuple[str, float], ...]) -> Bfm:
    if store.installed(FRONT):
        uv = _uv(_data_arrays()["idx"]) if store.installed(DATA) else None
        return front(store.open_weights(FRONT).tensors("model/"), catalog.entry(FRONT).title, uv)
    basel, data = store.open_weights(BASEL), _data_arrays()
    fields = cut_front(basel.tensors("model/"), _expression(), data, data["idx"], data["trimIndex"])
    return front(fields, catalog.entry(BASEL).title, _uv(data["idx"]))


def _uv(numbers: NDArray[Any]) -> Floats | None:
    """``BFM_UV.mat``'s UVs of the expression basis' vertices, counted from 1; None where it is not installed."""
    if not store.installed(NONECK) or not store.open_weights(NONECK).names("uv/UV"):
        return None
    every = store.open_weights(NONECK).tensor("uv/UV")
    return np.asarray(every, np.float32)[numbered(numbers, len(every), "BFM_UV.mat")]


def _expression() -> Arrays:
    weights = store.open_weights(EXPRESSION)
    return {"components": weights.tensor("basis/components"), "deviation": weights.tensor("deviation")}


def _data_arrays() -> Arrays:
    """What Deep3D's index files hold, by their own names."""
    weights = store.open_weights(DATA)
    return {name.split("/")[-1]: weights.tensor(name) for name in weights.names()}
