"""GANFIT's fit in two stages: landmarks place the head, then everything is asked of everything, by Adam.

Source: Gecer et al., CVPR 2019, section 3.4, and Bai et al. (FFHQ-UV), CVPR 2023, for the falling rate and grey light.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from torch import Tensor

from likeness.errors import MethodError
from likeness.fitting import appearance_terms as terms
from likeness.fitting.appearance import Paint, Portrait, Sitter, Stand, draw, lens
from likeness.fitting.appearance_sides import other_side
from likeness.fitting.appearance_terms import Looks, Recogniser
from likeness.fitting.expression import expression_prior
from likeness.fitting.lights import HARMONICS, Light
from likeness.progress import Progress, quiet
from likeness.weights.adam_file import adam_tensors, restore_adam
from likeness.weights.tensor_file import read_tensors, write_tensors

__all__ = ["ARCFACE_WEIGHTS", "PUBLISHED", "STATE", "Outcome", "Plan", "Texture", "fit_appearance"]

STATE, PREVIEW = "fit.safetensors", "preview.png"
FALL = 0.4
"""Share of the steps over which the rates fall to nothing."""
CLIPPED = 0.97
"""From which value on a pixel no longer tells how bright it was."""
STAND = ("turn", "shift", "zoom", "expression", "light")


class Texture(Protocol):
    """Where the colours are from."""

    def parameters(self) -> dict[str, Tensor]:
        """What is fitted, by name; the same tensors each time, changed in place."""
        ...

    def rates(self) -> dict[str, float]:
        """Adam's rate of each of them."""
        ...

    def paint(self) -> Paint:
        """The colours that they make now."""
        ...

    def unlikely(self) -> Tensor:
        """How unlikely they are, as it joins the objective."""
        ...

    def settle(self) -> None:
        """Bring them back to where they may be, after a step."""
        ...


PUBLISHED = {
    "identity": 2.0, "other sides": 2.0, "content": 50.0, "pixels": 1.0, "landmarks": 0.001, "shape": 0.05,
    "expression": 0.05, "light": 0.01, "grey light": 10.0, "texture": 1.0,
}  # fmt: skip
"""The paper's weights, as far as known; grey light is FFHQ-UV's."""


ARCFACE_WEIGHTS = PUBLISHED | {"pixels": 10.0}
"""For ArcFace the paper's, which were made for it; but pixels as with dlib: they tell the colours."""


def _weights() -> dict[str, float]:
    # dlib's network looks at edges and hardly at colour: left to it, skin turns pale. Without a learned texture it is
    # the pixels that tell.
    return PUBLISHED | {"identity": 1.0, "other sides": 0.5, "content": 10.0, "pixels": 10.0}


def _rates() -> dict[str, float]:
    return {"identity": 0.01, "turn": 5e-4, "shift": 5e-4, "zoom": 5e-4, "expression": 0.005, "light": 0.03}


@dataclass(frozen=True)
class Plan:
    """All that decides what comes out, the seed included.

    Attributes:
        seed: of the other sides.
        align: steps of the first stage; steps: at most, of the second.
        weights: of the terms, see `PUBLISHED`; rates: Adam's.
        every: a random side of the head is looked at every so many steps, and counts as much more.
        patience: steps without an improvement by `least` after which the rates begin to fall.
        keep: steps between two states on disk and two messages.
    """

    seed: int = 0
    align: int = 30
    steps: int = 120
    weights: dict[str, float] = field(default_factory=_weights)
    rates: dict[str, float] = field(default_factory=_rates)
    every: int = 2
    patience: int = 30
    least: float = 0.01
    keep: int = 10


@dataclass(frozen=True, eq=False)
class Outcome:
    """What was found.

    Attributes:
        identity: (N,) coefficients; stands: one per portrait.
        history: the terms of each step of the second stage, unweighted.
        likeness: cosine of the descriptors of photo and drawn head, before and after, mean over the portraits.
    """

    identity: Tensor
    stands: tuple[Stand, ...]
    history: tuple[dict[str, float], ...]
    likeness: tuple[float, float]


@dataclass(eq=False)
class _Run:
    """Where a fit stands."""

    values: dict[str, Tensor]
    adam: torch.optim.Adam
    step: int = 0
    end: int = 0
    before: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


