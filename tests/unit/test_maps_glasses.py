"""Glasses: their frame is found by its bridge, and faces without any have none."""

import numpy as np

from likeness.maps.glasses import frame_of

TEXEL = 0.0007


def face(side: int = 256) -> dict[str, np.ndarray]:
    row, column = np.mgrid[:side, :side].astype(np.float32)
    eyes, lids, brows = (np.zeros((side, side), np.float32) for _ in range(3))
    for middle in (78, 178):
        away = np.hypot((row - 120) / 0.6, column - middle)
        eyes[away < 20] = 1
        lids[away < 34] = 1
        brows[(abs(row - 88) < 5) & (abs(column - middle) < 34)] = 1
    return {"eyes": eyes, "lids": lids, "brows": brows}


def test_frame_is_found_by_its_bridge_and_skin_is_left() -> None:
    areas = face()
    seen = np.ones((256, 256), np.float32)
    residual = np.zeros((256, 256), np.float32)
    drawn = np.zeros((256, 256), bool)
    for middle in (78, 178):
        drawn[84:88, middle - 44 : middle + 44] = True
        drawn[150:154, middle - 44 : middle + 44] = True
        drawn[84:154, middle - 46 : middle - 42] = True
        drawn[84:154, middle + 42 : middle + 46] = True
    drawn[108:113, 115:141] = True
    residual[drawn] = -1.2
    residual[areas["eyes"] > 0] = -1.0
    frame = frame_of(residual, areas, seen, TEXEL)
    assert frame[drawn].all()
    assert (frame * (areas["brows"] == 0))[100:].sum() < 3 * drawn.sum(), "only its blur goes with it"
    assert frame[areas["brows"] > 0].all(), "and the brows behind it, hinges and all"
    low = {**areas, "brows": np.roll(areas["brows"], -20, 0)}
    assert not frame_of(residual, low, seen, TEXEL)[:77].any(), "brows above it are seen"
    assert not frame[areas["eyes"] > 0].any()
    assert not frame_of(residual, areas, 0 * seen, TEXEL).any()


def test_bare_faces_brows_and_shade_are_no_frame() -> None:
    areas = face()
    seen = np.ones((256, 256), np.float32)
    residual = np.where(np.maximum(areas["brows"], areas["eyes"]) > 0, np.float32(-1.2), np.float32(0))
    assert not frame_of(residual, areas, seen, TEXEL).any()
    shaded = residual.copy()
    shaded[80:200, 100:150] = -1.0
    assert not frame_of(shaded, areas, seen, TEXEL).any(), "a nose in deep shade"
    half = residual.copy()
    half[108:113, 100:125] = -1.0
    assert not frame_of(half, areas, seen, TEXEL).any(), "a strand that ends on the nose"
