"""How much of the light from each side reaches a vertex, the head's own shadow included.

Source: Sloan, Kautz and Snyder, "Precomputed Radiance Transfer", SIGGRAPH 2002 (diffuse, without bounces).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.maps.field import Surface
from likeness.maps.places import smoothstep
from likeness.render.light import sh_basis
from likeness.render.raster import rasterise
from likeness.render.view import vertex_normals

__all__ = ["Beams", "beams_of", "shadow_from", "transfer_of"]

Floats = NDArray[np.float32]

DIRECTIONS = 96
SIDE = 192
"""Pixels across the head, whose bust is about 0.4 m: 2 mm each."""
BIAS = 0.004  # metres a vertex may lie behind what the raster shows and still be lit
SMOOTH = 0.006
"""Metres over which shadows are softened."""
KEPT = 2


@dataclass(frozen=True, eq=False)
class Beams:
    """Light from single directions.

    Attributes:
        directions: (K, 3) float32 unit, towards the light.
        reach: (K, V) float32, the cosine to each where it is not shaded, else 0.
        transfer: (V, 9), see `transfer_of`.
    """

    directions: Floats
    reach: Floats
    transfer: Floats


_known: OrderedDict[str, Beams] = OrderedDict()
_lock = Lock()


def transfer_of(head: HeadModel) -> Floats:
    """(V, 9) float32: with radiance coefficients L (9, C), ``transfer @ L`` over a white head is what reaches the eye.

    The order of the coefficients is `likeness.render.light.sh_basis`'s, and without shadows so are the values. Made
    for the head's template, as people differ little in where their heads shade themselves.
    """
    return beams_of(head).transfer


def beams_of(head: HeadModel) -> Beams:
    """The same light direction by direction, for the head's template."""
    with _lock:
        key = f"{head.name} {len(head.template)} {float(head.template.abs().sum()):.6f}"
        if key not in _known:
            _known[key] = _make(head)
            while len(_known) > KEPT:
                _known.popitem(last=False)
        return _known[key]


def _make(head: HeadModel) -> Beams:
    vertices = head.template.float()
    solid = ~head.region("lashes", "wet")
    triangles = head.triangles[solid]
    normals = vertex_normals(vertices, triangles)
    directions = _sphere(DIRECTIONS)
    lobes = torch.tensor([1, 2 / 3, 2 / 3, 2 / 3, 1 / 4, 1 / 4, 1 / 4, 1 / 4, 1 / 4])
    harmonics = sh_basis(directions) / lobes
    beams = torch.stack(
        [
            (normals @ direction).clamp(min=0) * shadow_from(vertices, triangles, direction, vertices)
            for direction in directions
        ]
    )
    sharp = (torch.einsum("kv,kc->vc", beams, harmonics) * (4 * np.pi / DIRECTIONS / np.pi)).numpy()
    # Slits and nostrils take the light around them: what a photo shows there never fits that closely.
    surface = Surface(vertices.numpy(), triangles)
    open_air = smoothstep(0.5, 0.85, sharp[:, 0] / 0.282095)
    soft = surface.spread(sharp, (open_air * surface.area).astype(np.float32), SMOOTH)
    return Beams(directions.numpy(), beams.numpy(), soft)


def shadow_from(
    vertices: torch.Tensor, triangles: torch.Tensor, direction: torch.Tensor, points: torch.Tensor, side: int = SIDE
) -> torch.Tensor:
    """(N,) float32: 1 where light from a direction reaches points (N, 3) near a mesh, 0 in its shadow.

    Args:
        vertices: (V, 3) metres; triangles: (T, 3); direction: (3,) unit, towards the light.
        side: pixels across the mesh as the light sees it.
    """
    middle = (vertices.amin(0) + vertices.amax(0)) / 2
    reach = float((vertices - middle).norm(dim=1).max())
    up = torch.tensor([0.0, 1.0, 0.0]) if abs(float(direction[1])) < 0.9 else torch.tensor([1.0, 0.0, 0.0])
    right = torch.nn.functional.normalize(torch.linalg.cross(up, direction), dim=0)
    over = torch.linalg.cross(direction, right)

    def seen(places: torch.Tensor) -> torch.Tensor:
        # Seen from the light: x right, y down, depth grows away from it.
        arm = (places - middle) / reach
        flat = torch.stack([arm @ right, -(arm @ over), -(arm @ direction)], 1)
        return (flat + 1) * torch.tensor([side / 2, side / 2, 1.0]) + torch.tensor([0.0, 0.0, 1.0])

    depth = rasterise(seen(vertices), triangles, side, side).depth
    # The farthest of the pixels around a point, lest its own slope shades it.
    farthest = torch.nn.functional.max_pool2d(
        torch.where(depth.isinf(), 9.0, depth)[None, None], 3, stride=1, padding=1
    )[0, 0]
    places = seen(points)
    column = places[:, 0].long().clamp(0, side - 1)
    row = places[:, 1].long().clamp(0, side - 1)
    return (places[:, 2] <= farthest[row, column] + BIAS / reach).float()


def _sphere(count: int) -> torch.Tensor:
    """(count, 3) unit directions spread evenly (Fibonacci's spiral)."""
    i = torch.arange(count, dtype=torch.float32) + 0.5
    y = 1 - 2 * i / count
    turn = np.pi * (1 + 5**0.5) * i
    ring = (1 - y * y).sqrt()
    return torch.stack([ring * turn.cos(), y, ring * turn.sin()], 1)
