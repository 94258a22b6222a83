"""Inputs of the face networks: the astronaut cut by whole-number steps alone, so the same on every machine."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ASTRONAUT = Path(__file__).parents[1] / "data" / "astronaut.png"
SIZES = {"short_range": 128, "full_range": 192, "attention_mesh": 192}

# Left, top, side of a square, quarter turns counter-clockwise, mirrored, brightness.
CASES = {
    "short_range": {
        "whole": (0, 0, 512, 0, False, 1.0),
        "head": (96, 0, 256, 0, False, 1.0),
        "close": (160, 40, 128, 0, False, 1.0),
        "turned": (96, 0, 256, 1, False, 1.0),
        "upside down": (96, 0, 256, 2, True, 0.5),
        "no face": (0, 256, 256, 0, False, 1.0),
    },
    "full_range": {
        "head": (64, 0, 384, 0, False, 1.0),
        "close": (130, 10, 192, 0, False, 1.0),
        "turned": (64, 0, 384, 3, False, 1.0),
        "dark": (64, 0, 384, 0, True, 0.3),
        "no face": (0, 320, 192, 0, False, 1.0),
    },
    "attention_mesh": {
        "face": (180, 64, 96, 0, False, 1.0),
        "mirrored": (176, 66, 96, 0, True, 1.0),
        "loose": (130, 20, 192, 0, False, 1.0),
        "dark": (180, 64, 96, 0, False, 0.4),
        "turned": (180, 64, 96, 1, False, 1.0),
        "upside down": (180, 64, 96, 2, False, 1.0),
        "turned right": (130, 20, 192, 3, False, 1.0),
        "off centre": (200, 80, 96, 0, False, 1.0),
        "no face": (0, 320, 192, 0, False, 1.0),
    },
}


def inputs(network: str) -> Iterator[tuple[str, np.ndarray]]:
    """Name and (S, S, 3) uint8 of every case of a network."""
    picture = np.asarray(Image.open(ASTRONAUT).convert("RGB")).astype(np.int64)
    size = SIZES[network]
    for name, (left, top, side, turns, mirrored, brightness) in CASES[network].items():
        cut = picture[top : top + side, left : left + side]
        if side > size:
            step = side // size
            cut = cut.reshape(size, step, size, step, 3).sum(axis=(1, 3)) // step**2
        else:
            cut = cut.repeat(size // side, axis=0).repeat(size // side, axis=1)
        cut = np.rot90(cut[:, ::-1] if mirrored else cut, turns)
        yield name, np.ascontiguousarray(cut * round(brightness * 100) // 100, dtype=np.uint8)
