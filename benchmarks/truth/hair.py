"""Hair as strands: a hairline, a few cuts, and curves that bend with gravity and stay out of the skull and the face."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from truth.body import Body, canonical

__all__ = ["grow", "scalp"]

Floats = NDArray[np.float64]

# Seen from the side: the hair begins above this height (cm) at this depth (cm), both canonical.
LINE_Z = np.array([-12, -8.5, -6.0, -3.6, -2.6, -1.4, 0.5, 1.9, 2.3, 3.4, 3.9, 4.6, 5.6, 6.6, 8.2, 10.5])
LINE_Y = np.array([-5.8, -5.6, -4.8, -2.2, 1.0, 3.6, 4.2, 4.0, 1.4, 1.2, 2.2, 4.5, 6.8, 8.6, 10.1, 9.6])
CUTS = {"buzz": (0.35, 14000), "short": (2.5, 9000), "swept": (7.0, 9000), "long": (24.0, 8000), "curly": (9.0, 8000)}
"""Length in centimetres and number of strands."""
JOINTS = 14


def scalp(position: NDArray[Any], recession: float) -> NDArray[np.float32]:
    """Where hair grows, 0..1, softly; position (..., 3) canonical centimetres, recession 0..1 raises the temples."""
    x, y, z = position[..., 0], position[..., 1], position[..., 2]
    temples = np.exp(-(((np.abs(x) - 4.5) / 1.8) ** 2)) * (z > 5)
    line = np.interp(z, LINE_Z, LINE_Y) + recession * (0.4 + 1.3 * temples) * (z > 5)
    ear = (np.abs(x) > 7.3) & (y < 4.8) & (z > -3.6) & (z < 2.8)
    return (~ear / (1 + np.exp(-(y - line) / 0.15))).astype(np.float32)


def grow(body: Body, vertices: Floats, style: str, rng: Generator) -> NDArray[np.float32]:
    """Strands (S, K, 3) in the frame of vertices (V, 3); none for a bald head."""
    if style not in CUTS:
        return np.zeros((0, JOINTS, 3), np.float32)
    length, count = CUTS[style]
    landmarks = body.landmarks_on(vertices)
    points = canonical(vertices, landmarks)
    roots, normals = _roots(points, body.skin, rng.uniform(0, 1), count, rng)
    length = length * rng.uniform(0.75, 1.25)
    part = rng.uniform(-3.5, 3.5)
    centre = np.array([0.0, 5.5, 0.8])

    aside = np.sign(roots[:, 0] - part + rng.normal(0, 0.5, len(roots)))
    comb = np.stack([0.9 * aside, np.zeros(len(roots)), np.full(len(roots), -0.8)], 1)
    if style in ("buzz", "short"):
        comb = np.stack([0.4 * aside, 0.3 * np.ones(len(roots)), rng.choice([-1.0, 0.6]) * np.ones(len(roots))], 1)
    comb -= (comb * normals).sum(1, keepdims=True) * normals
    lift, gravity, curl = {"buzz": (1.5, 0, 0), "short": (0.7, 0.05, 0.1), "swept": (0.45, 0.15, 0.06),
                           "long": (0.3, 0.30, 0.05), "curly": (0.9, 0.08, 0.9)}[style]  # fmt: skip
    heading = _unit(lift * normals + comb + rng.normal(0, 0.12, roots.shape))
    step = length * rng.uniform(0.6, 1.0, len(roots))[:, None] / (JOINTS - 1)
    phase, turn = rng.uniform(0, 2 * np.pi, len(roots)), rng.uniform(0.8, 1.4, len(roots))
    strand = [roots]
    radii = np.array([7.9, 9.2, 9.9])
    for k in range(1, JOINTS):
        wobble = curl * np.stack([np.cos(phase + turn * k), np.sin(phase + turn * k), np.cos(2 * phase + turn * k)], 1)
        heading = _unit(heading + [0, -gravity, 0] + wobble + rng.normal(0, 0.03, roots.shape))
        point = strand[-1] + heading * step
        # Out of the skull, and off the face.
        inside = np.linalg.norm((point - centre) / radii, axis=1)
        push = np.maximum(1.0 + 0.012 * k / JOINTS - inside, 0)
        point = point + (point - centre) * (push / np.maximum(inside, 1e-6))[:, None] * (point[:, 1:2] > 0)
        face = (point[:, 2] > 3.5) & (point[:, 1] < 7.5) & (np.abs(point[:, 0]) < 8.2)
        point[:, 0] = np.where(face & (length > 5), np.sign(point[:, 0]) * 8.2, point[:, 0])
        neck = (point[:, 1] < 0) & (np.hypot(point[:, 0], point[:, 2] + 0.5) < 6.8)
        point[neck, 2] = np.minimum(point[neck, 2], -6.8)
        heading = _unit(point - strand[-1])
        strand.append(point)
    curves = np.stack(strand, 1)
    # Back from the canonical frame into the head's own.
    middle, scale = canonical(np.zeros(3), landmarks), canonical(np.array([1.0, 0, 0]), landmarks)
    return ((curves - middle) / (scale - middle)[0]).astype(np.float32)


def _unit(v: Floats) -> Floats:
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def _roots(points: Floats, triangles: NDArray[np.int64], recession: float, count: int, rng: Generator) -> Any:
    corners = points[triangles]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.linalg.norm(cross, axis=1)
    middle = corners.mean(1)
    weight = area * scalp(middle, recession)
    pick = rng.choice(len(triangles), count, p=weight / weight.sum())
    u, v = rng.random((2, count, 1))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    a, b, c = corners[pick].transpose(1, 0, 2)
    return a + u * (b - a) + v * (c - a), _unit(cross[pick])
