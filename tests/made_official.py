"""What RingNet needs, in the official files' names and layouts and with the right shapes, but of no one's face."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
from made_checkpoint import write_checkpoint

FLAME = {
    "v_template": (5023, 3),
    "shapedirs": (5023, 3, 400),
    "posedirs": (5023, 3, 36),
    "weights": (5023, 5),
    "J_regressor": (5, 5023),
    "f": (9976, 3),
    "kintree_table": (2, 5),
}


def write(folder: Path) -> None:
    """``RingNet/ring_6_68641.*``, ``FLAME2019.zip``, ``flame_model/flame_*_embedding.*`` and the texel tables' zip."""
    (folder / "RingNet").mkdir(parents=True)
    write_checkpoint(folder / "RingNet" / "ring_6_68641", {"w": np.arange(6, dtype=np.float32)})
    model = {name: np.zeros(shape, np.float32) for name, shape in FLAME.items()}
    with zipfile.ZipFile(folder / "FLAME2019.zip", "w") as archive:
        archive.writestr("FLAME2019/generic_model.pkl", pickle.dumps(model, 2))
    embedding = folder / "flame_model"
    embedding.mkdir()
    static = {"lmk_face_idx": np.zeros(51, np.int64), "lmk_b_coords": np.zeros((51, 3))}
    (embedding / "flame_static_embedding.pkl").write_bytes(pickle.dumps(static, 2))
    dynamic = {"lmk_face_idx": np.zeros((79, 17), np.int64), "lmk_b_coords": np.zeros((79, 17, 3))}
    np.save(embedding / "flame_dynamic_embedding.npy", dynamic, allow_pickle=True)
    (folder / "FLAME_texture_data.zip").write_bytes(texels())


TABLE = np.random.default_rng(2).random((20_000, 2))


def texels() -> bytes:
    """``FLAME_texture_data.zip`` with one small table that hardly packs."""
    table = io.BytesIO()
    np.save(table, {"vt": TABLE}, allow_pickle=True)
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("texture_data_512.npy", table.getvalue())
    return archive.getvalue()
