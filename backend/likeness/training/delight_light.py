"""Light on a face at random: a sky, lamps with soft shadows, gloss, light that seeps through the skin, and a camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray

from likeness.fitting.scenes import Scene
from likeness.maps.delight_chart import SIDE
from likeness.maps.places import smoothstep
from likeness.render.light import linear_to_srgb, sh_basis
from likeness.render.raster import rasterise
from likeness.training.delight_skin import PIXEL, Skin

__all__ = ["Surface", "developed", "shone"]

Floats = NDArray[np.float32]

SEEP = (0.0020, 0.0008, 0.0004)
"""Metres that red, green and blue light wander below the skin before they leave it (spread of a Gaussian)."""
SHADOW = 144  # pixels of a lamp's view
RAYS = 4  # views of a lamp, from different places on it
SHIFT, BIAS = 0.002, 0.004  # metres off the surface, and towards the lamp, at which its light is looked for
F0 = 0.028
KNEE = 0.8  # of full light, above which a camera compresses
_LOBES = torch.tensor([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])


@dataclass(frozen=True, eq=False)
class Surface:
    """A head in a chart: what light meets.

    Attributes:
        vertices: (V, 3) metres; triangles: (T, 3) of all that casts shadows.
        place, normal, view: (SIDE, SIDE, 3): metres, unit, unit towards the camera.
        transfer: (SIDE, SIDE, 9), see `likeness.maps.transfer`.
        covered: (SIDE, SIDE) bool.
    """

    vertices: torch.Tensor
    triangles: torch.Tensor
    place: Floats
    normal: Floats
    view: Floats
    transfer: Floats
    covered: NDArray[np.bool_]


def shone(surface: Surface, skin: Skin, scene: Scene, rng: Generator) -> tuple[Floats, Floats, Floats]:
    """Light (SIDE, SIDE, 3) from below the skin and from its surface, and what falls on it."""
    bumpy = _bumped(surface, skin.height)
    # Against the lamps: from an overcast day to a spotlight in the dark.
    flat = np.exp(rng.normal(-0.4, 0.6)) * (0.3 if rng.random() < 0.25 else 1.0)
    sky = flat * (_sky(scene) + _broad(scene, rng))
    falling = np.maximum(surface.transfer @ sky, 0.0)
    mirrored = np.zeros_like(falling)
    facing = np.maximum((bumpy * surface.view).sum(-1), 0.05)
    turned = 2 * facing[..., None] * bumpy - surface.view
    around = sh_basis(torch.from_numpy(turned)).numpy() @ sky
    open_air = np.clip(surface.transfer[..., :1] / 0.282095, 0, 1)
    mirrored += _fresnel(facing)[..., None] * np.maximum(around, 0) * open_air**2
    lamps = scene.lamps[: 1 + int(rng.random() < 0.5)] if rng.random() < 0.85 else ()
    for lamp in lamps:
        to = np.array(lamp.direction, np.float32)
        size = np.exp(rng.uniform(np.log(0.015), np.log(0.35)))  # its radius over its distance
        colour = np.array(lamp.colour, np.float32)
        free = _reached(surface, to, size, rng)
        if rng.random() < 0.12:
            free = free * _something_in_the_way(surface, to, size, rng)
        wrap = 0.5 * size
        cosine = np.maximum((bumpy @ to + wrap) / (1 + wrap), 0) * free
        falling += cosine[..., None] * colour
        lobe = _ggx(bumpy, surface.view, to, np.sqrt(skin.roughness**4 + (0.5 * size) ** 2), facing)
        mirrored += (lobe * free)[..., None] * colour
    # Light that a fold keeps to itself takes the skin's colour.
    closed = 1 - open_air
    falling *= 1 + closed * skin.albedo * 0.8
    below = _seeped(skin.albedo * falling, skin.albedo, falling, surface.covered)
    return below, mirrored * skin.gloss[..., None], falling


def _sky(scene: Scene) -> Floats:
    """(9, 3) radiance coefficients of light from above and below."""
    above, below = scene.above, scene.below
    sky = np.zeros((9, 3))
    sky[0] = (above + below) / 2 / 0.282095
    sky[1] = (above - below) / 2 / (0.488603 * 2 / 3)
    return sky.astype(np.float32)


def _broad(scene: Scene, rng: Generator) -> Floats:
    """(9, 3) radiance coefficients of windows, walls and whatever else is too broad to cast a shadow."""
    sky = np.zeros((9, 3))
    for lamp in scene.lamps[1:]:
        harmonics = (sh_basis(torch.tensor(lamp.direction)) / _LOBES).numpy()
        softer = np.array([1, *[rng.uniform(0.5, 1)] * 3, *[rng.uniform(0.1, 0.7)] * 5])
        sky += np.pi * rng.uniform(0.2, 1) * np.outer(harmonics * softer, lamp.colour)
    return sky.astype(np.float32)


def _bumped(surface: Surface, height: Floats) -> Floats:
    """Unit normals (SIDE, SIDE, 3) of the relief."""
    down, across = np.gradient(surface.place, axis=(0, 1))
    rise_down, rise_across = np.gradient(height)
    normal = surface.normal.copy()
    for along, rise in ((down, rise_down), (across, rise_across)):
        square = np.maximum((along**2).sum(-1), PIXEL**2 / 4)
        normal -= (rise / square)[..., None] * along
    normal /= np.maximum(np.linalg.norm(normal, axis=-1, keepdims=True), 1e-6)
    return normal.astype(np.float32)


def _reached(surface: Surface, to: Floats, size: float, rng: Generator) -> Floats:
    """(SIDE, SIDE) share of a lamp that is seen from each place."""
    there = surface.covered
    place = surface.place[there] + SHIFT * surface.normal[there]
    middle = surface.vertices.mean(0)
    scale = SHADOW / 2 / float((surface.vertices - middle).norm(dim=1).max())
    total = np.zeros(len(place), np.float32)
    for turn in np.arange(RAYS) * 2.4 + rng.uniform(0, 6):
        spread = size * rng.uniform(0.3, 1)
        direction = torch.from_numpy(to)
        side = torch.nn.functional.normalize(torch.linalg.cross(direction, torch.tensor([0.1, 1.0, 0.2])), dim=0)
        up = torch.linalg.cross(side, direction)
        direction = direction + spread * (float(np.cos(turn)) * side + float(np.sin(turn)) * up)
        direction = direction / direction.norm()
        side = torch.nn.functional.normalize(torch.linalg.cross(direction, up), dim=0)
        frame = torch.stack([side, torch.linalg.cross(side, direction), -direction], 1)

        def seen(points: torch.Tensor, frame: torch.Tensor = frame) -> torch.Tensor:
            local = (points - middle) @ frame
            return torch.cat([local[:, :2] * scale + SHADOW / 2, local[:, 2:] + 1], 1)

        depth = rasterise(seen(surface.vertices), surface.triangles, SHADOW, SHADOW).depth
        near = torch.where(depth.isfinite(), depth, 9.0).numpy()
        spot = seen(torch.from_numpy(place)).numpy()
        lit = np.zeros(len(place), np.float32)
        for x, y in ((-0.6, -0.6), (0.6, -0.6), (-0.6, 0.6), (0.6, 0.6)):
            column, row = ((spot[:, k] + o).astype(int).clip(0, SHADOW - 1) for k, o in ((0, x), (1, y)))
            lit += near[row, column] >= spot[:, 2] - BIAS
        total += lit / 4
    free = np.ones((SIDE, SIDE), np.float32)
    free[there] = total / RAYS
    return free


def _something_in_the_way(surface: Surface, to: Floats, size: float, rng: Generator) -> Floats:
    """(SIDE, SIDE) in 0..1: light past a brim, a hand or a window frame, whose edge waves."""
    across = np.cross(to, rng.normal(size=3))
    across /= np.linalg.norm(across)
    along = np.cross(to, across)
    flat = (surface.place - surface.place[surface.covered].mean(0)).astype(np.float32)
    x, y = flat @ across, flat @ along
    edge = rng.uniform(-0.05, 0.07) + 0.004 * np.sin(y * rng.uniform(20, 120) + rng.uniform(0, 6))
    soft = 0.002 + 0.08 * size
    free: Floats = smoothstep(edge + soft, edge - soft, x).astype(np.float32)
    return free


def _fresnel(cosine: Floats) -> Floats:
    return np.asarray(F0 + (1 - F0) * (1 - np.clip(cosine, 0, 1)) ** 5 * 0.6)


def _ggx(normal: Floats, view: Floats, to: Floats, alpha: Floats, facing: Floats) -> Floats:
    """Light that skin mirrors of a lamp whose irradiance over pi is 1, (SIDE, SIDE) (Walter et al., EGSR 2007)."""
    half = view + to
    half = half / np.maximum(np.linalg.norm(half, axis=-1, keepdims=True), 1e-6)
    square = alpha**2
    cosine = np.maximum((normal * half).sum(-1), 0)
    spread = square / (np.pi * (cosine**2 * (square - 1) + 1) ** 2)
    lit = np.maximum(normal @ to, 0)
    k = alpha / 2
    hidden = 1 / ((facing * (1 - k) + k) * (lit * (1 - k) + k) * 4)
    return np.asarray(np.pi * spread * hidden * lit * _fresnel((view * half).sum(-1)))


def _seeped(leaving: Floats, albedo: Floats, falling: Floats, covered: NDArray[np.bool_]) -> Floats:
    """Diffuse light (SIDE, SIDE, 3) after its way below the skin: the light is blurred, marks half as much."""
    mask = covered.astype(np.float32)
    made = np.empty_like(leaving)
    for channel, length in enumerate(SEEP):
        sigma = length / PIXEL
        weight = cv2.GaussianBlur(mask, (0, 0), sigma)
        soft = cv2.GaussianBlur(falling[..., channel] * mask, (0, 0), sigma) / np.maximum(weight, 1e-3)
        made[..., channel] = albedo[..., channel] * soft
    return made


def developed(light: Floats, covered: NDArray[np.bool_], scene: Scene, rng: Generator) -> NDArray[np.uint8]:
    """What a camera makes of it: sRGB (SIDE, SIDE, 3) with its exposure, balance, curve, blur, noise and JPEG."""
    bright = float(np.quantile(light[covered].mean(1), 0.6))
    aim = scene.exposure * np.clip(bright / 0.1, 0.35, 1.0) ** 0.25 * np.exp(rng.normal(0, 0.25))
    picture = light * (aim / max(bright, 1e-6)) * scene.balance.astype(np.float32)
    over = np.maximum(picture - KNEE, 0) / (1 - KNEE)
    picture = np.where(picture > KNEE, KNEE + (1 - KNEE) * (1 - np.exp(-over)), picture).astype(np.float32)
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.3, 0.9))
    display = linear_to_srgb(torch.from_numpy(picture)).numpy()
    curve = scene.contrast * (rng.random() < 0.6)
    display = (1 - curve) * display + curve * (3 * display**2 - 2 * display**3)
    display = display * 255 + rng.standard_normal(display.shape, np.float32) * (0.5 * scene.grain)
    coded = np.clip(display + 0.5, 0, 255).astype(np.uint8)
    if rng.random() < 0.7:
        _, data = cv2.imencode(".jpg", coded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(55, 97))])
        coded = cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]
    return np.ascontiguousarray(coded)
