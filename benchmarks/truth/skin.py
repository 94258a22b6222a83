"""Skin that no head shape knows of: tones from melanin and blood, lips, brows, freckles, stubble, a shirt."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from truth.canvas import PLANE, STEP, Canvas
from truth.hair import scalp

__all__ = ["BLOOD", "MELANIN", "Look", "draw_look", "paint", "soft_line"]

Image = NDArray[np.float32]

CLEAR = np.array([0.92, 0.76, 0.68])  # reflectance of skin without pigment, linear RGB
MELANIN = np.array([0.62, 1.00, 1.38])
BLOOD = np.array([0.05, 0.55, 0.42])
HAIR = {
    "black": (0.012, 0.010, 0.009),
    "brown": (0.045, 0.025, 0.015),
    "auburn": (0.110, 0.040, 0.018),
    "blond": (0.300, 0.200, 0.100),
    "grey": (0.300, 0.290, 0.280),
}
"""Linear RGB."""


@dataclass(frozen=True)
class Look:
    """What a subject looks like apart from shape: amounts in about 0..1, melanin in 0..2.4."""

    melanin: float
    blood: float
    lips: float
    hair: str
    brows: float
    stubble: float
    freckles: float
    age: float
    iris: tuple[float, float, float]
    style: str
    shirt: tuple[float, float, float]


def draw_look(rng: Generator) -> Look:
    """A subject at random: tones spread evenly from very light to very dark."""
    melanin = float(rng.uniform(0.05, 2.3))
    light = melanin < 0.7
    hair = rng.choice(list(HAIR), p=[0.15, 0.35, 0.15, 0.2, 0.15] if light else [0.7, 0.2, 0, 0, 0.1])
    brown, hazel, blue, green = (0.06, 0.025, 0.01), (0.16, 0.10, 0.04), (0.13, 0.22, 0.33), (0.13, 0.18, 0.11)
    iris = (brown, hazel, blue, green)[rng.choice(4, p=[0.25, 0.25, 0.3, 0.2] if light else [0.85, 0.15, 0, 0])]
    style = rng.choice(["bald", "buzz", "short", "swept", "long", "curly"], p=[0.1, 0.15, 0.25, 0.2, 0.2, 0.1])
    bearded = rng.random() < 0.4
    return Look(
        melanin=melanin,
        blood=float(rng.uniform(0.2, 0.8)),
        lips=float(rng.uniform(0.3, 1.0)),
        hair=str(hair),
        brows=float(rng.uniform(0.35, 1.0)),
        stubble=float(rng.uniform(0.2, 1.0)) if bearded else 0.0,
        freckles=float(rng.uniform(0.2, 1.0)) if light and rng.random() < 0.4 else 0.0,
        age=float(rng.uniform(0, 1)),
        iris=iris,
        style=str(style),
        shirt=tuple(float(c) for c in rng.uniform(0.02, 0.6, 3)),
    )


def paint(
    canvas: Canvas, look: Look, rng: Generator, clear: NDArray[np.float64] = CLEAR
) -> tuple[NDArray[np.uint8], Image, Image]:
    """Paint a skin.

    Args:
        clear: (3,) linear reflectance of the skin without pigment.

    Returns:
        Colour (H, W, 3) uint8 sRGB, roughness (H, W) in 0..1, and how bare the skin is of hair, brows and shirt (H, W).
    """
    p, marks = canvas.position, canvas.landmarks
    x, y, z = p[..., 0], p[..., 1], p[..., 2]
    mottle = _noise(canvas.shape, rng, (2, 6, 20), (0.5, 0.3, 0.4))

    melanin = look.melanin * (1 + 0.05 * mottle)
    blood = look.blood * (0.45 + 0.12 * mottle)
    for point, radius, amount in (
        (marks[30], 0.9, 0.5), (marks[2] * [0.75, 0, 1] + [0, 0.9, 2.4], 1.7, 0.35),
        (marks[14] * [0.75, 0, 1] + [0, 0.9, 2.4], 1.7, 0.35), (marks[8], 1.3, 0.25),
        (marks[0] + [-0.9, -1.2, -4], 1.6, 0.5), (marks[16] + [0.9, -1.2, -4], 1.6, 0.5),
    ):  # fmt: skip
        blood = blood + amount * look.blood * canvas.near(point, radius)
    for eye in ((36, 39), (42, 45)):
        under = marks[list(eye)].mean(0) + [0, -1.2, 0.4]
        spot = canvas.near(under, 0.75)
        melanin, blood = melanin + (0.08 + 0.12 * look.age) * spot, blood + 0.15 * spot
        crease = canvas.near(marks[list(eye)].mean(0) + [0, 0.75, 0.3], 0.55)
        melanin, blood = melanin + 0.08 * crease, blood + 0.2 * crease

    if look.freckles:
        dots = rng.random(canvas.shape) ** 2 * (rng.random(canvas.shape) < 0.004)
        dots = gaussian_filter(dots, 1.2) * 25
        where = np.clip(1.2 - abs(y - 1.0) / 3.5, 0, 1) * (z > 5)
        melanin = melanin + look.freckles * 0.5 * np.clip(dots, 0, 1) * where
    moles = np.zeros(canvas.shape)
    for _ in range(rng.integers(0, 5)):
        spot = [rng.uniform(-5, 5), rng.uniform(-6, 8)]
        moles += (((x - spot[0]) ** 2 + (y - spot[1]) ** 2) < rng.uniform(0.08, 0.18) ** 2) & (z > 4)
    melanin = melanin + 1.2 * gaussian_filter(moles, 1)
    for side in (-1, 1):
        fold = np.array([[side * 1.9, 0.2], [side * 2.7, -1.2], [side * 3.4, -2.9]])
        melanin = melanin + look.age * 0.12 * canvas.project(soft_line(fold, 0.14)) * (z > 6)

    lips = canvas.project(_lips(marks)) * (z > 7)
    melanin = melanin + lips * (0.06 + 0.15 * look.melanin * rng.uniform(0, 0.6))
    blood = blood + lips * (0.5 + 0.9 * look.lips)

    colour = clear * np.exp(-melanin[..., None] * MELANIN - blood[..., None] * BLOOD)
    hair = np.array(HAIR[look.hair])
    if look.stubble:
        grain = np.clip(_noise(canvas.shape, rng, (0.7, 1.5), (1, 0.6)) * 0.4 + 0.6, 0, 1)
        beard = canvas.project(_beard(marks)) * (z > 2) * (1 - lips) * grain * look.stubble * 0.55
        colour = _mix(colour, 0.6 * hair + 0.25 * colour, beard)
    cover = np.zeros(canvas.shape, np.float32)
    if look.style != "bald":
        cover = scalp(p, rng.uniform(0, 1)) * (0.8 if look.style == "buzz" else 0.95)
        cover = cover * np.clip(1 + 0.15 * _noise(canvas.shape, rng, (0.8, 2), (1, 1)), 0, 1)
        colour = _mix(colour, hair * 0.8 + 0.1 * colour, cover)
    brows = canvas.project(_brows(marks, look.brows, rng)) * (z > 4)
    # Brows turn grey last.
    colour = _mix(colour, hair * (0.35 if look.hair == "grey" else 0.8), brows)
    for upper in ((36, 37, 38, 39), (42, 43, 44, 45)):
        rim = canvas.project(soft_line(marks[list(upper)][:, :2] + [0, 0.05], 0.06)) * (z > 6)
        colour = _mix(colour, hair * 0.5, 0.5 * rim)
    collar = -11.2 - 0.10 * z + 0.6 * np.cos(x / 4) + 0.02 * mottle
    shirt = np.clip((collar - y) / 0.1, 0, 1)
    weave = 1 + 0.12 * _noise(canvas.shape, rng, (0.7, 3), (1, 0.7))
    colour = _mix(colour, np.array(look.shirt) * weave[..., None], shirt)

    shine = 0.46 + 0.05 * mottle - 0.08 * canvas.near(marks[30], 1.5) - 0.06 * canvas.near([0, 8, 10], 2.5)
    roughness = np.clip(shine - 0.1 * lips + 0.45 * shirt, 0.25, 0.95)
    bare = (1 - cover) * (1 - brows) * (1 - shirt)
    return _encode(colour), roughness.astype(np.float32), bare.astype(np.float32)


def _mix(a: NDArray[np.float64], b: NDArray[np.float64], share: Image) -> NDArray[np.float64]:
    return a + (b - a) * share[..., None]


def _encode(linear: NDArray[np.float64]) -> NDArray[np.uint8]:
    linear = np.clip(linear, 0, 1)
    srgb = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.round(255 * srgb).astype(np.uint8)


def _noise(shape: tuple[int, int], rng: Generator, sigmas: tuple[float, ...], sizes: tuple[float, ...]) -> Image:
    """Sum of smooth noises of unit deviation; sigmas in texels."""
    total = np.zeros(shape, np.float32)
    for sigma, size in zip(sigmas, sizes, strict=True):
        shrink = max(1, int(sigma / 2))
        small = rng.normal(size=(shape[0] // shrink + 1, shape[1] // shrink + 1)).astype(np.float32)
        small = gaussian_filter(small, sigma / shrink)
        total += size * cv2.resize(small / small.std(), shape[::-1], interpolation=cv2.INTER_CUBIC)
    return total


def _blank() -> Image:
    return np.zeros(PLANE, np.float32)


def _fixed(points: NDArray[np.float64]) -> NDArray[np.int32]:
    return np.round(Canvas.pixels(points) * 8).astype(np.int32)


def soft_line(points: NDArray[np.float64], radius: float) -> Image:
    """A soft curve through points (N, 2), canonical centimetres."""
    t = np.linspace(0, len(points) - 1, 40)
    curve = CubicSpline(np.arange(len(points)), points)(t)
    image = _blank()
    cv2.polylines(image, [_fixed(curve)], False, 1.0, max(1, round(radius / STEP)), cv2.LINE_AA, 3)
    # The rest of the plane stays empty.
    pixels, reach = Canvas.pixels(curve), 6 * radius / STEP + 2
    left, top = np.maximum(np.floor(pixels.min(0) - reach), 0).astype(int)
    right, bottom = np.maximum(np.ceil(pixels.max(0) + reach), 1).astype(int)
    part = image[top:bottom, left:right]
    part[:] = cv2.GaussianBlur(part, (0, 0), radius / STEP)
    return image


def _lips(marks: NDArray[np.float64]) -> Image:
    ring = np.concatenate([marks[48:60], marks[48:49]])[:, :2]
    curve = CubicSpline(np.arange(13), ring, bc_type="periodic")(np.linspace(0, 12, 150))
    image = _blank()
    cv2.fillPoly(image, [_fixed(curve)], 1.0, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(image, (0, 0), 7)


def _beard(marks: NDArray[np.float64]) -> Image:
    left = np.array([[6.9, 1.2], [6.0, -1.0], [3.9, -1.6], [2.6, -1.9], [1.6, -1.5], [0, -1.5]])
    under = np.array([[0, -10.5], [4, -9.5], [6.2, -6.5], [7.2, -3.0]])
    outline = np.concatenate([left, left[::-1] * [-1, 1], (under * [-1, 1])[::-1], under])
    image = _blank()
    cv2.fillPoly(image, [_fixed(outline)], 1.0, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(image, (0, 0), 40)


def _brows(marks: NDArray[np.float64], amount: float, rng: Generator) -> Image:
    image = _blank()
    lift, half, reach = rng.uniform(-0.15, 0.15), rng.uniform(0.22, 0.40), rng.uniform(0.9, 1.08)
    for points, side in ((marks[17:22], -1), (marks[22:27][::-1], 1)):  # from the temple to the nose
        curve = CubicSpline(np.linspace(0, 1, 5), points[:, :2] + [0, lift])
        body = soft_line(curve(np.linspace(0.12, 1, 12)), half * 0.5)
        image = np.maximum(image, 0.6 * amount * np.clip(2.5 * body, 0, 1))
        for _ in range(int(650 * amount)):
            t = 1 - reach * (1 - rng.beta(1.2, 1.0))
            thin = half * np.clip(0.25 + 1.6 * t, 0, 1)
            root = curve(t) + [0, rng.normal(0, 0.55 * thin)]
            angle = np.radians(90 * np.clip((t - 0.75) * 4, 0, 1) + 12 + rng.normal(0, 10))
            tip = root + rng.uniform(0.35, 0.75) * np.array([side * np.cos(angle), np.sin(angle) * 0.7])
            stroke = _fixed(np.stack([root, tip]))
            cv2.line(image, stroke[0].tolist(), stroke[1].tolist(), float(rng.uniform(0.75, 1.0)), 4, cv2.LINE_AA, 3)
    return cv2.GaussianBlur(image, (0, 0), 1.5)
