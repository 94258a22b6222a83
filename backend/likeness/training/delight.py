"""The training of the de-lighting network: from what a light solver left to the skin's own colour.

Synthetic heads, skins, lights and cameras, laid out in a chart of the face (`delight_samples`); the network says what
is to be added to the solver's log albedo, and which share of the light the skin's surface mirrors. Losses: absolute
error of log albedo, of its gradients, of a render under a light that the photo was not taken in, and of the mirrored
share. Only differences within a face count: how bright and of what hue skin is on the whole, one photo does not tell.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from likeness.errors import MethodError
from likeness.maps.delight import network_input
from likeness.networks.delight import DelightNet
from likeness.progress import Progress, quiet
from likeness.render.light import sh_basis
from likeness.training.delight_pictures import faces
from likeness.training.delight_samples import PIECE, Subject, render_pieces
from likeness.training.delight_score import Score, score
from likeness.training.pictures import curves
from likeness.weights.adam_file import adam_tensors, restore_adam
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["TERMS", "WEIGHTS", "Plan", "train"]

WEIGHTS, STATE = "delight.safetensors", "state.safetensors"
TERMS = ("albedo", "gradient", "render", "gloss")
"""Losses in the order they are kept."""
SOLVED = 0.3
"""Share of faces that are shown as a solver left them, without what it took off: so finished maps look as well."""
AVERAGE = 0.99
"""Share of the averaged weights that a step leaves as they were: they are what is kept in the end."""


@dataclass(frozen=True)
class Plan:
    """All that decides what comes out, the seed included, and how often it is kept.

    Attributes:
        seed: of everything random.
        pieces: files of `PIECE` faces; the last eighth, at least one, is held out to measure.
        steps, batch: of training; rate: Adam's, which rises over the first steps and falls to nothing along a cosine.
        widths: channels of the network's levels, finest first.
        gradient, render, gloss: weights of the losses beside that of albedo, which is 1.
        keep: steps between two states on disk, which changes nothing else.
    """

    seed: int = 0
    pieces: int = 17
    steps: int = 750
    batch: int = 8
    rate: float = 1.5e-3
    widths: tuple[int, ...] = (16, 32, 64, 96)
    gradient: float = 1.0
    render: float = 0.5
    gloss: float = 0.3
    keep: int = 50


@dataclass(eq=False)
class _Run:
    """Where a training stands."""

    network: DelightNet
    average: DelightNet
    adam: torch.optim.AdamW
    losses: list[tuple[float, ...]]


@dataclass(frozen=True, eq=False)
class Batch:
    """Faces as the network sees them, (B, C, S, S) float32: input, log albedo of the solver and the true one, share of
    the light that the surface mirrors, weight; and the light (B, 3, S, S) of somewhere else."""

    given: Tensor
    found: Tensor
    albedo: Tensor
    gloss: Tensor
    weight: Tensor
    light: Tensor


def train(subject: Subject, folder: Path, plan: Plan, progress: Progress = quiet) -> Path:
    """Train until the plan is done, going on from what the folder holds; the same bits come out however often it stops.

    Args:
        subject: the head model.
        folder: for rendered faces, states, the weights, curves.png and faces.png.

    Returns:
        the weights' path.

    Raises:
        MethodError: the folder holds a training by another plan.
    """
    if plan.pieces < 2:
        raise MethodError("A training needs at least two pieces of rendered faces; ask for more of them.")
    told = {"head": subject.head.name, "plan": _plain(plan)}
    run = _opened(folder / STATE, plan, told)
    paths = render_pieces(subject, folder / "samples", plan.pieces, plan.seed, progress)
    held = max(1, plan.pieces // 8)
    known, unseen = paths[:-held], paths[-held:]
    steps = PIECE // plan.batch
    while len(run.losses) < plan.steps:
        done = len(run.losses)
        # Each round goes through all pieces in an order of its own, each piece in batches of an order of its own.
        rounds, place = divmod(done // steps, len(known))
        order = np.random.default_rng([plan.seed, 1, rounds]).permutation(len(known))
        piece = load_file(known[order[place]])
        mixed = np.random.default_rng([plan.seed, 2, done // steps]).permutation(PIECE)
        for part in range(done % steps, steps):
            rows = mixed[part * plan.batch : (part + 1) * plan.batch]
            _step(run, piece, rows, plan, folder / STATE, told)
            progress("train", len(run.losses) / plan.steps, f"Step {len(run.losses)}, error {run.losses[-1][0]:.3f}")
            if len(run.losses) == plan.steps:
                break
    run.average.eval()
    result = score(run.average, unseen)
    curves([run.losses], [TERMS], folder / "curves.png")
    faces(run.average, load_file(unseen[-1]), folder / "faces.png")
    run.average.save(folder / WEIGHTS, told | {"held_out": held * PIECE, "score": _rounded(result)})
    progress("train", 1.0, f"The weights are in {folder / WEIGHTS}")
    return folder / WEIGHTS


def batch_of(piece: dict[str, Tensor], rows: list[int], rng: np.random.Generator | None = None) -> Batch:
    """Samples of a piece; a generator mirrors some of them and lets the solver have done more or less."""
    given: list[Any] = []
    kept: dict[str, list[Any]] = {name: [] for name in ("found", "albedo", "gloss", "weight", "light")}
    for row in rows:
        log, true, shade = (piece[name][row].float().numpy() for name in ("log", "albedo", "shading"))
        seen, air, shine = (piece[name][row].float().numpy() / 255 for name in ("weight", "open_air", "gloss"))
        normal = piece["normal"][row].float().numpy() / 127
        if rng is not None:
            shade = shade * rng.uniform(0.7, 1.1)
            if rng.random() < SOLVED:
                log, shade = log - shade, np.zeros_like(shade)
            if rng.random() < 0.5:
                log, true, shade, seen, air, shine = (p[:, ::-1] for p in (log, true, shade, seen, air, shine))
                normal = normal[:, ::-1] * np.array([-1, 1, 1], np.float32)
        given.append(network_input(log, seen, normal, air, shade))
        sky = np.zeros((9, 1)) if rng is None else rng.normal(0, 1, (9, 1))
        lit = sh_basis(torch.from_numpy(np.ascontiguousarray(normal))).numpy() @ sky.astype(np.float32)
        shone = np.clip(0.6 + lit, 0.1, 2.0) * air[..., None]
        for name, picture in zip(kept, (log - shade, true, shine[..., None], seen[..., None], shone), strict=True):
            kept[name].append(np.ascontiguousarray(picture))

    def stacked(pictures: list[Any]) -> Tensor:
        return torch.from_numpy(np.stack(pictures).astype(np.float32)).permute(0, 3, 1, 2).contiguous()

    return Batch(torch.from_numpy(np.stack(given)), **{name: stacked(pictures) for name, pictures in kept.items()})


def losses_of(network: DelightNet, batch: Batch) -> tuple[Tensor, ...]:
    """The losses of `TERMS`, in that order."""
    residual, shine = network(batch.given)
    weight, total = batch.weight, batch.weight.sum((2, 3), keepdim=True).clamp(min=1)
    missing = batch.albedo - batch.found
    wrong = residual - missing
    wrong = wrong - (wrong * weight).sum((2, 3), keepdim=True) / total
    whole = weight.sum().clamp(min=1)
    albedo = (wrong.abs() * weight).sum() / (3 * whole)
    gradient = torch.zeros(())
    for axis in (2, 3):
        both = torch.minimum(
            weight.narrow(axis, 1, weight.shape[axis] - 1), weight.narrow(axis, 0, weight.shape[axis] - 1)
        )
        gradient = gradient + (wrong.diff(dim=axis).abs() * both).sum() / (3 * whole)
    # Relit, errors count as an eye would see them. The sum is bounded, lest one bad texel outshines a face.
    there = batch.albedo.exp() * batch.light
    here = (batch.albedo + wrong.clamp(-2, 2)).exp() * batch.light
    shown = (here + 1e-3) ** (1 / 2.2) - (there + 1e-3) ** (1 / 2.2)
    render = (shown.abs() * weight).sum() / (3 * whole)
    gloss = ((shine - batch.gloss).abs() * weight).sum() / whole
    return albedo, gradient, render, gloss


def _step(run: _Run, piece: dict[str, Tensor], rows: Any, plan: Plan, path: Path, told: dict[str, Any]) -> None:
    step = len(run.losses)
    rng = np.random.default_rng([plan.seed, 3, step])
    rate = plan.rate * min(1.0, (step + 1) / 100) * 0.5 * (1 + np.cos(np.pi * step / plan.steps))
    for group in run.adam.param_groups:
        group["lr"] = rate
    parts = losses_of(run.network, batch_of(piece, [int(row) for row in rows], rng))
    albedo, gradient, render, gloss = parts
    loss = albedo + plan.gradient * gradient + plan.render * render + plan.gloss * gloss
    run.adam.zero_grad()
    torch.autograd.backward(loss)
    torch.nn.utils.clip_grad_norm_(run.network.parameters(), 1.0)
    run.adam.step()
    share = min(AVERAGE, (step + 1) / (step + 10))
    with torch.no_grad():
        for slow, fast in zip(run.average.parameters(), run.network.parameters(), strict=True):
            slow.lerp_(fast, 1 - share)
    run.losses.append(tuple(float(part.detach()) for part in parts))
    done = len(run.losses)
    if done % plan.keep == 0 or done == plan.steps:
        _save(run, path, told)


def _save(run: _Run, path: Path, told: dict[str, Any]) -> None:
    tensors = {f"network/{name}": values for name, values in run.network.state_dict().items()}
    tensors |= {f"average/{name}": values for name, values in run.average.state_dict().items()}
    tensors |= adam_tensors(run.adam, enumerate(run.network.parameters()))
    tensors["losses"] = torch.tensor(run.losses, dtype=torch.float64).reshape(-1, len(TERMS))
    write_tensors(path, tensors, told)


def _opened(path: Path, plan: Plan, told: dict[str, Any]) -> _Run:
    """A training as it was left, or a new one."""
    torch.manual_seed(plan.seed)
    network, average = DelightNet(plan.widths), DelightNet(plan.widths)
    average.load_state_dict(network.state_dict())
    average.requires_grad_(False)
    adam = torch.optim.AdamW(network.parameters(), lr=plan.rate, weight_decay=1e-3)
    if not path.exists():
        return _Run(network, average, adam, [])
    tensors, was = read_tensors(path)
    if was != told:
        raise MethodError(f"{path.parent} holds a training by another plan; choose another folder, or delete it.")
    for kept, name in ((network, "network/"), (average, "average/")):
        kept.load_state_dict({k[len(name) :]: v for k, v in tensors.items() if k.startswith(name)})
    restore_adam(adam, enumerate(network.parameters()), tensors)
    return _Run(network, average, adam, [tuple(row) for row in tensors["losses"].tolist()])


def _plain(plan: Plan) -> dict[str, Any]:
    """What of the plan decides what comes out, as JSON gives it back."""
    values = {name: value for name, value in asdict(plan).items() if name != "keep"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


def _rounded(result: dict[str, Score]) -> dict[str, dict[str, float]]:
    return {group: {name: round(value, 3) for name, value in asdict(one).items()} for group, one in result.items()}
