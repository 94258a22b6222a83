"""The 68 landmarks on FLAME: 51 that stay, a contour that wanders with the head's yaw, and a contour that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.errors import HeadError
from likeness.heads.base import LandmarkEmbedding

__all__ = ["CONTOUR", "ROWS", "FlameLandmarks", "contour_row"]

CONTOUR, INNER, ROWS = 17, 51, 79


def contour_row(head_rotation: Tensor, sign: int = 1) -> Tensor:
    """Row (B,) int64 of the contour table for the rotation of root and neck (B, 3, 3).

    Rows 0 to 39 are +0 to +39 degrees, rows 40 to 78 are -1 to -39; beyond that the last of each counts.

    Args:
        sign: +1 in a y-up frame seen from +z (DECA and we), -1 in RingNet's frame, which is turned about x.
    """
    r = head_rotation
    flat = torch.sqrt(r[:, 0, 0] ** 2 + r[:, 1, 0] ** 2)
    yaw = sign * torch.rad2deg(torch.atan2(-r[:, 2, 0], flat))
    # Half to even, and clamped from above before rounding, as the originals do.
    whole = torch.round(yaw.clamp(max=39)).to(torch.int64)
    return torch.where(whole < 0, torch.where(whole < -39, torch.full_like(whole, 78), 39 - whole), whole)


@dataclass(frozen=True, eq=False)
class FlameLandmarks:
    """Three embeddings, iBUG order.

    Attributes:
        inner: 51 points (brows, nose, eyes, mouth).
        contour: triangle (79, 17) int64 and barycentric (79, 17, 3) float32.
        whole: 68 points whose contour runs from ear to ear, None where the user has no file of them.
    """

    inner: LandmarkEmbedding
    contour: LandmarkEmbedding
    whole: LandmarkEmbedding | None

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], triangles: int, source: str) -> FlameLandmarks:
        """From DECA's ``landmark_embedding.npy`` by its own names (``static_lmk_faces_idx`` …).

        Args:
            triangles: of the head, which the indices must not exceed.

        Raises:
            HeadError: a table is missing, of another shape, or points outside the head.
        """
        inner = _embedding(arrays, "static", (INNER,), triangles, source)
        contour = _embedding(arrays, "dynamic", (ROWS, CONTOUR), triangles, source)
        whole = None
        if "full_lmk_faces_idx" in arrays:
            full = _embedding(arrays, "full", (CONTOUR + INNER,), triangles, source)
            whole = LandmarkEmbedding(full.triangle, full.barycentric)
        return cls(inner, contour, whole)

    def seen(self, vertices: Tensor, triangles: Tensor, head_rotation: Tensor, sign: int = 1) -> Tensor:
        """(B, 68, 3): the contour that a camera in front sees, then the inner points, on vertices (B, V, 3)."""
        row = contour_row(head_rotation, sign)
        triangle, weights = self.contour.triangle[row], self.contour.barycentric[row]
        item = torch.arange(len(vertices))[:, None, None]
        outline = (vertices[item, triangles[triangle]] * weights[..., None]).sum(2)
        return torch.cat([outline, self.inner.on(vertices, triangles)], 1)

    def fixed(self) -> LandmarkEmbedding:
        """The 68 points with a contour that stays on the skin: the file's own, else the frontal row's."""
        if self.whole is not None:
            return self.whole
        return LandmarkEmbedding(
            torch.cat([self.contour.triangle[0], self.inner.triangle]),
            torch.cat([self.contour.barycentric[0], self.inner.barycentric]),
        )


def _embedding(
    arrays: Mapping[str, NDArray[Any]], name: str, shape: tuple[int, ...], triangles: int, source: str
) -> LandmarkEmbedding:
    keys = (f"{name}_lmk_faces_idx", f"{name}_lmk_bary_coords")
    if not all(key in arrays for key in keys):
        raise HeadError(f"{source} lacks the table {keys[0]}; use the landmark_embedding.npy of DECA's data folder.")
    triangle, weights = (np.asarray(arrays[key]) for key in keys)
    # Some tables carry a leading axis of one.
    if triangle.size != np.prod(shape) or weights.size != 3 * np.prod(shape) or triangle.dtype.kind not in "iu":
        raise HeadError(f"{source} has the table {keys[0]} in the shape {triangle.shape}, not {shape}.")
    if int(triangle.min()) < 0 or int(triangle.max()) >= triangles:
        raise HeadError(f"{source} names triangles that the head does not have; use the files of one edition.")
    return LandmarkEmbedding(
        torch.from_numpy(triangle.reshape(shape).astype(np.int64)),
        torch.from_numpy(weights.reshape(*shape, 3).astype(np.float32)),
    )
