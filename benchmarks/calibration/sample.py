"""Shows one random head after the other to the landmark network and keeps what it sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from calibration.studio import Studio
from likeness.faces.mesh import landmarks_of
from likeness.heads.base import HeadModel
from truth.draw import expression

__all__ = ["collect"]

CUT = 2.7  # standard deviations of identity
EVERY = 100  # renders between two saves
STRONG = {
    "jawOpen": 0.5, "mouthFunnel": 0.5, "mouthPucker": 0.6, "mouthSmile": 0.9, "mouthUpperUp": 0.5,
    "mouthLowerDown": 0.5, "browInnerUp": 0.8, "browOuterUp": 0.7, "eyeWide": 0.7, "eyeBlink": 0.9, "browDown": 0.9,
    "mouthFrown": 0.6, "mouthStretch": 0.5, "mouthPress": 0.5, "cheekSquint": 0.7, "noseSneer": 0.6,
    "mouthShrugLower": 0.5, "mouthRollLower": 0.5, "mouthRollUpper": 0.5, "mouthLeft": 0.4, "mouthRight": 0.4,
    "jawLeft": 0.3, "jawRight": 0.3,
}  # fmt: skip
"""What every second head may do besides its mild mood, at most; both sides where the name has none."""


def collect(head: HeadModel, path: Path, count: int, looks: int, seed: int) -> None:
    """Render until `path` holds `count` samples: the arrays of `calibration.learn.Samples` but the centre."""
    rows: dict[str, list[NDArray[np.float64]]] = {}
    if path.exists():
        with np.load(path) as data:
            rows = {name: list(data[name]) for name in data.files}
    done = len(rows.get("focal", []))
    if done >= count:
        return
    studio = Studio(head, looks, seed)
    for i in range(done, count):
        rng = np.random.default_rng([seed, i])
        for name, value in _sample(studio, rng).items():
            rows.setdefault(name, []).append(value)
        if (i + 1) % EVERY == 0 or i + 1 == count:
            beside = path.with_suffix(".part.npz")
            np.savez(beside, **{name: np.array(values) for name, values in rows.items()})
            beside.replace(path)
            print(f"{i + 1} of {count}", flush=True)


def _sample(studio: Studio, rng: Generator) -> dict[str, NDArray[np.float64]]:
    head = studio.head
    identity = np.clip(rng.normal(0, 1, len(head.identity)), -CUT, CUT)
    weights = _face(head.expression_names, rng)
    yaw = float(rng.uniform(-48, 48) if rng.random() < 0.7 else rng.normal(0, 10))
    shot = studio.shoot(torch.from_numpy(identity).float(), torch.from_numpy(weights).float(), yaw, rng)
    marks = shot.camera.project(studio.body.landmarks_on(shot.vertices.numpy().astype(np.float64)))
    box = np.concatenate([marks.min(0), marks.max(0)])
    box += rng.normal(0, 0.06, 4) * (box[2:] - box[:2]).max()
    landmarks, _ = landmarks_of(shot.pixels, box)
    return {
        "landmarks": landmarks,
        "identity": identity,
        "expression": weights,
        "focal": np.array(shot.camera.fx),
        "rotation": shot.camera.rotation,
        "translation": shot.camera.translation,
    }


def _face(names: tuple[str, ...], rng: Generator) -> NDArray[np.float64]:
    """Weights (M,): a mild mood, and in every second head up to three strong expressions besides."""
    weights = expression(names, rng)
    if rng.random() < 0.5:
        return weights
    for name in rng.choice(list(STRONG), int(rng.integers(1, 4)), replace=False):
        amount = rng.uniform(0.2, 1) * STRONG[name]
        for full in (name,) if name in names else (f"{name}Left", f"{name}Right"):
            place = names.index(full)
            weights[place] = max(weights[place], amount * rng.uniform(0.8, 1))
    return np.clip(weights, 0, 1)
