"""What AvatarMe's networks are told of a head's shape, drawn in UV."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of, material_triangles
from likeness.maps.tangents import Frames, frames_of

__all__ = ["Shape"]

Floats = NDArray[np.float32]

SIDE = 1024
"""Of the pictures of a smooth surface, which are enlarged as they are used."""


@dataclass(frozen=True, eq=False)
class Shape:
    """A head's smooth surface in the square of its skin.

    Attributes:
        frames: normals and tangents of this head.
        fields: pictures (S, S, C) float32 in -1..1, by name. "object": normals in the head's axes (x to its left, y
            up, z ahead). "tangent": the same normals in the tangent frame of the mean head, so they tell in what this
            head differs from it. "depth": z from the rearmost (-1) to the foremost point (1) of the skin.
    """

    frames: Frames
    fields: dict[str, Floats]

    @classmethod
    def of(cls, head: HeadModel, vertices: Floats) -> Shape:
        """The shape of a head model with vertices (V, 3) in metres."""
        mine = material_triangles(head, "Skin")
        triangles, triangles_uv = head.triangles[mine].numpy(), head.triangles_uv[mine].numpy()
        uv = head.uv.numpy().astype(np.float32)
        own, mean = (
            frames_of(np.asarray(v, np.float32), triangles, uv, triangles_uv, SIDE)
            for v in (vertices, head.template.to(torch.float32).numpy())
        )
        z = vertices[:, 2]
        low, high = z[triangles].min(), z[triangles].max()
        depth = atlas_of(head, "Skin", SIDE).texels((2 * (z - low) / max(high - low, 1e-9) - 1).astype(np.float32))
        fields = {"object": own.normal, "tangent": mean.to_tangent(own.normal), "depth": depth[..., None]}
        return cls(own, fields)

    def drawn(self, name: str, rows: slice, columns: slice, side: int) -> Floats:
        """Part of a field as a picture of that side has it, (h, w, C) float32."""
        field = self.fields[name]
        step = len(field) / side
        y, x = (((np.arange(s.start, s.stop) + 0.5) * step - 0.5).astype(np.float32) for s in (rows, columns))
        column, row = np.meshgrid(x, y)
        part = cv2.remap(field, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        grown: Floats = np.asarray(part, np.float32).reshape(len(y), len(x), -1)
        return grown
