"""ARKit's expressions on FLAME: carried over from an open head, then said in FLAME's own terms where it has them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from likeness.heads.expressions import ARKIT
from likeness.heads.flame import JOINTS, Flame
from likeness.heads.gaze import look
from likeness.heads.surface import areas
from likeness.heads.transfer import Bridge

__all__ = ["ArkitOnFlame", "arkit_on_flame", "said_in_flame"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

JAW_TURNS = ((0.25, 0, 0), (0, 0.1, 0), (0, -0.1, 0), (0, 0, 0.1))
"""Axis-angle radians of the jaw whose displacements stand beside the expression basis."""
NOISE = 0.0005**2 * 0.006**2
"""m⁴: half a millimetre, independent every 6 mm, against coefficients of deviation 1."""
EXPLAINED = 0.9
"""Share of an expression's motion that FLAME's own terms must tell for them to replace it."""
NEAR = 1.5
"""Radii of the eyeball within which skin is looked at."""
CLEARANCE = 0.0004
"""Metres that lids keep from the eyeball."""
STRAY = 0.002
"""Metres that they may be off anywhere."""


@dataclass(frozen=True, eq=False)
class ArkitOnFlame:
    """The 52 expressions on FLAME.

    Attributes:
        deltas: (52, V, 3) float32 metres at weight 1.
        coefficients: (52, 100) float32 of FLAME's expressions that come nearest.
        explained: (52,) share of the motion that these, and turns of the jaw, tell; `own`: (52,) bool, whether the
            deltas are made of them.
    """

    deltas: NDArray[np.float32]
    coefficients: NDArray[np.float32]
    explained: Floats
    own: NDArray[np.bool_]


def arkit_on_flame(flame: Flame, over: Bridge, skin: Ints, eyes: dict[str, tuple[Ints, Floats]]) -> ArkitOnFlame:
    """Carry ARKit's expressions over.

    Args:
        over: an open head laid onto FLAME's skin.
        skin: (U,) FLAME's vertices that `over` speaks of.
        eyes: side "L" or "R" -> its vertices and its centre (3,) metres.
    """
    names = over.head.expression_names
    given = over.head.expression.double().numpy()
    ordered = np.stack([given[names.index(n)] if n in names else np.zeros_like(given[0]) for n in ARKIT])
    template = flame.template.double().numpy()
    deltas = np.zeros((len(ARKIT), len(template), 3))
    deltas[:, skin] = over.displacements(ordered)

    count = len(flame.expressions)
    solved, told, explained = _solved(flame, deltas, skin, over.triangles, count)
    stray = np.linalg.norm((told - deltas)[:, skin], axis=2).max(1)
    own = (explained >= EXPLAINED) & (stray <= STRAY)
    deltas[own] = told[own]

    for side, (vertices, centre) in eyes.items():
        arms = template[vertices] - centre
        for number, name in enumerate(ARKIT):
            deltas[number, vertices] = look(arms, name, side)
    for vertices, centre in eyes.values():
        _clear(template, deltas, skin, vertices, centre)
    return ArkitOnFlame(deltas.astype(np.float32), solved[:, :count].astype(np.float32), explained, own)


def _clear(template: Floats, deltas: Floats, skin: Ints, ball: Ints, centre: Floats) -> None:
    """Keep lids outside the eyeball, cornea and all, in every expression: what is outside at rest stays outside."""
    arms = template[skin] - centre
    around = skin[np.linalg.norm(arms, axis=1) < NEAR * np.linalg.norm(template[ball] - centre, axis=1).max()]
    rest = _above(template[around] - centre, template[ball] - centre)
    for delta in deltas:
        if not np.abs(delta[around]).max() > 0:
            continue
        arms = template[around] + delta[around] - centre
        above = _above(arms, template[ball] + delta[ball] - centre)
        lift = np.clip(np.minimum(rest, CLEARANCE) - above, 0, None) * (rest > 0)
        delta[around] += lift[:, None] * arms / np.linalg.norm(arms, axis=1, keepdims=True)


def _above(arms: Floats, ball: Floats) -> Floats:
    """How far points (P, 3) lie outside a ball (B, 3) in their own directions, all from its middle."""
    size = np.linalg.norm(ball, axis=1)
    length = np.linalg.norm(arms, axis=1)
    share, nearest = cKDTree(ball / size[:, None]).query(arms / length[:, None], k=4)
    weight = 1 / np.maximum(share, 1e-3)
    out: Floats = length - (size[nearest] * weight).sum(1) / weight.sum(1)
    return out


def said_in_flame(flame: Flame, deltas: Floats, triangles: Ints, columns: int) -> tuple[Floats, Floats]:
    """Displacements (M, V, 3) in FLAME's own terms.

    Args:
        triangles: (T, 3) of the skin; columns: how many of the expressions may be used.

    Returns:
        coefficients (M, columns), and the jaw's axis-angle (M, 3) radians.
    """
    skin, local = np.unique(triangles, return_inverse=True)
    solved, _, _ = _solved(flame, deltas, skin, local.reshape(triangles.shape), columns)
    return solved[:, :columns], solved[:, columns:] @ np.array(JAW_TURNS)


def _solved(flame: Flame, deltas: Floats, skin: Ints, triangles: Ints, columns: int) -> tuple[Floats, Floats, Floats]:
    """Weights (M, columns + 4) of expressions and jaw turns, what they make (M, V, 3), and the share explained (M,)."""
    weight = np.sqrt(areas(flame.template.double().numpy()[skin], triangles))[:, None]
    basis = np.concatenate([flame.expressions[:columns].double().numpy(), _jaw(flame)])
    flat = (basis[:, skin] * weight).reshape(len(basis), -1)
    goal = (deltas[:, skin] * weight).reshape(len(deltas), -1)
    solved = np.linalg.solve(flat @ flat.T + NOISE * np.eye(len(flat)), flat @ goal.T).T
    left = ((goal - solved @ flat) ** 2).sum(1) / np.maximum((goal**2).sum(1), 1e-18)
    return solved, np.tensordot(solved, basis, 1), 1 - left


def _jaw(flame: Flame) -> Floats:
    """(4, V, 3) displacements of the template by `JAW_TURNS`, correctives included."""
    pose = torch.zeros(len(JAW_TURNS), JOINTS, 3)
    pose[:, 2] = torch.tensor(JAW_TURNS)
    still = torch.zeros(len(JAW_TURNS), 1)
    moved = flame.forward(still, still, pose.flatten(1)).vertices - flame.template
    displaced: Floats = moved.double().numpy()
    return displaced
