"""Lays a rigged head onto another mesh: similarity, then its own coefficients, then what is left, ever less stiffly.

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
from scipy.linalg import block_diag
from scipy.sparse.linalg import LinearOperator, cg, splu

from likeness.errors import HeadError
from likeness.heads.base import HeadModel
from likeness.heads.bounded import bounded
from likeness.heads.embedding_points import LOWER_LIDS, LOWER_LIP, OVAL, UPPER_LIDS, UPPER_LIP
from likeness.heads.eyeballs import seat
from likeness.heads.lips import lips_apart, lips_met
from likeness.heads.surface import CANDIDATES, Nearest, Surface, areas, bending, normals, rows_of, similarity
from likeness.heads.unfolded import unfolded
from likeness.progress import Progress, quiet

__all__ = ["Laid", "lay_onto"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INNER = {
    "ibug68": np.arange(17, 68),
    "mediapipe478": np.setdiff1d(np.arange(468), OVAL),
}
"""Points inside the face: on the contour everybody means something else, and irises are no skin."""
RIMS = {"ibug68": np.zeros(0, np.int64), "mediapipe478": np.array(UPPER_LIDS + LOWER_LIDS + UPPER_LIP + LOWER_LIP)}
RIM_WEIGHT = 4.0
"""Points on the rims of lids and inner lips count so much more: they alone tell what is open."""
MARKS = 51
"""Landmarks that together weigh as much as all those of a set, however many it has."""
IDENTITY_ROUNDS = 8
RIDGE = 0.002**2 * 0.008**2
"""m⁴: a deviation of the surface of 2 mm, independent every 8 mm, against coefficients of deviation 1."""
# Length that the stiffness irons out (m), reach of closest points (m), weight of the landmarks.
SCHEDULE = (
    (0.030, 0.020, 1.0), (0.030, 0.020, 1.0), (0.020, 0.015, 0.7), (0.012, 0.012, 0.5), (0.008, 0.010, 0.3),
    (0.008, 0.008, 0.3), (0.005, 0.006, 0.15), (0.005, 0.006, 0.15), (0.0035, 0.005, 0.1),
)  # fmt: skip
MARK_AREA = 0.004**2  # a landmark of weight 1 counts as much skin (m²)
JAW = 0.25
"""Weight of jawOpen that lips may tell more or less of than the rest of the face."""
THIN = 3
"""Every so many of the skin's vertices find the coefficients."""
FEW = 10
"""Triangles among which the closest one is sought while only coefficients hang on it."""
PRECISE, MOST = 1e-8, 200
"""Of the solver: what is left of the forces, and rounds."""
FACING = 0.5  # cosine between normals below which closest points are not believed
SLIP = 0.08  # weight along the surface as a share of that across it


@dataclass(frozen=True, eq=False)
class Laid:
    """A head laid onto another mesh.

    Attributes:
        vertices: (V, 3) float64 in the other mesh's frame and unit.
        neutral: (V, 3) float64 in the head's frame and size, without the expression.
        identity: (N,) coefficients of the head's own part of it; expression: (M,) weights in 0..1.
        known: (V,) bool, skin that found its place on the other mesh.
        gap: (V,) distance to the other mesh's surface, in its unit; 0 where not known.
        scale, rotation, shift: other = scale * head @ rotation.T + shift.
    """

    vertices: Floats
    neutral: Floats
    identity: Floats
    expression: Floats
    known: NDArray[np.bool_]
    gap: Floats
    scale: float
    rotation: Floats
    shift: Floats

    def home(self, points: Floats) -> Floats:
        """Points (P, 3) of the other mesh's frame in the head's."""
        placed: Floats = (points - self.shift) @ self.rotation / self.scale
        return placed


