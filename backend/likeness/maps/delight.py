"""A small network looks over the light solver's result: what shadow, shine and uneven light it left in the skin.

Source: U-Net of Ronneberger, Fischer and Brox (MICCAI 2015) on synthetic heads, skins and lights; the weights come from
`likeness train delight` (delight_weights/CARD.md). What it says is a residual, so saying nothing leaves the solver's
result as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, atlas_of, material_triangles
from likeness.maps.delight_chart import Chart
from likeness.maps.places import smoothstep
from likeness.maps.transfer import transfer_of
from likeness.maps.unwrap import log_light
from likeness.networks.delight import DelightNet
from likeness.render.light import linear_to_srgb
from likeness.render.view import vertex_normals
from likeness.weights.store import home

__all__ = ["Delit", "de_light", "freed", "network_input", "own_weights", "shipped_weights"]

Floats = NDArray[np.float32]

SMALL = 512
"""Side of the atlas in which a map is looked at."""
BAND = 512  # rows of a map that are changed at once
MOST = 1.2
"""Log colour by which the network may change a texel at most."""
KNOWN = (0.02, 0.2)
"""Weight from which on a texel's colour is looked at, and fully."""
BORDER = 3.5
"""Pixels of the chart over which it fades towards the border of what was seen."""
LEFT = 0.5
"""Share of what it says of a finished map that is taken: on the bench's photos that is nearer to the truth than all."""
DARKEST = -5.0  # log colour off the mean below which there is no skin


@dataclass(frozen=True, eq=False)
class Delit:
    """What the network says of a face, in the square of the skin's atlas.

    Attributes:
        residual: (L, L, 3) float32, to add to the solver's log albedo; over what was seen its median is 0 in each
            channel, so level and hue of the skin stay the solver's; 0 where nothing is known.
        highlight: (L, L) float32 in 0..1, the share of the light that the skin's surface mirrors. The residual has
            taken it off already.
    """

    residual: Floats
    highlight: Floats


def own_weights() -> Path:
    """Where the user's own training is kept."""
    return home() / "delight" / "delight.safetensors"


def shipped_weights() -> Path:
    """Where the weights lie that come with the program."""
    return Path(__file__).parent / "delight_weights" / "delight.safetensors"


def network_input(log: Floats, weight: Floats, normal: Floats, open_air: Floats, shading: Floats) -> Floats:
    """What the network looks at, (`INPUTS`, S, S) float32, as `likeness.networks.delight` lists it.

    Args:
        log: (S, S, 3) log of linear light in the chart; shading: (S, S, 3) its log shading by the solver.
        weight: (S, S) in 0..1, how well the skin is seen.
        normal: (S, S, 3) unit, head's frame; open_air: (S, S) in 0..1, share of the sky that a texel sees.
    """
    known = smoothstep(*KNOWN, weight).astype(np.float32)[..., None]
    total = max(float(weight.sum()), 1e-6)
    middle, level = ((values * weight[..., None]).sum((0, 1)) / total for values in (log, shading))
    rows, columns = np.meshgrid(*[np.linspace(-1, 1, side, dtype=np.float32) for side in weight.shape], indexing="ij")
    layers = [
        np.clip(log - middle, DARKEST, -DARKEST) * known,
        weight[..., None],
        normal,
        open_air[..., None],
        shading - level,
        np.exp(log.max(-1, keepdims=True)) * known,
        columns[..., None],
        rows[..., None],
    ]
    return np.ascontiguousarray(np.concatenate(layers, -1).transpose(2, 0, 1), np.float32)


