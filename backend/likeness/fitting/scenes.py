"""Everything about a picture of a head that is not the head: pose, expression, light, hair, lens and chance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from likeness.fitting.pose import Pose, rotation_of

__all__ = ["Lamp", "Scene", "draw_scene", "plain_scene", "scene_of"]

Floats = NDArray[np.float64]

YAW, PITCH, ROLL = 45.0, 9.0, 8.0
"""Degrees: half of the yaws are uniform up to this, the others and the rest of the pose normal."""
JITTER = 0.012
"""Standard deviation of a landmark network's error, in distances between the outer eye corners."""
MILD = 0.5
"""Standard deviation of expressions without a name, in those of their model."""
HAIR = 0.03  # metres that hair stands off the skull at most
MOODS: tuple[dict[str, float], ...] = (
    {},
    {"mouthSmile": 0.5, "cheekSquint": 0.3, "eyeSquint": 0.15},
    {"mouthSmile": 0.6, "cheekSquint": 0.3, "mouthUpperUp": 0.3, "mouthLowerDown": 0.2, "jawOpen": 0.06},
    {"jawOpen": 0.2, "mouthFunnel": 0.15, "mouthLowerDown": 0.15},
    {"browDown": 0.5, "mouthFrown": 0.3, "mouthPress": 0.25, "eyeSquint": 0.2},
    {"browInnerUp": 0.5, "browOuterUp": 0.4, "eyeWide": 0.3, "jawOpen": 0.05},
    {"mouthPucker": 0.5, "eyeBlink": 0.3},
)
"""Mild expressions in ARKit's names at full strength; a name without a side means both."""


@dataclass(frozen=True)
class Lamp:
    """A far lamp: where it stands (3,) in the head's frame, its colour (3,), how soft and how glossy its light is."""

    direction: tuple[float, float, float]
    colour: tuple[float, float, float]
    wrap: float
    shine: float
    gloss: float


@dataclass(frozen=True, eq=False)
class Scene:
    """How a head is seen.

    Attributes:
        rotation: (3, 3) head to camera (x right, y down, z away); distance: in distances between the outer eye corners.
        expression: (M,) float32 weights.
        above, below: sky and ground, RGB; lamps: at least one.
        hair: metres it stands off; waves: (3, 12) per metre and phases (12,) of its lumps.
        background: two RGB colours, from the top of the picture to its foot.
        exposure: what the face's light is brought to; contrast: 0..1; balance: (3,) white balance.
        jitter: (5, 2) errors of the landmarks, in distances between the outer eye corners.
        grain: standard deviation of the noise in 0..255; blur: pixels; seed: of the noise.
    """

    rotation: Floats
    distance: float
    expression: Tensor
    above: Floats
    below: Floats
    lamps: tuple[Lamp, ...]
    hair: float
    waves: Floats
    phases: Floats
    background: Floats
    exposure: float
    contrast: float
    balance: Floats
    jitter: Floats
    grain: float
    blur: float
    seed: int


def draw_scene(names: tuple[str, ...], rng: Generator, nameless: int = 0) -> Scene:
    """A photo at random, of a head with expressions of these names, or else with `nameless` ones that are N(0, 1)."""
    yaw = rng.uniform(-YAW, YAW) if rng.random() < 0.5 else rng.normal(0, 15)
    key = _lamp(rng, rng.uniform(-75, 75), rng.uniform(0, 60), rng.uniform(0.5, 1.6))
    rest = tuple(
        _lamp(rng, rng.uniform(-180, 180), rng.uniform(-10, 70), rng.uniform(0.1, 0.9))
        for _ in range(int(rng.integers(1, 4)))
    )
    return Scene(
        rotation=_turned(float(yaw), rng.normal(0, PITCH), rng.normal(0, ROLL)),
        distance=float(np.exp(rng.uniform(np.log(4.5), np.log(22)))),
        expression=_mood(names, rng) if names else torch.from_numpy(rng.normal(0, MILD, nameless)).float(),
        above=rng.uniform(0.15, 0.8) * _tint(rng),
        below=rng.uniform(0.05, 0.35) * _tint(rng),
        lamps=(key, *rest),
        hair=float(rng.uniform(0, HAIR) if rng.random() < 0.7 else 0.0),
        waves=rng.normal(0, 90, (3, 12)),
        phases=rng.uniform(0, 2 * np.pi, 12),
        background=rng.uniform(0.05, 1, (2, 1)) * np.exp(rng.normal(0, 0.25, (2, 3))),
        exposure=float(rng.uniform(0.16, 0.36)),
        contrast=float(rng.uniform(0, 0.35)),
        balance=np.exp(rng.normal(0, 0.05, 3)),
        jitter=rng.normal(0, JITTER, (5, 2)),
        grain=float(rng.uniform(0, 5)),
        blur=float(rng.uniform(0.2, 0.9)),
        seed=int(rng.integers(2**31)),
    )


