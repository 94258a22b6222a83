"""From one topology to another: expressions by deformation transfer, and any mesh onto a head that can be animated.

Sources: Sumner and Popović, "Deformation Transfer for Triangle Meshes", SIGGRAPH 2004; as a Poisson problem Botsch et
al., "Deformation Transfer for Detail-Preserving Surface Editing", VMV 2006.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.sparse.linalg import splu

from likeness.heads.base import HeadModel
from likeness.heads.registration import Laid, lay_onto
from likeness.heads.surface import Nearest, Surface, areas, normals
from likeness.progress import Progress, quiet

__all__ = ["Bridge", "Rigged", "bridge", "onto_head"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HOLD = 0.03
"""Metres over which a displacement may stray from the one right below it."""
REACH = 0.008
"""Metres between corresponding points beyond which they are hardly believed."""
DOUBT = 0.05
"""Weight of what is hardly believed."""
FACING = 0.2


@dataclass(frozen=True, eq=False)
class Bridge:
    """A head laid onto another mesh's skin, and the way between the two.

    Attributes:
        head: the head; laid: how it lies.
        vertices: (U, 3), triangles: (T, 3) of the other mesh, skin alone, metres.
        below: for each of its U vertices the point of the head's skin, triangles counted in `skin`.
        skin: (S, 3) the head's skin triangles.
        trusted: (U,) bool, whether that point is near and faces the same way.
        motion: displacements (V, 3) of the laid head and (U, 3) of the mesh that open the mouth, or None.
    """

    head: HeadModel
    laid: Laid
    vertices: Floats
    triangles: Ints
    below: Nearest
    skin: Ints
    trusted: NDArray[np.bool_]
    motion: tuple[Floats, Floats] | None = None

    def values(self, values: Floats) -> Floats:
        """The head's vertex values (V,) or (V, C) at the other mesh's vertices (U,) or (U, C)."""
        corners = values[self.skin[self.below.triangle]]
        weights = self.below.barycentric.reshape(*self.below.barycentric.shape, *(1,) * (corners.ndim - 2))
        read: Floats = (corners * weights).sum(1)
        return read

    def displacements(self, deltas: Floats) -> Floats:
        """The head's displacements (M, V, 3), in its own frame, on the other mesh (M, U, 3), in its frame."""
        moved = self.laid.scale * deltas @ self.laid.rotation.T
        rest, surface = self.laid.vertices, Surface(self.laid.vertices, self.skin)
        middles = self.vertices[self.triangles].mean(1)
        a, b, c = (self.vertices[self.triangles[:, k]] for k in range(3))
        across = np.cross(b - a, c - a)
        double = np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-14)
        parting = None if self.motion is None else (self.motion[0], self.motion[1][self.triangles].mean(1))
        found = surface.closest(middles, across / double, parting)
        believed = (np.linalg.norm(found.place - middles, axis=1) < REACH) & (found.facing > FACING)
        share = np.where(believed, 1.0, DOUBT) * double[:, 0] / 2

        # Gradients of the three hat functions of each triangle, (T, 3, 3).
        unit = across / double
        hats = np.stack([np.cross(unit, c - b), np.cross(unit, a - c), np.cross(unit, b - a)], 1) / double[:, None]
        stiff = np.einsum("t,tic,tjc->tij", share, hats, hats)
        count = len(self.vertices)
        row, column = np.repeat(self.triangles, 3, 1).ravel(), np.tile(self.triangles, (1, 3)).ravel()
        matrix = sparse.coo_matrix((stiff.ravel(), (row, column)), (count, count)).tocsc()
        hold = areas(self.vertices, self.triangles) / HOLD**2 * np.where(self.trusted, 1.0, DOUBT) + 1e-12
        solver = splu((matrix + sparse.diags(hold)).tocsc())

        source = self.skin[found.triangle]
        frame = np.linalg.inv(_frames(rest[source]))
        right = np.zeros((count, len(deltas), 3))
        for number, delta in enumerate(moved):
            change = _frames((rest + delta)[source]) @ frame - np.eye(3)
            push = np.einsum("t,txy,tiy->tix", share, change, hats)
            for k in range(3):
                np.add.at(right[:, number], self.triangles[:, k], push[:, k])
            right[:, number] += hold[:, None] * self.values(delta)
        solved: Floats = solver.solve(right.reshape(count, -1)).reshape(count, len(deltas), 3)
        return solved.transpose(1, 0, 2)

    def places(self, points: Floats) -> Nearest:
        """Points (P, 3) on the laid head as points of the other mesh."""
        return Surface(self.vertices, self.triangles).closest(points)


