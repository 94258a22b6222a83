"""What the originals of Deep3D were given: files in the official layouts, made from names and a seed alone.

Small where the originals do not fix a size: the face is a patch of 20 by 21 vertices on a dome.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fill import fill
from scipy.io import savemat

from likeness.weights import catalog

DATA = Path(__file__).parent / "data" / "deep3d"
SHAPE, EXPRESSION = 700, 53215
"""Vertices of the stand-in's whole face, and of the expression basis, which the original fixes."""
ROWS, COLUMNS = 20, 21
FRONT = ROWS * COLUMNS


def case(name: str) -> Any:
    return np.load(DATA / f"{name}.npz")


def drawn(given: Any) -> dict[str, np.ndarray]:
    """The weights of a network by the originals' names: rows of name, shape, kind, and a factor where there is one."""
    found = {}
    for name, shape, kind, *factor in json.loads(str(given["params"])):
        if kind == "count":
            found[name] = np.zeros(shape, np.int64)
        else:
            found[name] = fill(name, shape, kind) * np.float32(factor[0] if factor else 1)
    return found


def of_any_size(patch: pytest.MonkeyPatch) -> None:
    """Let the catalogue take files of other sizes than the official ones; everything else is as ever."""
    entries = {
        name: dataclasses.replace(entry, files=tuple(dataclasses.replace(f, expect={}) for f in entry.files))
        for name, entry in catalog.load().items()
    }
    patch.setattr(catalog, "load", lambda: entries)


def coefficients() -> np.ndarray:
    """(3, 257)"""
    c = fill("deep3d/coeff", (3, 257), "basis").copy()
    for part, size in ((slice(224, 227), 0.3), (slice(227, 254), 0.2), (slice(254, 257), 0.3)):
        c[:, part] *= np.float32(size)
    return c


def write_model(folder: Path) -> None:
    """The six files of its BFM folder."""
    row, column = np.meshgrid(np.linspace(1, -1, ROWS), np.linspace(-1, 1, COLUMNS), indexing="ij")
    dome = np.stack([column * 0.8, row, 0.9 - 0.45 * (column**2 + row**2)], -1).reshape(-1, 3) * 1e5
    corner = (np.arange(ROWS - 1)[:, None] * COLUMNS + np.arange(COLUMNS - 1)).ravel()
    cells = np.stack([corner, corner + COLUMNS, corner + 1, corner + 1, corner + COLUMNS, corner + COLUMNS + 1], 1)
    triangles = cells.reshape(-1, 3) + 1

    front = np.argsort(fill("deep3d/front_idx", (EXPRESSION,), "uniform"), kind="stable")[:FRONT]
    trim = (fill("deep3d/trim_idx", (EXPRESSION,), "uniform").astype(np.float64) * SHAPE).astype(int)
    trim[front] = np.argsort(fill("deep3d/shape_perm", (SHAPE,), "uniform"), kind="stable")[:FRONT]
    savemat(folder / "BFM_front_idx.mat", {"idx": (front + 1).astype(np.float32)[:, None]})
    savemat(folder / "BFM_exp_idx.mat", {"trimIndex": (trim + 1).astype(np.uint16)[:, None]})
    savemat(folder / "select_vertex_id.mat", {"select_id": (trim[front] + 1).astype(np.uint16)[:, None]})
    marks = np.zeros((68, 3), np.float32)
    for number, places in enumerate(([36, 39], [42, 45], [30], [48], [54])):
        marks[places] = case("align")["lm3d"][number]
    savemat(folder / "similarity_Lm3D_all.mat", {"lm": marks})

    mean = fill("deep3d/shapeMU", (SHAPE, 3), "basis").astype(np.float64) * 3e3
    mean[trim[front]] += dome + np.array([1e4, -2e4, 3e4])
    k = np.arange(199)
    basel = {
        "shapeMU": mean.reshape(-1, 1),
        "shapePC": fill("deep3d/shapePC", (3 * SHAPE, 199), "basis") / np.float32(400),
        "shapeEV": 8e5 * np.exp(-k / 30.0)[:, None],
        "texMU": 128 + 30 * fill("deep3d/texMU", (3 * SHAPE, 1), "basis"),
        "texPC": fill("deep3d/texPC", (3 * SHAPE, 199), "basis") / np.float32(400),
        "texEV": 4e3 * np.exp(-k / 30.0)[:, None],
    }
    tl = {"tl": np.array([[1, 2, 3]], np.float64)}
    savemat(folder / "01_MorphableModel.mat", {n: v.astype(np.float32) for n, v in basel.items()} | tl)
    np.savetxt(folder / "std_exp.txt", (4e5 * np.exp(-np.arange(79) / 12.0))[None])
    basis = fill("deep3d/expPC", (79, 3 * EXPRESSION), "basis") / np.float32(400)
    parts = (np.array([79], np.int32), np.zeros(3 * EXPRESSION, np.float32), basis)
    (folder / "Exp_Pca.bin").write_bytes(b"".join(part.tobytes() for part in parts))

    around: list[list[int]] = [[] for _ in range(FRONT)]
    for number, corners in enumerate(triangles - 1):
        for vertex in corners:
            around[vertex].append(number + 1)
    nobody = len(triangles) + 1
    inner = np.arange(FRONT).reshape(ROWS, COLUMNS)[3:-3, 3:-3].ravel()
    inside = np.searchsorted(inner, triangles - 1)[np.isin(triangles - 1, inner).all(1)] + 1
    keypoints = (fill("deep3d/keypoints", (68,), "uniform").astype(np.float64) * FRONT).astype(int) + 1
    info = {
        "tri": triangles,
        "point_buf": [row + [nobody] * (8 - len(row)) for row in around],
        "keypoints": keypoints[None],
        "frontmask2": np.isin(np.arange(FRONT), inner)[None],
        "frontmask2_idx": (inner + 1)[:, None],
        "tri_mask2": inside,
        "skinmask": (fill("deep3d/skin", (FRONT,), "uniform") > 0.3)[None],
    }
    savemat(folder / "facemodel_info.mat", {name: np.asarray(v, np.float32) for name, v in info.items()})
