"""What faces do when they are photographed: a prior over expression weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["expression_prior", "one_way", "smile_of"]

Floats = NDArray[np.float64]

SPREAD, PAIR = 0.3, 0.15
"""Standard deviation of a weight, and of the difference of a left and a right one: faces are nearly symmetric."""
WIDE = {"eyeBlink": 0.5, "jawOpen": 0.4, "eyeLook": 0.5, "mouthSmile": 0.4, "browInnerUp": 0.4}
NARROW = {"jawForward": 0.05, "tongueOut": 0.01, "cheekPuff": 0.1, "jawLeft": 0.1, "jawRight": 0.1, "mouthClose": 0.1,
          "mouthFunnel": 0.2, "mouthRoll": 0.2, "mouthShrug": 0.15, "noseSneer": 0.15}  # fmt: skip
"""By the beginnings of names. The narrow ones look like identity in a single photo."""
GAZE = 0.08  # the two eyes look the same way, but for squints and near things


def expression_prior(names: tuple[str, ...]) -> Floats:
    """Square root of the prior's precision, (P, M): the residual of weights w (M,) is ``prior @ w``, each N(0, 1)."""
    rows = []
    index = {name: i for i, name in enumerate(names)}

    def row(terms: dict[str, float], spread: float) -> None:
        if all(name in index for name in terms):
            line = np.zeros(len(names))
            for name, factor in terms.items():
                line[index[name]] = factor / spread
            rows.append(line)

    for name in names:
        spread = next((s for start, s in (WIDE | NARROW).items() if name.startswith(start)), SPREAD)
        row({name: 1.0}, spread)
        if name.endswith("Left") and not name.startswith("eyeLook") and name not in ("jawLeft", "mouthLeft"):
            row({name: 1.0, f"{name[:-4]}Right": -1.0}, PAIR)
    for way in ("Up", "Down"):
        row({f"eyeLook{way}Left": 1.0, f"eyeLook{way}Right": -1.0}, GAZE)
    across = {"eyeLookOutLeft": 1.0, "eyeLookInLeft": -1.0, "eyeLookInRight": -1.0, "eyeLookOutRight": 1.0}
    row(across, GAZE)
    return np.array(rows)


def one_way(names: tuple[str, ...], weights: Floats) -> Floats:
    """Upper bounds (M,) that leave an eye only the direction it looks most: not up and down at once.

    Args:
        names: M names of expressions.
        weights: (M,) found without such bounds.
    """
    most = np.ones(len(names))
    index = {name: i for i, name in enumerate(names)}
    for one, other in (("Up", "Down"), ("In", "Out")):
        for side in ("Left", "Right"):
            pair = [index.get(f"eyeLook{way}{side}") for way in (one, other)]
            if None not in pair:
                a, b = (int(i) for i in pair if i is not None)
                most[b if weights[a] >= weights[b] else a] = 0.0
    return most


def smile_of(names: tuple[str, ...], weights: Floats) -> float:
    """How much a face smiles, 0..1: the mean of both sides' weights of (M,); 0 for expressions without a smile."""
    both = [float(weights[names.index(name)]) for name in ("mouthSmileLeft", "mouthSmileRight") if name in names]
    return sum(both) / max(len(both), 1)
