"""Who stands before the skin bench's camera: ten tones, a look and a shape each, and what their skin is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from truth.body import Body, Part
from truth.canvas import PLANE, Canvas
from truth.draw import expression
from truth.hair import scalp
from truth.skin import BLOOD, MELANIN, Look, draw_look, paint, soft_line

__all__ = ["TONES", "Figure", "Painted", "body_of", "clear_skin", "dress", "figure", "tone_colour"]

Floats = NDArray[np.float64]
Image = NDArray[np.float32]

TONES = (
    (74.0, 7.0, 13.0), (71.0, 8.0, 14.5), (68.0, 9.5, 16.5), (64.0, 10.5, 18.0), (59.0, 11.5, 19.0),
    (52.0, 12.0, 19.0), (45.0, 12.0, 17.5), (38.0, 11.0, 15.0), (32.0, 9.5, 12.0), (27.0, 7.5, 9.0),
)  # fmt: skip
"""CIELAB (D65) of bare cheeks in ten steps from palest to darkest, numbered 1..10 as Monk's scale is. Its swatches are
for the eye; these are in the range that skin measures, in the manner of the ITA classes of Del Bino and Bernerd, Br. J.
Dermatol. 2013: ITA 62 degrees at the first step, -69 at the last."""
LIVELY = (0.15, 2.0)
"""Melanin of the first and the last tone, by which its mottle, marks and lips are painted."""
USUAL = 0.45
"""Share of a look's blood in plain skin, see `truth.skin.paint`."""
IDENTITY, MOOD = 0.9, 0.5
"""Spread of a shape's coefficients, and how much of a mild expression it wears."""
GLOSS = 0.36
"""Specular IOR Level of plain skin: 0.5 is a reflectance of 4 % at normal incidence, skin has 2.8 %."""
PARTS = ("skin", "mouth", "tongue", "eye.L", "eye.R", "teeth", "gums", "lashes")


@dataclass(frozen=True, eq=False)
class Figure:
    """A person.

    Attributes:
        tone: 1..10; look: everything else about the skin, and the hair.
        neutral: (V, 3) float32 metres, and expression (M,) float32 weights of the head.
    """

    tone: int
    look: Look
    neutral: NDArray[np.float32]
    expression: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Painted:
    """A skin in the head's UVs, (S, S); row 0 is v = 1.

    Attributes:
        albedo: (S, S, 3) uint8 sRGB.
        roughness, specular: 0..1 float32, as Blender's Roughness and Specular IOR Level.
        relief: metres float32 along the normal.
        bare: 0..1 float32, free of hair, brows and shirt.
    """

    albedo: NDArray[np.uint8]
    roughness: Image
    specular: Image
    relief: Image
    bare: Image


