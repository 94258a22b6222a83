"""Who a face is as evidence of its shape: the weights that turn a face descriptor into a head's coefficients.

They are trained by `likeness train genova`. The method `genova` takes their word alone; the open method weighs it
against the landmarks.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from likeness.faces.face import Face
from likeness.faces.identity import describe
from likeness.fitting.shape import Hint
from likeness.heads.base import HeadModel
from likeness.networks.genova import Regressor
from likeness.weights.store import home

__all__ = ["OPEN_HEAD", "coefficients", "hint", "own_weights", "shipped_weights", "weights_for"]

OPEN_HEAD = "anny"
"""Whose weights are taken where the head that was asked for has none."""
FOLDER = Path(__file__).parent / "genova_weights"
BELIEVED = 0.75
"""Share of the precision measured on renders that is believed of photos. Between 0.5 and 1 the bench hardly differs."""


def own_weights(head: str) -> Path:
    """Where the user's own training for a head model is kept."""
    return home() / "genova" / f"{head}.safetensors"


def shipped_weights(head: str) -> Path:
    """Where the weights for a head model lie that come with the program, if there are any."""
    return FOLDER / f"{head}.safetensors"


def weights_for(head: str, others: tuple[str, ...] = ()) -> tuple[Path, Regressor, dict[str, Any]] | None:
    """The weights of a head, and what is told of them; where it has none of the user's own, others' come first.

    Args:
        head: head model by name.
        others: models of a face whose weights the user may have put in place for any head.

    Raises:
        WeightsError: the file holds something else.
    """
    places = [own_weights(head), *(own_weights(other) for other in others), shipped_weights(head)]
    path = next((place for place in places if place.exists()), None)
    return None if path is None else (path, *_loaded(path, path.stat().st_mtime))


def coefficients(regressor: Regressor, faces: list[Face]) -> tuple[torch.Tensor, torch.Tensor]:
    """Likely identity (N,) and albedo (K,) of one person, the mean over the photos.

    Raises:
        WeightsError: the descriptor cannot be had.
    """
    descriptors = torch.from_numpy(np.stack([describe(face) for face in faces]))
    identity, albedo = regressor.likely(descriptors)
    return identity.mean(0), albedo.mean(0)


def hint(head: HeadModel, faces: list[Face]) -> Hint | None:
    """What recognition says of a person's identity; None for a head whose basis no weights were trained for.

    Raises:
        WeightsError: the descriptor cannot be had, or the weights are damaged.
    """
    found = weights_for(head.name)
    if found is None or found[1].sizes[1] != len(head.identity):
        return None
    _, regressor, _ = found
    identity, _ = coefficients(regressor, faces)
    beyond = BELIEVED * (1 / regressor.doubt.double().numpy() - 1)
    return Hint(identity.double().numpy(), beyond)


@lru_cache(maxsize=2)
def _loaded(path: Path, _: float) -> tuple[Regressor, dict[str, Any]]:
    return Regressor.load(path)
