"""An eye painted from the front: the iris in the photo's colour, pupil, limbal ring, fibres, white and veins."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.heads.anny_parts import IRIS_UV_RADIUS
from likeness.maps.places import EYE_L, EYE_R, smoothstep
from likeness.methods.base import View
from likeness.render.light import linear_to_srgb

__all__ = ["eye_material", "iris_colour"]

Floats = NDArray[np.float32]

PUPIL = 0.34  # of the iris's radius
WHITE = (0.56, 0.51, 0.475)
"""Linear albedo of the white of the eye."""
BROWN = np.array([0.10, 0.052, 0.028])
RINGS = ((468, (469, 470, 471, 472), EYE_R), (473, (474, 475, 476, 477), EYE_L))
SMALLEST = 2.5
"""Pixels of radius below which an iris has no colour of its own in a photo."""


def iris_colour(views: tuple[View, ...]) -> NDArray[np.float64]:
    """Linear albedo (3,) of the irises as the photos show them, brown where they show none."""
    found: list[tuple[float, NDArray[np.float64]]] = []
    for view in views:
        landmarks, photo = view.face.landmarks, view.face.photo.pixels
        for centre, ring, lids in RINGS:
            middle = landmarks[centre, :2]
            radius = float(np.linalg.norm(landmarks[list(ring), :2] - middle, axis=1).mean())
            if radius < SMALLEST:
                continue
            colour = _sampled(photo, middle, radius, landmarks[list(lids), :2])
            if colour is not None:
                found.append((radius, colour))
    if not found:
        return BROWN
    weights = np.array([radius**2 for radius, _ in found])
    mean: NDArray[np.float64] = (weights[:, None] * np.array([c for _, c in found])).sum(0) / weights.sum()
    return mean


def _sampled(
    photo: NDArray[np.uint8], middle: NDArray[np.float64], radius: float, lids: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Colour of one iris, brightened as far as its surroundings lie in the shadow of the lids."""
    reach = 3.5 * radius
    low = np.maximum(np.floor(middle - reach), 0).astype(int)
    high = np.minimum(np.ceil(middle + reach).astype(int), photo.shape[1::-1])
    if (high - low).min() < 3:
        return None
    crop = (photo[low[1] : high[1], low[0] : high[0]] / 255.0) ** 2.2
    y, x = np.mgrid[low[1] : high[1], low[0] : high[0]] + 0.5
    away = np.hypot(x - middle[0], y - middle[1]) / radius
    inside = np.zeros(away.shape, np.uint8)
    cv2.fillPoly(inside, [np.rint((lids - low - 0.5) * 8).astype(np.int32)], 1, cv2.LINE_8, 3)
    inside = cv2.erode(inside, np.ones((3, 3), np.uint8)) if radius > 5 else inside
    iris = crop[(inside > 0) & (away > 0.45) & (away < 0.85)]
    if len(iris) < 6:
        return None
    bright = iris.mean(1)
    iris = iris[(bright >= np.percentile(bright, 25)) & (bright <= np.percentile(bright, 80))]
    colour = np.median(iris, axis=0)
    white = crop[(inside > 0) & (away > 1.15)]
    if len(white) >= 6:
        level = np.percentile(white.mean(1), 75)
        if level < 0.12 and level < 1.8 * colour.mean():
            return None  # sunglasses: no white to be seen
        # The white keeps no colour cast of the photo either, but only half: its own tint is not known.
        tint = np.percentile(white, 75, axis=0)
        colour = (
            colour
            * np.clip(0.5 / max(level, 0.05), 0.7, 1.5)
            * np.clip((level / np.maximum(tint, 0.02)) ** 0.5, 0.8, 1.25)
        )
    if colour.mean() > 0.45:
        return None  # glare or closed lids
    # What a photo shows as black is dark brown.
    colour = colour + np.clip(1 - colour.mean() / 0.025, 0, 1) * 0.5 * BROWN
    result: NDArray[np.float64] = np.clip(colour, 0.012, 0.4)
    return result


def eye_material(views: tuple[View, ...], size: int, seed: int) -> Material:
    """The material both eyes share; size: side of the map in texels."""
    colour = iris_colour(views)
    # Coordinates of the square: row 0 is v = 1.
    row, column = np.mgrid[0:size, 0:size].astype(np.float32)
    x, y = (column + 0.5) / size - 0.5, 0.5 - (row + 0.5) / size
    rho = np.hypot(x, y) / IRIS_UV_RADIUS
    turn = np.arctan2(y, x)
    random = np.random.default_rng(seed)
    iris = _iris(rho, turn, colour, random)
    white = _white(rho, turn, size, random)
    edge = smoothstep(0.93, 1.07, rho)[..., None]
    albedo = iris * (1 - edge) + white * edge
    pixels = np.rint(_srgb(albedo) * 255).astype(np.uint8)
    values = {
        "iris_radius": IRIS_UV_RADIUS,
        "iris": [round(float(c), 4) for c in colour],
        "sclera": list(WHITE),
        "roughness": 0.5,
        "specular": 0.3,
    }
    return Material({"albedo": Map(pixels, "srgb")}, values)


