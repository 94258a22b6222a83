"""An invented FLAME, and DECA's and RingNet's files, written in the official layouts; all numbers come from `fill`.

An ellipsoid with 5,023 vertices and 9,976 triangles; bases, weights, landmarks and maps jitter at will. The originals
were given the same numbers (see data/README.md).
"""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy.sparse as sp
import torch
from fill import fill

HERE = Path(__file__).parent
VERTICES, TRIANGLES, JOINTS, POINTS = 5023, 9976, 5, 5118
ROWS, COLUMNS = 71, 70
SPEC: dict[str, tuple[tuple[int, ...], str, float]] = {
    "v_template": ((VERTICES, 3), "basis", 0.0003),
    "shapedirs": ((VERTICES, 3, 400), "basis", 0.0001),
    "posedirs": ((VERTICES, 3, 36), "basis", 0.001),
    "weights": ((VERTICES, JOINTS), "uniform", 1.0),
    "J_regressor": ((JOINTS, VERTICES), "uniform", 1.0),
    "J_regressor_w": ((JOINTS, 12), "uniform", 1.0),
    "lmk_static_face": ((51,), "uniform", 1.0),
    "lmk_static_bary": ((51, 3), "uniform", 1.0),
    "lmk_dynamic_face": ((79, 17), "uniform", 1.0),
    "lmk_dynamic_bary": ((79, 17, 3), "uniform", 1.0),
    "lmk_full_face": ((68,), "uniform", 1.0),
    "lmk_full_bary": ((68, 3), "uniform", 1.0),
}


def case(name: str) -> dict[str, np.ndarray]:
    """The arrays of a case, e.g. "deca/encode"."""
    with np.load(HERE / "data" / f"{name}.npz") as file:
        return {key: file[key] for key in file.files}


def drawn(given: dict[str, np.ndarray], beginning: str = "") -> dict[str, np.ndarray]:
    """A checkpoint's tensors by their official names, as a case lists them."""
    tensors = {}
    for name, shape, kind, scale in json.loads(str(given["params"])):
        if name.startswith(beginning):
            whole = kind == "int_zero"
            tensors[name] = np.zeros(shape, np.int64) if whole else fill(name, tuple(shape), kind) * np.float32(scale)
    return tensors


def worst(ours: Any, theirs: np.ndarray) -> float:
    """The largest difference, in the arrays' own unit."""
    ours = np.asarray(ours, np.float64)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    return float(np.abs(ours - theirs).max())


def _draw(name: str) -> np.ndarray:
    shape, kind, scale = SPEC[name]
    return fill(f"flame/{name}", shape, kind).astype(np.float64) * scale


def grid() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices, triangles, texture points, and the triangles' texture points."""
    polar = np.linspace(0.15, np.pi - 0.15, ROWS)[:, None] * np.ones((1, COLUMNS))
    around = np.linspace(-np.pi + 0.05, np.pi - 0.05, COLUMNS)[None] * np.ones((ROWS, 1))
    round_ = [0.08 * np.sin(polar) * np.sin(around), 0.12 * np.cos(polar), 0.10 * np.sin(polar) * np.cos(around)]
    loose = np.zeros((VERTICES - ROWS * COLUMNS, 3))
    loose[:, 1] = np.linspace(-0.05, 0.05, len(loose))
    r, c = np.meshgrid(np.arange(ROWS - 1), np.arange(COLUMNS - 1), indexing="ij")
    a = (r * COLUMNS + c).ravel()
    b, d, e = a + 1, a + COLUMNS, a + COLUMNS + 1
    f = np.stack([np.stack([a, d, b], 1), np.stack([b, d, e], 1)], 1).reshape(-1, 3)
    f = np.concatenate([f, f[: TRIANGLES - len(f)]])
    uv = np.stack([(around + np.pi) / (2 * np.pi) * 0.9 + 0.05, (1 - polar / np.pi) * 0.9 + 0.05], -1).reshape(-1, 2)
    order = np.arange(len(uv))[::-1]  # so that texture points and vertices are numbered differently
    return np.concatenate([np.stack(round_, -1).reshape(-1, 3), loose]), f, uv[order], np.argsort(order)[f]


def model() -> dict[str, Any]:
    """The dictionary of ``generic_model.pkl``."""
    v, f, _, _ = grid()
    weights = _draw("weights") ** 4
    chosen = np.argsort(_draw("J_regressor"), axis=1, kind="stable")[:, :12]
    share = _draw("J_regressor_w") + 0.1
    share /= share.sum(1, keepdims=True)
    place = (np.repeat(np.arange(JOINTS), 12), chosen.ravel())
    regressor = sp.csc_matrix((share.ravel(), place), shape=(JOINTS, VERTICES))
    template = v + _draw("v_template")
    return {
        "v_template": template,
        "shapedirs": _draw("shapedirs"),
        "posedirs": _draw("posedirs"),
        "weights": weights / weights.sum(1, keepdims=True),
        "J_regressor": regressor,
        "J": np.asarray(regressor @ template),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.int64),
        "f": f.astype(np.uint32),
        "bs_type": "lrotmin",
        "bs_style": "lbs",
    }