def fit_appearance(
    sitter: Sitter,
    portraits: list[Portrait],
    stands: list[Stand],
    texture: Texture,
    recogniser: Recogniser,
    plan: Plan,
    folder: Path | None = None,
    told: dict[str, Any] | None = None,
    progress: Progress = quiet,
    *,
    realigned: bool = False,
) -> Outcome:
    """Fit shape, colours, and in each picture camera, expression and light.

    Args:
        portraits, stands: of one person, and where to start from.
        texture: its parameters end at what was found.
        folder: for the state and a picture of how it goes; a fit that was stopped goes on there, to the same bits.
        told: what the fit is of, for that state.
        realigned: the recogniser sees a drawn face aligned by the head's own landmarks, as they were drawn, rather
            than by those of the photo beneath.

    Raises:
        MethodError: the folder holds another fit.
    """
    fit = _Fit(sitter, portraits, texture, recogniser, plan, realigned)
    values = fit.values(stands)
    run = _Run(values, fit.adam(values), end=plan.steps)
    about: dict[str, Any] = {"plan": asdict(plan), "head": sitter.head.name, "light": fit.light.name} | (told or {})
    if folder is not None:
        _resume(run, folder / STATE, about)
    if not run.step:
        run.before = fit.likeness(run.values)
    while run.step < plan.align:
        loss = fit.aligned(run.values, run.step % len(portraits))
        _stepped(run, loss, fit.light, texture, 1.0)
        if run.step % plan.keep == 0:
            progress("fit", 0.0, f"Aligning, step {run.step} of {plan.align}: {float(loss.detach()):.3f}")
    if run.step == plan.align:
        run.adam = fit.adam(run.values)  # what the first stage learned of the gradients says little of the second's
    while run.step - plan.align < run.end:
        at = run.step - plan.align
        parts = fit.parts(run.values, at)
        loss = terms.total(parts, plan.weights)
        _stepped(run, loss, fit.light, texture, _rate(at, run.end, plan))
        run.history.append({name: float(part.detach()) for name, part in parts.items()})
        run.end = min(run.end, _end(run.history, plan))
        if (at + 1) % plan.keep == 0 or at + 1 == run.end:
            said = ", ".join(f"{name} {value:.4f}" for name, value in run.history[-1].items())
            progress("fit", (at + 1) / run.end, f"Fitting, step {at + 1} of {run.end}: {said}")
            if folder is not None:
                _save(run, folder / STATE, about)
                fit.preview(run.values, folder / PREVIEW)
    last = {name: value.detach() for name, value in run.values.items()}
    found = tuple(fit.stand(last, i) for i in range(len(portraits)))
    return Outcome(last["identity"], found, tuple(run.history), (run.before, fit.likeness(last)))


