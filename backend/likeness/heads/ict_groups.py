"""Soft vertex groups of ICT-FaceKit, drawn on its published texture layout and on its side view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.ict_rig import along_neck
from likeness.heads.ict_source import POLYGONS, VERTICES, IctFiles
from likeness.heads.uv import boundary_loops

__all__ = ["soft_groups"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# In the face's tile, right half of the picture (the person's left); the layout is symmetric about u = 1/2.
NOSE = ((0.5, 0.717), (0.528, 0.717), (0.556, 0.655), (0.600, 0.594), (0.594, 0.550), (0.556, 0.528), (0.5, 0.514))
EAR = ((0.885, 0.700), (1.0, 0.700), (1.0, 0.440), (0.912, 0.450), (0.893, 0.520))
# Centimetres, (z, y) from the side: the hair of a full head of it, from the middle of the forehead round to the nape.
HAIR = (
    (11.0, 10.2), (7.6, 9.6), (5.8, 7.4), (5.2, 5.4), (3.0, 4.6), (1.6, 3.0), (-1.2, 3.0), (-2.8, 0.4),
    (-4.4, -3.2), (-14.0, -4.4), (-14.0, 18.0), (11.0, 18.0),
)  # fmt: skip


def soft_groups(files: IctFiles) -> dict[str, Floats]:
    """Groups (26719,) in 0..1, zero off the skin: those that the default head has."""
    v = files.vertices
    skin = np.zeros(len(v), dtype=bool)
    skin[: VERTICES["back"].stop] = True
    uv, front = _tile(files)
    folded = np.stack([0.5 + np.abs(uv[:, 0] - 0.5), uv[:, 1]], 1)
    points = {i: folded[files.points68[i]] for i in range(68)}

    def on_face(values: Floats) -> Floats:
        return np.where(front, values, 0.0)

    lips = np.array([points[i] for i in (51, 52, 53, 54, 55, 56, 57)])
    lips[[0, -1], 0] = 0.5
    lips = _both_halves(lips)
    ear = on_face(_ramp(_inside(folded, np.array(EAR)), -0.004, 0.004))
    core = v[front & (ear > 0.9)]
    ears = np.where(skin, 1 - _ramp(cKDTree(core).query(v)[0], 0.25, 1.0), 0.0)
    scalp = np.where(skin, _ramp(_inside(v[:, [2, 1]], np.array(HAIR)), -0.7, 0.7), 0.0) * (1 - ears)
    below = np.where(skin, 1 - _ramp(along_neck(v), 0.75, 1.1), 0.0)
    shoulders = np.where(skin, 1 - _ramp(along_neck(v), -0.15, 0.3), 0.0)
    face = on_face((1 - scalp) * (1 - ears) * (1 - below) * _ramp(v[:, 2], 0.5, 2.0))
    surface = np.concatenate([files.polygons[POLYGONS[part]] for part in ("face", "back")])
    edge = min(boundary_loops(surface), key=lambda loop: float(v[loop, 1].mean()))  # the lowest border
    away = cKDTree(v[edge]).query(v)[0]
    slit = folded[files.points68[42:48]]
    lid = _to_line(folded * (1, 1.6), slit[[0, 1, 2, 3]] * (1, 1.6))
    brow = _to_line(folded * (1, 1.5), np.array([points[i] for i in range(22, 27)]) * (1, 1.5))
    return {
        "face": face,
        "lips": on_face(_ramp(_inside(folded, lips), -0.006, 0.004)),
        "eyelids": on_face(1 - _ramp(lid, 0.035, 0.065)),
        "brows": on_face(1 - _ramp(brow, 0.018, 0.045)),
        "nose": on_face(_ramp(_inside(folded, _both_halves(np.array(NOSE))), -0.02, 0.01)),
        "ears": ears,
        "scalp": scalp,
        "neck": below * (1 - shoulders),
        "shoulders": shoulders,
        "rim": np.where(skin, 1 - _ramp(away, 0.0, 3.0), 0.0),
    }


def _tile(files: IctFiles) -> tuple[Floats, NDArray[np.bool_]]:
    """The published UV (26719, 2) of the vertices in the face's tile, and which those are."""
    polygons, corners = files.polygons[POLYGONS["face"]], files.polygons_uv[POLYGONS["face"]]
    given = polygons >= 0
    uv = np.zeros((len(files.vertices), 2))
    uv[polygons[given]] = files.uv[corners[given]]
    front = np.zeros(len(uv), dtype=bool)
    front[polygons[given]] = True
    return uv, front


def _both_halves(outline: Floats) -> Floats:
    """A closed outline from its half (K, 2) between two points on u = 1/2."""
    return np.concatenate([outline, outline[-2:0:-1] * (-1, 1) + (1, 0)])


def _ramp(values: Floats, low: float, high: float) -> Floats:
    """0 below low, 1 above high, smooth between."""
    t = np.clip((values - low) / (high - low), 0, 1)
    ramp: Floats = t * t * (3 - 2 * t)
    return ramp


def _to_line(points: Floats, line: Floats) -> Floats:
    """Distance of points (V, 2) from a polyline (K, 2)."""
    a, b = line[:-1], line[1:]
    edge = b - a
    t = ((points[:, None] - a) * edge).sum(-1) / (edge**2).sum(-1)
    near = a + np.clip(t, 0, 1)[..., None] * edge
    distance: Floats = np.linalg.norm(points[:, None] - near, axis=-1).min(1)
    return distance


def _inside(points: Floats, outline: Floats) -> Floats:
    """Signed distance of points (V, 2) from a closed outline (K, 2), positive within."""
    closed = np.concatenate([outline, outline[:1]])
    a, b = closed[:-1], closed[1:]
    x, y = points[:, :1], points[:, 1:]
    crossing = (a[:, 1] > y) != (b[:, 1] > y)
    height = np.where(a[:, 1] == b[:, 1], 1.0, b[:, 1] - a[:, 1])
    odd = (crossing & (x < (b[:, 0] - a[:, 0]) * (y - a[:, 1]) / height + a[:, 0])).sum(1) % 2 == 1
    signed: Floats = _to_line(points, closed) * np.where(odd, 1, -1)
    return signed
