"""The astronaut with five landmarks, cut, turned and enlarged by whole-number steps; and dlib's chips, where it is run.

``python tests/parity/dlib_cases.py`` writes data/dlib_face.npz; see data/README.md.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).parent
ASTRONAUT = HERE.parent / "data" / "astronaut.png"
FIVE = np.array([(256, 104), (237, 105), (195, 100), (213, 103), (223, 133)])
"""In the order of dlib's five, whole pixels counted from the first one's centre, as dlib takes them."""


def cases() -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Name, (H, W, 3) uint8, (5, 2) int."""
    picture = np.asarray(Image.open(ASTRONAUT).convert("RGB"))
    yield "as it is", picture, FIVE
    large = picture[:320, 64:384].repeat(4, axis=0).repeat(4, axis=1)
    yield "halved", large, (FIVE - [64, 0]) * 4 + 1
    larger = picture[32:224, 128:320].repeat(9, axis=0).repeat(9, axis=1)
    yield "halved twice, turned left", np.rot90(larger), (_left(FIVE - [128, 32], 192) * 9 + 4)
    yield "beyond the picture", np.ascontiguousarray(picture[100:180, 200:260]), FIVE - [200, 100]


def _left(points: np.ndarray, width: int) -> np.ndarray:
    """Where points are after a quarter turn against the clock of a picture that wide."""
    return np.stack([points[:, 1], width - 1 - points[:, 0]], 1)


def main() -> None:
    """Chips and descriptors by dlib itself; the made faces' come from where they were recorded before."""
    import sys

    import dlib

    network = dlib.face_recognition_model_v1(sys.argv[1])
    arrays: dict[str, np.ndarray] = {}
    with np.load(sys.argv[2]) as made:
        arrays |= {f"made/{name}": made[name] for name in ("chips", "descriptors")}
    for name, pixels, five in cases():
        (left, top), (right, bottom) = five.min(0).tolist(), five.max(0).tolist()
        points = [dlib.point(*point) for point in five.tolist()]
        shape = dlib.full_object_detection(dlib.rectangle(left, top, right, bottom), points)
        pixels = np.ascontiguousarray(pixels)
        arrays[f"{name}/chip"] = dlib.get_face_chip(pixels, shape, 150, 0.25)
        arrays[f"{name}/descriptor"] = np.array(network.compute_face_descriptor(pixels, shape, 0, 0.25), np.float32)
    np.savez_compressed(HERE / "data" / "dlib_face.npz", **arrays)


if __name__ == "__main__":
    main()
