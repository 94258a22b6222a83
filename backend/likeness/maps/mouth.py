"""Gums, tongue and the lining of the mouth: mottled flesh, nothing a photo could show."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.avatar import Map, Material
from likeness.render.light import linear_to_srgb

__all__ = ["clouds", "colour_map", "mouth_materials"]

FLESH = {
    # name: linear albedo, how far it varies, roughness, specular
    "Gums": ((0.52, 0.21, 0.20), 0.10, 0.36, 0.5),
    "Tongue": ((0.50, 0.22, 0.20), 0.12, 0.48, 0.45),
    "Mouth": ((0.30, 0.09, 0.085), 0.15, 0.42, 0.5),
}


def mouth_materials(size: int, seed: int) -> dict[str, Material]:
    """Materials by name; size: side of their maps in texels."""
    random = np.random.default_rng(seed)
    made = {}
    for name, (colour, variation, roughness, specular) in FLESH.items():
        noise = clouds(size, random, (64, 16, 5))
        veins = 1 - np.abs(clouds(size, random, (24, 8)))
        vary = np.exp(variation * noise)[..., None] * np.array(colour)
        vary = vary * (1 - 0.12 * np.clip(veins, 0, 1)[..., None] ** 6 * np.array([0.3, 1.0, 0.8]))
        values = {"albedo": list(colour), "roughness": roughness, "specular": specular}
        made[name] = Material({"albedo": colour_map(vary)}, values)
    return made


def clouds(size: int, random: np.random.Generator, scales: tuple[int, ...]) -> NDArray[np.float32]:
    """Noise (size, size) of unit deviation with features of the given sizes in 512ths of the square."""
    total = np.zeros((size, size), np.float32)
    for k, scale in enumerate(scales):
        side = max(512 // scale, 2)
        noise = random.standard_normal((side, side)).astype(np.float32)
        total += cv2.resize(noise, (size, size), interpolation=cv2.INTER_CUBIC) / (k + 1)
    return total / max(float(total.std()), 1e-6)


def colour_map(linear: NDArray[np.floating[Any]]) -> Map:
    """Linear colours (H, W, 3) as a map of 8-bit sRGB."""
    shown = linear_to_srgb(torch.from_numpy(np.asarray(linear, np.float32))).numpy()
    return Map(np.rint(shown * 255).astype(np.uint8), "srgb")
