"""Shapes at random."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from truth.ict import Ict
from truth.subject import Drawn

__all__ = ["draw_ict"]

MOODS = {
    "calm": {},
    "smile": {"mouthSmile": 0.45, "cheekSquint": 0.25, "eyeSquint": 0.15, "mouthDimple": 0.2},
    "grin": {"mouthSmile": 0.55, "cheekSquint": 0.3, "mouthUpperUp": 0.3, "mouthLowerDown": 0.2, "jawOpen": 0.06},
    "talk": {"jawOpen": 0.16, "mouthFunnel": 0.15, "mouthLowerDown": 0.15},
    "frown": {"browDown": 0.45, "mouthFrown": 0.3, "mouthPress": 0.25, "eyeSquint": 0.2},
    "wonder": {"browInnerUp": 0.5, "browOuterUp": 0.4, "eyeWide": 0.3, "jawOpen": 0.05},
    "sceptic": {"browOuterUp_L": 0.6, "browDown_R": 0.3, "mouthLeft": 0.25, "mouthPress": 0.3},
}
"""Mild expressions at full strength; a name without a side means both."""


def expression(names: tuple[str, ...], rng: Generator) -> np.ndarray:
    """Weights (M,) of a mild mood with a little of everything and a gaze."""
    weights = np.zeros(len(names))
    index = {n: i for i, n in enumerate(names)}

    def add(name: str, amount: float) -> None:
        for full in (name, f"{name}_L", f"{name}_R", f"{name}Left", f"{name}Right"):
            if full in index:
                weights[index[full]] += amount * (1 if full == name else rng.uniform(0.8, 1.2))

    for name, amount in MOODS[rng.choice(list(MOODS))].items():
        add(name, amount * rng.uniform(0.3, 1.0))
    add("eyeBlink", rng.uniform(0, 0.15))
    add("browInnerUp", rng.uniform(0, 0.1))
    side, up = rng.uniform(-0.35, 0.35), rng.uniform(-0.25, 0.25)
    pairs = (("L", "Left"), ("R", "Right"))
    for k, (short, long) in enumerate(pairs):
        inward = side if k else -side
        for name, amount in (("eyeLookIn", inward), ("eyeLookOut", -inward), ("eyeLookUp", up), ("eyeLookDown", -up)):
            full = f"{name}_{short}" if f"{name}_{short}" in index else f"{name}{long}"
            if amount > 0 and full in index:
                weights[index[full]] += amount
    return np.clip(weights, 0, 1)


def draw_ict(model: Ict, rng: Generator, views: int) -> Drawn:
    """Identity from the model's own statistics, cut off at 2.5 sigma; an expression for each view."""
    identity = np.clip(rng.normal(size=len(model.identity)), -2.5, 2.5)
    expressions = np.stack([expression(model.names, rng) for _ in range(views)])
    shapes = np.stack([model.shape(identity, e) for e in expressions])
    coefficients = {"identity": identity, "expression": expressions}
    return Drawn(model.shape(identity), shapes, coefficients)
