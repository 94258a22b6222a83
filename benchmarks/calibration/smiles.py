"""What a smile does to the identity that a calibration tells: the same heads shown with and without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from calibration.studio import Studio
from likeness import faces
from likeness.errors import FaceError
from likeness.faces.face import Face
from likeness.fitting.calibration import Calibration
from likeness.fitting.expression import smile_of
from likeness.fitting.known import fit_known
from likeness.fitting.landmarks import landmark_model
from likeness.fitting.shape import SAFE, identity_of
from likeness.heads.base import HeadModel
from likeness.photos import Photo

__all__ = ["smile_seen"]

Floats = NDArray[np.float64]
CUT = 2.5  # standard deviations of identity
YAW = 15.0  # degrees, standard deviation
LOOKS = 12
GRIN = {"mouthSmile": 0.9, "cheekSquint": 0.4, "eyeSquint": 0.2}
"""A smile at full strength; both sides."""
ALONG = {"mouthUpperUp": 0.4, "mouthLowerDown": 0.6, "jawOpen": 0.25, "mouthDimple": 0.25}
"""What goes along with it, at most."""


def smile_seen(head: HeadModel, shown: HeadModel, count: int, seed: int) -> Floats:
    """(N,) identity coefficients that a full smile adds to what the head's calibration tells.

    Args:
        head: whose calibration it is; shown: of whose identities and expressions `count` pairs are rendered.

    Both pictures of a pair share camera, light, skin and hair. The slope is taken over the smile as the fit sees it,
    because that is what it will be multiplied by.
    """
    plain = Calibration.of(head)
    assert plain is not None
    model, studio = landmark_model(head), Studio(shown, LOOKS, seed)
    above, below = np.zeros(len(head.identity)), 0.0
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        identity = np.clip(rng.normal(size=len(shown.identity)), -CUT, CUT)
        yaw, grin = float(rng.normal(0, YAW)), _grin(shown.expression_names, rng)
        told, smiles = [], []
        for weights in (np.zeros(len(grin)), grin):
            shot = studio.shoot(
                torch.from_numpy(identity).float(),
                torch.from_numpy(weights).float(),
                yaw,
                np.random.default_rng([seed, i, 1]),
            )
            try:
                face: Face = faces.find(Photo(Path("smile.png"), shot.pixels))
            except FaceError:
                break
            mean = identity_of(plain, [face.landmarks]).mean
            neutral = model.at(mean, np.zeros(len(model.expression)))
            fit, _ = fit_known(model, [face], head, plain, neutral)
            told.append(mean / SAFE)
            smiles.append(smile_of(head.expression_names, fit.expressions[0]))
        else:
            above += smiles[1] * (told[1] - told[0])
            below += smiles[1] ** 2
    return above / max(below, 1e-9)


def _grin(names: tuple[str, ...], rng: Generator) -> Floats:
    """Weights (M,) of a smile at random."""
    weights, strength = np.zeros(len(names)), rng.uniform(0.25, 1)
    full = GRIN | {name: most * rng.uniform() for name, most in ALONG.items()}
    for name, amount in full.items():
        for side in (name, f"{name}Left", f"{name}Right"):
            if side in names:
                weights[names.index(side)] = strength * amount
    return weights
