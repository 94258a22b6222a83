"""Texture spaces of FLAME: a mean picture and directions, in the layout of FLAME's UVs.

Three kinds of file: ``FLAME_texture.npz`` (MPI), ``FLAME_albedo_from_BFM.npz`` (made with BFM_to_FLAME), and
``albedoModel2020_FLAME_albedoPart.npz`` (Smith et al., "A Morphable Face Albedo Model", CVPR 2020).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.errors import HeadError

__all__ = ["COEFFICIENTS", "SIDE", "TextureSpace"]

SIDE = 512
COEFFICIENTS = 50
"""DECA uses the first fifty."""

Kind = Literal["FLAME", "BFM", "AlbedoMM"]


@dataclass(frozen=True, eq=False)
class TextureSpace:
    """A linear model of albedo.

    Attributes:
        kind: whose it is.
        mean: (512, 512, 3) float32 RGB about 0..1.
        basis: (50, 512, 512, 3) float32 per unit of a coefficient; fewer where the file has fewer.
    """

    kind: Kind
    mean: Tensor
    basis: Tensor

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], source: str) -> TextureSpace:
        """From the arrays of one of the three files by their own names.

        Raises:
            HeadError: the file is none of the three, or an array has another shape.
        """
        if "tex_dir" in arrays:
            mean, basis = _picture(arrays["mean"], source) / 255, _directions(arrays["tex_dir"], source) / 255
            return cls("FLAME", mean.flip(-1), basis.flip(-1))
        if "specMU" in arrays:
            return cls("AlbedoMM", _picture(arrays["MU"], source), _directions(arrays["PC"], source))
        if "MU" in arrays and "PC" in arrays:
            mean, basis = _picture(arrays["MU"], source), _directions(arrays["PC"], source)
            return cls("BFM", mean.flip(-1), basis.flip(-1))
        raise HeadError(f"{source} is no texture space of FLAME: it holds neither tex_dir nor MU and PC.")

    def albedo(self, code: Tensor) -> Tensor:
        """(B, 512, 512, 3) RGB, about 0..1 and not clipped, from coefficients (B, up to 50).

        The MPI and BFM spaces hold display values, which is what DECA shades; AlbedoMM holds linear light.
        """
        count = min(code.shape[1], len(self.basis))
        return self.mean + torch.einsum("bk,khwc->bhwc", code[:, :count], self.basis[:count])


def _picture(array: NDArray[Any], source: str) -> Tensor:
    if np.size(array) != SIDE * SIDE * 3:
        raise HeadError(f"{source} has a mean of the shape {np.shape(array)}, not 512 x 512 x 3.")
    return torch.from_numpy(np.ascontiguousarray(array, np.float32).reshape(SIDE, SIDE, 3))


def _directions(array: NDArray[Any], source: str) -> Tensor:
    flat = np.reshape(array, (-1, np.shape(array)[-1]))
    if flat.shape[0] != SIDE * SIDE * 3:
        raise HeadError(f"{source} has directions of the shape {np.shape(array)}, not 512 x 512 x 3 each.")
    first = np.ascontiguousarray(flat[:, :COEFFICIENTS].T, np.float32)
    return torch.from_numpy(first.reshape(-1, SIDE, SIDE, 3))
