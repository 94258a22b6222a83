"""Faces as ArcFace's networks take them: 112 pixels a side, turned, scaled and moved so that five points lie on a mean.

Source: InsightFace (https://github.com/deepinsight/insightface), whose template is the common one. The least-squares
similarity is Umeyama's, TPAMI 1991, in complex numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["ARCFACE", "SIDE", "chip_matrix", "cut_aligned"]

SIDE = 112
ARCFACE = ((38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041))
"""Where the middle of the eye on the picture's left, that of the other eye, the tip of the nose and the corners of the
mouth lie in the chip; pixels from the first one's centre."""


def chip_matrix(five: Tensor) -> Tensor:
    """The similarity (2, 3) that best sends five points (5, 2) to `ARCFACE`; both from pixel centres, y down."""
    there = five.new_tensor(ARCFACE)
    a, b = five - five.mean(0), there - there.mean(0)
    size = a.square().sum()
    real, imaginary = (a * b).sum() / size, (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() / size
    turn = torch.stack([torch.stack([real, -imaginary]), torch.stack([imaginary, real])])
    return torch.cat([turn, (there.mean(0) - turn @ five.mean(0))[:, None]], 1)


def cut_aligned(image: Tensor, five: Tensor) -> Tensor:
    """The chip of a face, bilinearly, black beyond the picture; with gradients to the picture and to the points.

    Args:
        image: (C, H, W) float.
        five: (5, 2) in the order of `ARCFACE`; pixels of the picture (the first pixel's centre is 0.5, 0.5).

    Returns:
        (C, 112, 112).
    """
    matrix = chip_matrix(five.to(image.dtype) - 0.5)
    steps = torch.arange(SIDE, dtype=image.dtype, device=image.device)
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    there = torch.stack([columns, rows], -1) - matrix[:, 2]
    # The inverse of a similarity is its transpose over its squared scale.
    back = there @ (matrix[:, :2] / matrix[:, 0].square().sum())
    last = image.new_tensor([image.shape[2] - 1, image.shape[1] - 1])
    return functional.grid_sample(image[None], (2 * back / last - 1)[None], align_corners=True)[0]
