"""3DDFA_V2's arithmetic: 62 parameters of a crop to a head, landmarks and pose in the photo.

Source: Guo et al., "Towards Fast, Accurate and Stable 3D Dense Face Alignment", ECCV 2020. Photo pixels: x right, y
down, larger z nearer to the viewer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.heads.bfm import Bfm
from likeness.methods.tddfa_crops import SIDE, Roi, crop, network_input
from likeness.networks.fuse import fold_batch_norms
from likeness.networks.mobilenet import MobileNet
from likeness.networks.resnet22 import ResNet22
from likeness.weights.strict import load_into

__all__ = ["Parameters", "Regressor", "Tddfa", "euler_degrees", "in_photo"]

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Parameters:
    """What the regressor says of one crop, whitening undone.

    Attributes:
        affine: (3, 4) float32, crop pixels per micrometre and crop pixels, y up: scale times rotation, and place.
        shape: (40,), expression: (10,) float32 coefficients of the model.
    """

    affine: Floats
    shape: Floats
    expression: Floats

    @classmethod
    def of(cls, flat: Floats) -> Parameters:
        """From the 62 numbers in 3DDFA's order."""
        return cls(flat[:12].reshape(3, 4), flat[12:52], flat[52:62])

    def rotation(self) -> tuple[float, NDArray[np.float64]]:
        """The scale, crop pixels per micrometre, and a (3, 3) rotation made orthogonal, model to viewer, y up."""
        first, second = self.affine[0, :3].astype(np.float64), self.affine[1, :3].astype(np.float64)
        lengths = np.linalg.norm(first), np.linalg.norm(second)
        r1, r2 = first / lengths[0], second / lengths[1]
        u, _, vt = np.linalg.svd(np.stack([r1, r2, np.cross(r1, r2)]))
        nearest: NDArray[np.float64] = u @ vt
        return float(sum(lengths) / 2), nearest


class Regressor:
    """A regressor with its whitening."""

    def __init__(self, network: MobileNet | ResNet22, mean: Floats, std: Floats) -> None:
        self.network = network
        self._mean, self._std = np.asarray(mean, np.float32), np.asarray(std, np.float32)

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, NDArray[Any]], mean: Floats, std: Floats, what: str) -> Regressor:
        """From a checkpoint's tensors without ``module.``: mb1, mb05 or resnet22, whichever they fit.

        Raises:
            WeightsError: they fit none; names the tensor.
        """
        network: MobileNet | ResNet22
        if "conv_param.weight" in tensors:
            network = ResNet22()
        else:
            wide = np.shape(tensors.get("conv1.weight", np.zeros(0)))[:1] == (32,)
            network = MobileNet(1.0 if wide else 0.5, landmarks="fc_lm.weight" in tensors)
        load_into(network, tensors, what)
        network.eval()
        fold_batch_norms(network)
        return cls(network.to(memory_format=torch.channels_last), mean, std)  # type: ignore[call-overload]

    @torch.inference_mode()
    def raw(self, crops: NDArray[np.uint8]) -> tuple[Floats, Floats | None]:
        """Crops (B, 120, 120, 3) uint8 BGR to whitened parameters (B, 62), and landmarks (B, 2, 68) or None."""
        parameters, landmarks = self.network(network_input(crops).contiguous(memory_format=torch.channels_last))
        return parameters.numpy(), None if landmarks is None else landmarks.numpy()

    def parameters(self, picture: NDArray[np.uint8], roi: Roi) -> Floats:
        """The 62 parameters (62,) float32 of a region of a picture (H, W, 3) uint8 BGR."""
        flat: Floats = self.raw(crop(picture, roi)[None])[0][0] * self._std + self._mean
        return flat

    def landmarks(self, picture: NDArray[np.uint8], roi: Roi) -> Floats | None:
        """68 landmarks (2, 68) in photo pixels without any shape model; None where the checkpoint has no such head."""
        seen = self.raw(crop(picture, roi)[None])[1]
        if seen is None:
            return None
        left, top, right, bottom = roi
        side = np.array([[right - left], [bottom - top]]) / SIDE
        placed: Floats = (60 * (seen[0] + 1) * side + [[left], [top]]).astype(np.float32)
        return placed


@dataclass(frozen=True, eq=False)
class Tddfa:
    """Regressor and shape model together."""

    regressor: Regressor
    model: Bfm

    def dense(self, flat: Floats, roi: Roi) -> Floats:
        """All vertices (3, V) in the photo; z starts at 0 with the farthest."""
        return self._placed(flat, roi, None)

    def sparse(self, flat: Floats, roi: Roi) -> Floats:
        """The 68 landmarks (3, 68) in the photo; their z starts at 0 with the farthest of them."""
        return self._placed(flat, roi, self.model.keypoints)

    def _placed(self, flat: Floats, roi: Roi, only: NDArray[np.int64] | None) -> Floats:
        p = Parameters.of(flat)
        vertices = self.model.vertices(p.shape, p.expression, only)
        return in_photo(p.affine[:, :3] @ vertices.T + p.affine[:, 3:], roi)


def in_photo(points: Floats, roi: Roi) -> Floats:
    """Crop pixels (3, n), y up from 1, to photo pixels; z shifted to start at 0."""
    left, top, right, bottom = roi
    x, y = (right - left) / SIDE, (bottom - top) / SIDE
    z = (points[2] - 1) * ((x + y) / 2)
    placed = np.stack([(points[0] - 1) * x + left, (SIDE - points[1]) * y + top, z - z.min()])
    result: Floats = placed.astype(np.float32)
    return result


def euler_degrees(p: Parameters) -> NDArray[np.float64]:
    """Yaw, pitch, roll in degrees as 3DDFA_V2's pose option has them."""
    first, second = p.affine[0, :3].astype(np.float64), p.affine[1, :3].astype(np.float64)
    r1, r2 = first / np.linalg.norm(first), second / np.linalg.norm(second)
    r = np.stack([r1, r2, np.cross(r1, r2)])
    if abs(r[2, 0]) > 0.998:
        yaw = np.copysign(np.pi / 2, r[2, 0])
        pitch, roll = np.arctan2(np.sign(r[2, 0]) * r[0, 1], np.sign(r[2, 0]) * r[0, 2]), 0.0
    else:
        yaw = np.arcsin(r[2, 0])
        pitch = np.arctan2(r[2, 1] / np.cos(yaw), r[2, 2] / np.cos(yaw))
        roll = np.arctan2(r[1, 0] / np.cos(yaw), r[0, 0] / np.cos(yaw))
    angles: NDArray[np.float64] = np.degrees([yaw, pitch, roll])
    return angles
