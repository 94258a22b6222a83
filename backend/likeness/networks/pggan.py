"""The generator of progressive GANs, as GANFIT's texture model has it, out of a file of its TensorFlow variables.

Source: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", ICLR 2018 (G_paper
of the authors' code as specified: names, shapes and scales of variables). GANFIT trained one on UV maps (Gecer et al.,
CVPR 2019) and never published it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from likeness.errors import WeightsError
from likeness.weights.strict import load_into

__all__ = ["PgGan", "channels_at", "from_variables"]

EPS = 1e-8
SLOPE = 0.2
GAIN = math.sqrt(2)


def channels_at(resolution: int, base: int = 8192, most: int = 512) -> int:
    """Feature maps at a resolution: 512 up to 16, then halved with each doubling."""
    return min(2 * base // resolution, most)


def _normalised(x: Tensor) -> Tensor:
    """Every pixel's features (B, C, …) at unit mean square."""
    return x * (x.square().mean(1, keepdim=True) + EPS).rsqrt()


def _active(x: Tensor) -> Tensor:
    return _normalised(functional.leaky_relu(x, SLOPE))


class Conv(nn.Module):
    """A convolution whose weights are stored without their scale (equalised learning rate)."""

    def __init__(self, inputs: int, outputs: int, side: int, gain: float = GAIN) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, side, side))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = gain / math.sqrt(inputs * side * side)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H, W)."""
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[-1] // 2)


class Start(nn.Module):
    """From the latent to 4x4."""

    def __init__(self, latent: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(latent, outputs * 16))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = GAIN / 4 / math.sqrt(latent)

    def forward(self, z: Tensor) -> Tensor:
        """(B, latent) to (B, outputs, 4, 4)."""
        flat = _normalised(z) @ (self.weight * self.scale)
        return flat.reshape(len(z), -1, 4, 4) + self.bias[:, None, None]


class PgGan(nn.Module):
    """The grown generator.

    Args:
        resolution: side of the picture, a power of two; latent: numbers of it; base, most: of `channels_at`.
    """

    def __init__(self, resolution: int = 512, latent: int = 512, base: int = 8192, most: int = 512) -> None:
        super().__init__()
        self.latent = latent
        self.resolutions = tuple(2**k for k in range(2, int(math.log2(resolution)) + 1))
        wide = channels_at(4, base, most)
        self.dense = Start(latent, wide)
        self.conv = Conv(wide, wide, 3)
        self.up, self.same, self.colours = nn.ModuleDict(), nn.ModuleDict(), nn.ModuleDict()
        self.colours["4"] = Conv(wide, 3, 1, 1.0)
        for size in self.resolutions[1:]:
            outputs = channels_at(size, base, most)
            self.up[str(size)], self.same[str(size)] = Conv(wide, outputs, 3), Conv(outputs, outputs, 3)
            self.colours[str(size)] = Conv(outputs, 3, 1, 1.0)
            wide = outputs

    def forward(self, z: Tensor, stop: int | None = None) -> Tensor:
        """Latents (B, latent), of any length but 0, to (B, 3, R, R), about -1..1.

        R is the full resolution or `stop`, where the picture is what the network showed while it had grown so far.
        """
        x = _active(self.conv(_active(self.dense(z))))
        last = 4
        for size in self.resolutions[1:]:
            if stop is not None and size > stop:
                break
            last = size
            x = functional.interpolate(x, scale_factor=2, mode="nearest")
            x = _active(self.same[str(size)](_active(self.up[str(size)](x))))
        return torch.as_tensor(self.colours[str(last)](x))


def from_variables(variables: Mapping[str, NDArray[Any]], what: str) -> PgGan:
    """A generator from the variables of its TensorFlow original by their names, without scope or ":0".

    "4x4/Dense/weight" (latent, 16 C), "4x4/Conv/weight" (3, 3, in, out), then for each resolution "8x8/Conv0_up/weight"
    (3, 3, out, in) or "8x8/Conv0/weight" (3, 3, in, out), and "8x8/Conv1/weight"; "ToRGB_lod0/weight" (1, 1, in, 3) is
    of the largest picture; each with its "bias". "lod" is not needed.

    Args:
        what: the file, for messages.

    Raises:
        WeightsError: a variable is missing, too much, or of another shape.
    """
    given = dict(variables)
    sides = sorted(int(name.split("x")[0]) for name in given if name.endswith("/Conv1/weight") and name[0].isdigit())
    dense, last = given.get("4x4/Dense/weight"), f"ToRGB_lod{len(sides)}/weight"
    if dense is None or dense.ndim != 2 or not sides or sides != [8 << k for k in range(len(sides))]:
        raise WeightsError(
            f"{what} is no progressive GAN: it lacks 4x4/Dense/weight, or the layers of a resolution; "
            "docs/ganfit.md lists the variables."
        )
    most = dense.shape[1] // 16
    final = given.get(f"{sides[-1]}x{sides[-1]}/Conv1/weight")
    assert final is not None
    base = int(final.shape[-1]) * sides[-1] // 2
    network = PgGan(sides[-1], dense.shape[0], base, most)
    tensors: dict[str, NDArray[Any]] = {}

    def take(theirs: str, ours: str, order: tuple[int, ...], flip: bool = False) -> None:
        for part in ("weight", "bias"):
            value = given.pop(f"{theirs}/{part}", None)
            if value is None:
                raise WeightsError(f"{what} lacks {theirs}/{part}; it is not the file that this network needs.")
            if part == "weight" and order:
                if value.ndim != len(order):
                    raise WeightsError(f"{what}: {theirs}/{part} has shape {value.shape}, not four numbers.")
                value = np.ascontiguousarray(value.transpose(order))
                value = np.ascontiguousarray(value[..., ::-1, ::-1]) if flip else value
            tensors[f"{ours}.{part}"] = np.asarray(value, np.float32)

    plain = (3, 2, 0, 1)
    take("4x4/Dense", "dense", ())
    take("4x4/Conv", "conv", plain)
    take(last.removesuffix("/weight"), "colours.4", plain)
    for number, size in enumerate(sides):
        place = f"{size}x{size}"
        # The fused layer is a transposed convolution: enlarging first, its kernel stands on its head.
        fused = f"{place}/Conv0_up/weight" in given
        take(f"{place}/Conv0{'_up' if fused else ''}", f"up.{size}", (2, 3, 0, 1) if fused else plain, fused)
        take(f"{place}/Conv1", f"same.{size}", plain)
        take(f"ToRGB_lod{len(sides) - 1 - number}", f"colours.{size}", plain)
    given.pop("lod", None)
    if given:
        raise WeightsError(f"{what} holds {sorted(given)[0]}, which this network does not know.")
    load_into(network, tensors, what)
    return network
