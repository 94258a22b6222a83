"""The three operations of the attention face mesh: find a region by its landmarks, cut it out, put points back.

Source of the semantics: MediaPipe's custom TFLite operations (version 2 of each) in mediapipe/util/tflite/operations;
model: Grishchenko et al., "Attention Mesh: High-fidelity Face Mesh Prediction in Real-time", 2020.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["landmarks_to_matrix", "transform_bilinear", "transform_landmarks"]


def landmarks_to_matrix(arguments: list[Tensor], options: dict[str, Any]) -> Tensor:
    """The matrix from a small upright window to the feature map around some landmarks.

    Args:
        arguments: landmarks (B, N, 3) in pixels of the feature map.
        options: "subset_idxs" the landmarks to enclose; "left_rotation_idx", "right_rotation_idx" two that shall be
            level (at "target_rotation_radians"); "scale_x", "scale_y" margin; "output_width", "output_height".

    Returns:
        (B, 4, 4) window pixels to feature-map pixels; the third row and column are idle.
    """
    points = arguments[0][..., :2]
    across = points[:, options["right_rotation_idx"]] - points[:, options["left_rotation_idx"]]
    angle = torch.atan2(across[:, 1], across[:, 0]) - options["target_rotation_radians"]
    cos, sin = torch.cos(angle), torch.sin(angle)
    turn = torch.stack([cos, -sin, sin, cos], -1).view(-1, 2, 2)  # upright to feature map

    upright = points[:, options["subset_idxs"]] @ turn
    low, high = upright.amin(1), upright.amax(1)
    centre = (turn @ ((low + high) / 2).unsqueeze(-1)).squeeze(-1)
    window = points.new_tensor([options["output_width"], options["output_height"]])
    margin = points.new_tensor([options["scale_x"], options["scale_y"]])
    linear = turn * (margin * (high - low) / window).unsqueeze(1)

    matrix = torch.eye(4, dtype=points.dtype, device=points.device).repeat(len(points), 1, 1)
    matrix[:, :2, :2] = linear
    matrix[:, :2, 3] = centre - (linear @ (window / 2).unsqueeze(-1)).squeeze(-1)
    return matrix


def transform_bilinear(arguments: list[Tensor], options: dict[str, Any]) -> Tensor:
    """Cut a window out of a feature map.

    Args:
        arguments: features (B, C, H, W) and matrices (B, 4, 4), window pixels to feature-map pixels, both counted from
            the corner of the first pixel.
        options: "output_height", "output_width".

    Returns:
        (B, C, output_height, output_width); 0 wherever the sample lies beyond the centres of the outermost pixels.
    """
    features, matrix = arguments
    rows, columns = int(options["output_height"]), int(options["output_width"])
    height, width = features.shape[2:]
    y, x = torch.meshgrid(
        torch.arange(rows, dtype=features.dtype, device=features.device) + 0.5,
        torch.arange(columns, dtype=features.dtype, device=features.device) + 0.5,
        indexing="ij",
    )
    window = torch.stack([x, y, torch.zeros_like(x), torch.ones_like(x)], -1)
    at = torch.einsum("bij,hwj->bhwi", matrix[:, :2], window)
    limit = at.new_tensor([width, height])
    grid = at / limit * 2 - 1
    sampled = functional.grid_sample(features, grid, mode="bilinear", padding_mode="border", align_corners=False)
    inside = ((at >= 0.5) & (at <= limit - 0.5)).all(-1)
    return sampled * inside.unsqueeze(1)


def transform_landmarks(arguments: list[Tensor], options: dict[str, Any]) -> Tensor:
    """Points (B, N, 2) through matrices (B, 4, 4): (B, N, 2)."""
    points, matrix = arguments
    return points @ matrix[:, :2, :2].transpose(1, 2) + matrix[:, None, :2, 3]
