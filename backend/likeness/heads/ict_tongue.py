"""The tongue of ICT-FaceKit: laid behind the lower teeth, and the expression tongueOut, which is not published."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.ict_source import POLYGONS, IctFiles

__all__ = ["lowered", "tongue_out"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNDERSIDE = slice(16254, 16522)  # polygons under the tongue, down to the floor of the mouth

# Centimetres in the files' own frame.
FLOOR = -4.9  # height on which the tongue lies
FLATTER = 0.68  # of its published height, with which it fills the mouth and hides the lower teeth in every open mouth
ROOT, TIP = 4.2, 9.75  # where it begins and ends along z
REACH = 3.6  # how far tongueOut brings the tip forward
OVER_LIP = ((4.0, -4.15), (7.5, -3.35), (10.4, -2.78), (11.6, -2.95), (12.6, -3.6), (13.4, -4.6))
"""(z, y) of the middle of the stretched tongue: over the lower teeth and lip, then down."""
THIN, NARROW = 0.42, 0.92  # of its thickness and width at the tip
PARTED = {"mouthUpperUp": 0.4, "mouthLowerDown": 0.4}
"""What the lips do around a tongue that comes out, as shares of other expressions."""


def lowered(files: IctFiles) -> Floats:
    """(26719, 3) centimetres: the published vertices with the tongue flattened towards the floor of the mouth."""
    vertices = files.vertices.copy()
    tongue = _tongue(files)
    y, z = vertices[tongue, 1], vertices[tongue, 2]
    share = np.clip((z - ROOT) / 3.0, 0, 1)
    flatter = 1 - (1 - FLATTER) * share**2 * (3 - 2 * share)
    vertices[tongue, 1] = np.where(y > FLOOR, FLOOR + (y - FLOOR) * flatter, y)
    return vertices


def tongue_out(files: IctFiles, vertices: Floats) -> Floats:
    """(26719, 3) centimetres: displacement that brings the tongue of `lowered` out over the lower lip, which gives way.

    It is meant for a mouth that is open a little already, as mouths are when they show a tongue.
    """
    tongue = _tongue(files)
    place = vertices[tongue]
    along = np.clip((place[:, 2] - ROOT) / (TIP - ROOT), 0, 1)
    free = np.clip((place[:, 1] + 5.3) / 0.6, 0, 1) * np.clip(along / 0.15, 0, 1)  # what does not grow on the floor
    reached = place[:, 2] + REACH * along
    z, y = np.array(OVER_LIP).T
    middle = _smooth_line(reached, z, y)
    ahead = _smooth_line(reached + 0.05, z, y)
    slope = np.stack([np.full(len(reached), 0.05), ahead - middle], 1)
    slope /= np.linalg.norm(slope, axis=1, keepdims=True)
    height = (place[:, 1] - (FLOOR + 0.65)) * (1 + (THIN - 1) * along)
    moved = np.stack(
        [
            place[:, 0] * (1 + (NARROW - 1) * along),
            middle + height * slope[:, 0],
            reached - height * slope[:, 1],
        ],
        1,
    )
    out = np.zeros_like(vertices)
    for name, share in PARTED.items():
        for side in "LR":
            out += share * files.expression[f"{name}_{side}"]
    out[tongue] = free[:, None] * (moved - place)
    return out


def _tongue(files: IctFiles) -> Ints:
    """Vertices of the tongue and its underside."""
    polygons = np.concatenate([files.polygons[POLYGONS["tongue"]], files.polygons[UNDERSIDE]])
    vertices: Ints = np.unique(polygons[polygons >= 0])
    return vertices


def _smooth_line(at: Floats, x: Floats, y: Floats) -> Floats:
    """The line through (x, y), rounded at its corners, at the given places."""
    steps = np.linspace(-0.6, 0.6, 13)
    line: Floats = np.mean([np.interp(at + step, x, y) for step in steps], axis=0)
    return line
