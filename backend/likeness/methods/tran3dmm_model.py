"""3dmm_cnn's arithmetic: which part of a photo it looks at, what its network is shown, what it says.

Source: Tran, Hassner, Masi and Medioni, CVPR 2017, and its demo code as specified; pixels of the photo, x right, y
down, the first pixel's centre at 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from likeness.errors import WeightsError
from likeness.networks.fuse import fold_batch_norms
from likeness.networks.resnet_caffe import ResNet101, from_caffe
from likeness.weights.strict import load_into

__all__ = ["OF_BOX", "OF_POINTS", "SIDE", "Regressor", "crop"]

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

SIDE = 224
OF_POINTS = (1.9255, 2.2591, 1.9423, 1.6087)
"""How far left, up, right and down of its middle a region reaches, in half sides of the bounds of 68 landmarks: so
CASIA-WebFace, on which the network was trained, is cut."""
OF_BOX = (1.785974, 1.951171, 1.835600, 1.670403)
"""The same for a box of dlib's detector."""


def crop(picture: Pixels, bounds: tuple[float, float, float, float], reach: tuple[float, ...] = OF_POINTS) -> Pixels:
    """The region (h, w, 3) of a picture (H, W, 3) about a face; zeros outside the picture.

    Args:
        bounds: left, top, right, bottom of what `reach` counts from.
    """
    left, top, right, bottom = bounds
    x, y, half = left + (right - left) / 2, top + (bottom - top) / 2, max(right - left, bottom - top) / 2
    x0, y0 = _rounded(x - reach[0] * half), _rounded(y - reach[1] * half)
    x1, y1 = _rounded(x + reach[2] * half), _rounded(y + reach[3] * half)
    region = np.zeros((max(y1 - y0, 1), max(x1 - x0, 1), 3), np.uint8)
    height, width = picture.shape[:2]
    a, b, c, d = max(x0, 0), max(y0, 0), min(x1, width), min(y1, height)
    if c > a and d > b:
        region[b - y0 : d - y0, a - x0 : c - x0] = picture[b:d, a:c]
    return region


def _rounded(value: float) -> int:
    """Halves away from zero, as the original's Python did."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


@dataclass(frozen=True, eq=False)
class Regressor:
    """The network, its batch normalisation folded away, and (3, 224, 224) the mean picture, blue, green, red."""

    network: ResNet101
    mean: Floats

    @classmethod
    def from_blobs(cls, blobs: Mapping[str, NDArray[Any]], mean: NDArray[Any], what: str) -> Self:
        """From the blobs of the caffemodel by "layer/number", and of ``mean.binaryproto`` (1, 3, 224, 224).

        Raises:
            WeightsError: they are of another network; names the tensor.
        """
        if mean.size != 3 * SIDE * SIDE:
            raise WeightsError(f"{what}: the mean picture is {mean.shape} where 3 x {SIDE} x {SIDE} is needed.")
        network = ResNet101()
        load_into(network, from_caffe(blobs, what), what)
        fold_batch_norms(network.eval())
        return cls(network.requires_grad_(False), np.asarray(mean, np.float32).reshape(3, SIDE, SIDE))

    @torch.inference_mode()
    def coefficients(self, region: Pixels) -> tuple[Floats, Floats]:
        """Of shape (99,) and texture (99,), in standard deviations, from a region (h, w, 3) uint8 BGR."""
        seen = cv2.resize(region, (SIDE, SIDE)).astype(np.float32).transpose(2, 0, 1) - self.mean
        shape, texture = self.network(torch.from_numpy(seen)[None])[0].split(99)
        return shape.numpy(), texture.numpy()