def tone_colour(tone: int) -> Floats:
    """(3,) linear RGB of bare skin of a tone 1..10."""
    lightness, a, b = TONES[tone - 1]
    y = (lightness + 16) / 116
    f = np.array([y + a / 500, y, y - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.95047, 1.0, 1.08883]
    matrix = [[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]
    colour: Floats = np.array(matrix) @ xyz
    return colour


def clear_skin(tone: int, look: Look) -> Floats:
    """(3,) what `truth.skin.paint` is to take for skin without pigment, so that plain skin comes out in the tone."""
    clear: Floats = tone_colour(tone) * np.exp(look.melanin * MELANIN + USUAL * look.blood * BLOOD)
    return clear


def figure(head: HeadModel, tone: int, seed: int) -> Figure:
    """The person of a tone, the same for the same seed; the shape is drawn from the head's own statistics."""
    shape_rng, look_rng = (np.random.default_rng([3, seed, tone, matter]) for matter in range(2))
    identity = np.clip(shape_rng.normal(0, IDENTITY, len(head.identity)), -2, 2)
    mood = np.zeros(len(head.expression_names), np.float32)
    for name, weight in zip(ARKIT, MOOD * expression(ARKIT, shape_rng), strict=True):
        mood[head.expression_names.index(name)] = weight
    look = draw_look(look_rng)
    melanin = float(np.interp(tone, (1, len(TONES)), LIVELY))
    if tone > 5:
        iris = (0.06, 0.025, 0.01)
        look = replace(look, hair="grey" if look.hair == "grey" else "black", freckles=0.0, iris=iris)
    neutral = head.shape(torch.from_numpy(identity[None]).float())[0].numpy()
    return Figure(tone, replace(look, melanin=melanin), neutral, mood)


def body_of(head: HeadModel) -> Body:
    """The head as the painters and Cycles take it; its skin keeps the head's UVs."""
    polygons, region = head.polygons.numpy(), head.polygon_region.numpy()
    parts = {}
    for name in PARTS:
        if name in head.region_names:
            parts[name] = Part(polygons[region == head.region_names.index(name)])
    skin = region == head.region_names.index("skin")
    parts["skin"] = Part(polygons[skin], head.uv.numpy().astype(np.float64), head.polygons_uv.numpy()[skin])
    ibug = head.landmarks["ibug68"]
    corners = head.triangles[ibug.triangle].numpy()
    weights = ibug.barycentric.numpy().astype(np.float64)
    return Body(head.name, head.template.numpy().astype(np.float64), parts, corners, weights, hidden=("lashes",))


def dress(canvas: Canvas, texel: float, person: Figure, rng: Generator) -> Painted:
    """Paint a person; `texel` is metres per texel in the face."""
    look = person.look
    albedo, roughness, bare = paint(canvas, look, rng, clear_skin(person.tone, look))
    return Painted(albedo, roughness, _gloss(canvas, look, roughness, rng), _relief(canvas, look, texel, rng), bare)


def _gloss(canvas: Canvas, look: Look, roughness: Image, rng: Generator) -> Image:
    """Specular IOR Level: oily forehead and nose, moist lips, dull cheeks; cloth and hair as they are."""
    marks, p = canvas.landmarks, canvas.position
    level = GLOSS + 0.02 * _bands(canvas.shape, rng, (3.0, 12.0))
    level += 0.12 * canvas.near(marks[30], 1.4) + 0.10 * canvas.near([0, 8, 10], 2.4)
    level += 0.16 * np.maximum(canvas.near(marks[51], 0.8), canvas.near(marks[57], 0.9))
    for side in (1, -1):
        level -= 0.05 * canvas.near([side * 4.5, -1.0, 7.5], 2.0)
    level = np.where(roughness > 0.75, 0.2, level)  # cloth
    if look.style != "bald":
        level = level + (0.3 - level) * scalp(p, 0.4)
    return np.clip(level, 0.1, 0.8).astype(np.float32)


def _relief(canvas: Canvas, look: Look, texel: float, rng: Generator) -> Image:
    """Metres: lines of age, and skin's own grain."""
    plane = np.zeros(PLANE, np.float32)
    for depth, points, radius in _lines(canvas.landmarks, rng):
        plane += np.float32(depth) * soft_line(points, radius)
    age = 0.25 + 0.75 * look.age
    fine = max(0.0006 / texel, 0.8), max(0.0015 / texel, 1.2)
    grain = 0.00002 * _bands(canvas.shape, rng, fine)
    relief = -age * canvas.project(plane) * (canvas.position[..., 2] > 2) + grain
    return relief.astype(np.float32)


def _lines(marks: Floats, rng: Generator) -> Iterator[tuple[float, Floats, float]]:
    """Depth in metres (a soft line reaches a third of it), points (N, 2) and radius in canonical centimetres."""
    brow = marks[19:25].mean(0)[1]
    for k in range(3):  # across the forehead
        y = brow + 1.3 + 1.1 * k + rng.uniform(-0.2, 0.2)
        line = [[x, y + 0.35 * np.cos(x / 2.2) + rng.normal(0, 0.08)] for x in np.linspace(-4.2, 4.2, 7)]
        yield 0.0006 * rng.uniform(0.5, 1), np.array(line), 0.08
    for side, corner, wing, mouth in ((-1, 36, 31, 48), (1, 45, 35, 54)):
        start = marks[corner][:2] + [side * 0.7, 0.1]
        for angle in (-0.5, 0.0, 0.45):  # beside the eyes
            end = start + 1.5 * np.array([side * np.cos(angle), np.sin(angle)])
            yield 0.0004 * rng.uniform(0.5, 1), np.array([start, (start + end) / 2 + [0, 0.08], end]), 0.06
        fold = [marks[wing][:2] + [side * 0.8, 0.3], (marks[wing] + marks[mouth])[:2] / 2 + [side * 1.2, 0],
                marks[mouth][:2] + [side * 0.9, -0.2]]  # fmt: skip
        yield 0.0009 * rng.uniform(0.6, 1), np.array(fold), 0.12
        frown = np.array([[side * 0.55, brow + 0.5], [side * 0.5, brow - 0.6], [side * 0.5 - 0.2, brow - 0.8]])
        yield 0.0005 * rng.uniform(0.3, 1), frown, 0.07


def _bands(shape: tuple[int, int], rng: Generator, sigmas: tuple[float, float]) -> Image:
    """Two bands of smooth noise, unit deviation together; sigmas in texels."""
    total = np.zeros(shape, np.float32)
    for sigma in sigmas:
        noise = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), sigma)
        total += noise / noise.std()
    return total / np.float32(np.sqrt(len(sigmas)))