def _iris(rho: Floats, turn: Floats, colour: NDArray[np.float64], random: np.random.Generator) -> Floats:
    """Fibres run from the pupil outwards, wavy and of several widths; a paler collar surrounds the pupil."""
    angles, radii = 1024, 128
    total = np.zeros((radii, angles), np.float32)
    for width, weight in ((1.2, 0.8), (3.0, 1.0), (8.0, 0.7)):
        noise = random.standard_normal((radii, angles)).astype(np.float32)
        noise = np.concatenate([noise] * 3, 1)
        noise = cv2.GaussianBlur(noise, (0, 0), sigmaX=width, sigmaY=24)[:, angles : 2 * angles]
        total += weight * noise / noise.std()
    total /= total.std()
    wave = 0.02 * np.sin(9 * turn + 5 * rho) + 0.012 * np.sin(23 * turn - 7 * rho)
    where_x = ((turn + wave) / (2 * np.pi) % 1.0 * angles).astype(np.float32)
    where_y = np.clip(rho * (radii - 1), 0, radii - 1).astype(np.float32)
    fibres = cv2.remap(total, where_x, where_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)

    collar = np.exp(-(((rho - 0.50 - 0.03 * np.sin(7 * turn)) / 0.10) ** 2))
    tone = 1.0 + 0.26 * fibres * smoothstep(0.3, 0.5, rho) + 0.28 * collar
    tone = np.clip(tone, 0.35, 2.2) * (1 - 0.22 * smoothstep(0.6, 0.95, rho))
    limbal = 1 - 0.72 * smoothstep(0.80, 0.98, rho)
    pupil = smoothstep(PUPIL - 0.035, PUPIL + 0.035, rho + 0.006 * fibres)
    warm = np.array([1.18, 1.0, 0.78])
    base = colour * (1 + (warm - 1) * (0.55 * collar + 0.35 * smoothstep(0.62, 0.38, rho))[..., None])
    painted = base * (tone * limbal)[..., None] * pupil[..., None] + 0.004
    result: Floats = painted.astype(np.float32)
    return result


def _white(rho: Floats, turn: Floats, size: int, random: np.random.Generator) -> Floats:
    """Warm white, redder outwards, with fine veins that come in from the back and fork."""
    veins = np.zeros((size, size), np.float32)
    scale = size * IRIS_UV_RADIUS
    for _ in range(46):
        angle = random.normal(0, 0.45) + random.choice([0, np.pi])
        if random.random() < 0.35:
            angle = random.uniform(0, 2 * np.pi)
        _vein(veins, angle, random.uniform(1.9, 2.4), random.uniform(1.12, 1.6), scale, random, 0.8)
    veins = cv2.GaussianBlur(veins, (0, 0), max(size / 1024, 0.5))
    deep = cv2.GaussianBlur(veins, (0, 0), 4 * max(size / 1024, 0.5))
    red = 0.42 * np.clip(veins + 0.5 * deep, 0, 1) + 0.22 * smoothstep(1.3, 2.3, rho)
    red = red + 0.05 * smoothstep(1.15, 0.98, rho)
    patchy = random.standard_normal((16, 16)).astype(np.float32)
    red = np.clip(red + 0.02 * cv2.resize(patchy, (size, size), interpolation=cv2.INTER_CUBIC), 0, 1)
    white = np.array(WHITE) * (1 - red[..., None] * np.array([0.22, 0.62, 0.60]))
    result: Floats = white.astype(np.float32)
    return result


def _vein(
    canvas: Floats,
    angle: float,
    start: float,
    end: float,
    scale: float,
    random: np.random.Generator,
    strength: float,
) -> None:
    size = canvas.shape[0]
    steps = 26
    radius = np.linspace(start, end, steps)
    wander = np.cumsum(random.normal(0, 0.018, steps))
    turn = angle + wander - wander[0]
    points = np.stack([size / 2 + scale * radius * np.cos(turn), size / 2 - scale * radius * np.sin(turn)], 1)
    whole = np.rint(points * 16).astype(np.int32)
    for k in range(steps - 1):
        fade = strength * (1 - 0.8 * k / steps)
        cv2.line(canvas, whole[k].tolist(), whole[k + 1].tolist(), fade, 1 + int(size >= 1024), cv2.LINE_AA, 4)
    if strength > 0.4:
        fork = int(random.integers(6, 16))
        _vein(canvas, turn[fork] + 0.02, radius[fork], end + 0.15, scale, random, strength * 0.5)


def _srgb(linear: Floats) -> Floats:
    import torch

    return linear_to_srgb(torch.from_numpy(np.ascontiguousarray(linear))).numpy()
