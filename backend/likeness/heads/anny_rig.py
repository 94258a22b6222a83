"""Joints and skin weights: the base mesh's many bones merged into root, neck, head, jaw and the two eyes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from likeness.heads.anny_source import Package

__all__ = ["JOINTS", "PARENTS", "Hinge", "jaw_hinge", "jaw_share", "neck_weights"]

Floats = NDArray[np.float64]

JOINTS = ("root", "neck", "head", "jaw", "eye.L", "eye.R")
PARENTS = (-1, 0, 1, 2, 2, 2)

Hinge = tuple[Floats, float]
"""(3,) metres on the midline, and the angle in radians by which the jawOpen target turns the jaw about +X there."""


def jaw_hinge(package: Package, shape: Floats) -> Hinge:
    """The hinge about which the jawOpen target turns the lower teeth of a shape (19158, 3): the best rotation there."""
    teeth = np.unique(package.polygons[package.part == "helper-lower-teeth"])
    rest = shape[teeth][:, 1:]
    moved = rest + package.target("faceunits01/targets/faceunits/jawOpen.target")[teeth][:, 1:]
    a, b = rest - rest.mean(0), moved - moved.mean(0)
    cross = (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()
    angle = float(np.arctan2(cross, (a * b).sum()))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    centre = np.linalg.solve(np.eye(2) - turn, moved.mean(0) - turn @ rest.mean(0))
    return np.array([0.0, *centre]), angle


def jaw_share(vertices: Floats, opened: Floats, hinge: Hinge) -> Floats:
    """How much of the jaw's turn each vertex follows, so that the bone does what the expression does.

    Linear blend skinning moves a vertex by w * (R x - x): w is the least-squares share of the expression's
    displacement in it.

    Args:
        vertices: (V, 3) metres; opened: (V, 3) displacement of jawOpen.

    Returns:
        (V,) in 0..1.
    """
    centre, angle = hinge
    c, s = np.cos(angle), np.sin(angle)
    arm = vertices - centre
    full = arm @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]]).T - arm
    share: Floats = np.clip((opened * full).sum(1) / np.maximum((full**2).sum(1), 1e-9), 0, 1)
    return share


def neck_weights(package: Package) -> Floats:
    """(19158, 3) weights of root, neck and head: each bone's weight goes to the nearest of them above it."""
    parents = package.parents()
    column = {"head": 2, "neck01": 1, "neck02": 1, "neck03": 1}
    weights = np.zeros((len(package.vertices), 3))
    for bone, (vertices, share) in package.weights().items():
        above = bone
        while above and above not in column:
            above = parents.get(above, "")
        weights[vertices, column.get(above, 0)] += share
    total = weights.sum(1, keepdims=True)
    weights[:, 2:] += total == 0
    merged: Floats = weights / weights.sum(1, keepdims=True)
    return merged
