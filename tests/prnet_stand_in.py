"""PRNet's files in the official layout with invented numbers: checkpoint and tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from made_checkpoint import write_checkpoint

PARITY = Path(__file__).parent / "parity"
sys.path.append(str(PARITY))

from fill import fill  # noqa: E402 - lies beside the parity tests

SIDE, VERTICES = 256, 43867


def case(name: str) -> dict[str, np.ndarray]:
    """Arrays of a parity file."""
    with np.load(PARITY / "data" / "prnet" / f"{name}.npz") as file:
        return dict(file)


def face_index() -> np.ndarray:
    """(43867,) ascending places in the map; every 101st is the original's, the others fill the gaps."""
    some = case("process")["index_sub"].astype(np.int64)
    return (some[:, None] + np.arange(101)).ravel()[:VERTICES]


def canonical() -> np.ndarray:
    """(43867, 3) a face-like dome over the map, y down, nearer is larger, in the units of the original."""
    row, column = np.divmod(face_index(), SIDE)
    x, y = (column - 127.5) / 127.5, (row - 103.5) / 98.0
    height = np.sqrt(np.clip(1.05 - 0.55 * x**2 - 0.45 * y**2, 0.01, None))
    nose = np.exp(-((x / 0.13) ** 2) - ((y - 0.1) / 0.2) ** 2)
    return np.stack([105 * np.sin(1.2 * x) / np.sin(1.2), 258 + 103 * y, 130 * height + 25 * nose], 1)


def write(folder: Path) -> dict[str, np.ndarray]:
    """Write all files; returns the network's variables. What an optimiser leaves beside them is there, too."""
    params = json.loads(str(case("network")["params"]))
    variables = {name: fill(name, tuple(shape), kind) for name, shape, kind in params}
    slots = {f"{n}/{slot}": np.zeros_like(variables[n]) for n in list(variables)[:4] for slot in ("Adam", "Adam_1")}
    powers = {name: np.array(0.5, np.float32) for name in ("beta1_power", "beta2_power")}
    write_checkpoint(folder / "256_256_resfcn256_weight", variables | slots | powers)
    np.savetxt(folder / "face_ind.txt", face_index(), "%.18e")
    np.savetxt(folder / "uv_kpt_ind.txt", case("process")["uv_kpt_ind"], "%.18e")
    np.save(folder / "canonical_vertices.npy", canonical())
    return variables
