"""Non-rigid registration of the base mesh's skin to ICT-FaceKit's mean.

In the manner of the optimal-step non-rigid ICP (Amberg, Romdhani, Vetter, CVPR 2007): closest points, a linear solve,
and stiffness that falls step by step. Here the stiffness is the bending energy of the displacement, and is named by
the length below which it irons out detail.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import spsolve

from now import Surface, similarity
from prior.features import feature_pins
from prior.heads import Base, Ict
from prior.landmarks import cast
from prior.mesh import areas, barycentric, bending, normals, triangles

__all__ = ["Registration", "register"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# length the stiffness irons out (m), reach of closest points (m), weight of pins, weight of cast landmarks
SCHEDULE = (
    (0.08, 0.03, 1, 1.0), (0.08, 0.03, 1, 1.0), (0.05, 0.03, 2, 1.0), (0.05, 0.02, 2, 1.0), (0.03, 0.02, 3, 1.0),
    (0.03, 0.015, 3, 0.7), (0.02, 0.015, 4, 0.5), (0.02, 0.01, 4, 0.5), (0.012, 0.01, 4, 0.3), (0.012, 0.008, 4, 0.3),
    (0.008, 0.006, 4, 0.2), (0.008, 0.006, 4, 0.2), (0.005, 0.005, 4, 0.1), (0.005, 0.005, 4, 0.1),
    (0.0035, 0.005, 4, 0.05), (0.0035, 0.005, 4, 0.05),
)  # fmt: skip
PIN_AREA = 0.004**2  # a pin of weight 1 counts as much skin (m²)
FACING = 0.6  # cosine between normals below which closest points are not believed
SLIP = 0.08  # weight along the surface as a share of that across it


@dataclass(frozen=True, eq=False)
class Registration:
    """The base mesh's skin laid onto ICT's mean, all in ICT's frame and metres.

    Attributes:
        vertices: (n,) of the base mesh; fitted: (n, 3).
        laid: (19158, 3), the whole base mesh after the first similarity alone.
        triangles, weights: (n, 3) ICT vertices and their shares, the corresponding points.
        known: (n,) where these are to be believed.
    """

    vertices: Ints
    fitted: Floats
    laid: Floats
    triangles: Ints
    weights: Floats
    known: NDArray[np.bool_]


def register(base: Base, ict: Ict, say: Callable[[str], None]) -> Registration:
    """Find for each vertex of the base mesh's skin its point on ICT's."""
    here, here_weight = cast(base.bare(base.mean))
    there, there_weight = cast(ict.bare())
    weight = np.minimum(here_weight, there_weight)
    used = weight > 0.3
    laid, here = _lay(base.mean, here, there, used)
    pins = feature_pins(base, laid, ict)

    target = _Target(ict)
    vertices = np.unique(base.skin)
    local = np.full(len(laid), -1)
    local[vertices] = np.arange(len(vertices))
    start, corners = laid[vertices], local[triangles(base.skin)]
    mirror = local[base.mirror[vertices]]
    area = areas(start, corners)
    stiff, plain = bending(start, corners)
    on_skin, faces = Surface(start, corners).closest(here[used])
    casting = _rows(corners[faces], barycentric(on_skin, start[corners[faces]]), len(vertices))
    cast_to, cast_weight = target.surface.closest(there[used])[0], weight[used]
    pinning = _rows(local[pins.vertices][:, None], np.ones((len(pins.vertices), 1)), len(vertices))
    identity = sparse.eye(3)

    moved = np.zeros_like(start)
    for length, reach, pin_weight, landmark_weight in SCHEDULE:
        goal, normal, trust = target.match(start + moved, normals(start + moved, corners), reach)
        trust = trust * area
        pinned = sparse.diags(pins.weights * pin_weight * PIN_AREA)
        seen = sparse.diags(cast_weight * landmark_weight * PIN_AREA)
        across = _rows(np.arange(3 * len(vertices)).reshape(-1, 3), normal, 3 * len(vertices))
        along = sparse.diags(np.repeat(trust * SLIP, 3))
        through = across.T @ sparse.diags(trust * (1 - SLIP))
        left = sparse.kron(
            length**4 * stiff
            + 0.01 * length**2 * area.mean() * plain
            + pinning.T @ pinned @ pinning
            + casting.T @ seen @ casting,
            identity,
        )
        right = along @ (goal - start).ravel() + through @ (normal * (goal - start)).sum(1)
        right += (pinning.T @ pinned @ (pins.points - pinning @ start)).ravel()
        right += (casting.T @ seen @ (cast_to - casting @ start)).ravel()
        moved = spsolve((left + along + through @ across).tocsc(), right).reshape(-1, 3)
        moved = (moved + moved[mirror] * (-1, 1, 1)) / 2
        gap = np.linalg.norm(goal - start - moved, axis=1)[trust > 0]
        missed = np.linalg.norm(pinning @ (start + moved) - pins.points, axis=1)
        say(f"  {1e3 * length:4.1f} mm: skin {1e3 * np.median(gap):.2f} mm, pins {1e3 * missed.mean():.2f} mm away")

    fitted = start + moved
    closest, faces = target.surface.closest(fitted)
    shares = barycentric(closest, ict.mean[target.corners[faces]])
    _, _, trust = target.match(fitted, normals(fitted, corners), SCHEDULE[-1][1])
    return Registration(vertices, fitted, laid, target.corners[faces], shares, trust > 0)


def _lay(mean: Floats, here: Floats, there: Floats, used: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Base mesh and its landmarks moved over ICT's by a similarity that keeps the plane of symmetry."""
    both, others = (np.concatenate([p[used], p[used] * (-1, 1, 1)]) for p in (here, there))
    scale, rotation, shift = similarity(both, others)
    return scale * mean @ rotation.T + shift, scale * here @ rotation.T + shift


def _rows(columns: Ints, values: Floats, width: int) -> sparse.csr_matrix:
    """A sparse matrix with values (R, K) at columns (R, K)."""
    rows = np.repeat(np.arange(len(columns)), columns.shape[1])
    return sparse.coo_matrix((values.ravel(), (rows, columns.ravel())), (len(columns), width)).tocsr()


class _Target:
    """ICT's mean skin."""

    def __init__(self, ict: Ict) -> None:
        self.corners = triangles(ict.skin)
        self.mean = ict.mean
        self.surface = Surface(ict.mean, self.corners)
        self.normals = normals(ict.mean, self.corners)
        edges = np.sort(np.concatenate([self.corners[:, [0, 1]], self.corners[:, [1, 2]], self.corners[:, [2, 0]]]), 1)
        pairs, count = np.unique(edges, axis=0, return_counts=True)
        border = np.zeros(len(ict.mean), dtype=bool)
        border[pairs[count == 1]] = True
        self.border = border[self.corners].any(1)

    def match(self, points: Floats, facing: Floats, reach: float) -> tuple[Floats, Floats, Floats]:
        """Closest points (P, 3), normals there (P, 3), and trust (P,) of 0 or 1."""
        closest, faces = self.surface.closest(points)
        shares = barycentric(closest, self.mean[self.corners[faces]])
        normal = (self.normals[self.corners[faces]] * shares[..., None]).sum(1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        near = np.linalg.norm(closest - points, axis=1) < reach
        trusted = near & ((normal * facing).sum(1) > FACING) & ~self.border[faces]
        return closest, normal, trusted.astype(np.float64)
