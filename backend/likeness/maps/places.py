"""Where things are: areas of a photo by its landmarks, areas of a head by its eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.heads.embedding_points import OVAL

__all__ = ["AREAS", "CONTOUR", "HeadFrame", "draw_areas", "smoothstep"]

Floats = NDArray[np.float32]

# Points of the 478-point face mesh (MediaPipe's canonical face model), in order around each area.
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
MOUTH = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
EYE_R = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
EYE_L = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
BROW_R = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
BROW_L = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
NOSTRILS = (64, 98, 97, 2, 326, 327, 294, 439, 4, 219)
BEARD = (132, 58, 172, 136, 150, 149, 176, 148, 152, 377, 400, 378, 379, 365, 397, 288, 361, 425, 327, 2, 98, 205)

AREAS: dict[str, tuple[tuple[int, ...], ...]] = {
    "oval": (OVAL,),
    "lips": (LIPS,),
    "mouth": (MOUTH,),
    "eyes": (EYE_R, EYE_L),
    "brows": (BROW_R, BROW_L),
    "nostrils": (NOSTRILS,),
    "beard": (BEARD,),
}
"""Polygons of the areas that are told apart in a photo."""

CONTOUR = frozenset(OVAL) | {234, 454, 127, 356, 93, 323}
"""Points on the outline, which slide along it as the head turns."""


def smoothstep(low: float, high: float, x: Any) -> Any:
    """0 below low, 1 above high, smooth between; high may be the smaller one."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def draw_areas(landmarks: NDArray[np.float64], interocular: float, width: int, height: int) -> dict[str, Floats]:
    """Soft masks (height, width) float32 in 0..1 by the names of `AREAS`, and "lids", the surroundings of the eyes.

    Args:
        landmarks: (478, 2+) pixels of the picture whose size is given; interocular: in the same pixels.
    """
    shift = 3  # fractional bits of OpenCV's drawing
    soft = max(interocular * 0.012, 0.6)

    def drawn(polygons: tuple[tuple[int, ...], ...], grow: float, hull: bool) -> Floats:
        mask = np.zeros((height, width), np.uint8)
        for polygon in polygons:
            points = landmarks[list(polygon), :2] - 0.5
            if hull:
                points = cv2.convexHull(points.astype(np.float32))[:, 0]
            cv2.fillPoly(mask, [np.rint(points * 2**shift).astype(np.int32)], 255, cv2.LINE_AA, shift)
        if grow:
            reach = round(2 * grow * interocular) | 1
            mask = cv2.dilate(mask, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (reach, reach)))
        blurred: Floats = cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32) / 255
        return blurred

    # Eyes and mouth grow by what lids and lips are off: better too little skin than white and teeth on it.
    grown = {"brows": 0.035, "nostrils": 0.02, "lips": 0.015, "eyes": 0.008, "mouth": 0.012}
    areas = {
        name: drawn(polygons, grown.get(name, 0.0), name in ("brows", "nostrils")) for name, polygons in AREAS.items()
    }
    return areas | {"lids": drawn((EYE_R, EYE_L), 0.09, True)}


@dataclass(frozen=True, eq=False)
class HeadFrame:
    """A head measured by its eyes: (V, 3) float32 from the middle between them, in units of their distance.

    x to the head's left, y up, z forward, as the head's own frame.
    """

    points: Floats
    unit: float

    @classmethod
    def of(cls, vertices: Floats, left: NDArray[Any], right: NDArray[Any]) -> HeadFrame:
        """From vertices (V, 3) metres and the eyes' centres (3,)."""
        unit = float(np.linalg.norm(left - right))
        return cls(((vertices - (left + right) / 2) / unit).astype(np.float32), unit)
