"""StyleGAN2's generator in plain PyTorch, in the layout of the public PyTorch checkpoints, with an early stop.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", CVPR 2020, with the "skip" architecture
and the names of the ADA release (Karras et al., NeurIPS 2020), which FFHQ-UV's generators of UV maps use (Bai et al.,
CVPR 2023). Pictures of the lower resolutions are part of the sum, so a synthesis that ends early is a smaller picture.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["Generator", "channels_at"]

Z = W = 512
LAYERS = 8
MAPPING_RATE = 0.01
CLAMP = 256.0
SLOPE = 0.2
GAIN = math.sqrt(2)
TAPS = (1.0, 3.0, 3.0, 1.0)


def channels_at(resolution: int, base: int = 32768, most: int = 512) -> int:
    """Feature maps at a resolution."""
    return min(base // resolution, most)


def _taps() -> Tensor:
    """(4, 4) the low-pass filter, of sum 1."""
    taps = torch.tensor(TAPS)
    whole = torch.outer(taps, taps)
    return whole / whole.sum()


def _filtered(x: Tensor, taps: Tensor, padding: tuple[int, int, int, int]) -> Tensor:
    """Each channel of (B, C, H, W) padded (left, right, top, bottom) and filtered, four times as bright: what was
    spread over four pixels by a step of two keeps its level."""
    kernel = (4 * taps.flip(0, 1)).expand(x.shape[1], 1, *taps.shape)
    return functional.conv2d(functional.pad(x, padding), kernel, groups=x.shape[1])


def _doubled(image: Tensor, taps: Tensor) -> Tensor:
    """(B, C, H, W) at twice the size, smoothly."""
    batch, channels, height, width = image.shape
    spread = image.new_zeros(batch, channels, height, 2, width, 2)
    spread[:, :, :, 0, :, 0] = image
    return _filtered(spread.reshape(batch, channels, 2 * height, 2 * width), taps, (2, 1, 2, 1))


class Dense(nn.Module):
    """A linear layer whose weights are stored without their scale."""

    def __init__(self, inputs: int, outputs: int, rate: float = 1.0, start: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), start))
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        scale = self.rate / math.sqrt(self.weight.shape[1])
        return functional.linear(x, self.weight * scale, self.bias * self.rate)


class Mapping(nn.Module):
    """From the normal distribution to the styles."""

    w_avg: Tensor

    def __init__(self) -> None:
        super().__init__()
        for number in range(LAYERS):
            setattr(self, f"fc{number}", Dense(Z if number == 0 else W, W, MAPPING_RATE))
        self.register_buffer("w_avg", torch.zeros(W))

    def forward(self, z: Tensor) -> Tensor:
        """(B, 512) to (B, 512)."""
        x = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for number in range(LAYERS):
            x = GAIN * functional.leaky_relu(getattr(self, f"fc{number}")(x), SLOPE)
        return x


class StyledConv(nn.Module):
    """A 3x3 convolution whose inputs a style weighs, its outputs brought back to unit size; doubles the map or not."""

    noise_const: Tensor
    resample_filter: Tensor

    def __init__(self, inputs: int, outputs: int, resolution: int, *, double: bool) -> None:
        super().__init__()
        self.doubles = double
        self.affine = Dense(W, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise_const", torch.randn(resolution, resolution))
        self.register_buffer("resample_filter", _taps())

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, inputs, H, W) with styles (B, 512) to (B, outputs, H, W) or twice that size."""
        style = self.affine(w)
        # Scaling inputs and outputs equals scaling the weights, and leaves these free of gradients.
        size = (style.square() @ self.weight.square().sum((2, 3)).T + 1e-8).rsqrt()
        x = x * style[:, :, None, None]
        if self.doubles:
            x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = _filtered(x, self.resample_filter, (1, 1, 1, 1))
        else:
            x = functional.conv2d(x, self.weight, padding=1)
        x = x * size[:, :, None, None] + self.noise_const * self.noise_strength
        x = GAIN * functional.leaky_relu(x + self.bias[:, None, None], SLOPE)
        return x.clamp(-CLAMP, CLAMP)


