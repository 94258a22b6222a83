"""dlib's face descriptor: a ResNet with 29 convolutions, from a 150-pixel chip of a face to 128 numbers.

Source: King, "Dlib-ml", JMLR 2009, and its face_recognition_resnet_model_v1 (weights in the public domain): after He et
al., "Deep Residual Learning for Image Recognition", CVPR 2016, with fewer layers and half the filters. Two faces of one
person lie nearer than about 0.6 (Euclidean).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from likeness.errors import WeightsError
from likeness.weights import store

__all__ = ["SIZE", "DlibFace", "dlib_face"]

SIZE = 150
WEIGHTS = "dlib-face"
_STAGES = ((32, False, 3), (64, True, 4), (128, True, 3), (256, True, 3), (256, True, 1))
"""Channels, whether the first block halves the map, blocks."""


class Block(nn.Module):
    """Two 3x3 convolutions beside a shortcut; where the first has stride 2, the shortcut is a 2x2 average."""

    def __init__(self, inputs: int, outputs: int, *, halve: bool) -> None:
        super().__init__()
        self.halve = halve
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2 if halve else 1, 0 if halve else 1)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W), or about half that high and wide."""
        y = self.conv2(torch.relu(self.conv1(x)))
        if self.halve:
            x = functional.avg_pool2d(x, 2)
        return torch.relu(_sum(y, x))


def _sum(a: Tensor, b: Tensor) -> Tensor:
    """The sum of maps of two sizes: dlib sets zeros behind the last channel, row and column of the smaller."""
    if a.shape == b.shape:
        return a + b
    most = [max(sizes) for sizes in zip(a.shape[1:], b.shape[1:], strict=True)]

    def grown(x: Tensor) -> Tensor:
        channels, rows, columns = (whole - size for whole, size in zip(most, x.shape[1:], strict=True))
        return functional.pad(x, (0, columns, 0, rows, 0, channels))

    return grown(a) + grown(b)


class DlibFace(nn.Module):
    """The network; dlib's learned scale and shift behind each convolution are folded into it."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.stem = nn.Conv2d(3, 32, 7, 2)
        blocks: list[Block] = []
        channels = 32
        for width, halve, count in _STAGES:
            for i in range(count):
                blocks.append(Block(channels, width, halve=halve and i == 0))
                channels = width
        self.blocks = nn.ModuleList(blocks)
        self.head = nn.Linear(256, 128, bias=False)

    def forward(self, chips: Tensor) -> Tensor:
        """Chips (B, 3, 150, 150) float32 sRGB as 0..255 to descriptors (B, 128); not of unit length."""
        x = (chips - self.mean) / 256
        x = functional.max_pool2d(torch.relu(self.stem(x)), 3, 2)
        for block in self.blocks:
            x = block(x)
        return torch.as_tensor(self.head(x.mean((2, 3))))

    def state(self, tensors: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
        """The module's state out of the published file's numbers, as `likeness.weights.readers.dlib_face` gives them.

        Raises:
            ValueError: they are of another network.
        """
        layers = sorted({name[:3]: name.split(".")[1] for name in tensors if name != "mean"}.items())
        if [kind for _, kind in layers] != self._kinds():
            raise ValueError("its layers are others")
        state = {"mean": torch.as_tensor(tensors["mean"]).float().reshape(3, 1, 1)}
        numbers = [number for number, kind in layers if kind == "con"]
        convolutions = [(name, m) for name, m in self.named_modules() if isinstance(m, nn.Conv2d)]
        for (name, module), number in zip(convolutions, numbers, strict=True):
            con = {what: torch.as_tensor(tensors[f"{number}.con.{what}"]) for what in ("weight", "bias", "step")}
            if tuple(con["step"].tolist()) != (*module.stride, *_pair(module.padding)):
                raise ValueError(f"its layer {number} steps otherwise")
            affine = f"{int(number) + 1:03d}.affine"
            gamma, beta = (torch.as_tensor(tensors[f"{affine}.{what}"]) for what in ("gamma", "beta"))
            state[f"{name}.weight"] = con["weight"] * gamma.reshape(-1, 1, 1, 1)
            state[f"{name}.bias"] = con["bias"] * gamma + beta
        state["head.weight"] = torch.as_tensor(tensors[f"{layers[-1][0]}.fc.weight"]).T
        return state

    def _kinds(self) -> list[str]:
        """What the file's layers are called, from the input outwards."""
        kinds = ["con", "affine", "relu", "max_pool"]
        for block in self.blocks:
            kinds += ["con", "affine", "relu", "con", "affine"]
            kinds += ["avg_pool"] if isinstance(block, Block) and block.halve else []
            kinds += ["add_prev", "relu"]
        return [*kinds, "avg_pool", "fc"]


def _pair(padding: str | tuple[int, ...]) -> tuple[int, ...]:
    assert not isinstance(padding, str)
    return padding


def dlib_face(device: torch.device | str = "cpu") -> DlibFace:
    """The network with its published weights, frozen; they are fetched at first use (93 MB, once).

    Raises:
        WeightsError: they cannot be fetched, stored or read.
    """
    if not store.installed(WEIGHTS):
        store.install(WEIGHTS, again=False)
    return _loaded(store.stamp([WEIGHTS]), str(device))


@lru_cache(maxsize=2)
def _loaded(stamp: tuple[tuple[str, float], ...], device: str) -> DlibFace:
    # Whoever asks first, the parameters must be such that gradients can pass through them.
    with torch.inference_mode(False):
        network = DlibFace()
        try:
            network.load_state_dict(network.state(store.open_weights(WEIGHTS).tensors("model/")))
        except (KeyError, RuntimeError, ValueError) as error:
            raise WeightsError(
                f"The face descriptor's weights are of another network ({error}); remove them with "
                f"likeness weights remove {WEIGHTS} and try again."
            ) from error
        network.requires_grad_(False)
        # A quarter faster on the CPU with the channels innermost in memory; what is given in follows the weights.
        return network.eval().to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
