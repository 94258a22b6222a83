"""The unsupervised training of Genova et al., "Unsupervised Training for 3D Morphable Model Regression", CVPR 2018.

A frozen network describes a face; a small regressor turns the description into coefficients of a morphable model. It
learns to undo renders of random heads first; then, from faces whose heads nobody knows, that a render of what it says
is described like the face, from several sides; that its answers vary as heads do; and that it reads its own heads back.

What differs from the paper: the descriptor is dlib's (128 numbers), whose weights are in the public domain; the share
of truth to expect in each coefficient, and the error left in it, are measured at the end (`Regressor.gain`, `doubt`).
docs/genova.md tells figure by figure what is the paper's and what was chosen by experiment.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from likeness.errors import MethodError
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import draw_scene, plain_scene
from likeness.heads.morphable import Morphable
from likeness.networks.genova import Regressor
from likeness.progress import Progress, quiet
from likeness.training.losses import Coefficients, batch_distribution, multi_view_identity, parameter_distance
from likeness.training.pictures import curves, portraits
from likeness.training.samples import PIECE, Samples, render_samples
from likeness.weights.adam_file import adam_tensors, restore_adam
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["START", "TERMS", "WEIGHTS", "Plan", "train"]

WEIGHTS, STATE = "genova.safetensors", "state.safetensors"
LEAST_DOUBT = 0.1
"""Renders agree with renders better than with photos: nothing is surer than this, whatever they say."""
START, TERMS = ("parameters",), ("identity", "distribution", "loopback")
"""Losses of the two stages, in the order they are kept."""


@dataclass(frozen=True)
class Plan:
    """All that decides what comes out, the seed included, and how often it is kept.

    Attributes:
        seed: of everything random.
        pieces: of `PIECE` rendered heads each; the last eighth, at least one, is held out to measure the gain.
        start_steps, start_batch, start_rate: of the synthetic start; the rate falls to nothing along a cosine.
        noise: what is added to descriptors in the start, in their standard deviations; decay: of Adam's weights. Both
            keep the regressor from learning what only renders have.
        steps, batch, faces, rate: of the unsupervised stage: descriptors whose distribution counts, how many of them
            are rendered, and Adam's rate.
        yaws: degrees from which a predicted head is looked at.
        width: of the regressor's hidden layers (the paper's 1024 for its 1024 numbers).
        shape, colour: weights of identity and albedo in the loss of parameters.
        identity, distribution, loopback: weights of the three losses.
        keep: steps between two states on disk, which changes nothing else.
    """

    seed: int = 0
    pieces: int = 64
    start_steps: int = 1500
    start_batch: int = 256
    start_rate: float = 1e-3
    noise: float = 0.5
    decay: float = 0.01
    steps: int = 150
    batch: int = 256
    faces: int = 6
    rate: float = 1e-4
    yaws: tuple[float, ...] = (-30.0, 0.0, 30.0)
    width: int = 256
    shape: float = 0.4
    colour: float = 0.4
    identity: float = 1.0
    distribution: float = 0.01
    loopback: float = 0.02
    keep: int = 20


@dataclass(eq=False)
class _Run:
    """Where a training stands: the regressor, Adam, the step of each stage, and each step's losses."""

    regressor: Regressor
    adam: torch.optim.AdamW
    done: list[int]
    losses: list[list[tuple[float, ...]]]