def de_light(
    head: HeadModel,
    vertices: Floats,
    atlas: Atlas,
    log: Floats,
    weight: Floats,
    shading: Floats,
    network: DelightNet | None = None,
) -> Delit:
    """Look over a face that a solver has freed of its light.

    Args:
        head: any head; vertices: (V, 3) float32 metres, neutral, as fitted.
        atlas: of the skin, at any size; 512 loses nothing.
        log: (L, L, 3) float32, log of linear light; weight: (L, L) in 0..1, how well skin is seen.
        shading: log shading that the solver takes off, (L, L, 3) or per vertex (V, 3).
        network: the user's own weights where there are some, else the shipped ones.

    Raises:
        WeightsError: there are no weights, or they are damaged.
    """
    chart = Chart.of(head, vertices)
    network = network or _installed()
    triangles = head.triangles[material_triangles(head, "Skin")]
    normals = vertex_normals(torch.from_numpy(vertices), triangles).numpy()
    open_air = np.clip(transfer_of(head)[:, :1] / 0.282095, 0, 1)
    geometry = chart.picture(np.concatenate([normals, open_air], 1))
    geometry[..., :3] /= np.maximum(np.linalg.norm(geometry[..., :3], axis=-1, keepdims=True), 1e-6)
    seen = chart.drawn(weight, atlas)
    light = chart.picture(shading) if shading.shape[:-1] == (len(vertices),) else chart.drawn(shading, atlas)
    given = network_input(chart.drawn(log, atlas), seen, geometry[..., :3], geometry[..., 3], light)
    with torch.no_grad():
        residual, shine = network(torch.from_numpy(given)[None])
    change = residual[0].permute(1, 2, 0).numpy()
    sure = seen > KNOWN[1]
    if sure.any():
        change -= np.median(change[sure], axis=0)
    known = smoothstep(*KNOWN, seen).astype(np.float32)
    # Eyes and mouth are no borders of what was seen.
    around = [cv2.GaussianBlur(p.astype(np.float32), (0, 0), BORDER) for p in (known * chart.covered, chart.covered)]
    known = known * smoothstep(0.5, 1.0, around[0] / np.maximum(around[1], 1e-3)).astype(np.float32)
    change = np.clip(change, -MOST, MOST) * known[..., None]
    both = chart.laid_back(np.dstack([change, shine[0, 0].numpy() * known]), atlas)
    shown = smoothstep(*KNOWN, weight).astype(np.float32)
    return Delit(both[..., :3] * shown[..., None], both[..., 3] * shown)


def freed(
    head: HeadModel, vertices: Floats, albedo: NDArray[np.uint8], known: Floats, network: DelightNet | None = None
) -> NDArray[np.uint8]:
    """A finished albedo map without what the network still takes for light.

    Args:
        head, vertices, network: see `de_light`.
        albedo: (S, S, 3) sRGB; known: (S, S) in 0..1, how much of a texel a photo or the other side told.

    Returns:
        (S, S, 3) sRGB; a new array.

    Raises:
        WeightsError: there are no weights, or they are damaged.
    """
    side = len(albedo)
    small = atlas_of(head, "Skin", min(SMALL, side))
    shrunk = cv2.resize(albedo, (small.size, small.size), interpolation=cv2.INTER_AREA)
    weight = cv2.resize(known, (small.size, small.size), interpolation=cv2.INTER_AREA) * small.inside
    log = log_light(shrunk)
    found = de_light(head, vertices, small, log, weight.astype(np.float32), np.zeros_like(log), network)
    factor = cv2.resize(np.exp(LEFT * found.residual), (side, side), interpolation=cv2.INTER_LINEAR)
    made = np.empty_like(albedo)
    for top in range(0, side, BAND):
        rows = np.s_[top : top + BAND]
        linear = np.exp(log_light(albedo[rows])) * factor[rows]
        made[rows] = np.rint(255 * linear_to_srgb(torch.from_numpy(linear)).numpy())
    return made


def _installed() -> DelightNet:
    path = own_weights() if own_weights().exists() else shipped_weights()
    return _loaded(path, path.stat().st_mtime if path.exists() else 0.0)


@lru_cache(maxsize=2)
def _loaded(path: Path, _: float) -> DelightNet:
    return DelightNet.load(path)[0]
