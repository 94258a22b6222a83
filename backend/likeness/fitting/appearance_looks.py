"""The face networks that GANFIT's objective can look through: ArcFace's, as in the paper, and dlib's.

Source: Gecer et al., CVPR 2019, section 3.3: the descriptor, and the maps of middle layers for the content term.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from likeness.faces.arcface_chip import cut_aligned
from likeness.faces.chip import FIVE, cut_smoothly
from likeness.fitting.appearance_terms import Looks, Recogniser
from likeness.networks.dlib_face import Block, dlib_face
from likeness.networks.iresnet import IResNet

__all__ = ["arcface_looks", "dlib_looks"]


def dlib_looks(picture: Tensor, anchors: Tensor) -> Looks:
    """What dlib's network sees: its descriptor, and what comes out of each of its four lower stages.

    A `Recogniser`; no gradients flow to the anchors.

    Raises:
        WeightsError: it cannot be fetched or read.
    """
    network = dlib_face(picture.device)
    five = anchors[: len(FIVE)].detach().double().cpu().numpy()
    chip = cut_smoothly(picture, five)[None] * 255
    x = functional.max_pool2d(torch.relu(network.stem((chip - network.mean) / 256)), 3, 2)
    layers = []
    for block in network.blocks:
        assert isinstance(block, Block)
        if block.halve:
            layers.append(x[0])
        x = block(x)
    return Looks(network.head(x.mean((2, 3)))[0], tuple(layers))


def arcface_looks(network: IResNet) -> Recogniser:
    """What an ArcFace sees: its descriptor, and what comes out of each of its four stages.

    The gradients flow to the picture and, by the alignment, to the anchors.
    """

    def looks(picture: Tensor, anchors: Tensor) -> Looks:
        # Left and right as in the picture; an eye's middle is that of its corners, which it keeps when it shuts.
        five = torch.stack([anchors[2:4].mean(0), anchors[:2].mean(0), *anchors[5:8]])
        stages = network.stages(2 * cut_aligned(picture, five)[None] - 1)
        return Looks(network.descriptor(stages[-1])[0], tuple(stage[0] for stage in stages))

    return looks