def _marks(name: str) -> tuple[np.ndarray, np.ndarray]:
    face = np.floor(_draw(f"lmk_{name}_face") * TRIANGLES).astype(np.int64)
    weights = _draw(f"lmk_{name}_bary") + 0.05
    return face, weights / weights.sum(-1, keepdims=True)


def write_model(folder: Path) -> Path:
    """``generic_model.pkl``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "generic_model.pkl").open("wb") as file:
        pickle.dump(model(), file, 2)
    return folder / "generic_model.pkl"


def write_ringnet_landmarks(folder: Path) -> Path:
    """``flame_static_embedding.pkl`` and ``flame_dynamic_embedding.npy``."""
    folder.mkdir(parents=True, exist_ok=True)
    (sf, sb), (df, db) = _marks("static"), _marks("dynamic")
    with (folder / "flame_static_embedding.pkl").open("wb") as file:
        pickle.dump({"lmk_face_idx": sf.astype(np.uint32), "lmk_b_coords": sb}, file, 2)
    table = {"lmk_face_idx": list(df.astype(np.uint32)), "lmk_b_coords": list(db)}
    np.save(folder / "flame_dynamic_embedding.npy", np.array(table, dtype=object), allow_pickle=True)
    return folder


def write_deca_data(folder: Path) -> Path:
    """DECA's data folder; the dynamic landmarks are torch tensors inside a pickled npy, as there."""
    folder.mkdir(parents=True, exist_ok=True)
    (sf, sb), (df, db), (ff, fb) = _marks("static"), _marks("dynamic"), _marks("full")
    tables: dict[str, Any] = {
        "static_lmk_faces_idx": sf,
        "static_lmk_bary_coords": sb,
        "dynamic_lmk_faces_idx": torch.from_numpy(df),
        "dynamic_lmk_bary_coords": torch.from_numpy(db.astype(np.float32)),
        "full_lmk_faces_idx": ff[None],
        "full_lmk_bary_coords": fb[None].astype(np.float32),
    }
    np.save(folder / "landmark_embedding.npy", np.array(tables, dtype=object), allow_pickle=True)
    v, f, uv, fuv = grid()
    uv = np.concatenate([uv, np.zeros((POINTS - len(uv), 2))])
    lines = ["v {:.6f} {:.6f} {:.6f}".format(*p) for p in v] + ["vt {:.6f} {:.6f}".format(*p) for p in uv]
    both = zip(f + 1, fuv + 1, strict=True)
    lines += ["f " + " ".join(f"{a}/{b}" for a, b in zip(t, p, strict=True)) for t, p in both]
    (folder / "head_template.obj").write_text("\n".join(lines) + "\n")
    for name in ("uv_face_eye_mask", "uv_face_mask"):
        blocks = (fill(f"deca/{name}", (16, 16), "uniform").repeat(16, 0).repeat(16, 1) * 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), np.repeat(blocks[..., None], 4, 2))
    fixed = fill("deca/fixed_displacement", (256, 256), "basis").astype(np.float64) * 2e-4
    np.save(folder / "fixed_displacement_256.npy", fixed)
    np.save(folder / "texture_data_256.npy", np.array(_texels(f), dtype=object), allow_pickle=True)
    return folder


def _texels(f: np.ndarray) -> dict[str, Any]:
    count = 3000
    face = np.floor(fill("deca/dense_face", (count,), "uniform").astype(np.float64) * TRIANGLES).astype(int)
    weights = fill("deca/dense_bary", (count, 3), "uniform").astype(np.float64) + 0.05
    weights /= weights.sum(1, keepdims=True)
    xy = np.floor(fill("deca/dense_xy", (count, 2), "uniform").astype(np.float64) * 256)
    valid = np.argsort(fill("deca/dense_valid", (count,), "uniform"), kind="stable")[:2500]
    corners = np.floor(fill("deca/dense_f", (400, 3), "uniform").astype(np.float64) * 2500).astype(np.int64)
    return {
        "img_size": 256,
        "f": corners,
        "x_coords": xy[:, 0],
        "y_coords": xy[:, 1],
        "valid_pixel_ids": valid,
        "valid_pixel_3d_faces": f[face][valid].astype(np.int64),
        "valid_pixel_b_coords": weights[valid],
    }


def write_deca(path: Path) -> Path:
    """``deca_model.tar``, a torch file: the two encoders and the decoder, and what training leaves beside them."""
    tensors = drawn(case("deca/encode")) | drawn(case("deca/detail_decoder"))
    parts: dict[str, Any] = {"E_flame": {}, "E_detail": {}, "D_detail": {}, "global_step": 7}
    for name, value in tensors.items():
        part, _, own = name.partition(".")
        parts[part][own] = torch.from_numpy(np.asarray(value))
    torch.save(parts, path)
    return path
