"""Stand-ins in the official files of Basel Face Models, made of the open head's face: they look like a face.

3DDFA_V2's has 38,365 vertices and 76,073 triangles in micrometres, wound inwards, as the original has them; vertices
that are too many lie unused in the middle, triangles are said twice. Coefficients count in the deviations of the
published whitening, so that real predictions give people. Deep3D's has 35,709 and 70,789, in decimetres.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch
from scipy.io import savemat

from likeness.heads.base import HeadModel

VERTICES, TRIANGLES = 38365, 76073
FRONT, FRONT_TRIANGLES = 35709, 70789
KEYS = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browDownLeft", "browDownRight", "mouthPucker",
    "eyeBlinkLeft", "eyeBlinkRight", "mouthFunnel",
)  # fmt: skip
TALL = np.array([0.0, 0.0, 0.06])
"""Where the official model's face lies, metres: the nose's root above the origin, 6 cm and more in front of it."""


def write(folder: Path, head: HeadModel, std: np.ndarray) -> None:
    """``bfm_noneck_v3.pkl``, ``tri.pkl``, ``indices.npy`` for a whitening's deviations (62,)."""
    fields, triangles, keypoints = _face(head, 40, VERTICES, TRIANGLES)
    middle = (fields[:, 0, :2].min(0) + fields[:, 0, :2].max(0)) / 2
    fields[:, 0, :2] -= middle
    fields[:, 0, 2] += TALL[2] - fields[:, 0, 2].max() + 0.07
    shape = 0.7 * fields[:, 1:41] / std[12:52][None, :, None]
    expression = 0.35 * fields[:, 41:] / std[52:][None, :, None]
    arrays = {
        "u": 1e6 * fields[:, 0].reshape(-1, 1),
        "w_shp": 1e6 * shape.transpose(0, 2, 1).reshape(3 * VERTICES, 40),
        "w_exp": 1e6 * expression.transpose(0, 2, 1).reshape(3 * VERTICES, 10),
    }
    official: dict[str, np.ndarray] = {k: v.astype(np.float32) for k, v in arrays.items()}
    official["keypoints"] = (3 * keypoints[:, None] + np.arange(3)).reshape(-1)
    (folder / "bfm_noneck_v3.pkl").write_bytes(pickle.dumps(official))
    (folder / "tri.pkl").write_bytes(pickle.dumps(np.ascontiguousarray(triangles[:, ::-1].T.astype(np.int32))))
    np.save(folder / "indices.npy", np.arange(VERTICES, dtype=np.int32))


def write_front(folder: Path, head: HeadModel) -> None:
    """Deep3D's ``BFM_model_front.mat`` and the index files of its BFM folder; decimetres, counted from 1."""
    fields, triangles, keypoints = _face(head, 80, FRONT, FRONT_TRIANGLES)
    mean = 10 * fields[:, 0]
    bases = {"idBase": 10 * fields[:, 1:81], "exBase": np.zeros((FRONT, 64, 3)), "texBase": np.zeros((FRONT, 80, 3))}
    bases["exBase"][:, : len(KEYS)] = 5 * fields[:, 81:]
    redder = np.clip((mean[:, 1] - mean[keypoints[33], 1]) / -0.5, 0, 1)[:, None]  # below the nose
    bases["texBase"][:, 0] = (12, 10, 8)
    bases["texBase"][:, 1] = redder * (4, -8, -6)
    columns = {n: v.transpose(0, 2, 1).reshape(3 * FRONT, -1).astype(np.float32) for n, v in bases.items()}
    info = {
        "tri": triangles + 1,
        "point_buf": np.ones((FRONT, 8)),
        "tri_mask2": triangles[:54681] + 1,
        "keypoints": keypoints[None] + 1,
        "frontmask2_idx": np.arange(27660)[:, None] + 1,
        "skinmask": np.ones((1, FRONT)),
    }
    info = {n: v.astype(np.float32) for n, v in info.items()}
    means = {"meanshape": mean.reshape(1, -1), "meantex": np.tile([201.0, 156.0, 133.0], FRONT)[None]}
    savemat(folder / "BFM_model_front.mat", means | columns | info)
    savemat(folder / "facemodel_info.mat", info | {"frontmask2": np.ones((1, FRONT), np.float32)})
    savemat(folder / "BFM_front_idx.mat", {"idx": np.arange(1, FRONT + 1, dtype=np.float32)[:, None]})
    savemat(folder / "BFM_exp_idx.mat", {"trimIndex": np.arange(1, 53216, dtype=np.uint16)[:, None]})
    savemat(folder / "select_vertex_id.mat", {"select_id": np.arange(1, FRONT + 1, dtype=np.uint16)[:, None]})
    savemat(folder / "similarity_Lm3D_all.mat", {"lm": (mean[keypoints] - mean.mean(0)).astype(np.float32)})


def _face(head: HeadModel, modes: int, vertices: int, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The open head's face: mean, identities and `KEYS` (V, 1 + modes + 10, 3) metres, triangles, keypoints."""
    person = head.shape(torch.zeros(1, len(head.identity)))[0].double().numpy()
    triangles = head.triangles[head.region("skin")].numpy()
    weight = head.groups["face"].double().numpy()
    triangles = triangles[(weight[triangles] > 0.5).all(1)]
    used = np.unique(triangles)
    expression = head.expression[[head.expression_names.index(k) for k in KEYS]].numpy()
    every = np.concatenate([person[None], head.identity[:modes].double().numpy(), expression])
    fields = every[:, used].transpose(1, 0, 2).reshape(len(used), -1)
    fields, triangles = _split(fields, np.searchsorted(used, triangles))
    while len(triangles) * 4 <= size and len(fields) + 2 * len(triangles) <= vertices:
        fields, triangles = _split(fields, triangles)
    # The 68 points, on the nearest vertex.
    marks = head.landmarks["ibug68"].on(torch.from_numpy(person).float(), head.triangles).double().numpy()
    keypoints = np.linalg.norm(fields[None, :, :3] - marks[:, None], axis=2).argmin(1)
    unused = np.repeat(fields.mean(0)[None], vertices - len(fields), 0)
    fields = np.concatenate([fields, unused]).reshape(vertices, -1, 3)
    triangles = np.concatenate([triangles, triangles[: size - len(triangles)]])
    return fields, np.resize(triangles, (size, 3)), keypoints


def _split(fields: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every triangle into four."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    a, b, c = triangles.T
    ab, bc, ca = (len(fields) + which.reshape(3, -1)).astype(np.int64)
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([fields, fields[edges].mean(1)]), np.concatenate([np.stack(p, 1) for p in parts])
