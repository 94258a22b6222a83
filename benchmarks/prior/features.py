"""Points that must meet: the line between the lips, the edges of the lids, the ears.

Both meshes run in rings around mouth and eyes, so a line is a ring of edges, and its points correspond by their
share of the length between the corners. Which rings: seen in sections through lips and lids.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prior.heads import SIDES, Base, Ict
from prior.mesh import edge_set, grow, longest_loop, neighbours

__all__ = ["Pins", "Rim", "feature_pins", "rim"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LIPS_ICT = 7  # rings out from the mouth bag to where ICT's lips meet; the base mesh's bag begins there
LID_BASE, LID_ICT = 1, 2  # rings out from the socket to where the lid leaves the eyeball
EARS = (
    (12034, 6844), (12043, 6893), (12040, 6857), (12073, 6834), (12053, 7006), (12027, 7125), (12358, 7116),
    (12079, 7317), (12176, 7086), (12046, 6783), (12128, 7200), (12078, 6922), (12062, 6934),
)  # fmt: skip
"""Left ear, base mesh and ICT: five down the rim from its top, lobe, its front, notch, tragus, the rim's front end,
back of the concha, two in the groove inside the rim. Picked on renders."""


@dataclass(frozen=True, eq=False)
class Pins:
    """Vertices (P,) of the base mesh, the points (P, 3) on ICT's mean where they belong, weights (P,)."""

    vertices: Ints
    points: Floats
    weights: Floats


@dataclass(frozen=True, eq=False)
class Rim:
    """A hole's edge as an upper and a lower chain of vertices, both from the corner with the least x to the other;
    shares: of the length, 0..1, per chain; rings: vertex -> rings out from the hole's edge."""

    chains: tuple[Ints, Ints]
    shares: tuple[Floats, Floats]
    rings: dict[int, int]

    def at(self, values: Floats, share: Floats) -> tuple[Floats, Floats]:
        """Values (V, C) along the upper and the lower chain at shares (P,), each (P, C)."""
        along = [
            np.stack([np.interp(share, s, values[chain, c]) for c in range(values.shape[1])], 1)
            for chain, s in zip(self.chains, self.shares, strict=True)
        ]
        return along[0], along[1]


def rim(vertices: Floats, skin: Ints, inner: Ints, ring: int = 0, side: float = 0) -> Rim:
    """The edge between skin and inner polygons, or a ring of the skin around it.

    Args:
        side: sign of x where there is one on each side, else 0.
    """
    edges = edge_set(skin)
    beside = neighbours(edges)
    start = {v for edge in edges & edge_set(inner) for v in edge if side == 0 or vertices[v, 0] * side > 0}
    rings = grow(start, beside, 7 + ring)
    # Along the hole itself only the edge's own edges count: skin may join two of its vertices elsewhere too.
    border = neighbours(edges & edge_set(inner)) if ring == 0 else beside
    loop = np.array(longest_loop({v for v, k in rings.items() if k == ring}, border))
    x = vertices[loop, 0]
    loop = np.roll(loop, -int(np.argmin(x)))
    corner = int(np.argmax(vertices[loop, 0]))
    halves = [loop[: corner + 1], np.concatenate([loop[:1], loop[corner:][::-1]])]
    halves.sort(key=lambda half: -vertices[half, 1].mean())
    lengths = [np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(vertices[h], axis=0), axis=1))]) for h in halves]
    return Rim((halves[0], halves[1]), (lengths[0] / lengths[0][-1], lengths[1] / lengths[1][-1]), rings)


def feature_pins(base: Base, shape: Floats, ict: Ict) -> Pins:
    """All pins; shape (19158, 3) is the base mesh laid over ICT's mean."""
    vertices, points, weights = [], [], []
    lips, there = rim(shape, base.skin, base.mouth), rim(ict.mean, ict.skin, ict.mouth, LIPS_ICT)
    for chain, share in zip(lips.chains, lips.shares, strict=True):
        # ICT's lips stand a little apart; both of the base mesh's go to the middle, as far apart as they were.
        own = shape[chain] - np.mean(lips.at(shape, share), 0)
        vertices.append(chain)
        points.append(np.mean(there.at(ict.mean, share), 0) + own)
        weights.append(np.full(len(chain), 4.0))
    for side in SIDES.values():
        lids = rim(shape, base.skin, base.socket, LID_BASE, side)
        there = rim(ict.mean, ict.skin, ict.socket, LID_ICT, side)
        for k in (0, 1):
            vertices.append(lids.chains[k])
            points.append(there.at(ict.mean, lids.shares[k])[k])
            weights.append(np.full(len(lids.chains[k]), 4.0))
        ear = np.array(EARS)
        vertices.append(ear[:, 0] if side > 0 else base.mirror[ear[:, 0]])
        points.append(ict.mean[ear[:, 1]] * (side, 1, 1))
        weights.append(np.full(len(ear), 1.0))
    return Pins(np.concatenate(vertices), np.concatenate(points), np.concatenate(weights))