class _Fit:
    """The objective."""

    def __init__(
        self,
        sitter: Sitter,
        portraits: list[Portrait],
        texture: Texture,
        recogniser: Recogniser,
        plan: Plan,
        realigned: bool,
    ) -> None:
        self.sitter, self.portraits, self.texture = sitter, portraits, texture
        self.recogniser, self.plan, self.realigned = recogniser, plan, realigned
        self.light: Light = HARMONICS
        with torch.no_grad():
            self.photos = [recogniser(p.picture, p.anchors).detached() for p in portraits]
        prior = expression_prior(sitter.head.expression_names)
        self.moods = torch.from_numpy(prior).float()
        self.calm: list[Tensor] = []
        self.clear = [(p.picture.amax(0) < CLIPPED).float() for p in portraits]

    def values(self, stands: list[Stand]) -> dict[str, Tensor]:
        """All that is fitted, by name."""
        self.light = stands[0].kind
        self.calm = [stand.expression.detach().clone() for stand in stands]
        values = {"identity": self.sitter.identity.clone()}
        for number, stand in enumerate(stands):
            values |= {f"{name}.{number}": getattr(stand, name).clone() for name in STAND}
        values = {name: value.requires_grad_() for name, value in values.items()}
        return values | {f"texture.{name}": value for name, value in self.texture.parameters().items()}

    def adam(self, values: dict[str, Tensor]) -> torch.optim.Adam:
        """Adam with the plan's rates, fresh."""
        own = self.texture.rates()
        groups = []
        for name, value in values.items():
            first, _, rest = name.partition(".")
            rate = own[rest] if first == "texture" else self.plan.rates[first]
            groups.append({"params": [value], "lr": rate, "own": rate})
        return torch.optim.Adam(groups, betas=(0.9, 0.99))

    def stand(self, values: dict[str, Tensor], number: int) -> Stand:
        """How the head stands in a portrait."""
        turn, shift, zoom, expression, light = (values[f"{name}.{number}"] for name in STAND)
        return Stand(turn, shift, zoom, expression, light, self.light)

    def _landmarks(self, stand: Stand, number: int, vertices: Tensor) -> Tensor:
        portrait = self.portraits[number]
        marks = self.sitter.marks.on(vertices, self.sitter.mesh)[portrait.index] + portrait.bias
        found = lens(self.sitter, portrait, stand, marks)[:, :2]
        return terms.landmarks(found, portrait.landmarks, portrait.trust)

    def _looks(self, stand: Stand, number: int, vertices: Tensor, picture: Tensor) -> Looks:
        """What the recogniser sees of a drawn head."""
        portrait, anchors = self.portraits[number], self.portraits[number].anchors
        if self.realigned:
            places = self.sitter.anchors.on(vertices, self.sitter.mesh) + portrait.anchor_bias
            anchors = lens(self.sitter, portrait, stand, places)[:, :2]
        return self.recogniser(picture, anchors)

    def _mood(self, stand: Stand, number: int) -> Tensor:
        return (self.moods @ (stand.expression - self.calm[number])).square().sum()

    def aligned(self, values: dict[str, Tensor], number: int) -> Tensor:
        """The first stage: landmarks against camera and expression."""
        stand = self.stand(values, number)
        vertices = self.sitter.shaped(values["identity"].detach(), stand.expression)
        weights = self.plan.weights
        apart = self._landmarks(stand, number, vertices)
        return weights["landmarks"] * apart + weights["expression"] * self._mood(stand, number)

    def parts(self, values: dict[str, Tensor], step: int) -> dict[str, Tensor]:
        """The terms of the second stage, unweighted."""
        number = step % len(self.portraits)
        portrait, photo, stand = self.portraits[number], self.photos[number], self.stand(values, number)
        sitter, paint = self.sitter, self.texture.paint()
        vertices = sitter.shaped(values["identity"], stand.expression)
        drawn = draw(sitter, portrait, stand, vertices, paint)
        looks = self._looks(stand, number, vertices, drawn.picture)
        parts = {
            "pixels": terms.pixels(drawn.picture, portrait.picture, drawn.skin * self.clear[number]),
            "identity": terms.identity(looks, photo),
            "content": terms.content(looks, photo),
            "landmarks": self._landmarks(stand, number, vertices),
            "shape": (values["identity"] - sitter.identity).square().sum(),
            "expression": self._mood(stand, number),
            "light": self.light.unlikely(stand.light),
            "grey light": self.light.coloured(stand.light),
            "texture": self.texture.unlikely(),
        }
        if self.plan.weights["other sides"] and step % self.plan.every == 0:
            rng = np.random.default_rng([self.plan.seed, step])
            aside, there = other_side(sitter, portrait.side, rng)
            there = replace(there, light=self.light.of(there.light), kind=self.light)
            turned = sitter.shaped(values["identity"], there.expression)
            shown = draw(sitter, aside, there, turned, paint, whole=True)
            anchors = lens(sitter, aside, there, sitter.anchors.on(turned, sitter.mesh))[:, :2]
            seen = self.recogniser(shown.picture, anchors)
            parts["other sides"] = self.plan.every * terms.identity(seen, photo)
        return parts

    @torch.no_grad()
    def likeness(self, values: dict[str, Tensor]) -> float:
        """Cosine of the descriptors of photo and drawn head, mean over the portraits."""
        paint, cosines = self.texture.paint(), []
        for number, (portrait, photo) in enumerate(zip(self.portraits, self.photos, strict=True)):
            stand = self.stand(values, number)
            vertices = self.sitter.shaped(values["identity"], stand.expression)
            drawn = draw(self.sitter, portrait, stand, vertices, paint)
            looks = self._looks(stand, number, vertices, drawn.picture)
            cosines.append(1 - float(terms.identity(looks, photo)))
        return float(np.mean(cosines))

    def _drawn(self, values: dict[str, Tensor], number: int, paint: Paint) -> Tensor:
        stand = self.stand(values, number)
        vertices = self.sitter.shaped(values["identity"], stand.expression)
        return draw(self.sitter, self.portraits[number], stand, vertices, paint).picture

    @torch.no_grad()
    def preview(self, values: dict[str, Tensor], path: Path) -> None:
        """Photos over what was drawn, beside and then renamed."""
        paint = self.texture.paint()
        columns = [
            torch.cat([portrait.picture, self._drawn(values, number, paint)], 1)
            for number, portrait in enumerate(self.portraits)
        ]
        whole = (255 * torch.cat(columns, 2).clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()
        done, code = cv2.imencode(".png", np.ascontiguousarray(whole[..., ::-1]))
        if done:
            aside = path.with_name(f".{path.name}")
            aside.write_bytes(code.tobytes())
            aside.replace(path)


def _stepped(run: _Run, loss: Tensor, light: Light, texture: Texture, rate: float) -> None:
    for group in run.adam.param_groups:
        group["lr"] = rate * group["own"]
    run.adam.zero_grad(set_to_none=True)
    torch.autograd.backward(loss)
    run.adam.step()
    with torch.no_grad():
        for name, value in run.values.items():
            if name.startswith("expression."):
                value.clamp_(0, 1)
            elif name.startswith("light."):
                light.settle(value)
    texture.settle()
    run.step += 1


def _rate(step: int, end: int, plan: Plan) -> float:
    """Share of the rates at a step: constant, then along a cosine to nothing."""
    start = end - FALL * plan.steps
    return 1.0 if step < start else 0.5 * (1 + math.cos(math.pi * (step - start) / max(end - start, 1)))


def _end(history: list[dict[str, float]], plan: Plan) -> int:
    """After how many steps it ends: early, once what is seen of the face has stopped to improve."""
    count, span = len(history), plan.patience
    if count < 2 * span:
        return plan.steps
    names = ("pixels", "identity", "content")
    sums = [sum(plan.weights[n] * h[n] for n in names) for h in history[-2 * span :]]
    old, new = float(np.mean(sums[:span])), float(np.mean(sums[span:]))
    return plan.steps if new < (1 - plan.least) * old else count + math.ceil(FALL * plan.steps)


def _stepped_by(run: _Run) -> list[tuple[str, Tensor]]:
    """Adam's parameters, one a group, by their names."""
    groups = run.adam.param_groups
    return [(name, group["params"][0]) for name, group in zip(run.values, groups, strict=True)]


def _save(run: _Run, path: Path, told: dict[str, Any]) -> None:
    tensors = {f"value/{name}": value for name, value in run.values.items()}
    tensors |= adam_tensors(run.adam, _stepped_by(run))
    keys = sorted({key for row in run.history for key in row})
    rows = [[row.get(key, math.nan) for key in keys] for row in run.history]
    tensors["history"] = torch.tensor(rows, dtype=torch.float64)
    tensors |= {"before": torch.tensor(run.before, dtype=torch.float64), "at": torch.tensor([run.step, run.end])}
    write_tensors(path, tensors, told | {"terms": keys})


def _resume(run: _Run, path: Path, told: dict[str, Any]) -> None:
    """Go on from a state, where there is one."""
    if not path.exists():
        return
    tensors, was = read_tensors(path)
    keys = was.pop("terms", [])
    if was != told:
        raise MethodError(f"{path.parent} holds another fit; choose another folder, or delete it.")
    with torch.no_grad():
        for name, value in run.values.items():
            value.copy_(tensors[f"value/{name}"])
    restore_adam(run.adam, _stepped_by(run), tensors)
    run.step, run.end = (int(n) for n in tensors["at"])
    run.before = float(tensors["before"])
    run.history = [
        {key: value for key, value in zip(keys, row, strict=True) if not math.isnan(value)}
        for row in tensors["history"].tolist()
    ]
