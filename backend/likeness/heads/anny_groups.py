"""Soft vertex groups of the default head: where on the face a vertex lies, from 0 to 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_topology import Topology
from likeness.heads.uv import boundary_loops

__all__ = ["named_groups", "rings"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Lines on the mean head, metres. The head is symmetric, so x is the distance from the midline.
HAIRLINE = (
    (-0.06, -0.02, 0.02, 0.045, 0.064, 0.082, 0.105, 0.128),
    (0.08, 0.082, 0.105, 0.135, 0.15, 0.168, 0.19, 0.2),
)
"""Its height y over z, from the nape to the forehead."""
JAWLINE = ((-0.06, 0.03, 0.06, 0.085, 0.11), (0.09, 0.085, 0.062, 0.042, 0.032))
"""Height y over z of the border between head and neck."""
EAR_FRONT = 0.058  # z at which the face begins, in front of the ears
BROW = ((0.008, 0.018, 0.032, 0.046, 0.058), (0.1535, 0.157, 0.1605, 0.158, 0.149))
"""Height y over x of the middle of the brow."""
NOSE = ((0.085, 0.093, 0.108, 0.122, 0.138), (0.012, 0.019, 0.019, 0.012, 0.008))
"""Half its width x over y."""
LIP_RINGS = 5.0  # rings of polygons between the inner lip and the border of the red
LID_RINGS = 6.0  # rings of polygons between the eye's opening and the lid's crease


def named_groups(topology: Topology, mean: Floats, ears: Floats) -> dict[str, Floats]:
    """Groups (V,) in 0..1 by name, 0 on everything that is not skin.

    Args:
        mean: (V, 3) metres, the mean head without any prior's offset.
        ears: (V,) how far the package's ear sliders move each vertex, any unit.
    """
    skin = topology.polygons[topology.region == "skin"]
    # The rim of the bust is the longest border; then come the mouth and the two eyes.
    rim, mouth, *eyes = boundary_loops(skin)
    on_skin = np.zeros(len(mean))
    on_skin[np.unique(skin[skin >= 0])] = 1
    x, y, z = np.abs(mean[:, 0]), mean[:, 1], mean[:, 2]

    ear = _step((ears / ears.max() - 0.04) / 0.06)
    scalp = _step((y - np.interp(z, *HAIRLINE)) / 0.014 + 0.5) * (1 - ear)
    shoulders = _step((0.0 - y) / 0.03)
    neck = _step((np.interp(z, *JAWLINE) - y) / 0.016 + 0.5) * (1 - shoulders) * (1 - ear)
    face = (
        _step((z - EAR_FRONT) / 0.02)
        * _step((y - 0.018) / 0.01)
        * (1 - scalp)
        * (1 - neck)
        * (1 - shoulders)
        * (1 - ear)
    )
    front = _step((z - 0.085) / 0.01)
    brow = (
        _step(1.5 - np.abs(y - np.interp(x, *BROW)) / 0.005) * _step((0.062 - x) / 0.006) * _step((x - 0.005) / 0.006)
    )
    nose = _step((np.interp(y, *NOSE) + 0.006 - x) / 0.006) * _step((y - 0.083) / 0.005) * _step((0.145 - y) / 0.008)
    away = np.sqrt(((mean[:, None] - mean[rim][None]) ** 2).sum(-1).min(1))
    groups = {
        "face": face,
        "lips": _step((LIP_RINGS + 2 - rings(skin, mouth, len(mean))) / 2),
        "eyelids": _step((LID_RINGS + 3 - rings(skin, np.concatenate(eyes), len(mean))) / 4),
        "ears": ear,
        "nose": nose * front,
        "scalp": scalp,
        "neck": neck,
        "brows": brow * front,
        "shoulders": shoulders,
        "rim": _step(1 - away / 0.03),
    }
    return {name: weight * on_skin for name, weight in groups.items()}


def rings(polygons: Ints, seeds: Ints, count: int) -> Floats:
    """(count,) how many polygons lie between each vertex and the seeds, infinite where there is no way."""
    distance = np.full(count + 1, np.inf)  # the last entry stands for the missing corner of triangles
    distance[seeds] = 0
    step = 0
    while True:
        reached = np.unique(polygons[distance[polygons].min(1) == step])
        reached = reached[(reached >= 0) & np.isinf(distance[reached])]
        if not len(reached):
            return distance[:-1]
        step += 1
        distance[reached] = step


def _step(value: Floats) -> Floats:
    """A smooth step from 0 at 0 to 1 at 1."""
    t = np.clip(value, 0, 1)
    smooth: Floats = t * t * (3 - 2 * t)
    return smooth
