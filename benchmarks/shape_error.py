"""One reconstruction against one scan, and many of them together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from now import Scan, Similarity, Surface, crop, refine, similarity

__all__ = ["Fit", "Neutral", "fit_to_scan", "ratio", "share_recovered", "summary"]

Floats = NDArray[np.float64]
MILLIMETRES = 1000.0


@dataclass(frozen=True, eq=False)
class Neutral:
    """A neutral head: vertices (V, 3) in any unit and frame, triangles (T, 3) of its skin, landmarks (7, 3)."""

    vertices: NDArray[Any]
    triangles: NDArray[Any]
    landmarks: NDArray[Any]


@dataclass(frozen=True, eq=False)
class Fit:
    """A head aligned with a scan by the NoW protocol.

    Attributes:
        pose: scale, rotation and translation from the head's frame to the scan's.
        points: (P, 3) metres, the scan inside the crop.
        gap: (P, 3) metres, from the closest point of the head to each point of the scan.
        normal: (P, 3) unit, of the head at those closest points, in the scan's frame.
    """

    pose: Similarity
    points: Floats
    gap: Floats
    normal: Floats

    @property
    def distances(self) -> Floats:
        """(P,) metres, never negative."""
        return np.linalg.norm(self.gap, axis=1)

    @property
    def median_mm(self) -> float:
        """Median distance in millimetres."""
        return MILLIMETRES * float(np.median(self.distances))


def fit_to_scan(scan: Scan, head: Neutral) -> Fit:
    """Align a head with a scan and see what remains."""
    cropped = crop(scan)
    surface = Surface(head.vertices, head.triangles)
    start = similarity(np.asarray(head.landmarks, np.float64), cropped.landmarks)
    pose, _ = refine(cropped.points, surface, start)
    scale, rotation, translation = pose
    closest, faces = surface.closest((cropped.points - translation) @ rotation / scale)
    corners = surface.corners[faces]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) @ rotation.T
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-20)
    return Fit(pose, cropped.points, cropped.points - scale * closest @ rotation.T - translation, normal)


def summary(fits: Sequence[Fit]) -> dict[str, float]:
    """Median, mean and standard deviation in millimetres over all points of all fits, as NoW pools them."""
    distances = MILLIMETRES * np.concatenate([f.distances for f in fits])
    return {
        "median_mm": float(np.median(distances)),
        "mean_mm": float(distances.mean()),
        "std_mm": float(distances.std()),
    }


def ratio(ours: Fit, mean: Fit) -> float:
    """Our median distance over the mean head's; below 1 is better than doing nothing."""
    return ours.median_mm / mean.median_mm


def share_recovered(pairs: Sequence[tuple[Fit, Fit]]) -> float:
    """How much of the heads' deviation from the mean head was recovered, over all (ours, mean head's) pairs.

    Deviations are measured along the mean head's normals: t of the truth, r of ours where it is compared with the same
    point of the scan. The share is the slope of r over t: 0 for the mean head itself, 1 for the truth, and it may be
    negative.
    """
    above = below = 0.0
    for ours, mean in pairs:
        truth = (mean.gap * mean.normal).sum(1)
        error = (ours.gap * mean.normal).sum(1)
        above += float(truth @ (truth - error))
        below += float(truth @ truth)
    return above / below
