"""Pictures too large for a network at once: tile after tile, joined softly, in and out by bands of rows.

AvatarMe runs its networks on patches of 1536 x 1536 with a sliding window. Nothing here holds a picture in floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Reader", "Tiling", "Writer", "dilated", "run_tiles"]

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

Reader = Callable[[slice, slice], Floats]
"""``read(rows, columns)``: that part of the picture, (h, w, C) float32."""
Writer = Callable[[slice, Floats], None]
"""``write(rows, band)``: rows of the result, each once and in order, band (h, W, K) float32."""


@dataclass(frozen=True)
class Tiling:
    """How a picture is cut.

    Attributes:
        side: of a tile in pixels of the input, a multiple of what the network halves.
        overlap: pixels that neighbours share, over which one fades into the other.
        scale: pixels of the result along one of the input.
    """

    side: int = 512
    overlap: int = 96
    scale: int = 1

    def __post_init__(self) -> None:
        """Refuse what leaves no tile, or no picture."""
        if not 0 < 2 * self.overlap <= self.side or self.scale < 1:
            raise ValueError(f"tiles of {self.side} cannot overlap by {self.overlap}")


def run_tiles(
    network: Callable[[Tensor], Tensor],
    read: Reader,
    size: tuple[int, int],
    channels: int,
    write: Writer,
    tiling: Tiling,
    *,
    wanted: Bools | None = None,
    heard: Callable[[float], None] = lambda _: None,
) -> None:
    """Put a picture through a network tile by tile.

    Around the picture lies its reflection, as wide as half an overlap. Where tiles overlap they are weighted by a
    raised cosine, and their outermost pixels, a quarter of the overlap, count for nothing: a network that looks no
    farther gives what it would of the whole. Beside one tile there is in memory a strip of the result as high as a
    tile.

    Args:
        network: (1, C, side, side) float32 to (1, K, scale side, scale side).
        read, size: the input and its height and width.
        channels: K, of the result.
        write: takes the result of scale times that size.
        wanted: (h, w) bool of any smaller size with the same frame: tiles without any are left out and stay 0.
        heard: is told the share that is done; may raise.
    """
    height, width = size
    side, scale = tiling.side, tiling.scale
    tops, lefts = _starts(height, tiling), _starts(width, tiling)
    ramp = _ramp(side * scale, tiling.overlap * scale)
    weight = ramp[:, None] * ramp
    strip = np.zeros((side * scale, width * scale, channels), np.float32)
    sums = np.zeros((side * scale, width * scale), np.float32)
    done = 0
    for number, top in enumerate(tops):
        for place, left in enumerate(lefts):
            heard((number + place / len(lefts)) / len(tops))
            if wanted is not None and not _any(wanted, top, left, side, size):
                continue
            tile = torch.from_numpy(_window(read, top, left, side, size)).permute(2, 0, 1)[None]
            with torch.inference_mode():
                made = network(tile.contiguous())[0].permute(1, 2, 0).numpy()
            if made.shape != (side * scale, side * scale, channels):
                raise ValueError(f"the network made {made.shape} of a tile of {side}")
            low, high = max(left, 0), min(left + side, width)
            there = np.s_[:, low * scale : high * scale]
            part = np.s_[:, (low - left) * scale : (high - left) * scale]
            strip[there] += made[part] * weight[part][..., None]
            sums[there] += weight[part]
        # What no later tile reaches is done.
        following = tops[number + 1] if number + 1 < len(tops) else height
        final = min(max(following, 0), height)
        if final > done:
            rows = np.s_[(done - top) * scale : (final - top) * scale]
            write(slice(done * scale, final * scale), strip[rows] / np.maximum(sums[rows], 1e-12)[..., None])
            done = final
        step = (following - top) * scale
        if step < side * scale:
            for buffer in (sums, strip):
                buffer[:-step] = buffer[step:]
                buffer[-step:] = 0
    heard(1.0)


def dilated(picture: NDArray[np.generic], inside: Bools, reach: float) -> NDArray[np.generic]:
    """The picture (H, W[, C]) with each island grown by ``reach`` texels of its own edge, and beyond that its mean.

    Tiles look across the border of an island: what is there must be like the island.
    """
    if inside.all() or not inside.any():
        return picture
    away, label = cv2.distanceTransformWithLabels(
        (~inside).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    source = np.zeros(int(label.max()) + 1, np.int64)
    source[label[inside]] = np.flatnonzero(inside)
    grown = picture.copy()
    near = ~inside & (away <= reach)
    grown[near] = picture.reshape(inside.size, -1)[source[label[near]]].reshape(-1, *picture.shape[2:])
    grown[~inside & (away > reach)] = picture[inside].mean(0).astype(picture.dtype)
    return grown


def _starts(length: int, tiling: Tiling) -> list[int]:
    """First pixels of the tiles along a side, the reflection's counted below 0."""
    rim = tiling.overlap // 2
    step = tiling.side - tiling.overlap
    count = max(1, math.ceil((length + 2 * rim - tiling.overlap) / step))
    return [step * k - rim for k in range(count)]


def _ramp(length: int, overlap: int) -> Floats:
    """Weight along a tile: 0 in the outer quarter of the overlap, a cosine's rise over half of it, 1, and back."""
    edge = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    share = np.clip((edge - overlap / 4) / max(overlap / 2, 1e-9), 0, 1)
    rise: Floats = (0.5 - 0.5 * np.cos(np.pi * share)).astype(np.float32)
    return rise


def _window(read: Reader, top: int, left: int, side: int, size: tuple[int, int]) -> Floats:
    """A tile (side, side, C), reflected where it is outside of the picture."""
    spans = [(max(start, 0), min(start + side, most)) for start, most in zip((top, left), size, strict=True)]
    part = read(*(slice(*span) for span in spans))
    beyond = [(low - start, start + side - high) for start, (low, high) in zip((top, left), spans, strict=True)]
    padded: Floats = np.pad(part, [*beyond, (0, 0)], "reflect" if min(part.shape[:2]) > 1 else "edge")
    return np.ascontiguousarray(padded, np.float32)


def _any(wanted: Bools, top: int, left: int, side: int, size: tuple[int, int]) -> bool:
    parts = []
    for start, most, cells in zip((top, left), size, wanted.shape, strict=True):
        low = math.floor(max(start, 0) * cells / most)
        parts.append(slice(low, max(math.ceil(min(start + side, most) * cells / most), low + 1)))
    return bool(wanted[parts[0], parts[1]].any())
