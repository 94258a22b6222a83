"""Lays a rigged head onto another mesh: similarity, then its own identity, then what is left, ever less stiffly.

The last part is in the manner of the optimal-step non-rigid ICP (Amberg, Romdhani and Vetter, CVPR 2007): closest
points, a linear solve, and stiffness that falls. The stiffness is the bending energy of the displacement and is named
by the length below which it irons out detail.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sparse
import torch
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from scipy.sparse.linalg import spsolve

from likeness.errors import HeadError
from likeness.heads.base import HeadModel
from likeness.heads.surface import Surface, areas, bending, normals, rows_of, similarity
from likeness.progress import Progress, quiet

__all__ = ["Laid", "lay_onto"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INNER = slice(17, 68)
"""Of the 68 points those inside the face: on the contour everybody means something else."""
IDENTITY_ROUNDS = 8
RIDGE = 0.002**2 * 0.008**2
"""m⁴: a deviation of the surface of 2 mm, independent every 8 mm, against coefficients of deviation 1."""
# Length that the stiffness irons out (m), reach of closest points (m), weight of the landmarks.
SCHEDULE = (
    (0.030, 0.020, 1.0), (0.030, 0.020, 1.0), (0.020, 0.015, 0.7), (0.012, 0.012, 0.5), (0.008, 0.010, 0.3),
    (0.008, 0.008, 0.3), (0.005, 0.006, 0.15), (0.005, 0.006, 0.15), (0.0035, 0.005, 0.1),
)  # fmt: skip
MARK_AREA = 0.004**2  # a landmark of weight 1 counts as much skin (m²)
FACING = 0.5  # cosine between normals below which closest points are not believed
SLIP = 0.08  # weight along the surface as a share of that across it


@dataclass(frozen=True, eq=False)
class Laid:
    """A head laid onto another mesh.

    Attributes:
        vertices: (V, 3) float64 in the other mesh's frame and unit.
        identity: (N,) coefficients of the head's own part of it.
        known: (V,) bool, skin that found its place on the other mesh.
        gap: (V,) distance to the other mesh's surface, in its unit; 0 where not known.
        scale, rotation, shift: other = scale * head @ rotation.T + shift.
    """

    vertices: Floats
    identity: Floats
    known: NDArray[np.bool_]
    gap: Floats
    scale: float
    rotation: Floats
    shift: Floats

    def home(self, points: Floats) -> Floats:
        """Points (P, 3) of the other mesh's frame in the head's."""
        placed: Floats = (points - self.shift) @ self.rotation / self.scale
        return placed


def lay_onto(head: HeadModel, vertices: Floats, triangles: Ints, landmarks: Floats, progress: Progress = quiet) -> Laid:
    """Lay a head onto a mesh.

    Args:
        head: with the embedding "ibug68".
        vertices, triangles: (U, 3) in any unit and frame, (T, 3); skin alone, a part of a face is enough.
        landmarks: (68, 3) iBUG points on it, NaN where not known.

    Raises:
        HeadError: fewer than six landmarks inside the face are known, or the head has no landmarks.
    """
    marks = head.landmarks.get("ibug68")
    use = np.zeros(68, bool)
    use[INNER] = np.isfinite(landmarks[INNER]).all(1)
    if marks is None or use.sum() < 6:
        raise HeadError("Too few landmarks are known to lay a head onto this mesh.")
    use &= marks.triangle.numpy() >= 0
    corners = head.triangles.numpy()[marks.triangle.numpy()[use]]
    shares = marks.barycentric.numpy().astype(np.float64)[use]
    template = head.template.double().numpy()
    scale, rotation, shift = similarity((template[corners] * shares[..., None]).sum(1), landmarks[use])

    fit = _Fit(head, corners, shares)
    identity = np.zeros(len(head.identity))
    for number in range(IDENTITY_ROUNDS):
        progress("head", 0.5 * number / IDENTITY_ROUNDS, "Laying the head onto the mesh")
        goal = Surface((vertices - shift) @ rotation / scale, triangles)
        there = (landmarks[use] - shift) @ rotation / scale
        identity, moved = fit.identity(goal, there, 0.03 if number < 3 else 0.015)
        # What a similarity can do is not left to the coefficients.
        near, trust = fit.matched(goal, moved, 0.015)
        pairs = np.concatenate([moved, fit.marking @ moved])
        places = np.concatenate([near, there])
        weights = np.concatenate([trust, np.full(len(there), MARK_AREA)])
        scale, rotation, shift = similarity(pairs, scale * places @ rotation.T + shift, weights)
    goal = Surface((vertices - shift) @ rotation / scale, triangles)
    there = (landmarks[use] - shift) @ rotation / scale
    skin, known, gap = fit.free(goal, there, fit.at(identity), progress)
    whole = fit.everything(identity, skin)
    progress("head", 1.0, "The head lies on the mesh")
    everywhere, away = np.zeros(len(whole), bool), np.zeros(len(whole))
    everywhere[fit.skin], away[fit.skin] = known, gap * scale * known
    return Laid(scale * whole @ rotation.T + shift, identity, everywhere, away, scale, rotation, shift)


class _Fit:
    """The head's skin, as the solver needs it; everything in the head's frame."""

    def __init__(self, head: HeadModel, corners: Ints, shares: Floats) -> None:
        self.head = head
        triangles = head.triangles.numpy()[head.region("skin").numpy()]
        self.skin = np.unique(triangles)
        local = np.full(len(head.template), -1)
        local[self.skin] = np.arange(len(self.skin))
        self.triangles = local[triangles]
        self.mark_corners, self.shares = local[corners], shares
        self.rest = head.template.double().numpy()[self.skin]
        self.basis = head.identity.double().numpy()[:, self.skin]
        self.area = areas(self.rest, self.triangles)
        self.stiff, self.plain = bending(self.rest, self.triangles)
        self.marking = rows_of(self.mark_corners, shares, len(self.skin))

    def at(self, identity: Floats) -> Floats:
        """Skin (n, 3) of an identity."""
        placed: Floats = self.rest + np.tensordot(identity, self.basis, 1)
        return placed

    def matched(self, goal: Surface, skin: Floats, reach: float) -> tuple[Floats, Floats]:
        """Closest points (n, 3) and how far to trust them (n,), square metres."""
        found = goal.closest(skin, normals(skin, self.triangles))
        near = np.linalg.norm(found.place - skin, axis=1) < reach
        trusted = near & (found.facing > FACING) & ~goal.at_border[found.triangle]
        return found.place, trusted * self.area

    def identity(self, goal: Surface, there: Floats, reach: float) -> tuple[Floats, Floats]:
        """Coefficients (N,) and the skin (n, 3) they give, from the mean on: three rounds of closest points."""
        coefficients = np.zeros(len(self.basis))
        marks = (self.basis[:, self.mark_corners] * self.shares[None, ..., None]).sum(2)
        for _ in range(3):
            skin = self.at(coefficients)
            place, trust = self.matched(goal, skin, reach)
            normal = normals(skin, self.triangles)
            root = np.sqrt(trust)
            across = np.einsum("nvc,vc->nv", self.basis, normal) * root
            along = self.basis * (np.sqrt(SLIP) * root)[:, None]
            seen = marks * np.sqrt(MARK_AREA)
            left = across @ across.T + np.einsum("nvc,mvc->nm", along, along) + np.einsum("nkc,mkc->nm", seen, seen)
            gap = place - self.rest
            right = across @ ((gap * normal).sum(1) * root) + np.einsum(
                "nvc,vc->n", along, gap * (SLIP**0.5 * root)[:, None]
            )
            at_marks = (self.rest[self.mark_corners] * self.shares[..., None]).sum(1)
            right += np.einsum("nkc,kc->n", seen, (there - at_marks) * np.sqrt(MARK_AREA))
            coefficients = np.linalg.solve(left + RIDGE * np.eye(len(left)), right)
        return coefficients, self.at(coefficients)

    def free(
        self, goal: Surface, there: Floats, start: Floats, progress: Progress
    ) -> tuple[Floats, NDArray[np.bool_], Floats]:
        """Skin (n, 3) laid onto the goal, which of it found its place (n,), and how far off it is (n,)."""
        moved = np.zeros_like(start)
        count = len(start)
        three = sparse.eye(3)
        for number, (length, reach, mark_weight) in enumerate(SCHEDULE):
            progress("head", 0.5 + 0.5 * number / len(SCHEDULE), "Laying the head onto the mesh")
            place, trust = self.matched(goal, start + moved, reach)
            normal = normals(start + moved, self.triangles)
            seen = mark_weight * MARK_AREA
            across = rows_of(np.arange(3 * count).reshape(-1, 3), normal, 3 * count)
            along = sparse.diags(np.repeat(trust * SLIP, 3))
            through = across.T @ sparse.diags(trust * (1 - SLIP))
            still = 0.01 * length**2 * self.area.mean() * self.plain + 1e-6 * sparse.diags(self.area)
            left = sparse.kron(length**4 * self.stiff + still + seen * self.marking.T @ self.marking, three)
            right = along @ (place - start).ravel() + through @ (normal * (place - start)).sum(1)
            right += seen * (self.marking.T @ (there - self.marking @ start)).ravel()
            moved = spsolve((left + along + through @ across).tocsc(), right).reshape(-1, 3)
        skin = start + moved
        place, trust = self.matched(goal, skin, SCHEDULE[-1][1])
        return skin, trust > 0, np.linalg.norm(place - skin, axis=1)

    def everything(self, identity: Floats, skin: Floats) -> Floats:
        """All vertices (V, 3): what is not skin follows the skin around it, eyeballs as a whole."""
        head = self.head
        whole: Floats = head.shape(torch.from_numpy(identity.astype(np.float32))[None])[0].double().numpy()
        moved = skin - whole[self.skin]
        step = max(len(skin) // 900, 1)
        field = RBFInterpolator(whole[self.skin][::step], moved[::step], neighbors=60, kernel="linear")
        rest = np.setdiff1d(np.arange(len(whole)), self.skin)
        if len(rest):
            shift = np.asarray(field(whole[rest]))
            for eye in ("eye.L", "eye.R"):
                ball = np.unique(head.triangles.numpy()[head.region(eye).numpy()])
                mine = np.isin(rest, ball)
                shift[mine] = shift[mine].mean(0)
            whole[rest] += shift
        whole[self.skin] = skin
        return whole
