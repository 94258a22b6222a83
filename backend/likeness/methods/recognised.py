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
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import scene_of
from likeness.fitting.shape import Hint
from likeness.fitting.solve import Fit
from likeness.heads.base import HeadModel
from likeness.heads.morphable import Morphable
from likeness.networks.dlib_face import dlib_face
from likeness.networks.genova import Regressor
from likeness.weights.store import home

__all__ = ["OPEN_HEAD", "coefficients", "hint", "own_weights", "shipped_weights", "weights_for"]

OPEN_HEAD = "anny"
"""Whose weights are taken where the head that was asked for has none."""
FOLDER = Path(__file__).parent / "genova_weights"
BELIEVED = 0.75
"""Share of the precision measured on renders that is believed of photos. Between 0.5 and 1 the bench hardly differs."""
COMPARED = 1.5
"""The same once the head was compared with the photos: what both share says nothing of the person any more."""
ALIKE = 0.6
"""Share of what is wrongly said of a head that is wrongly said of its photo as well."""
LEAST = 1e-3  # known share of a coefficient below which nothing is said of it


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


def hint(head: HeadModel, faces: list[Face], fit: Fit | None = None) -> Hint | None:
    """What recognition says of a person's identity; None for a head whose basis no weights were trained for.

    Args:
        fit: the head so far, to be recognised as well, in plain light but standing as in the photos. What is said of it
            beyond what it is would be said of the photos, too, and is taken off.

    Raises:
        WeightsError: the descriptor cannot be had, or the weights are damaged.
    """
    found = weights_for(head.name)
    if found is None or found[1].sizes[1] != len(head.identity):
        return None
    _, regressor, _ = found
    identity, albedo = coefficients(regressor, faces)
    doubt = regressor.doubt.double().numpy()
    if fit is None:
        return Hint(identity.double().numpy(), BELIEVED * (1 / doubt - 1))
    known = 1 - doubt  # by how much what is said changes with the truth
    again, _ = regressor.likely(_shown(head, fit, albedo))
    beside = again.double().numpy().mean(0) - known * fit.identity
    beyond = COMPARED * (1 / doubt - 1)
    # Of the truth this is (identity - beside) / known, with the precision `beyond`; a hint has the prior in it.
    told = np.where(known > LEAST, COMPARED / doubt, 0.0) * (identity.double().numpy() - ALIKE * beside)
    return Hint(told / (1 + beyond), beyond)


@torch.no_grad()
def _shown(head: HeadModel, fit: Fit, albedo: torch.Tensor) -> torch.Tensor:
    """Descriptors (F, 128) of the head of a fit, in colours (K,), one for each photo."""
    model = _morphable(head)
    identity = torch.from_numpy(fit.identity).float().repeat(len(fit.poses), 1)
    marks = model.five.on(model.vertices(identity[:1], torch.zeros(1, len(model.expression)))[0], model.triangles)
    middle, eyes = marks.mean(0).double().numpy(), float((marks[0] - marks[2]).norm())
    scenes = [scene_of(pose, middle, eyes, w) for pose, w in zip(fit.poses, fit.expressions, strict=True)]
    described: torch.Tensor = dlib_face()(shoot(model, identity, albedo.repeat(len(scenes), 1), scenes))
    return described


@lru_cache(maxsize=1)
def _morphable(head: HeadModel) -> Morphable:
    return Morphable.of(head)


@lru_cache(maxsize=2)
def _loaded(path: Path, _: float) -> tuple[Regressor, dict[str, Any]]:
    return Regressor.load(path)
