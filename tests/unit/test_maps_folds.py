"""Folds: where an expression presses the skin, dark lines go and spots stay."""

import cv2
import numpy as np
import torch

from likeness.maps.folds import BESIDE, folds_in, squeeze

TEXEL = 0.0007


def test_squeeze_is_how_much_the_skin_shortens() -> None:
    side = np.linspace(0, 0.1, 21, dtype=np.float32)
    grid = np.stack([*np.meshgrid(side, side), np.zeros((21, 21), np.float32)], -1).reshape(-1, 3)
    first = np.array([r * 21 + c for r in range(20) for c in range(20)])
    corners = np.concatenate(
        [np.stack([first, first + 1, first + 22], 1), np.stack([first, first + 22, first + 21], 1)]
    )
    triangles = torch.from_numpy(corners)
    turn = np.array([[0, 1, 0], [-1, 0, 0], [0, 0, 1]], np.float32)
    assert np.abs(squeeze(grid, grid @ turn + 0.1, triangles)).max() < 1e-3
    narrow = grid * np.array([0.8, 1.3, 1], np.float32)
    assert np.abs(squeeze(grid, narrow @ turn, triangles) - 0.2).max() < 1e-3
    assert np.abs(squeeze(grid, grid * np.float32(1.2), triangles)).max() < 1e-3


def test_lines_go_where_the_skin_is_squeezed_and_spots_stay() -> None:
    log = np.zeros((200, 200, 3), np.float32)
    log[40:160, 60:63] = (-0.3, -0.45, -0.5)
    log[40:160, 150:153] = (-0.3, -0.45, -0.5)
    log[100:103, 80:83] = -0.5
    log[40:160, 95:98] = -0.04
    arc = np.zeros((200, 200), np.float32)
    cv2.ellipse(arc, (90, 100), (70, 80), 0, 150, 210, 1.0, 4)  # a fold that bends
    log -= cv2.GaussianBlur(arc, (0, 0), 1)[..., None]
    squeezed = np.zeros((200, 200), np.float32)
    squeezed[:, :110] = 0.2
    found = folds_in(log, squeezed, TEXEL)
    beside = round(BESIDE / TEXEL) - 1
    assert found[60:140, 60 - beside : 63 + beside].min() > 0.8, "a fold, and its rims"
    assert found[arc * (squeezed > 0) > 0.5].min() > 0.8, "and one that bends"
    assert found[100:103, 80:83].max() < 0.1, "a freckle is none"
    assert found[60:140, 94:99].max() < 0.1, "nor is the skin's grain"
    assert not found[:, 130:].any(), "lines elsewhere are the person's"
    assert not folds_in(log, 0 * squeezed, TEXEL).any()
