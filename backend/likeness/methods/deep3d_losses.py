"""How well a face fits a photo, as Deep3D's training measures it: the terms of its hybrid loss.

Source: Deng et al., CVPRW 2019, section 3, with the forms and weights of ``models/losses.py`` of the PyTorch release as
specified (the paper's own differ a little). Everything differentiable; pictures in 0..1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["WEIGHTS", "gamma", "landmarks", "perceptual", "photometric", "reflectance", "regularisation"]

WEIGHTS = {
    "perceptual": 0.2, "photometric": 1.92, "landmarks": 1.6e-3, "regularisation": 3e-4, "gamma": 10.0,
    "reflectance": 5.0,
}  # fmt: skip
"""Of the terms in the sum."""
NOTABLE = (*range(28, 31), *range(60, 68))
"""Landmarks that count twenty times: nose and inner lips."""


def photometric(drawn: Tensor, photo: Tensor, mask: Tensor) -> Tensor:
    """Mean distance in colour where a mask (B, 1, H, W) is, of pictures (B, 3, H, W)."""
    away = torch.sqrt(1e-6 + ((drawn - photo) ** 2).sum(1, keepdim=True)) * mask
    return away.sum() / mask.sum().clamp(min=1)


def landmarks(found: Tensor, wanted: Tensor) -> Tensor:
    """Weighted mean of the squared distances of landmarks (B, 68, 2) in pixels of the crop."""
    weight = torch.ones(68, dtype=found.dtype, device=found.device)
    weight[list(NOTABLE)] = 20
    return (((found - wanted) ** 2).sum(-1) * weight).mean()


def regularisation(identity: Tensor, expression: Tensor, texture: Tensor) -> Tensor:
    """How unlikely coefficients (B, 80), (B, 64), (B, 80) are."""
    total = (identity**2).sum() + 0.8 * (expression**2).sum() + 1.7e-2 * (texture**2).sum()
    return total / len(identity)


def gamma(light: Tensor) -> Tensor:
    """How coloured light (B, 3, 9) is."""
    return ((light - light.mean(1, keepdim=True)) ** 2).mean()


def reflectance(albedo: Tensor, skin: Tensor) -> Tensor:
    """How much albedo (B, V, 3) varies over the skin (V,), a mask."""
    mask = skin.reshape(1, -1, 1)
    mean = (albedo * mask).sum(1, keepdim=True) / mask.sum()
    return (((albedo - mean) * mask) ** 2).sum() / (len(albedo) * mask.sum())


def perceptual(one: Tensor, other: Tensor) -> Tensor:
    """Mean of one minus the cosine between features (B, K) of a face recognition network."""
    cosine = (functional.normalize(one, dim=-1) * functional.normalize(other, dim=-1)).sum(-1)
    return (1 - cosine).mean()
