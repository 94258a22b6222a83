"""Faces to learn from: heads at random with their descriptors, kept in pieces, and the photos of a folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from likeness import faces
from likeness.errors import FaceError, MethodError, PhotoError
from likeness.faces.identity import describe
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import draw_scene
from likeness.heads.morphable import Morphable
from likeness.photos import load
from likeness.progress import Progress
from likeness.training.losses import Coefficients
from likeness.weights.tensor_file import write_tensors

__all__ = ["PIECE", "Samples", "draw_heads", "photo_descriptors", "render_samples"]

PIECE = 256
"""Heads in one file: what an interruption costs at most."""
MOST = 2.7
"""Standard deviations that a coefficient of a random head is away from the average at most."""

Encoder = Callable[[Tensor], Tensor]
"""Chips (B, 3, 150, 150) in 0..255 to descriptors (B, D); differentiable."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Rendered heads: descriptors (S, D) and the coefficients that they were rendered with."""

    descriptors: Tensor
    heads: Coefficients


def draw_heads(model: Morphable, count: int, rng: Generator) -> Coefficients:
    """Heads at random, independent N(0, 1) cut off at `MOST`."""
    sizes = (len(model.identity), model.albedo_count)
    identity, albedo = (torch.from_numpy(rng.normal(size=(count, n)).clip(-MOST, MOST)).float() for n in sizes)
    return Coefficients(identity.to(model.mean.device), albedo.to(model.mean.device))


def render_samples(
    model: Morphable, encoder: Encoder, folder: Path, pieces: int, seed: int, progress: Progress
) -> Samples:
    """`pieces` times `PIECE` heads under random poses, lights and expressions; what the folder holds is taken as it is.

    Raises:
        OSError: the folder cannot be written.
    """
    found = []
    for number in range(pieces):
        path = folder / f"{number:04d}.safetensors"
        try:
            piece = load_file(path)
        except (OSError, SafetensorError):
            piece = _piece(model, encoder, np.random.default_rng([seed, 0, number]))
            write_tensors(path, piece)
        found.append(piece)
        done = number + 1
        progress("samples", done / pieces, f"{done * PIECE} of {pieces * PIECE} heads rendered")
    joined = {name: torch.cat([piece[name] for piece in found]).to(model.mean.device) for name in found[0]}
    return Samples(joined["descriptor"], Coefficients(joined["identity"], joined["albedo"]))


@torch.no_grad()
def _piece(model: Morphable, encoder: Encoder, rng: Generator, at_once: int = 16) -> dict[str, Tensor]:
    heads = draw_heads(model, PIECE, rng)
    rows = []
    for first in range(0, PIECE, at_once):
        some = slice(first, first + at_once)
        scenes = [draw_scene(model.expression_names, rng, len(model.expression)) for _ in heads.identity[some]]
        rows.append(encoder(shoot(model, heads.identity[some], heads.albedo[some], scenes)))
    made = {"descriptor": torch.cat(rows), "identity": heads.identity, "albedo": heads.albedo}
    return {name: values.cpu().contiguous() for name, values in made.items()}


def photo_descriptors(folder: Path, progress: Progress) -> Tensor:
    """(P, D) descriptors of the largest face of each picture in a folder; what shows no face is told and left out.

    They identify people, so they are kept in memory alone.

    Raises:
        MethodError: there is no such folder, or no picture in it shows a face.
    """
    if not folder.is_dir():
        raise MethodError(f"{folder} is no folder; give one with photos of faces.")
    paths = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    rows = []
    for number, path in enumerate(paths, 1):
        try:
            rows.append(describe(faces.find(load(path))))
        except (FaceError, PhotoError) as error:
            progress("note", 0.0, str(error))
        progress("photos", number / len(paths), f"{len(rows)} faces in {number} of {len(paths)} photos")
    if not rows:
        raise MethodError(f"No picture in {folder} shows a face; give a folder with photos of faces.")
    return torch.stack([torch.as_tensor(row) for row in rows]).float()
