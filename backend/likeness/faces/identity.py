"""Who a face is: dlib's descriptor, of a photo or of a picture that is being made.

Descriptors of one person lie nearer to each other than about 0.6 (Euclidean). They identify people, so they are to be
kept in memory alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from likeness.faces import chip
from likeness.faces.face import Face
from likeness.networks.dlib_face import dlib_face
from likeness.networks.graph import one_thread

__all__ = ["FIVE", "describe", "describe_at", "describe_pictures"]

FIVE = chip.FIVE


def describe(face: Face) -> NDArray[np.float32]:
    """The descriptor (128,) of a face in a photo, aligned by its own landmarks.

    Raises:
        WeightsError: the network cannot be fetched or read.
    """
    return describe_at(face.photo.pixels, face.landmarks[list(FIVE), :2])


def describe_at(pixels: NDArray[np.uint8], five: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """The descriptor (128,) of a face whose landmarks are known.

    Args:
        pixels: (H, W, 3) uint8 sRGB.
        five: (5, 2) in the order of `FIVE`; pixels of the picture (the first pixel's centre is 0.5, 0.5).

    Raises:
        WeightsError: as `describe`.
    """
    network = dlib_face()
    cut = torch.from_numpy(chip.cut(pixels, five)).permute(2, 0, 1)[None].float()
    with one_thread():
        return np.asarray(network(cut)[0].numpy(), np.float32)


def describe_pictures(images: Tensor, five: Tensor | Sequence[NDArray[np.floating[Any]]]) -> Tensor:
    """Descriptors of faces in pictures that are being made, with gradients to the pictures.

    Args:
        images: (B, 3, H, W) float, sRGB as 0..1; values beyond are taken as they are.
        five: (B, 5, 2) in the order of `FIVE`; pixels of the pictures (the first pixel's centre is 0.5, 0.5). No
            gradients flow to it.

    Returns:
        (B, 128) on the pictures' device.

    Raises:
        WeightsError: as `describe`.
    """
    places = [np.asarray(p.detach().cpu() if isinstance(p, Tensor) else p, np.float64) for p in five]
    chips = torch.stack([chip.cut_smoothly(image, p) for image, p in zip(images, places, strict=True)])
    return torch.as_tensor(dlib_face(images.device)(chips.float() * 255))
