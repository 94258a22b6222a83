"""Triangles turned over are turned back: tiny ones, at corners of mouth and eyes, and nostrils that no mesh shows, keep
the mean head's shape.

A displacement that is smooth over millimetres turns over what is a tenth of a millimetre wide. So there the mean head's
shape counts, moved along with the skin around it, and the more the longer a triangle stays turned.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import splu

from likeness.heads.surface import assembled, beside, crosses, similarity

__all__ = ["turned", "unfolded"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

LEAST = 0.2
"""Cosine between a triangle's normal and the mean head's below which it is turned."""
RINGS = (1, 2, 3, 4, 6, 9, 12)
"""Vertices from a turned triangle to what stays as it is: try after try, as long as some stay turned."""
ROUNDS, STIFFER = 12, 4.0
"""Solutions to a try, and how much stiffer what is still turned becomes from one to the next."""


def turned(mean: Floats, places: Floats, triangles: Ints) -> Bools:
    """Which triangles (T,) are turned at places (n, 3) against the mean head (n, 3), which lies about as they do."""
    one, other = crosses(mean, triangles), crosses(places, triangles)
    size = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found: Bools = (one * other).sum(1) < LEAST * size
    return found


def unfolded(mean: Floats, places: Floats, triangles: Ints, some: Bools) -> Floats:
    """The skin (n, 3) with fewer turned triangles, none where that can be; only what is near them moves.

    Args:
        mean: (n, 3) metres, skin of the mean head; places: (n, 3) metres, about aligned with it; triangles: (T, 3).
        some: (T,) bool, triangles that matter.
    """
    sharing = beside(triangles, len(mean))
    result = places.copy()
    for rings in RINGS:
        bad = turned(mean, result, triangles) & some
        if not bad.any():
            break
        near = np.zeros(len(mean), bool)
        near[triangles[bad]] = True
        for _ in range(rings):
            near = (sharing @ near) > 0
        inside = np.flatnonzero(near)
        count, label = connected_components(sharing[inside][:, inside], directed=False)
        for number in range(count):
            patch = np.zeros(len(mean), bool)
            patch[inside[label == number]] = True
            local = patch[triangles].any(1)
            used, small = np.unique(triangles[local], return_inverse=True)
            result[used] = _eased(mean[used], result[used], small.reshape(-1, 3), patch[used], some[local])
    return result


def _eased(mean: Floats, places: Floats, triangles: Ints, free: Bools, some: Bools) -> Floats:
    """A patch (k, 3) with the fewest turned triangles that were found; what is not free (k,) stays."""
    scale, rotation, shift = similarity(mean, places)
    form = scale * mean @ rotation.T + shift
    energies = _energies(form, triangles)
    stiff = np.ones(len(triangles))
    moved = places - form
    best, left = places, int((turned(mean, places, triangles) & some).sum())
    for _ in range(ROUNDS):
        matrix = assembled(energies * stiff[:, None, None], triangles, len(mean))[free]
        moved[free] = splu(matrix[:, free].tocsc()).solve(-(matrix[:, ~free] @ moved[~free]))
        bad = turned(mean, form + moved, triangles) & some
        if bad.sum() < left:
            best, left = form + moved, int(bad.sum())
        if not left:
            break
        touched = np.zeros(len(mean), bool)
        touched[triangles[bad]] = True
        stiff[touched[triangles].any(1)] *= STIFFER
    return best


def _energies(vertices: Floats, triangles: Ints) -> Floats:
    """(T, 3, 3) squared gradients of a displacement of triangles' corners, whatever their size: a tiny one counts as
    much as a large one, or it would take up all of the difference between its neighbours."""
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    across = crosses(vertices, triangles)
    double = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-14)
    unit = across / double
    hats = np.stack([np.cross(unit, c - b), np.cross(unit, a - c), np.cross(unit, b - a)], 1) / double[:, None]
    squared: Floats = np.einsum("tic,tjc->tij", hats, hats)
    return squared
