"""The lights of the skin bench: the same for everybody, from a soft window to a bare lamp from the side."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from truth.light import lamp, rays, room, tint

__all__ = ["HARD", "LIGHTS", "draw_light"]

Floats = NDArray[np.float64]

HARD = ("side", "sun")
"""Lights whose lamp is so small that nose, brows and chin cast shadows."""


def draw_light(name: str, rng: Generator) -> NDArray[np.float32]:
    """A light by its name in `LIGHTS`, equirectangular (128, 256, 3) linear as `truth.light.room`'s."""
    return np.asarray(LIGHTS[name](rng), np.float32)


def _sky(low: float, high: float, kelvin: float) -> Floats:
    """Even light: `low` from below, `high` from above."""
    up = (rays()[..., 1:2] + 1) / 2
    return (low + (high - low) * up) * tint(kelvin)


def _side(rng: Generator) -> float:
    return float(rng.choice([-1.0, 1.0]))


def _window(rng: Generator) -> Floats:
    return _sky(0.15, 0.3, 6500) + lamp(_side(rng) * rng.uniform(20, 45), 30, 32, 3, 6000)


def _hard_side(rng: Generator) -> Floats:
    return _sky(0.05, 0.09, 5500) + lamp(_side(rng) * rng.uniform(65, 80), rng.uniform(5, 20), 3, 12, 5200, 0.5)


def _sun(rng: Generator) -> Floats:
    return _sky(0.12, 0.3, 9000) + lamp(_side(rng) * rng.uniform(15, 45), rng.uniform(45, 58), 2.5, 18, 5300, 0.5)


def _tungsten(rng: Generator) -> Floats:
    return _sky(0.08, 0.16, 4200) + lamp(_side(rng) * rng.uniform(25, 55), rng.uniform(15, 35), 12, 3, 3600)


LIGHTS: dict[str, Callable[[Generator], NDArray]] = {
    "window": _window,
    "side": _hard_side,
    "room": room,
    "sun": _sun,
    "tungsten": _tungsten,
}
"""By name. "room" is drawn anew for every photo: a few lamps and windows anywhere."""
