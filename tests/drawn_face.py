"""A face as children's books draw it: flat colours and outlines."""

import numpy as np
from PIL import Image, ImageDraw

HAIR, SKIN, LINE = (95, 35, 35), (240, 200, 170), (90, 50, 40)


def drawn_face(size: int) -> np.ndarray:
    """(size, size, 3) uint8."""
    fine = 2048
    image = Image.new("RGB", (fine, fine), (150, 190, 225))
    draw = ImageDraw.Draw(image)

    def oval(x: float, y: float, rx: float, ry: float, fill: tuple[int, int, int], line: int = 0) -> None:
        box = [4 * v for v in (x - rx, y - ry, x + rx, y + ry)]
        draw.ellipse(box, fill=fill, outline=LINE if line else None, width=4 * line)

    oval(256, 235, 165, 190, HAIR)
    draw.rectangle([860, 1520, 1188, 2048], fill=(225, 180, 150))
    oval(256, 270, 112, 150, SKIN, 3)
    draw.chord([600, 380, 1448, 1320], 200, 340, fill=HAIR)
    for x in (204, 308):
        oval(x, 262, 34, 30, (255, 255, 255), 4)
        oval(x, 263, 22, 23, (40, 130, 90), 2)
        oval(x, 263, 10, 11, (10, 10, 10))
        draw.arc([4 * (x - 36), 920, 4 * (x + 36), 1176], 190, 350, fill=(30, 20, 20), width=24)
        draw.arc([4 * (x - 36), 820, 4 * (x + 36), 1000], 200, 340, fill=HAIR, width=24)
    draw.line([(1008, 1140), (984, 1288), (1056, 1304)], fill=(190, 130, 110), width=16)
    draw.chord([856, 1340, 1192, 1540], 10, 170, fill=(200, 50, 60))
    return np.asarray(image.resize((size, size), Image.Resampling.LANCZOS))
