"""A face unrolled onto a cylinder: one square for every head model, whatever its UV layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from likeness.heads.base import HeadModel
from likeness.maps.atlas import Atlas, material_triangles
from likeness.maps.places import HeadFrame, smoothstep
from likeness.render.raster import rasterise

__all__ = ["SIDE", "Chart"]

Floats = NDArray[np.float32]

SIDE = 160
"""Pixels; one is about 1.5 mm of skin, and light changes more slowly than that."""
TURN = 80.0
"""Degrees to each side of the face's middle that the chart shows."""
TOP, BOTTOM = 1.45, -2.25
"""Heights that it shows, in distances between the eyes from the middle between them."""
AXIS = -1.5
"""Where the cylinder's axis stands, in the same unit: inside the head, in front of the ears."""
FADE = 7  # pixels from the chart's edge over which what it says fades away


@dataclass(frozen=True, eq=False)
class Chart:
    """The unrolled face of one head.

    Attributes:
        places: (V, 2) float32 pixels of the chart (first pixel's centre 0) where each vertex lies; far outside for
            vertices that it does not show.
        covered: (SIDE, SIDE) bool: where it shows skin.
        weights: (N, V) sparse float32, the N pixels `covered` in row order as weighted sums of three vertices.
        uv: (SIDE, SIDE, 2) float32 in [0, 1], the origin at the lower left.
    """

    places: Floats
    covered: NDArray[np.bool_]
    weights: Any
    uv: Floats

    @classmethod
    def of(cls, head: HeadModel, vertices: Floats) -> Chart:
        """The chart of a head's vertices (V, 3) metres."""
        frame = HeadFrame.of(vertices, *(_eye(head, vertices, name) for name in ("eye.L", "eye.R")))
        x, y, z = frame.points.astype(np.float64).T
        turn = np.degrees(np.arctan2(x, z - AXIS))
        columns = (turn / TURN + 1) * SIDE / 2
        rows = (TOP - y) / (TOP - BOTTOM) * SIDE
        radius = np.hypot(x, z - AXIS)
        mine = material_triangles(head, "Skin")
        corners = head.triangles[mine].numpy()
        # Behind the head the cylinder is cut open.
        whole = (abs(turn)[corners] < TURN + 50).all(1)
        points = np.stack([columns, rows, 10 + radius.max() - radius], 1).astype(np.float32)
        raster = rasterise(torch.from_numpy(points), torch.from_numpy(corners[whole]), SIDE, SIDE, cull=True)
        covered = raster.covered.numpy()
        triangle = np.flatnonzero(whole)[raster.triangle.numpy()[covered]]
        barycentric = raster.barycentric.numpy()[covered]
        uv = np.zeros((SIDE, SIDE, 2), np.float32)
        ends = head.uv.numpy()[head.triangles_uv[mine].numpy()[triangle]]
        uv[covered] = (ends * barycentric[..., None]).sum(1)
        pointer = np.arange(0, 3 * len(triangle) + 1, 3, dtype=np.int32)
        index = corners[triangle].astype(np.int32).ravel()
        weights = csr_matrix((barycentric.ravel(), index, pointer), (len(triangle), len(vertices)))
        return cls(points[:, :2] - np.float32(0.5), covered, weights, uv)

    def picture(self, values: Floats) -> Floats:
        """Vertex values (V, C) as a picture (SIDE, SIDE, C) float32, 0 where there is no skin."""
        made = np.zeros((SIDE, SIDE, values.shape[1]), np.float32)
        made[self.covered] = self.weights @ np.ascontiguousarray(values, np.float32)
        return made

    def drawn(self, picture: Floats, atlas: Atlas) -> Floats:
        """A picture (L, L[, C]) of the skin's square as the chart shows it, (SIDE, SIDE[, C])."""
        side = np.float32(atlas.size)
        across, down = self.uv[..., 0] * side - 0.5, (1 - self.uv[..., 1]) * side - 0.5
        drawn: Floats = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        drawn[~self.covered] = 0
        return drawn

    def laid_back(self, picture: Floats, atlas: Atlas) -> Floats:
        """A picture (SIDE, SIDE[, C]) of the chart in the skin's square, (L, L[, C]); it fades out at its edges."""
        edge = np.minimum(np.arange(SIDE), np.arange(SIDE)[::-1]).astype(np.float32)
        fade = smoothstep(0, FADE, np.minimum(edge[:, None], edge)).astype(np.float32)
        faded = picture * (fade if picture.ndim == 2 else fade[..., None])
        # Angles are averaged as directions: behind the head they jump from one side to the other.
        turn = np.radians((self.places[:, 0] + 0.5) * (2 * TURN / SIDE) - TURN)
        spots = atlas.texels(np.stack([np.sin(turn), np.cos(turn), self.places[:, 1]], 1))
        across = (np.degrees(np.arctan2(spots[..., 0], spots[..., 1])) / TURN + 1) * SIDE / 2 - 0.5
        across[~atlas.inside] = -4
        laid: Floats = cv2.remap(faded, across, spots[..., 2], cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return laid


def _eye(head: HeadModel, vertices: Floats, name: str) -> Floats:
    """(3,) metres: the middle of an eye, where the head has eyes; else the template's joint."""
    which = np.unique(head.triangles[head.region(name)].numpy())
    middle = vertices[which].mean(0) if len(which) else head.joints[head.joint_names.index(name)].numpy()
    centre: Floats = np.asarray(middle, np.float32)
    return centre
