"""Skins at random in a chart of the face: colours, marks, hair, gloss and relief, none of it from a photo.

Colours are absorbances, as in `likeness.heads.pigments`: pigments add up, light is dampened by their exponential.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.heads.pigments import BLOOD, CLEAREST, HAIR, MELANIN
from likeness.maps.delight_chart import SIDE
from likeness.maps.places import smoothstep

__all__ = ["Marks", "Skin", "draw_skin"]

Floats = NDArray[np.float32]

PIXEL = 0.0015
"""Metres that a pixel of the chart is wide, about."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Where features lie in a chart, (68, 2) pixels of the landmarks "ibug68", and which hair there is.

    Attributes:
        points: (68, 2) pixels.
        beard, brows: (SIDE, SIDE) in 0..1, where they grow.
    """

    points: Floats
    beard: Floats
    brows: Floats


@dataclass(frozen=True, eq=False)
class Skin:
    """Attributes:
    albedo: (SIDE, SIDE, 3) linear reflectance.
    height: (SIDE, SIDE) metres on top of the mesh.
    roughness: (SIDE, SIDE) GGX's; gloss: (SIDE, SIDE) factor of the mirrored light.
    """

    albedo: Floats
    height: Floats
    roughness: Floats
    gloss: Floats


def draw_skin(absorbance: Floats, marks: Marks, rng: Generator) -> Skin:
    """A skin on top of the smooth absorbance (SIDE, SIDE, 3) of a head's pigments."""
    layers = absorbance.copy()

    def add(where: Floats, pigment: tuple[float, float, float]) -> None:
        np.add(layers, where[..., None] * np.array(pigment, np.float32), out=layers)

    add(_cloud(rng, 0.02) * rng.uniform(0, 0.10) + _cloud(rng, 0.006) * rng.uniform(0, 0.06), BLOOD)
    add(_cloud(rng, 0.015) * rng.uniform(0, 0.05) + _cloud(rng, 0.004) * rng.uniform(0, 0.05), MELANIN)
    add(_cloud(rng, 0.0012) * rng.uniform(0.0, 0.05), MELANIN)
    pale = float(np.exp(-np.median(absorbance[..., 1])))
    if rng.random() < 0.3:
        add(_spots(rng, int(rng.integers(30, 260)), (0.3, 0.9)) * rng.uniform(0.05, 0.35), MELANIN)
    if rng.random() < 0.5:
        add(_spots(rng, int(rng.integers(1, 9)), (0.6, 1.8)) * rng.uniform(0.3, 1.2), MELANIN)
    if rng.random() < 0.3:
        add(_spots(rng, int(rng.integers(2, 25)), (0.7, 2.1)) * rng.uniform(0.05, 0.4), BLOOD)
    if rng.random() < 0.25:  # cheeks that are rouged, or out in the cold
        add(_cheeks(marks, rng) * rng.uniform(0.05, 0.5), BLOOD)
    strands = _cloud(rng, 0.0009) * 0.5 + _cloud(rng, 0.003) * 0.5
    add(np.clip(marks.brows * (1 + 0.8 * strands) - marks.brows, -1, 1) * rng.uniform(0, 1), HAIR)
    beard = np.zeros_like(marks.beard)
    if rng.random() < 0.4:
        thin = 1 + rng.uniform(0.1, 0.7) * _cloud(rng, 0.0012) + rng.uniform(0, 0.4) * _cloud(rng, 0.008)
        beard = marks.beard * np.clip(thin, 0.1, 2.5)
        add(beard * rng.choice([0.15, 0.4, 1.2]) * rng.uniform(0.3, 1.3) * (0.5 + 0.5 * pale), HAIR)

    height = _cloud(rng, 0.0015) * rng.uniform(0, 1.2e-5) + _cloud(rng, 0.004) * rng.uniform(0, 8e-5)
    height += _cloud(rng, 0.012) * rng.uniform(0, 2.5e-4)
    height += _folds(marks, rng)
    # Nose, forehead and chin are oilier.
    oily = np.exp(-(((np.arange(SIDE) - SIDE / 2) / (0.16 * SIDE)) ** 2))[None].repeat(SIDE, 0).astype(np.float32)
    roughness = rng.uniform(0.32, 0.6) - rng.uniform(0, 0.14) * oily + 0.03 * _cloud(rng, 0.004)
    gloss = rng.uniform(0.3, 1.6) * (1 + rng.uniform(0, 1.2) * oily) * np.exp(rng.uniform(0, 0.35) * _cloud(rng, 0.003))
    gloss = gloss * (1 - 0.7 * np.clip(beard, 0, 1)) * (1 - 0.6 * marks.brows)
    return Skin(
        np.exp(-np.maximum(layers, CLEAREST)),
        height.astype(np.float32),
        np.clip(roughness, 0.2, 0.8).astype(np.float32),
        gloss.astype(np.float32),
    )


