"""Eyes as far open as in the photo: the lids' own weights, solved against the lids alone.

The fit of the whole face spreads its error over all landmarks, and lids that stand a millimetre too low cost it little.
They change a face more than anything else, and the landmark network is at its best there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from likeness.faces.face import Face
from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.pose import Pose
from likeness.heads.embedding_points import EYE_CORNERS, LOWER_LIDS, UPPER_LIDS

__all__ = ["eye_share", "lids_as_seen"]

Floats = NDArray[np.float64]

GRAIN = 0.0003  # metres: noise of the distance between two lids
SPREAD, PAIR = 0.25, 0.25
"""Standard deviations of a weight about the whole face's fit, and of the difference of a left and a right one."""
LIDS = tuple(f"eye{what}{side}" for side in ("Left", "Right") for what in ("Blink", "Squint", "Wide"))
HIDDEN = 0.55  # an eye that is seen this much narrower than the other one counts for little


def eye_share(widths: list[float], eye: int) -> float:
    """How much an eye counts, 0..1, by how wide a photo shows both, in pixels."""
    return min(widths[eye] / max(widths) / HIDDEN, 1.0) ** 2


def lids_as_seen(
    model: LandmarkModel, names: tuple[str, ...], neutral: Floats, expression: Floats, pose: Pose, face: Face
) -> Floats:
    """The expression (M,) with its blinks, squints and wide eyes changed so that the eyes open as in the photo.

    Args:
        model: the head's landmarks; names: of its M expressions.
        neutral: (K, 3) metres, the landmarks on the person's neutral head.
        expression: (M,) weights as fitted to the whole face.
        pose: the photo's camera.
        face: as the network sees it.
    """
    at = {int(point): k for k, point in enumerate(model.index)}
    wanted = {*UPPER_LIDS, *LOWER_LIDS, *(c for pair in EYE_CORNERS for c in pair)}
    chosen = [names.index(name) for name in LIDS if name in names]
    if len(chosen) < len(LIDS) or not wanted <= at.keys():
        return expression
    points = neutral + np.tensordot(expression, model.expression, 1)
    seen = points @ pose.rotation.T + pose.translation
    moves = (model.expression[chosen] @ pose.rotation.T)[..., :2]
    widths = [float(np.linalg.norm(face.landmarks[a, :2] - face.landmarks[b, :2])) for a, b in EYE_CORNERS]
    rows, gaps = [], []
    for eye, (a, b) in enumerate(EYE_CORNERS):
        metre = seen[[at[a], at[b]], 2].mean() / pose.focal  # per pixel
        along = face.landmarks[b, :2] - face.landmarks[a, :2]
        down = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-9)
        upper, lower = ([lid[7 * eye + i] for i in range(7)] for lid in (UPPER_LIDS, LOWER_LIDS))
        k, m = [at[p] for p in upper], [at[p] for p in lower]
        open_now = (seen[m] - seen[k])[:, :2] @ down
        # Half way between as many millimetres and as large a share of the eye's width, which the fit may have missed.
        width = np.linalg.norm((seen[at[b]] - seen[at[a]])[:2]) / metre / max(widths[eye], 1e-9)
        share = np.sqrt(np.clip(width, 0.75, 1.33))
        open_photo = (face.landmarks[lower, :2] - face.landmarks[upper, :2]) @ down * metre * share
        weight = eye_share(widths, eye) / GRAIN
        rows.append(weight * ((moves[:, m] - moves[:, k]) @ down).T)
        gaps.append(weight * (open_photo - open_now))
    count, own = len(chosen), expression[chosen]
    rows.append(np.eye(count) / SPREAD)
    gaps.append(np.zeros(count))
    half = count // 2
    rows.append(np.concatenate([np.eye(half), -np.eye(half)], 1) / PAIR)
    gaps.append(np.zeros(half))
    step = lsq_linear(np.concatenate(rows), np.concatenate(gaps), (-own - 1e-9, 1 - own + 1e-9)).x
    result = expression.copy()
    result[chosen] = np.clip(own + step, 0, 1)
    return result