def train(
    model: Morphable,
    encoder: Callable[[Tensor], Tensor],
    folder: Path,
    plan: Plan,
    photos: Tensor | None = None,
    progress: Progress = quiet,
) -> Path:
    """Train until the plan is done, going on from what the folder holds; the same bits come out however often it stops.

    Args:
        model: what to regress to.
        encoder: chips (B, 3, 150, 150) in 0..255 to descriptors (B, D), frozen, on the model's device.
        folder: for rendered heads, states, the weights, curves.png and heads.png.
        photos: (P, D) descriptors of faces whose heads nobody knows; rendered heads stand in where there are none.

    Returns:
        the weights' path.

    Raises:
        MethodError: the folder holds a training by another plan, or with other photos.
    """
    told: dict[str, Any] = {"head": model.name, "plan": _plain(plan)}
    if photos is not None:
        told["photos"] = hashlib.sha256(photos.cpu().numpy().tobytes()).hexdigest()
    samples = render_samples(model, encoder, folder / "samples", plan.pieces, plan.seed, progress)
    held = max(PIECE, len(samples.descriptors) // 8)
    if held >= len(samples.descriptors):
        raise MethodError("A training needs at least two pieces of rendered heads; ask for more of them.")
    known, unseen = _split(samples, held)
    run = _opened(folder / STATE, model, known, told)
    _begin(run, known, plan, folder, told, progress)
    _go_on(run, model, encoder, known.descriptors if photos is None else photos, plan, folder, told, progress)
    run.regressor.eval()
    with torch.no_grad():
        run.regressor.gain.copy_(_gain(run.regressor, unseen))
        run.regressor.doubt.copy_(_doubt(run.regressor, unseen))
    figures = {"held_out": held, "explained": _explained(run.regressor, unseen, model)}
    curves(run.losses, (START, TERMS), folder / "curves.png")
    portraits(model, run.regressor, unseen, folder / "heads.png")
    run.regressor.save(folder / WEIGHTS, told | figures)
    progress("train", 1.0, f"The weights are in {folder / WEIGHTS}")
    return folder / WEIGHTS


def _begin(run: _Run, known: Samples, plan: Plan, folder: Path, told: dict[str, Any], progress: Progress) -> None:
    """The synthetic start: coefficients of renders, told."""
    while run.done[0] < plan.start_steps:
        step = run.done[0]
        rng = np.random.default_rng([plan.seed, 1, step])
        for group in run.adam.param_groups:
            group["lr"] = plan.start_rate * 0.5 * (1 + np.cos(np.pi * step / plan.start_steps))
        pick = torch.from_numpy(rng.integers(len(known.descriptors), size=plan.start_batch))
        pick = pick.to(known.descriptors.device)
        noise = torch.from_numpy(rng.normal(0, plan.noise, (plan.start_batch, known.descriptors.shape[1]))).float()
        descriptors = known.descriptors[pick] + noise.to(pick.device) * run.regressor.scale
        found = Coefficients(*run.regressor(descriptors))
        true = Coefficients(known.heads.identity[pick], known.heads.albedo[pick])
        loss = parameter_distance(found, true, plan.shape, plan.colour)
        _step(run, 0, loss, (loss,), plan, folder, told)
        progress("start", run.done[0] / plan.start_steps, f"Learning from renders, step {run.done[0]}")


def _go_on(
    run: _Run,
    model: Morphable,
    encoder: Callable[[Tensor], Tensor],
    descriptors: Tensor,
    plan: Plan,
    folder: Path,
    told: dict[str, Any],
    progress: Progress,
) -> None:
    """The unsupervised stage: faces without a head."""
    for group in run.adam.param_groups:
        group["lr"] = plan.rate
    if not run.done[1]:
        run.adam.state.clear()  # the start's gradients are far bigger: by their measure nothing would move here
    while run.done[1] < plan.steps:
        rng = np.random.default_rng([plan.seed, 2, run.done[1]])
        pick = torch.from_numpy(rng.integers(len(descriptors), size=plan.batch)).to(descriptors.device)
        parts = unsupervised(run.regressor, model, encoder, descriptors[pick], plan, rng)
        loss = sum((getattr(plan, name) * part for name, part in zip(TERMS, parts, strict=True)), torch.zeros(()))
        _step(run, 1, loss, parts, plan, folder, told)
        progress("train", run.done[1] / plan.steps, f"Learning without heads, step {run.done[1]}")


def unsupervised(
    regressor: Regressor,
    model: Morphable,
    encoder: Callable[[Tensor], Tensor],
    descriptors: Tensor,
    plan: Plan,
    rng: np.random.Generator,
) -> tuple[Tensor, Tensor, Tensor]:
    """The three losses of a batch of descriptors (B, D), in the order of `TERMS`."""
    found = Coefficients(*regressor(descriptors))
    few = Coefficients(found.identity[: plan.faces], found.albedo[: plan.faces])
    count = len(few.identity)
    views = [plain_scene(len(model.expression), yaw) for yaw in plan.yaws for _ in range(count)]
    times = len(plan.yaws)
    chips = shoot(model, few.identity.repeat(times, 1), few.albedo.repeat(times, 1), views)
    seen = encoder(chips).reshape(times, count, -1).transpose(0, 1)
    identity = multi_view_identity(descriptors[:count], seen)
    # The heads it has just said are a new rendered sample; where they came from does not matter to it.
    with torch.no_grad():
        scenes = [draw_scene(model.expression_names, rng, len(model.expression)) for _ in range(count)]
        again = encoder(shoot(model, few.identity, few.albedo, scenes))
    loopback = parameter_distance(Coefficients(*regressor(again)), few.detach(), plan.shape, plan.colour)
    return identity, batch_distribution(found), loopback


def _step(
    run: _Run, stage: int, loss: Tensor, parts: tuple[Tensor, ...], plan: Plan, folder: Path, told: dict[str, Any]
) -> None:
    run.adam.zero_grad()
    torch.autograd.backward(loss)
    run.adam.step()
    run.losses[stage].append(tuple(float(part.detach()) for part in parts))
    run.done[stage] += 1
    total = (plan.start_steps, plan.steps)[stage]
    if run.done[stage] % plan.keep == 0 or run.done[stage] == total:
        _save(run, folder / STATE, told)


def _save(run: _Run, path: Path, told: dict[str, Any]) -> None:
    tensors = {f"regressor/{name}": values for name, values in run.regressor.state_dict().items()}
    tensors |= adam_tensors(run.adam, enumerate(run.regressor.parameters()))
    for stage, names in enumerate((START, TERMS)):
        tensors[f"losses/{stage}"] = torch.tensor(run.losses[stage], dtype=torch.float64).reshape(-1, len(names))
    write_tensors(path, tensors, told)


def _opened(path: Path, model: Morphable, known: Samples, told: dict[str, Any]) -> _Run:
    """A training as it was left, or a new one."""
    plan = told["plan"]
    torch.manual_seed(plan["seed"])
    regressor = Regressor(known.descriptors.shape[1], len(model.identity), model.albedo_count, plan["width"])
    regressor.centre.copy_(known.descriptors.mean(0))
    regressor.scale.copy_(known.descriptors.std(0).clamp(min=1e-6))
    regressor.to(known.descriptors.device)
    adam = torch.optim.AdamW(regressor.parameters(), lr=plan["start_rate"], weight_decay=plan["decay"])
    if not path.exists():
        return _Run(regressor, adam, [0, 0], [[], []])
    tensors, was = read_tensors(path)
    if was != told:
        raise MethodError(
            f"{path.parent} holds a training by another plan or with other photos; choose another folder, or delete it."
        )
    regressor.load_state_dict({k[10:]: v for k, v in tensors.items() if k.startswith("regressor/")})
    restore_adam(adam, enumerate(regressor.parameters()), tensors)
    losses = [[tuple(row) for row in tensors[f"losses/{stage}"].tolist()] for stage in (0, 1)]
    return _Run(regressor, adam, [len(rows) for rows in losses], losses)


def _split(samples: Samples, held: int) -> tuple[Samples, Samples]:
    """All but the last `held` heads, and those."""
    heads = samples.heads
    return (
        Samples(samples.descriptors[:-held], Coefficients(heads.identity[:-held], heads.albedo[:-held])),
        Samples(samples.descriptors[-held:], Coefficients(heads.identity[-held:], heads.albedo[-held:])),
    )


def _gain(regressor: Regressor, unseen: Samples) -> Tensor:
    """(N + K,) least-squares share of each coefficient said that is true, 0..1."""
    said = torch.cat(regressor(unseen.descriptors), 1)
    true = torch.cat([unseen.heads.identity, unseen.heads.albedo], 1)
    return ((said * true).sum(0) / said.square().sum(0).clamp(min=1e-6)).clamp(0, 1)


def _doubt(regressor: Regressor, unseen: Samples) -> Tensor:
    """(N,) mean squared error of each identity coefficient, 1 where nothing is known of it."""
    said, _ = regressor.likely(unseen.descriptors)
    return (said - unseen.heads.identity).square().mean(0).clamp(LEAST_DOUBT, 1)


@torch.no_grad()
def _explained(regressor: Regressor, unseen: Samples, model: Morphable) -> dict[str, float]:
    """Share of the variance of shapes and of albedo coefficients that is told right of heads it has not seen."""
    identity, albedo = regressor.likely(unseen.descriptors)
    sizes = model.identity.square().sum((1, 2))
    wrong = ((identity - unseen.heads.identity).square() * sizes).sum()
    shape = 1 - wrong / (unseen.heads.identity.square() * sizes).sum()
    colour = 1 - (albedo - unseen.heads.albedo).square().sum() / unseen.heads.albedo.square().sum()
    return {"shape": round(float(shape), 4), "albedo": round(float(colour), 4)}


def _plain(plan: Plan) -> dict[str, Any]:
    """What of the plan decides what comes out, as JSON gives it back."""
    values = {f.name: getattr(plan, f.name) for f in fields(plan) if f.name != "keep"}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
