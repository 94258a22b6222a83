"""Texture coordinates of ICT-FaceKit's parts: one [0, 1] square for each material, the face first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from likeness.heads.anny_parts import IRIS_RADIUS, IRIS_UV_RADIUS, LOWER_LASHES, UPPER_LASHES
from likeness.heads.ict_source import POLYGONS, IctFiles

__all__ = ["eye_uv", "lash_uv", "pack"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# left, bottom, right, top in the square of the material. The face keeps 56 % of the skin's square, what is behind the
# ears gets the strip below it; both are symmetric about u = 1/2 as the originals are.
FACE = (0.0875, 0.283, 0.9125, 0.998)
BACK = (0.004, 0.004, 0.996, 0.277)
MOUTH = (0.005, 0.325, 0.67, 0.995)
SOCKETS = (0.005, 0.005, 0.995, 0.315)
TONGUE = (0.02, 0.02, 0.98, 0.98)
LOWER_SPAN = 1.8  # of the lower lashes' strips, in bands
BARE = 0.4  # v of a strip that shows nothing


def pack(files: IctFiles) -> Floats:
    """UVs (28911, 2) in which every material has its own square; eyes and lashes are left as they are."""
    uv = files.uv.copy()
    for part, box in (("face", FACE), ("back", BACK), ("mouth", MOUTH), ("sockets", SOCKETS), ("tongue", TONGUE)):
        rows = _used(files.polygons_uv[POLYGONS[part]])
        tile = np.floor(files.uv[rows].mean(0))
        # Face and back are laid out in their whole tiles, which keeps them centred; the small ones fill their boxes.
        low, high = (tile, tile + 1) if part in ("face", "back") else (files.uv[rows].min(0), files.uv[rows].max(0))
        uv[rows] = np.array(box[:2]) + (files.uv[rows] - low) / (high - low) * (np.array(box[2:]) - np.array(box[:2]))
    for part in ("gums", "teeth", "wet"):
        rows = _used(files.polygons_uv[POLYGONS[part]])
        uv[rows, 0] -= np.floor(files.uv[rows, 0])
    return uv


def eye_uv(arms: Floats) -> Floats:
    """The eye seen from the front, laid out as for the other heads' eyes (`likeness.heads.anny_parts.eyeball`).

    Args:
        arms: (V, 3) centimetres from the eye's centre; the axis is +Z.
    """
    angle = np.arctan2(np.hypot(arms[:, 0], arms[:, 1]), arms[:, 2])
    rho = np.linalg.norm(arms, axis=1) * np.sin(np.minimum(angle, np.pi / 2))
    start = np.radians(32)
    order = np.argsort(angle)
    edge = float(np.interp(start, angle[order], rho[order])) / (100 * IRIS_RADIUS) * IRIS_UV_RADIUS
    flat = IRIS_UV_RADIUS * rho / (100 * IRIS_RADIUS)
    flat = np.where(angle <= start, np.minimum(flat, edge), edge + (0.5 - edge) * (angle - start) / (np.pi - start))
    direction = arms[:, :2] / np.maximum(np.linalg.norm(arms[:, :2], axis=1, keepdims=True), 1e-9)
    placed: Floats = 0.5 + flat[:, None] * direction
    return placed


def lash_uv(files: IctFiles) -> tuple[Floats, Ints]:
    """UVs of the lashes: u along the lid from the inner corner, v from the root to the tip in the lid's band.

    A lid has three strips, one upon the other; three times a lid's lashes are a black rim, so one strip shows them.
    The lower lashes are far longer than they ought to be: their outer half lies beyond the band.

    Returns:
        uv (N, 2), and polygons_uv (F, 4) of the lash polygons into them.
    """
    polygons = files.polygons[POLYGONS["lashes"]]
    vertices, local = np.unique(polygons, return_inverse=True)
    local = local.reshape(polygons.shape)
    place = files.vertices[vertices]
    skin = files.vertices[files.polygons[POLYGONS["face"]]].reshape(-1, 3)
    away = cKDTree(skin).query(place)[0]
    links = coo_matrix((np.ones(local.size), (local.ravel(), np.roll(local, 1, 1).ravel())), (len(place),) * 2)
    count, strip = connected_components(links, directed=False)
    dressed: set[tuple[bool, bool]] = set()
    uv, middle = np.zeros((len(place), 2)), place[:, 1].mean()
    for k in range(count):
        mine = strip == k
        across = np.abs(place[mine, 0])
        u = (across - across.min()) / np.ptp(across)
        # Tips fan out, so the distance from the lid is compared with that of the longest lash thereabouts.
        v = away[mine]
        near = np.abs(u[:, None] - u[None]) < 0.15
        longest = np.where(near, v[None], 0).max(1)
        v = np.clip(v / np.maximum(longest, 1e-6), 0, 1)
        upper = bool(place[mine, 1].mean() > middle)
        low, high = UPPER_LASHES if upper else LOWER_LASHES
        lid = (upper, bool(place[mine, 0].mean() > 0))
        if lid in dressed:
            uv[mine] = np.stack([u, np.full(len(u), BARE)], 1)
            continue
        dressed.add(lid)
        uv[mine] = np.stack([u, low + (high - low) * v * (1 if upper else LOWER_SPAN)], 1)
    return uv, local


def _used(polygons: Ints) -> Ints:
    used: Ints = np.unique(polygons[polygons >= 0])
    return used
