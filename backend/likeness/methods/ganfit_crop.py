"""FFHQ-UV's map of a face alone, pasted into its map of a whole head.

Source: Bai et al., "FFHQ-UV: Normalized Facial UV-Texture Dataset for 3D Face Reconstruction", CVPR 2023, and what its
code does with texgan_cropface630resize1024_ffhq_uv_interpolate.pth (https://github.com/csbhr/FFHQ-UV, the class
TextureGAN of that name): 630 of 1024 texels, enlarged to 1024, so that the whole map has 1664.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from likeness.errors import WeightsError

__all__ = ["FACE", "WHOLE", "Surroundings"]

FACE, WHOLE = 1024, 1664
"""Sides of the face's map and of the whole one, in the same texels."""
TOP, LEFT = 187, 317
"""Row and column of the whole map where the face's begins."""
SOFT, HAIR_SOFT = 49, 23
"""Sides of the boxes, in texels of the whole map, that the edges of the face and of the hair are blurred with."""
FADED = 1.5
"""What the template's contrast is divided by when it takes on the face's colours."""
YUV = (
    (0.299, 0.587, 0.114),
    (-0.14714119, -0.28886916, 0.43601035),
    (0.61497538, -0.51496512, -0.10001026),
)

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Surroundings:
    """The template and its masks at the scale at which the face is made.

    Attributes:
        template: (3, M, M) float32 sRGB in 0..1.
        known: (M, M) bool, where colours are compared.
        face, hair: (M, M) 0..1, how much is the face's, and the template's unchanged.
    """

    template: Tensor
    known: Tensor
    face: Tensor
    hair: Tensor

    @classmethod
    def of(cls, template: Bytes, blend_mask: Bytes, hair_mask: Bytes, side: int = FACE) -> Self:
        """From the published pictures (H, W) or (H, W, C) of any size, for a face of that side.

        Raises:
            WeightsError: the mask is empty, so that there is nothing to take colours from.
        """
        mask, hair = (_whole(picture)[..., 0] / 255 for picture in (blend_mask, hair_mask))
        hair = (cv2.blur(hair, (HAIR_SOFT, HAIR_SOFT)) >= 1).astype(np.float32)
        if not (mask > 0.5).any():
            raise WeightsError("minor_valid_whole_mask.png is black all over; get it again from FFHQ-UV's page.")
        size = WHOLE * side // FACE
        planes = [cv2.blur(mask, (SOFT, SOFT)), cv2.blur(hair, (HAIR_SOFT, HAIR_SOFT)), mask]
        face, soft_hair, plain = (_scaled(plane, size) for plane in planes)
        return cls(_scaled(_whole(template) / 255, size), plain[0] > 0.5, face[0], soft_hair[0])

    def around(self, face: Tensor) -> Tensor:
        """The whole map (3, M, M) with a face (3, S, S), both sRGB in 0..1; no gradients flow to the template's
        colours, as in the original."""
        pasted = self._pasted(face)
        matched = self._matched(pasted.detach())
        blended = pasted * self.face + matched * (1 - self.face)
        return self.template * self.hair + blended * (1 - self.hair)

    def _pasted(self, face: Tensor) -> Tensor:
        """The face where it belongs, the template around it."""
        scale, size = face.shape[-1] / FACE, self.template.shape[-1]
        places = (torch.arange(size, device=face.device, dtype=face.dtype) + 0.5) / scale
        y, x = (2 * (places - start) / FACE - 1 for start in (TOP, LEFT))
        rows, columns = torch.meshgrid(y, x, indexing="ij")
        inside = (rows.abs() < 1) & (columns.abs() < 1)
        grid = torch.stack([columns, rows], -1)[None]
        laid = functional.grid_sample(face[None], grid, align_corners=False, padding_mode="border")[0]
        return torch.where(inside, laid, self.template)

    def _matched(self, pasted: Tensor) -> Tensor:
        """The template with mean and spread of a map's colours, channel by channel of YUV."""
        yuv = pasted.new_tensor(YUV)
        mine, theirs = (torch.einsum("ij,jhw->ihw", yuv, picture) for picture in (self.template, pasted))
        (mean, spread), (mean_there, spread_there) = (_statistics(p[:, self.known]) for p in (mine, theirs))
        moved = (mine - mean) / spread.clamp(min=1e-6) / FADED * spread_there + mean_there
        return torch.einsum("ij,jhw->ihw", torch.linalg.inv(yuv), moved).clamp(0, 1)


def _statistics(colours: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation (3, 1, 1) of (3, N)."""
    wide = colours.double()
    found = wide.mean(1), wide.std(1, unbiased=False)
    mean, spread = (value.to(colours.dtype)[:, None, None] for value in found)
    return mean, spread


def _whole(picture: Bytes) -> Floats:
    """(1664, 1664, 3) float32 0..255, enlarged or reduced as the original does it."""
    image: Any = Image.fromarray(picture).convert("RGB")
    return np.asarray(image.resize((WHOLE, WHOLE)), np.float32)


def _scaled(picture: Floats, size: int) -> Tensor:
    """(H, W) or (H, W, C) as (C, size, size), by the mean of what falls together."""
    if picture.shape[0] != size:
        picture = cv2.resize(picture, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32)
    return torch.from_numpy(picture.reshape(size, size, -1).astype(np.float32)).permute(2, 0, 1)