def plain_scene(count: int, yaw: float) -> Scene:
    """A neutral face (M = `count` expressions at rest) in soft even light, turned by `yaw` degrees to the right."""
    soft = Lamp((0.2, 0.5, 0.84), (0.9, 0.9, 0.9), 0.3, 0.05, 20.0)
    return Scene(
        _turned(yaw, 0.0, 0.0), 10.0, torch.zeros(count), np.full(3, 0.5), np.full(3, 0.25), (soft,), 0.012,
        np.zeros((3, 12)), np.zeros(12), np.full((2, 3), 0.3), 0.26, 0.15, np.ones(3), np.zeros((5, 2)), 0.0, 0.5, 0,
    )  # fmt: skip


def scene_of(pose: Pose, middle: Floats, eyes: float, expression: Floats) -> Scene:
    """A plain picture of a head that stands as in a photo.

    Args:
        pose: the photo's camera; middle: (3,) metres, the middle of the face in the head's frame.
        eyes: metres between the outer eye corners; expression: (M,) weights.
    """
    ray = pose.rotation @ middle + pose.translation
    distance = float(np.linalg.norm(ray))
    # The chip's camera looks straight at the face.
    axis = np.cross(ray / distance, (0.0, 0.0, 1.0))
    sine = float(np.linalg.norm(axis))
    turn = rotation_of(axis / max(sine, 1e-12) * np.arcsin(min(sine, 1.0)))
    plain = plain_scene(len(expression), 0.0)
    weights = torch.from_numpy(expression).float()
    return replace(plain, rotation=turn @ pose.rotation, distance=distance / eyes, expression=weights)


def _turned(yaw: float, pitch: float, roll: float) -> Floats:
    """Head to camera: degrees that the face looks to the picture's right and up, and the picture is rolled."""
    y, p, r = np.radians([yaw, pitch, roll])
    turn = rotation_of(np.array([-p, 0, 0])) @ rotation_of(np.array([0, y, 0]))
    return np.asarray(rotation_of(np.array([0, 0, r])) @ np.diag([1.0, -1.0, -1.0]) @ turn)


def _tint(rng: Generator) -> Floats:
    """The colour of a light of 3800 to 8000 kelvin, green at 1."""
    kelvin = rng.uniform(3800, 8000)
    return np.array([(kelvin / 6000) ** -0.25, 1.0, (kelvin / 6000) ** 0.3])


def _lamp(rng: Generator, azimuth: float, elevation: float, power: float) -> Lamp:
    a, e = np.radians([azimuth, elevation])
    to = (float(np.sin(a) * np.cos(e)), float(np.sin(e)), float(np.cos(a) * np.cos(e)))
    colour = power * _tint(rng)
    return Lamp(
        to,
        (float(colour[0]), float(colour[1]), float(colour[2])),
        float(rng.uniform(0, 0.4)),
        float(rng.uniform(0, 0.4)),
        float(rng.uniform(10, 50)),
    )


def _mood(names: tuple[str, ...], rng: Generator) -> Tensor:
    """Weights (M,) of a mild mood with a gaze; heads with other names stay neutral."""
    index = {name: i for i, name in enumerate(names)}
    weights = np.zeros(len(names))
    mood = MOODS[int(rng.integers(len(MOODS)))]
    strength, sides = rng.uniform(0.3, 1.0), rng.uniform(0.8, 1.2, 2)
    side, up, blink = rng.uniform(-0.35, 0.35), rng.uniform(-0.25, 0.25), rng.uniform(0, 0.15)
    gaze = {
        "eyeLookInLeft": -side, "eyeLookOutRight": -side, "eyeLookOutLeft": side, "eyeLookInRight": side,
        "eyeLookUpLeft": up, "eyeLookUpRight": up, "eyeLookDownLeft": -up, "eyeLookDownRight": -up,
        "eyeBlinkLeft": blink, "eyeBlinkRight": blink,
    }  # fmt: skip
    for name, amount in mood.items():
        for full, factor in ((name, 1.0), (f"{name}Left", sides[0]), (f"{name}Right", sides[1])):
            gaze[full] = gaze.get(full, 0.0) + amount * strength * factor
    for name, amount in gaze.items():
        if name in index:
            weights[index[name]] = np.clip(amount, 0, 1)
    return torch.from_numpy(weights).float()