def _cloud(rng: Generator, length: float) -> Floats:
    """Noise (SIDE, SIDE) of deviation 1 whose lumps are as many metres wide."""
    sigma = length / PIXEL / 2
    shrink = max(int(sigma), 1)
    small = rng.standard_normal((-(-SIDE // shrink) + 2,) * 2, np.float32)
    small = cv2.GaussianBlur(small, (0, 0), max(sigma / shrink, 0.3))
    made: Floats = cv2.resize(small, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return made / max(float(made.std()), 1e-6)


def _spots(rng: Generator, count: int, radius: tuple[float, float]) -> Floats:
    """Soft round spots, (SIDE, SIDE), of different strength; radii in pixels."""
    made = np.zeros((SIDE, SIDE), np.float32)
    rows, columns = rng.normal(0.5, 0.16, count) * SIDE, rng.normal(0.5, 0.2, count) * SIDE
    for row, column, size, amount in zip(rows, columns, rng.uniform(*radius, count), rng.uniform(0.3, 1, count),
                                         strict=True):  # fmt: skip
        reach = int(3 * size) + 1
        r, c = int(row), int(column)
        top, left = max(r - reach, 0), max(c - reach, 0)
        part = made[top : r + reach + 1, left : c + reach + 1]
        if part.size:
            y, x = np.ogrid[top : top + part.shape[0], left : left + part.shape[1]]
            np.maximum(part, amount * np.exp(-(((y - row) ** 2 + (x - column) ** 2) / (2 * size**2))), out=part)
    return made


def _cheeks(marks: Marks, rng: Generator) -> Floats:
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    made = np.zeros((SIDE, SIDE), np.float32)
    size = rng.uniform(6, 16)
    for outer, nose in ((2, 31), (14, 35)):
        column, row = marks.points[outer] + rng.uniform(0.45, 0.7) * (marks.points[nose] - marks.points[outer])
        made += np.exp(-(((y - row) ** 2 + (x - column) ** 2) / (2 * size**2)))
    return made


def _folds(marks: Marks, rng: Generator) -> Floats:
    """Valleys (SIDE, SIDE) metres: beside the mouth, across the forehead, below the eyes."""
    p = marks.points
    lines: list[tuple[NDArray[np.float64], float]] = []
    if rng.random() < 0.7:
        depth = rng.uniform(0.0, 0.0012)
        for wing, corner, out in ((31, 48, -1), (35, 54, 1)):
            ends = [p[wing] + [3 * out, 0], (p[wing] + p[corner]) / 2 + [6 * out, 0], p[corner] + [5 * out, 4]]
            lines.append((np.array(ends), depth))
    if rng.random() < 0.4:
        depth, top = rng.uniform(0, 0.0004), p[17:27, 1].min()
        for k in range(int(rng.integers(1, 5))):
            x = np.linspace(p[18, 0], p[25, 0], 6)
            lines.append((np.stack([x, top - 6 - 5 * k + rng.normal(0, 0.9, 6)], 1), depth))
    if rng.random() < 0.5:
        depth = rng.uniform(0, 0.0008)
        for a, b, c in ((39, 41, 36), (42, 46, 45)):
            lines.append((np.array([p[a] + [0, 2], p[b] + [0, 5], p[c] + [0, 4]]), depth))
    made = np.zeros((SIDE, SIDE), np.float32)
    for points, depth in lines:
        one = np.zeros((SIDE, SIDE), np.float32)
        path = [np.rint(points * 16).astype(np.int32)]
        cv2.polylines(one, path, False, 1.0, 1, cv2.LINE_AA, 4)
        sigma = rng.uniform(0.6, 1.6)
        one = cv2.GaussianBlur(one, (0, 0), sigma)
        made -= depth * smoothstep(0, 1, one / max(float(one.max()), 1e-6))
    return made
