"""Where a landmark of one head lies on the other: both heads' own landmarks are matters of taste, up to a centimetre
apart at brows and wings of the nose, so they cannot tell how well a head was laid.

The two mean heads were laid onto each other once, for the prior of identity, with the lines between the lips, the edges
of the lids and the ears pinned to each other ring by ring (`prior.register`, which shares no code with what is
measured). The same point of both heads is where that puts it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from likeness.heads import ict_rig
from likeness.heads.anny_topology import cut_bust
from likeness.heads.base import HeadModel
from likeness.heads.library import open_head
from likeness.heads.surface import Surface, normals
from likeness.weights.store import home
from prior.heads import open_base, open_ict
from prior.register import register

__all__ = ["points_on", "same_points"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FILE = Path("out/bench/registration_truth.npz")
NEAR = 0.001
"""Metres between the two surfaces within which a point is the same."""


def same_points(name: str) -> dict[str, tuple[Ints, Floats]]:
    """A set of landmarks by the head whose they are: corners (L, 3) on the other head and shares (L, 3), NaN where
    there is no such point. Made once, in a minute or two, and kept in `FILE`."""
    anny, ict = open_head("anny"), open_head("ict")
    if not FILE.exists():
        base = open_base()
        fit = register(base, open_ict(home() / "heads" / "ict-facekit.npz"), print)
        placed = np.full((len(base.mean), 3), np.nan)
        placed[fit.vertices] = fit.fitted - ict_rig.NECK / 100
        FILE.parent.mkdir(parents=True, exist_ok=True)
        np.savez(FILE, placed=cut_bust(base.package).take(placed))
    with np.load(FILE) as kept:
        there = np.asarray(kept["placed"])
    laid = np.concatenate([there, np.full((len(anny.template) - len(there), 3), np.nan)])
    mean = ict.template.double().numpy()
    return {"anny": _across(anny, laid, ict, mean, name), "ict": _across(ict, mean, anny, laid, name)}


def points_on(vertices: Floats, points: tuple[Ints, Floats]) -> Floats:
    """Points (L, 3) on vertices (V, 3)."""
    read: Floats = (vertices[points[0]] * points[1][..., None]).sum(1)
    return read


def _across(head: HeadModel, places: Floats, other: HeadModel, onto: Floats, name: str) -> tuple[Ints, Floats]:
    """Landmarks of a head, whose vertices lie at places (V, 3), on another one at (U, 3)."""
    marks = head.landmarks[name]
    own, skin = (h.triangles.numpy()[h.region("skin").numpy()] for h in (head, other))
    corners = head.triangles.numpy()[marks.triangle.numpy()]
    shares = marks.barycentric.double().numpy()[..., None]
    own, skin = (t[np.isfinite(v[t]).all((1, 2))] for t, v in ((own, places), (skin, onto)))
    filled = np.nan_to_num(places)
    points = (places[corners] * shares).sum(1)
    outwards = (normals(filled, own)[corners] * shares).sum(1)
    surface = Surface(np.nan_to_num(onto), skin)
    found = surface.closest(np.nan_to_num(points), outwards)
    far = ~(np.linalg.norm(found.place - points, axis=1) < NEAR)
    barycentric = found.barycentric.copy()
    barycentric[far] = np.nan
    return skin[found.triangle], barycentric
