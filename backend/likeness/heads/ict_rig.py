"""Joints and skin weights of ICT-FaceKit, which has none of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from likeness.heads.ict_source import VERTICES

__all__ = ["JOINTS", "NECK", "PARENTS", "along_neck", "blurred", "jaw_turn", "joint_places", "skin_weights"]

Floats = NDArray[np.float64]

JOINTS = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
PARENTS = (-1, 0, 1, 2, 2, 2)

# Centimetres in the files' own frame.
NECK = np.array([0.0, -12.8, -4.0])  # seventh cervical vertebra, in the middle of the neck
ROOT = np.array([0.0, -22.0, -5.0])  # in the chest, so that the root has a length of its own
HEAD = np.array([0.0, -1.5, -0.5])  # where the skull sits on the atlas: below and behind the ear canals
# Planes across the neck, each by the points where it leaves the neck at the front and at the back.
LOWER = (np.array([0.0, -16.3, 2.5]), np.array([0.0, -11.0, -8.8]))  # notch of the breastbone to the shoulders' top
UPPER = (np.array([0.0, -8.6, 5.6]), np.array([0.0, -4.2, -7.0]))  # angle of chin and throat to the occiput


def jaw_turn(vertices: Floats, opened: Floats) -> tuple[Floats, float]:
    """The hinge (3,) and the angle in radians about +X by which jawOpen turns the lower teeth.

    Args:
        vertices, opened: (26719, 3) rest positions and displacement of jawOpen.
    """
    rest = vertices[VERTICES["teeth.lower"], 1:]
    moved = rest + opened[VERTICES["teeth.lower"], 1:]
    a, b = rest - rest.mean(0), moved - moved.mean(0)
    angle = float(np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum()))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.linalg.solve(np.eye(2) - turn, moved.mean(0) - turn @ rest.mean(0))
    return np.array([0.0, *centre]), angle


def joint_places(hinge: Floats, eyes: tuple[Floats, Floats]) -> Floats:
    """(6, 3) centimetres in the order of `JOINTS`."""
    return np.stack([ROOT, NECK, HEAD, hinge, *eyes])


def skin_weights(vertices: Floats, opened: Floats, hinge: Floats, angle: float, links: csr_matrix) -> Floats:
    """(26719, 6) weights, rows sum to 1.

    Neck and shoulders blend along the neck. The jaw takes of each vertex the share of its turn that jawOpen has there
    (linear blend skinning moves a vertex by w (R x - x), so w is a least-squares fit), so that bone and expression
    look alike.

    Args:
        links: (26719, 26719) adjacency, to smooth the jaw's share over the skin.
    """
    along = along_neck(vertices)
    head = _smooth((along - 0.3) / 0.8)
    root = 1 - _smooth((along + 0.45) / 0.9)
    root *= 1 - head
    weights = np.zeros((len(vertices), len(JOINTS)))
    weights[:, 0], weights[:, 1], weights[:, 2] = root, 1 - root - head, head
    for part in ("mouth", "sockets", "gums and tongue", "teeth.upper", "teeth.lower", "wet", "lashes"):
        weights[VERTICES[part]] = np.eye(len(JOINTS))[2]

    c, s = np.cos(angle), np.sin(angle)
    arm = vertices - hinge
    full = arm @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T - arm
    jaw = np.clip((opened * full).sum(1) / np.maximum((full**2).sum(1), 1e-6), 0, 1)
    smooth = blurred(jaw, links, 3)
    skin = slice(0, VERTICES["back"].stop)
    jaw[skin] = smooth[skin]
    jaw[VERTICES["teeth.lower"]], jaw[VERTICES["teeth.upper"]] = 1.0, 0.0
    jaw[jaw < 0.005] = 0.0
    weights[:, 3] = jaw * weights[:, 2]
    weights[:, 2] -= weights[:, 3]
    for joint, part in ((4, "eye.L"), (5, "eye.R")):
        weights[VERTICES[part]] = np.eye(len(JOINTS))[joint]
    return weights


def blurred(values: Floats, links: csr_matrix, rounds: int) -> Floats:
    """Values (V,) or (V, C), averaged with their neighbours that many times."""
    degree = np.maximum(np.asarray(links.sum(1)).ravel(), 1)
    for _ in range(rounds):
        spread = links @ values
        values = 0.5 * values + 0.5 * (spread / (degree[:, None] if values.ndim == 2 else degree))
    return values


def along_neck(points: Floats) -> Floats:
    """(V,) 0 on the lower plane across the neck, 1 on the upper one."""
    sides = []
    for front, back in (LOWER, UPPER):
        line = front - back
        normal = np.array([0.0, line[2], -line[1]]) / np.hypot(line[1], line[2])
        sides.append((points - back) @ normal)
    lower, upper = sides
    share: Floats = lower / np.maximum(np.abs(lower) + np.abs(upper), 1e-6)
    return np.where(lower < 0, lower / 8.0, np.where(upper > 0, 1 + upper / 8.0, share))


def _smooth(t: Floats) -> Floats:
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)