class ToRGB(nn.Module):
    """A styled 1x1 convolution to colours."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.affine = Dense(W, inputs, start=1.0)
        self.weight = nn.Parameter(torch.randn(3, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(B, inputs, H, W) with styles (B, 512) to (B, 3, H, W)."""
        style = self.affine(w) / math.sqrt(self.weight.shape[1])
        x = functional.conv2d(x * style[:, :, None, None], self.weight, self.bias)
        return x.clamp(-CLAMP, CLAMP)


class Block(nn.Module):
    """One resolution; the first one starts from a learned constant."""

    resample_filter: Tensor

    def __init__(self, resolution: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.register_buffer("resample_filter", _taps())
        self.first = not inputs
        if self.first:
            self.const = nn.Parameter(torch.randn(outputs, resolution, resolution))
        else:
            self.conv0 = StyledConv(inputs, outputs, resolution, double=True)
        self.conv1 = StyledConv(outputs, outputs, resolution, double=False)
        self.torgb = ToRGB(outputs)

    def forward(self, x: Tensor | None, image: Tensor | None, ws: Tensor) -> tuple[Tensor, Tensor]:
        """Features and picture so far, or None, and this block's styles (B, 2 or 3, 512), to both at this size."""
        styles = iter(ws.unbind(1))
        x = self.const.expand(len(ws), *self.const.shape) if x is None else self.conv0(x, next(styles))
        x = self.conv1(x, next(styles))
        colours = self.torgb(x, next(styles))
        if image is not None:
            colours = colours + _doubled(image, self.resample_filter)
        return x, colours


class Synthesis(nn.Module):
    """From styles to a picture."""

    def __init__(self, resolution: int, base: int, most: int) -> None:
        super().__init__()
        self.resolutions = tuple(2**k for k in range(2, int(math.log2(resolution)) + 1))
        inputs = 0
        for size in self.resolutions:
            outputs = channels_at(size, base, most)
            setattr(self, f"b{size}", Block(size, inputs, outputs))
            inputs = outputs

    def forward(self, ws: Tensor, stop: int | None = None) -> Tensor:
        """Styles (B, L, 512) to (B, 3, R, R), about -1..1; R is the full resolution, or `stop`, 4 or more."""
        x = image = None
        at = 0
        for size in self.resolutions:
            count = 2 if size == 4 else 3
            # A block's colours share their style with the first layer of the next block.
            x, image = getattr(self, f"b{size}")(x, image, ws[:, at : at + count])
            at += count - 1
            if size == stop:
                break
        assert image is not None
        return torch.as_tensor(image)


class Generator(nn.Module):
    """Mapping and synthesis.

    Args:
        resolution: side of the picture, a power of two; base, most: of `channels_at`.
    """

    def __init__(self, resolution: int = 1024, base: int = 32768, most: int = 512) -> None:
        super().__init__()
        self.mapping = Mapping()
        self.synthesis = Synthesis(resolution, base, most)

    @property
    def styles(self) -> int:
        """How many styles a picture has: two a resolution."""
        return 2 * len(self.synthesis.resolutions)

    @torch.no_grad()
    def statistics(self, count: int = 100_000, seed: int = 123) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation (512,) of the styles of random latents, by which FFHQ-UV's latents become
        styles: ``w = z * std + mean`` for z (B, L, 512)."""
        latents = np.random.RandomState(seed).randn(count, Z)  # the published statistics are of these
        pieces = [
            self.mapping(torch.from_numpy(part).float()) for part in np.array_split(latents, max(count // 5000, 1))
        ]
        styles = torch.cat(pieces).double()
        return styles.mean(0).float(), styles.std(0, unbiased=False).float()
