"""Light and lens: rooms made of soft lamps and windows, cameras of many distances, and what a sensor does."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.camera import Camera

__all__ = ["develop", "lamp", "look_at", "rays", "room", "tint"]

Floats = NDArray[np.float64]
ROWS, COLUMNS = 128, 256


def rays() -> Floats:
    """Where each texel of an equirectangular picture lies, (128, 256, 3) unit; row 0 straight up, the face's way in
    the middle."""
    latitude = np.pi / 2 - (np.arange(ROWS) + 0.5) / ROWS * np.pi
    longitude = ((np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5) * 2 * np.pi
    lon, lat = np.meshgrid(longitude, latitude)
    return np.stack([np.sin(lon) * np.cos(lat), np.sin(lat), np.cos(lon) * np.cos(lat)], -1)


def tint(kelvin: float) -> Floats:
    """Linear colour (3,) of light, white at 6000 K."""
    return np.array([(kelvin / 6000) ** -0.35, 1.0, (kelvin / 6000) ** 0.45])


def lamp(azimuth: float, elevation: float, width: float, power: float, kelvin: float, edge: float = 2.5) -> Floats:
    """A round lamp (128, 256, 3): degrees towards the person's left and up, its radius and how soft its rim is."""
    a, e = np.radians([azimuth, elevation])
    to = np.array([np.sin(a) * np.cos(e), np.sin(e), np.cos(a) * np.cos(e)])
    angle = np.arccos(np.clip(rays() @ to, -1, 1))
    soft = 1 / (1 + np.exp(np.clip((angle - np.radians(width)) / np.radians(edge), None, 500)))
    return (power / (1 - np.cos(np.radians(width + 2))) * 0.05) * soft[..., None] * tint(kelvin)


def room(rng: Generator) -> NDArray[np.float32]:
    """An equirectangular picture (128, 256, 3) of linear light, row 0 straight up; the face looks at its middle."""
    up = (rays()[..., 1:2] + 1) / 2
    ambient = rng.uniform(0.15, 0.5)
    light = ambient * (up * tint(rng.uniform(4500, 9000)) + (1 - up) * rng.uniform(0.2, 0.5) * tint(4000))
    rough = (rng.normal(0, 0.35, (6, 12, 1)) + rng.normal(0, 0.07, (6, 12, 3))).astype(np.float32)
    light = light * np.exp(cv2.resize(rough, (COLUMNS, ROWS), interpolation=cv2.INTER_CUBIC))

    # The key comes from the front half, as photographers and phone users see to it; the rest from anywhere.
    light = light + lamp(rng.uniform(-75, 75), rng.uniform(5, 60), rng.uniform(8, 32), rng.uniform(0.8, 2.0),
                         rng.uniform(3800, 7500))  # fmt: skip
    for _ in range(rng.integers(1, 4)):
        light = light + lamp(rng.uniform(-180, 180), rng.uniform(-10, 70), rng.uniform(6, 25), rng.uniform(0.1, 0.9),
                             rng.uniform(3000, 8500))  # fmt: skip
    return light.astype(np.float32)


def look_at(target: Floats, yaw: float, pitch: float, roll: float, distance: float, focal: float, size: int) -> Camera:
    """A camera that looks at `target` (3,) metres from the front.

    Args:
        target: in the head's frame.
        yaw: degrees that the face turns to the picture's right; pitch: degrees it looks up; roll: of the picture.
        distance: metres; focal: pixels; size: of the square picture.
    """
    y, p, r = np.radians([yaw, pitch, roll])
    # The face turned right in the picture is a camera that has moved to the person's right (-X).
    forward = np.array([np.sin(y) * np.cos(p), np.sin(p), -np.cos(y) * np.cos(p)])
    right = np.array([np.cos(y), 0.0, np.sin(y)])
    down = np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    c, s = np.cos(r), np.sin(r)
    rotation = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ rotation
    eye = target - distance * forward
    return Camera(size, size, focal, focal, size / 2, size / 2, rotation, -rotation @ eye)


def develop(
    linear: NDArray[Any], mask: NDArray[np.bool_], rng: Generator, aim: float | None = None
) -> NDArray[np.uint8]:
    """Linear light (H, W, 3) to an sRGB picture as a phone would make it.

    `mask` is what the exposure is set on, so that its 60th percentile comes out as `aim`; by default somewhere in the
    middle greys.
    """
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])
    level = np.percentile(luminance[mask], 60)
    if aim is None:
        aim = rng.uniform(0.16, 0.34) * np.clip(level / 0.1, 0.35, 1.0) ** 0.25  # dark skin stays darker
    image = np.maximum(linear, 0) * (aim / max(level, 1e-6)) * np.exp(rng.normal(0, 0.05, 3))
    knee = rng.uniform(0.6, 0.9)
    image = np.where(image > knee, knee + (1 - knee) * (1 - np.exp(-(image - knee) / (1 - knee))), image)
    image = cv2.GaussianBlur(image.astype(np.float32), (0, 0), rng.uniform(0.3, 0.8))
    image = image + rng.normal(0, 1, image.shape) * np.sqrt(1e-5 + rng.uniform(2e-5, 3e-4) * image)
    image = np.clip(image, 0, 1)
    srgb = np.where(image <= 0.0031308, 12.92 * image, 1.055 * image ** (1 / 2.4) - 0.055)
    contrast = rng.uniform(0, 0.35)
    srgb = (1 - contrast) * srgb + contrast * (3 * srgb**2 - 2 * srgb**3)
    return np.round(255 * srgb).astype(np.uint8)
