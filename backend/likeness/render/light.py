"""Diffuse light as second-order spherical harmonics, and the sRGB curve.

Source: Ramamoorthi and Hanrahan, "An Efficient Representation for Irradiance Environment Maps", SIGGRAPH 2001.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["linear_to_srgb", "sh_basis", "srgb_to_linear"]


def sh_basis(normals: Tensor) -> Tensor:
    """Irradiance basis (..., 9) at unit normals (..., 3).

    The nine real spherical harmonics up to degree 2, in the order (0,0) (1,-1) (1,0) (1,1) (2,-2) … (2,2) about +Z,
    each times the cosine lobe's weight of its degree over pi (1, 2/3, 1/4): with radiance coefficients L (9, C),
    ``albedo * (sh_basis(n) @ L)`` is the radiance a Lambertian surface reflects.
    """
    x, y, z = normals.unbind(-1)
    one = torch.ones_like(x)
    basis = [
        0.282095 * one,
        0.488603 * (2 / 3) * y,
        0.488603 * (2 / 3) * z,
        0.488603 * (2 / 3) * x,
        1.092548 * (1 / 4) * x * y,
        1.092548 * (1 / 4) * y * z,
        0.315392 * (1 / 4) * (3 * z * z - 1),
        1.092548 * (1 / 4) * x * z,
        0.546274 * (1 / 4) * (x * x - y * y),
    ]
    return torch.stack(basis, -1)


def srgb_to_linear(colour: Tensor) -> Tensor:
    """IEC 61966-2-1: display values 0..1 to linear light."""
    return torch.where(colour <= 0.04045, colour / 12.92, ((colour.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Tensor) -> Tensor:
    """IEC 61966-2-1: linear light 0..1 to display values; clamped to 0..1."""
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, light * 12.92, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