def bridge(
    head: HeadModel,
    vertices: Floats,
    triangles: Ints,
    landmarks: Floats,
    progress: Progress = quiet,
    *,
    opened: Floats | None = None,
) -> Bridge:
    """Lay a head onto a mesh's skin once.

    Args:
        vertices, triangles: (U, 3) metres and (T, 3); landmarks: (68, 3) iBUG points on it, NaN where not known.
        opened: (U, 3) displacement that opens the mesh's mouth about as far as the head's jawOpen does, if it can.

    Raises:
        HeadError: see `likeness.heads.registration.lay_onto`.
    """
    laid = lay_onto(head, vertices, triangles, landmarks, progress)
    skin = head.triangles.numpy()[head.region("skin").numpy()]
    motion = None
    if opened is not None and "jawOpen" in head.expression_names:
        delta = head.expression[head.expression_names.index("jawOpen")].double().numpy()
        motion = (laid.scale * delta @ laid.rotation.T, opened)
    below = Surface(laid.vertices, skin).closest(vertices, normals(vertices, triangles), motion)
    near = np.linalg.norm(below.place - vertices, axis=1) < REACH
    return Bridge(head, laid, vertices, triangles, below, skin, near & (below.facing > FACING), motion)


def _frames(corners: Floats) -> Floats:
    """(T, 3, 3) columns: two sides and the normal, as long as the root of their area, of triangles (T, 3, 3)."""
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    across = np.cross(one, two)
    across /= np.sqrt(np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-14))
    return np.stack([one, two, across], 2)


@dataclass(frozen=True, eq=False)
class Rigged:
    """A head in the shape of another mesh, in the head's own frame and size unless told otherwise.

    Attributes:
        vertices: (V, 3) float32 metres, joints: (J, 3) float32 metres.
        identity: (N,) float32, the part that the head's own coefficients explain.
        known: (V,) bool, skin that the mesh has; the rest is what its identity makes likely.
        gap: median distance in metres of the known skin from the mesh.
        laid: how the head lies on the mesh.
    """

    vertices: NDArray[np.float32]
    joints: NDArray[np.float32]
    identity: NDArray[np.float32]
    known: NDArray[np.bool_]
    gap: float
    laid: Laid


def onto_head(
    head: HeadModel,
    vertices: Floats,
    triangles: Ints,
    landmarks: Floats,
    progress: Progress = quiet,
    *,
    metric: bool = False,
    moods: Floats | None = None,
) -> Rigged:
    """Give a head the shape of any mesh of a face, so that it can be animated.

    Args:
        head: with identity, joints and the embedding "ibug68".
        vertices, triangles: (U, 3) in any unit and frame, (T, 3): skin alone, a part of a face is enough.
        landmarks: (68, 3) iBUG points or (478, 3) of the face mesh on it, NaN where not known.
        metric: the mesh is in metres and its size counts; otherwise the head keeps a likely size.
        moods: for a mesh that may have an expression, see `likeness.heads.registration.lay_onto`; the head comes
            without it, and `Rigged.laid` tells it.

    Raises:
        HeadError: see `likeness.heads.registration.lay_onto`.
    """
    laid = lay_onto(head, vertices, triangles, landmarks, progress, moods=moods)
    size = laid.scale if metric else 1.0
    shape = size * laid.neutral
    coefficients = torch.from_numpy(laid.identity.astype(np.float32))[None]
    joints: Floats = size * head.joints_of(coefficients)[0].double().numpy()
    own: Floats = size * head.shape(coefficients)[0].double().numpy()
    skin = np.unique(head.triangles.numpy()[head.region("skin").numpy()])[::4]
    field = RBFInterpolator(own[skin], (shape - own)[skin], neighbors=60, kernel="linear")
    moved = np.asarray(field(joints))
    for name in ("eye.L", "eye.R"):
        ball = np.unique(head.triangles.numpy()[head.region(name).numpy()])
        if len(ball) and name in head.joint_names:
            moved[head.joint_names.index(name)] = (shape - own)[ball].mean(0)
    joints += moved
    gap = size / laid.scale * float(np.median(laid.gap[laid.known])) if laid.known.any() else float("nan")
    return Rigged(
        shape.astype(np.float32),
        joints.astype(np.float32),
        laid.identity.astype(np.float32),
        laid.known,
        gap,
        laid,
    )