def lay_onto(
    head: HeadModel,
    vertices: Floats,
    triangles: Ints,
    landmarks: Floats,
    progress: Progress = quiet,
    *,
    moods: Floats | None = None,
) -> Laid:
    """Lay a head onto a mesh.

    Args:
        head: with the embedding "ibug68", or "mediapipe478" where so many landmarks are given.
        vertices, triangles: (U, 3) in any unit and frame, (T, 3); skin alone, a part of a face is enough.
        landmarks: (68, 3) iBUG points or (478, 3) of the face mesh on it, NaN where not known.
        moods: (P, M) square root of the precision of the head's expression weights, for a mesh that may have an
            expression; without it the mesh is taken to be neutral.

    Raises:
        HeadError: fewer than six landmarks inside the face are known, or the head has no landmarks.
    """
    name = "ibug68" if len(landmarks) == 68 else "mediapipe478"
    marks = head.landmarks.get(name)
    use = np.zeros(len(landmarks), bool)
    use[INNER[name]] = np.isfinite(landmarks[INNER[name]]).all(1)
    if marks is None or use.sum() < 6:
        raise HeadError("Too few landmarks are known to lay a head onto this mesh.")
    use &= marks.triangle.numpy() >= 0
    corners = head.triangles.numpy()[marks.triangle.numpy()[use]]
    shares = marks.barycentric.numpy().astype(np.float64)[use]
    template = head.template.double().numpy()
    scale, rotation, shift = similarity((template[corners] * shares[..., None]).sum(1), landmarks[use])

    fit = _Fit(head, corners, shares, np.where(np.isin(np.flatnonzero(use), RIMS[name]), RIM_WEIGHT, 1.0), moods)
    found = np.zeros(fit.count)
    given = Surface(vertices, triangles)
    for number in range(IDENTITY_ROUNDS):
        progress("head", 0.5 * number / IDENTITY_ROUNDS, "Laying the head onto the mesh")
        goal = given.moved((vertices - shift) @ rotation / scale)
        there = (landmarks[use] - shift) @ rotation / scale
        found = fit.coefficients(goal, there, 0.03 if number < 3 else 0.015, found)
        moved = fit.at(found)
        # What a similarity can do is not left to the coefficients.
        near, trust = fit.matched(goal, moved, 0.015, FEW)
        pairs = np.concatenate([moved, fit.marking @ moved])
        places = np.concatenate([near, there])
        weights = np.concatenate([trust, fit.mark_area])
        scale, rotation, shift = similarity(pairs, scale * places @ rotation.T + shift, weights)
    goal = given.moved((vertices - shift) @ rotation / scale)
    there = (landmarks[use] - shift) @ rotation / scale
    skin, known, gap = fit.free(goal, there, fit.at(found), progress)
    identity, expression = fit.parted(found if moods is None else fit.shut(skin, found))
    moving = fit.moving(expression)
    still = skin - moving[fit.skin]
    neutral = fit.everything(identity, fit.mended(still, calmed=moods is not None))
    progress("head", 1.0, "The head lies on the mesh")
    everywhere, away = np.zeros(len(neutral), bool), np.zeros(len(neutral))
    everywhere[fit.skin], away[fit.skin] = known, gap * scale * known
    placed = scale * (neutral + moving) @ rotation.T + shift
    return Laid(placed, neutral, identity, expression, everywhere, away, scale, rotation, shift)


class _Pull:
    """What acts on the skin's displacement (n, 3): the same on all three axes, and the surface, mostly across it."""

    def __init__(self, alike: sparse.csr_matrix, normal: Floats, trust: Floats) -> None:
        self.alike, self.normal, self.trust = alike, normal, trust[:, None]

    def of_surface(self, moved: Floats) -> Floats:
        """(n, 3) from displacements (n, 3)."""
        across = self.normal * (self.normal * moved).sum(1, keepdims=True)
        pull: Floats = self.trust * (SLIP * moved + (1 - SLIP) * across)
        return pull

    def solved(self, right: Floats, start: Floats) -> Floats:
        """The displacement (n, 3) that is held by forces (n, 3): conjugate gradients from a start (n, 3) on, helped by
        what would be if the surface pulled the same way whichever way it faces."""
        mean = sparse.diags(self.trust[:, 0] * (1 + 2 * SLIP) / 3)
        # Symmetric and positive: no pivots are needed, and an ordering for such matrices fills in less.
        easy = splu((self.alike + mean).tocsc(), "MMD_AT_PLUS_A", 0.0, options={"SymmetricMode": True})
        shape = (right.size, right.size)

        def hold(moved: Floats) -> Floats:
            at = moved.reshape(-1, 3)
            held: Floats = (self.alike @ at + self.of_surface(at)).ravel()
            return held

        def about(force: Floats) -> Floats:
            moved: Floats = easy.solve(force.reshape(-1, 3)).ravel()
            return moved

        helped = LinearOperator(shape, about, dtype=np.float64)
        system = LinearOperator(shape, hold, dtype=np.float64)
        found = cg(system, right.ravel(), start.ravel(), rtol=PRECISE, maxiter=MOST, M=helped)[0]
        return np.asarray(found).reshape(-1, 3)


