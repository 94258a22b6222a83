"""2DASL's arithmetic: a crop and the map of its landmarks to 62 parameters, which are read as 3DDFA's are.

Source: Tu et al., "Joint 3D Face Reconstruction and Dense Face Alignment from A Single Image with 2D-Assisted
Self-Supervised Learning", 2019, and its test code as specified.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.errors import HeadError
from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_crops import SIDE, Roi, crop
from likeness.methods.tddfa_crops import network_input as picture_input
from likeness.methods.tddfa_model import Parameters
from likeness.networks.fuse import fold_batch_norms
from likeness.networks.twodasl import TwoDASLNet
from likeness.weights.strict import load_into

__all__ = ["Regressor", "crop_points", "in_crop", "landmark_map", "network_input", "without_neck"]

Floats = NDArray[np.float32]

POINTS = (
    (17,), (19,), (21,), (22,), (24,), (26,), (36,), (37, 40), (39,), (42,), (43, 46), (45,), (31,), (30,), (35,),
    (48,), (62, 66), (54,),
)  # fmt: skip
"""The 18 points of the map: iBUG landmarks, or the middle of two."""


def landmark_map(points: NDArray[np.floating[Any]]) -> Floats:
    """The map (120, 120) that the network sees beside a crop: -1, and 1 in the pixels that hold one of 18 points.

    Args:
        points: (2, 68) iBUG landmarks in pixels of the crop, the first pixel's centre at 0.5; those outside are moved
            to its edge.
    """
    # Before the middles are taken, as the original does it; below zero it lets points wrap to the far side.
    inside = np.clip(points, 0, SIDE - 1)
    x, y = np.floor([inside[:, list(of)].mean(1) for of in POINTS]).astype(np.int64).T
    seen = np.full((SIDE, SIDE), -1, np.float32)
    seen[y, x] = 1
    return seen


def network_input(crops: NDArray[np.uint8], maps: Floats) -> Tensor:
    """Crops (B, 120, 120, 3) uint8 BGR and maps (B, 120, 120) to (B, 4, 120, 120) float32."""
    return torch.cat([picture_input(crops), torch.from_numpy(maps)[:, None]], 1)


def in_crop(points: NDArray[np.floating[Any]], roi: Roi) -> NDArray[np.float64]:
    """Landmarks (N, 2) of a photo as (2, N) in a region's crop, in pixels.

    The centre of the first one is at 0 in the photo, and at 0.5 in the crop.
    """
    left, top, right, bottom = (round(v) for v in roi)
    size = max(right - left, 1), max(bottom - top, 1)
    placed: NDArray[np.float64] = ((points + 0.5 - (left, top)) * SIDE / size).T
    return placed


@dataclass(frozen=True, eq=False)
class Regressor:
    """The network, its batch normalisation folded away, with the whitening (62,) float32 of its parameters."""

    network: TwoDASLNet
    mean: Floats
    std: Floats

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], mean: Floats, std: Floats, what: str) -> Self:
        """From a checkpoint's tensors without ``module.``.

        Raises:
            WeightsError: one is missing, too much, or of another shape; names it.
        """
        network = TwoDASLNet()
        load_into(network, tensors, what)
        fold_batch_norms(network.eval())
        network.requires_grad_(False)
        return cls(network, np.asarray(mean, np.float32).reshape(-1), np.asarray(std, np.float32).reshape(-1))

    @torch.inference_mode()
    def raw(self, crops: NDArray[np.uint8], maps: Floats) -> Floats:
        """Crops (B, 120, 120, 3) uint8 BGR and maps (B, 120, 120) to whitened parameters (B, 62)."""
        whitened: Floats = self.network(network_input(crops, maps)).numpy()
        return whitened

    def parameters(self, picture: NDArray[np.uint8], roi: Roi, points: NDArray[np.floating[Any]]) -> Floats:
        """The 62 parameters (62,) float32 of a region of a picture (H, W, 3) uint8 BGR.

        Args:
            points: (68, 2) iBUG landmarks in pixels of the picture, the first pixel's centre at 0.
        """
        seen = landmark_map(in_crop(points, roi))
        flat: Floats = self.raw(crop(picture, roi)[None], seen[None])[0] * self.std + self.mean
        return flat


def crop_points(model: Bfm, flat: Floats, only: NDArray[np.int64] | None = None) -> Floats:
    """Vertices (3, V), or some of them, in pixels of the crop for parameters (62,): y up, counted from 1."""
    p = Parameters.of(flat)
    placed: Floats = p.affine[:, :3] @ model.vertices(p.shape, p.expression, only).T + p.affine[:, 3:]
    return placed


def without_neck(arrays: Mapping[str, NDArray[Any]], indices: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """2DASL's model of 53,215 vertices without neck and ears, as arrays of `Bfm.from_noneck`.

    So it has the triangles and UVs that 3DDFA_V2 publishes.

    Args:
        arrays: ``u_shp``, ``u_exp`` (159645, 1), ``w_shp`` (159645, 40), ``w_exp`` (159645, 10), ``keypoints`` (204,).
        indices: ``indices.npy``, (V,) vertices that are kept.

    Raises:
        HeadError: the numbers of vertices do not go with the arrays.
    """
    mean = arrays["u_shp"] + arrays["u_exp"]
    kept = np.asarray(indices).reshape(-1).astype(np.int64)
    marks = np.asarray(arrays["keypoints"]).reshape(-1).astype(np.int64)
    place = np.full(len(mean), -1)
    rows = (3 * kept[:, None] + np.arange(3)).ravel()
    if rows.min() < 0 or max(rows.max(), marks.max()) >= len(mean):
        raise HeadError("2DASL's model and 3DDFA_V2's indices.npy do not go together; install both again.")
    place[rows] = np.arange(len(rows))
    return {
        "u": mean[rows],
        "w_shp": arrays["w_shp"][rows],
        "w_exp": arrays["w_exp"][rows],
        "keypoints": place[marks],
    }
