"""What the photo itself adds to the landmarks: identity, cameras and expressions drawn to the outline of the face.

After the landmarks, what is known is a Gaussian: of identity from the calibrated regression, and of camera and
expression given an identity from the fit. The photo's edges along the occluding contours are further evidence in it
(one Gauss-Newton step after the other, with the edges sought anew each time). Where they contradict the landmarks
too much to be true, they are followed a part of the way only.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from likeness.faces.face import Face
from likeness.fitting.landmarks import LandmarkModel
from likeness.fitting.outline import Outline, Window, outline_of, seek, window
from likeness.fitting.pose import Pose
from likeness.fitting.solve import CAMERA, Evidence, Fit, held, moved, normal
from likeness.heads.base import HeadModel

__all__ = ["refine"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEPS, STRIDE = 4, 0.7  # rounds, and the share of each step that is taken: the outline slides over the head meanwhile
NOISE = 0.0012  # metres: what a found edge is off
TOGETHER = 0.010  # metres of outline that err together
FREEDOM = 4.0  # of the Student-t distribution of the edges
SURPRISE = 2.5
"""Standard deviations of the landmarks' posterior by which one photo's outline moves identity at most."""


def refine(
    head: HeadModel,
    model: LandmarkModel,
    faces: list[Face],
    photos: list[Evidence],
    fit: Fit,
    known: Floats,
    prior: Floats,
) -> Fit:
    """The fit after the outlines were seen.

    Args:
        head, model: the head and its landmarks, identity included.
        faces, photos: one per photo, as the fit has them.
        fit: to the landmarks; its identity is the mean of what is likely.
        known: (N, N) precision of identity about that mean.
        prior: (P, M) square root of the precision of expression weights.
    """
    middle = model.mean.mean(0)
    views = [window(face, pose, middle) for face, pose in zip(faces, fit.poses, strict=True)]
    precision, free = _after_landmarks(model, photos, fit, known, prior)
    count, moods = len(fit.identity), len(model.expression)
    change, after = np.zeros(len(precision)), fit
    for _ in range(STEPS):
        matrix, pull = precision.copy(), -precision @ change
        for i, view in enumerate(views):
            row, gap, places = _rows(head, model, after, i, view)
            trust = 1 / (1 + gap**2 / FREEDOM)
            matrix[np.ix_(places, places)] += (row * trust[:, None]).T @ row
            pull[places] += row.T @ (trust * gap)
        change[free] += STRIDE * np.linalg.solve(matrix[np.ix_(free, free)], pull[free])
        after = moved(photos, fit, change, count, moods)
    surprise = float(np.sqrt(change[:count] @ known @ change[:count])) / np.sqrt(len(photos))
    return moved(photos, fit, change * min(1.0, SURPRISE / max(surprise, 1e-9)), count, moods)


def _after_landmarks(
    model: LandmarkModel, photos: list[Evidence], fit: Fit, known: Floats, prior: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Precision (U, U) of all unknowns about the fit to the landmarks, and which of them (U,) are free to move.

    Landmarks say something of identity by the regression alone (their other say would count them twice), and of
    cameras and expressions given an identity by the fit's normal equations.
    """
    count = len(fit.identity)
    _, precision, gradient = normal(model, photos, fit, prior)
    rest, mixed = precision[count:, count:], precision[count:, :count]
    precision[:count, :count] = known + mixed.T @ np.linalg.solve(rest, mixed)
    free = ~held(photos, fit, gradient, count, len(model.expression))
    # An outline says as little of the focal length as landmarks do; freed, it trades it for shape.
    free[[start + 6 for start in _starts(fit, model)]] = False
    return precision, free


def _starts(fit: Fit, model: LandmarkModel) -> list[int]:
    """Where each photo's unknowns begin."""
    sizes = [CAMERA + len(model.expression) + len(errors) for errors in fit.errors]
    return [len(fit.identity) + sum(sizes[:i]) for i in range(len(sizes))]


def _rows(head: HeadModel, model: LandmarkModel, fit: Fit, i: int, view: Window) -> tuple[Floats, Floats, Ints]:
    """Whitened rows (C, U') and gaps (C,) of photo i's outline, and which unknowns (U',) they are about."""
    pose = view.pose(fit.poses[i])
    weights = torch.from_numpy(fit.expressions[i]).float()[None]
    vertices = head.shape(torch.from_numpy(fit.identity).float()[None], weights)[0].numpy()
    outline = outline_of(head, vertices, pose, view.lab.shape[0])
    gap, trust = seek(view, outline)
    size = np.sqrt(trust * np.minimum(outline.lengths / outline.metre / TOGETHER, 1)) / (NOISE * outline.metre)
    row = _slopes(head, vertices, pose, outline)
    count, moods = len(fit.identity), len(model.expression)
    start = _starts(fit, model)[i]
    places = np.concatenate([np.arange(count), np.arange(start, start + CAMERA + moods)])
    return row * size[:, None], gap * size, places


def _slopes(head: HeadModel, vertices: NDArray[np.float32], pose: Pose, outline: Outline) -> Floats:
    """(C, N + 7 + M) by how many pixels each piece moves outwards per unknown: identity, camera, expression."""
    arms = vertices[outline.edges].mean(1).astype(np.float64) @ pose.rotation.T
    seen = arms + pose.translation
    ends = torch.from_numpy(outline.edges)
    fields = [basis[:, ends].mean(2).numpy().astype(np.float64) @ pose.rotation.T
              for basis in (head.identity, head.expression)]  # fmt: skip
    x, y, z = arms.T
    zero = np.zeros_like(x)
    turn = np.stack(
        [np.stack([zero, z, -y], 1), np.stack([-z, zero, x], 1), np.stack([y, -x, zero], 1)], 1
    )  # (C, 3, 3)
    shift = np.broadcast_to(np.eye(3) * pose.translation[2], turn.shape)
    moves = np.concatenate(
        [fields[0].transpose(1, 2, 0), turn, shift, np.zeros((len(x), 3, 1)), fields[1].transpose(1, 2, 0)], 2
    )
    lens = np.zeros((len(x), 2, 3))
    lens[:, 0, 0] = lens[:, 1, 1] = pose.focal / seen[:, 2]
    lens[:, :, 2] = -pose.focal * seen[:, :2] / seen[:, 2:] ** 2
    slopes = lens @ moves
    slopes[:, :, len(fields[0]) + 6] += pose.focal * seen[:, :2] / seen[:, 2:]
    outwards: Floats = np.einsum("ci,ciu->cu", outline.normals, slopes)
    return outwards