class _Fit:
    """The head's skin, as the solver needs it; everything in the head's frame."""

    def __init__(self, head: HeadModel, corners: Ints, shares: Floats, worth: Floats, moods: Floats | None) -> None:
        self.head = head
        triangles = head.triangles.numpy()[head.region("skin").numpy()]
        self.skin = np.unique(triangles)
        local = np.full(len(head.template), -1)
        local[self.skin] = np.arange(len(self.skin))
        self.triangles = local[triangles]
        self.mark_corners, self.shares = local[corners], shares
        self.mark_area = worth * MARK_AREA * min(1.0, MARKS / len(corners))
        self.rest = head.template.double().numpy()[self.skin]
        self.basis = head.identity.double().numpy()[:, self.skin]
        self.precision = np.eye(len(self.basis))
        self.most = np.full(len(self.basis), np.inf)
        if moods is not None:
            self.basis = np.concatenate([self.basis, head.expression.double().numpy()[:, self.skin]])
            self.precision = block_diag(self.precision, moods.T @ moods)
            self.most = np.concatenate([self.most, np.ones(moods.shape[1])])
        self.least = np.where(np.isinf(self.most), -np.inf, 0.0)
        self.area = areas(self.rest, self.triangles)
        self.stiff, self.plain = bending(self.rest, self.triangles)
        self.marking = rows_of(self.mark_corners, shares, len(self.skin))

    @property
    def count(self) -> int:
        """Coefficients, of identity and of expression."""
        return len(self.basis)

    def parted(self, found: Floats) -> tuple[Floats, Floats]:
        """Identity (N,) and expression (M,)."""
        identity, moods = np.split(found, [len(self.head.identity)])
        return identity, moods if len(moods) else np.zeros(len(self.head.expression))

    def moving(self, expression: Floats) -> Floats:
        """Displacements (V, 3) of all vertices by an expression."""
        moved: Floats = np.tensordot(expression, self.head.expression.double().numpy(), 1)
        return moved

    def at(self, found: Floats) -> Floats:
        """Skin (n, 3) of coefficients."""
        placed: Floats = self.rest + np.tensordot(found, self.basis, 1)
        return placed

    def matched(self, goal: Surface, skin: Floats, reach: float, candidates: int = CANDIDATES) -> tuple[Floats, Floats]:
        """Closest points (n, 3) and how far to trust them (n,), square metres."""
        found = goal.closest(skin, normals(skin, self.triangles), candidates=candidates)
        return self._trusted(goal, found, skin, reach, self.area)

    @staticmethod
    def _trusted(goal: Surface, found: Nearest, skin: Floats, reach: float, area: Floats) -> tuple[Floats, Floats]:
        near = np.linalg.norm(found.place - skin, axis=1) < reach
        return found.place, (near & (found.facing > FACING) & ~goal.at_border[found.triangle]) * area

    def coefficients(self, goal: Surface, there: Floats, reach: float, start: Floats) -> Floats:
        """Coefficients of identity and expression: three rounds of closest points, the first from the start on."""
        found = start if len(start) > len(self.head.identity) else np.zeros(self.count)
        some = np.arange(0, len(self.skin), THIN)
        marks = (self.basis[:, self.mark_corners] * self.shares[None, ..., None]).sum(2)
        at_marks = (self.rest[self.mark_corners] * self.shares[..., None]).sum(1)
        seen = marks.reshape(self.count, -1) * np.repeat(np.sqrt(self.mark_area), 3)
        basis = self.basis[:, some]
        for _ in range(3):
            skin = self.at(found)
            normal = normals(skin, self.triangles)[some]
            near = goal.closest(skin[some], normal, candidates=FEW)
            place, trust = self._trusted(goal, near, skin[some], reach, THIN * self.area[some])
            root = np.sqrt(trust)
            across = np.einsum("nvc,vc->nv", basis, normal) * root
            along = (basis * (np.sqrt(SLIP) * root)[:, None]).reshape(self.count, -1)
            gap = place - self.rest[some]
            left = across @ across.T + along @ along.T + seen @ seen.T
            right = across @ ((gap * normal).sum(1) * root) + along @ (gap * (np.sqrt(SLIP) * root)[:, None]).ravel()
            right += seen @ ((there - at_marks) * np.sqrt(self.mark_area)[:, None]).ravel()
            found = bounded(left + RIDGE * self.precision, right, self.least, self.most)
        return found

    def shut(self, skin: Floats, found: Floats) -> Floats:
        """The coefficients with as much jawOpen as makes the lips of the skin (n, 3), without its expression, meet as
        those of its identity do: what the jaw did is told by the lips better than by cheeks and chin."""
        head, count = self.head, len(self.head.identity)
        marks = head.landmarks.get("mediapipe478")
        if marks is None or "jawOpen" not in head.expression_names:
            return found
        local = np.full(len(head.template), -1)
        local[self.skin] = np.arange(len(self.skin))

        def gap(places: Floats) -> float:
            upper, lower = (
                (places[local[head.triangles.numpy()[marks.triangle.numpy()[rim]]]][..., 1] * shares[rim]).sum(1)
                for rim in (list(UPPER_LIP[2:7]), list(LOWER_LIP[2:7]))
            )
            return float((upper - lower).mean())

        shares = marks.barycentric.double().numpy()
        jaw = count + head.expression_names.index("jawOpen")
        calm = np.concatenate([found[:count], np.zeros(len(found) - count)])
        rest = skin - np.tensordot(found[count:], self.basis[count:], 1)
        rate = gap(self.basis[jaw])
        more = (gap(rest) - gap(self.at(calm))) / max(rate, 1e-3)
        changed = found.copy()
        changed[jaw] = np.clip(found[jaw] + np.clip(more, -JAW, JAW), 0, 1)
        return changed

    def mended(self, places: Floats, *, calmed: bool) -> Floats:
        """Skin (n, 3) at rest whose lips meet and lie in each other no more than the mean head's, without triangles
        turned over in the face; calmed: it was freed of an expression."""
        inside = np.zeros(len(self.skin), bool)
        for name in ("face", "lips", "eyelids"):
            if name in self.head.groups:
                inside |= self.head.groups[name].numpy()[self.skin] > 0
        some = inside[self.triangles].any(1)
        places = unfolded(self.rest, places, self.triangles, some)
        places = lips_met(self.head, self.skin, places, shut=calmed)
        places = lips_apart(self.head, self.skin, places)
        return unfolded(self.rest, places, self.triangles, some)

    def free(
        self, goal: Surface, there: Floats, start: Floats, progress: Progress
    ) -> tuple[Floats, NDArray[np.bool_], Floats]:
        """Skin (n, 3) laid onto the goal, which of it found its place (n,), and how far off it is (n,)."""
        moved = np.zeros_like(start)
        for number, (length, reach, mark_weight) in enumerate(SCHEDULE):
            progress("head", 0.5 + 0.5 * number / len(SCHEDULE), "Laying the head onto the mesh")
            place, trust = self.matched(goal, start + moved, reach)
            normal = normals(start + moved, self.triangles)
            seen = self.marking.T @ sparse.diags(mark_weight * self.mark_area)
            still = 0.01 * length**2 * self.area.mean() * self.plain + 1e-6 * sparse.diags(self.area)
            alike = (length**4 * self.stiff + still + seen @ self.marking).tocsr()
            pull = _Pull(alike, normal, trust)
            right = pull.of_surface(place - start) + seen @ (there - self.marking @ start)
            moved = pull.solved(right, moved)
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
            laid = whole.copy()
            laid[self.skin] = skin
            for eye in ("eye.L", "eye.R"):
                ball = np.unique(head.triangles.numpy()[head.region(eye).numpy()])
                mine = np.isin(rest, ball)
                if mine.any():
                    shift[mine] = seat(head, eye, whole, laid, shift[mine].mean(0))
            whole[rest] += shift
        whole[self.skin] = skin
        return whole
