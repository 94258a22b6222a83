"""A stand-in in the official files of 3DDFA_V2's face model, made of the open head's face: it looks like a face.

38,365 vertices and 76,073 triangles in micrometres, wound inwards, as the original has them; what is too much of either
is said twice. Coefficients count in the deviations of the published whitening, so that real predictions give people.
"""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import torch

from likeness.heads.base import HeadModel

VERTICES, TRIANGLES = 38365, 76073
KEYS = (
    "jawOpen", "mouthSmileLeft", "mouthSmileRight", "browInnerUp", "browDownLeft", "browDownRight", "mouthPucker",
    "eyeBlinkLeft", "eyeBlinkRight", "mouthFunnel",
)  # fmt: skip
TALL = np.array([0.0, 0.0, 0.06])
"""Where the official model's face lies, metres: the nose's root above the origin, 6 cm and more in front of it."""


def write(folder: Path, head: HeadModel, std: np.ndarray) -> None:
    """``bfm_noneck_v3.pkl``, ``tri.pkl``, ``indices.npy`` for a whitening's deviations (62,)."""
    person = head.shape(torch.zeros(1, len(head.identity)))[0].double().numpy()
    triangles = head.triangles[head.region("skin")].numpy()
    weight = head.groups["face"].double().numpy()
    triangles = triangles[(weight[triangles] > 0.5).all(1)]
    used = np.unique(triangles)
    fields = (
        np.concatenate(
            [
                person[None],
                head.identity[:40].double().numpy(),
                head.expression[[head.expression_names.index(k) for k in KEYS]],
            ]
        )[:, used]
        .transpose(1, 0, 2)
        .reshape(len(used), -1)
    )
    fields, triangles = _split(fields, np.searchsorted(used, triangles))
    while len(triangles) * 4 <= TRIANGLES and len(fields) + 2 * len(triangles) <= VERTICES:
        fields, triangles = _split(fields, triangles)
    # The 68 points, on the nearest vertex.
    marks = head.landmarks["ibug68"].on(torch.from_numpy(person).float(), head.triangles).double().numpy()
    keypoints = np.linalg.norm(fields[None, :, :3] - marks[:, None], axis=2).argmin(1)
    middle = (fields[:, :2].min(0) + fields[:, :2].max(0)) / 2
    fields[:, :2] -= middle
    fields[:, 2] += TALL[2] - fields[:, 2].max() + 0.07
    extra = VERTICES - len(fields)
    fields = np.concatenate([fields, np.repeat(fields[-1:], extra, 0)]).reshape(VERTICES, -1, 3)
    triangles = np.concatenate([triangles, triangles[: TRIANGLES - len(triangles)]])
    triangles = np.resize(triangles, (TRIANGLES, 3))
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


def _split(fields: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every triangle into four."""
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1)
    edges, which = np.unique(sides, axis=0, return_inverse=True)
    a, b, c = triangles.T
    ab, bc, ca = (len(fields) + which.reshape(3, -1)).astype(np.int64)
    parts = [(a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca)]
    return np.concatenate([fields, fields[edges].mean(1)]), np.concatenate([np.stack(p, 1) for p in parts])
