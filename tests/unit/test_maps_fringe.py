"""Hair over a brow is told from the brow."""

import numpy as np

from likeness.maps.fringe import fringe_over_brows

SIDE, TEXEL = 128, 0.0007


def face() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Log luminance against lit skin with a thin brow, and the areas: the brow's reaches 4 mm around it."""
    residual = np.zeros((SIDE, SIDE), np.float32)
    residual[62:66, 30:98] = -0.9
    brows = np.zeros_like(residual)
    brows[56:72, 24:104] = 1
    none = np.zeros_like(residual)
    return residual, {"brows": brows, "eyes": none, "lids": none}


def test_hair_from_outside_is_followed_into_the_brow() -> None:
    residual, areas = face()
    residual[:60, 80:] = -1.2  # a fringe that hangs down to the tail of the brow
    covered = fringe_over_brows(residual, areas, np.ones_like(residual), TEXEL)
    assert covered[57:60, 84:104].min() > 0.5
    assert covered[62:66, 84:104].min() > 0.3, "and nobody could tell the brow below it"
    assert covered[62:66, 30:66].max() < 0.05, "most of the brow is the brow's"


def test_a_brow_alone_is_no_fringe() -> None:
    residual, areas = face()
    residual[62:66, 98:112] = -0.9  # its tail goes on beyond the area, as thin as it is
    assert fringe_over_brows(residual, areas, np.ones_like(residual), TEXEL).max() == 0


def test_what_the_photo_does_not_show_is_no_hair() -> None:
    residual, areas = face()
    residual[:60, 80:] = -1.2
    assert fringe_over_brows(residual, areas, np.zeros_like(residual), TEXEL).max() == 0
