"""Eyes: a picture of the iris, and planar UVs along the eye's axis."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

__all__ = ["eye_picture", "eye_uv"]

Floats = NDArray[np.float64]
SIDE = 512
IRIS = 0.47  # of the eyeball's radius


def eye_uv(points: Floats) -> Floats:
    """UVs (N, 2) of an eyeball's vertices (N, 3), seen from the front."""
    centre = (points.min(0) + points.max(0)) / 2
    radius = np.ptp(points[:, 1]) / 2
    return 0.5 + 0.48 * (points[:, :2] - centre[:2]) / radius


def eye_picture(iris: tuple[float, float, float], rng: Generator) -> NDArray[np.uint8]:
    """An eyeball from the front (512, 512, 3) uint8 sRGB, laid out as `eye_uv` says."""
    axis = ((np.arange(SIDE) + 0.5) / SIDE - 0.5) / 0.48
    x, y = np.meshgrid(axis, -axis)
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    streaks = gaussian_filter(rng.normal(size=(64, 720)), (6, 1.0), mode=("nearest", "wrap"))
    streaks = streaks / streaks.std()
    fibre = streaks[np.clip(r / IRIS * 63, 0, 63).astype(int), ((angle / np.pi + 1) * 359.9).astype(int)]
    inner = np.array(iris) * np.exp(0.35 * fibre)[..., None]
    inner = inner * (1 + 0.8 * np.exp(-(((r / IRIS - 0.45) / 0.12) ** 2)))[..., None]
    inner = inner * np.clip(1.15 - np.clip(r / IRIS - 0.75, 0, 1) * 3, 0.15, 1)[..., None]
    pupil = IRIS * rng.uniform(0.32, 0.48)
    inner = inner * (1 / (1 + np.exp(-(r - pupil) / 0.012)))[..., None] + 0.004
    veins = gaussian_filter(rng.normal(size=x.shape), 3)
    white = (
        np.array([0.62, 0.55, 0.50]) - np.array([0.0, 0.10, 0.10]) * (np.clip(r - 0.5, 0, 1) + 0.8 * veins)[..., None]
    )
    edge = (1 / (1 + np.exp((r - IRIS) / 0.014)))[..., None]
    colour = np.clip(white + (inner - white) * edge, 0, 1)
    return np.round(255 * np.where(colour <= 0.0031308, 12.92 * colour, 1.055 * colour ** (1 / 2.4) - 0.055)).astype(
        np.uint8
    )
