# SPDX-License-Identifier: GPL-3.0-or-later
"""How far heads are from one of them: aligned as the NoW benchmark does, then the distances that remain.

Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision", CVPR 2019,
section 5: points spread over the reference's face, a similarity (scale included) with the smallest sum of squared
distances from them to the other surface. Here the eyes give the first alignment, and the face is the head's own area
of that name instead of a ball around the nose. Heads are compared at rest, as their bases are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from mathutils.bvhtree import BVHTree

from .head import Head

__all__ = ["Distances", "Face", "distances", "face_of"]

POINTS = 3000
STEPS = 30
AREA = "face area"


@dataclass(frozen=True)
class Face:
    """A head at rest, in its own frame in Blender's axes, metres.

    Attributes:
        vertices: (V, 3) float64; triangles: (T, 3) int, of the skin.
        face: (V,) bool, vertices of the face.
        eyes: (2, 3) centres of the left and the right eye.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    face: np.ndarray
    eyes: np.ndarray


@dataclass(frozen=True)
class Distances:
    """How a head lies on the reference.

    Attributes:
        to_head: (P,) metres from points of the reference's face to the head.
        of_vertices: (V,) metres from the head's vertices to the reference, NaN outside the face.
        scale: by which the head was enlarged.
    """

    to_head: np.ndarray
    of_vertices: np.ndarray
    scale: float

    def told(self) -> dict[str, float]:
        """Millimetres, for people and programs."""
        mm = 1000 * self.to_head
        numbers = {"median_mm": np.median(mm), "mean_mm": mm.mean(), "std_mm": mm.std()}
        numbers |= {"p90_mm": np.quantile(mm, 0.9), "scale": self.scale}
        return {name: round(float(value), 4) for name, value in numbers.items()}


def face_of(head: Head) -> Face:
    """What is compared of a head; raises ValueError, a sentence, where that cannot be told."""
    mesh: Any = head.mesh.data
    mesh.calc_loop_triangles()
    keys = mesh.shape_keys.reference_key.points
    flat = np.empty(3 * len(keys), np.float32)
    keys.foreach_get("co", flat)
    corners = np.empty(3 * len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    slots = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("material_index", slots)
    skin = [i for i, m in enumerate(mesh.materials) if m and m.name.split(".")[0] == "Skin"]
    group: Any = head.mesh.vertex_groups.get(AREA)
    bones = head.rig.data.bones
    if group is None or not skin or "eye.L" not in bones or "eye.R" not in bones:
        raise ValueError(f"{head.mesh.name} has no face area, skin or eyes to be compared by; import it again.")
    face = np.zeros(len(keys), bool)
    for vertex in mesh.vertices:
        for member in vertex.groups:
            if member.group == group.index and member.weight > 0.5:
                face[vertex.index] = True
    triangles = corners.reshape(-1, 3)[np.isin(slots, skin)]
    eyes = np.array([bones[name].head_local for name in ("eye.L", "eye.R")])
    return Face(flat.reshape(-1, 3).astype(float), triangles, face, eyes)


def distances(reference: Face, other: Face) -> Distances:
    """How far a head is from the reference once it is aligned with it."""
    points = _spread(reference)
    tree = _tree(other.vertices, other.triangles)
    scale, turn, shift = _by_eyes(reference, other)
    damping, best = 1e-4, np.inf
    gap, moved = _gaps(points, tree, scale, turn, shift)
    for _ in range(STEPS):
        length = np.linalg.norm(gap, axis=1)
        way = gap / np.maximum(length, 1e-9)[:, None]
        arm = moved - points.mean(0)
        rows = -np.concatenate([np.cross(arm, way), (arm * way).sum(1, keepdims=True), way], 1)
        left, right = rows.T @ rows, -rows.T @ length
        best = float(length @ length)
        step = np.linalg.solve(left + damping * np.diag(np.diag(left)), right)
        small, grow = _rotation(step[:3]), float(np.exp(step[3]))
        centre = points.mean(0)
        trial = (scale * grow, small @ turn, grow * small @ (shift - centre) + centre + step[4:])
        found = _gaps(points, tree, *trial)
        now = float((found[0] ** 2).sum())
        if now >= best:
            damping *= 10
            if damping > 1e3:
                break
            continue
        (scale, turn, shift), (gap, moved) = trial, found
        damping = max(damping / 10, 1e-9)
        if best - now < 1e-7 * best:
            break
    there = _tree(reference.vertices, reference.triangles)
    of_vertices = np.full(len(other.vertices), np.nan)
    placed = scale * other.vertices[other.face] @ turn.T + shift
    of_vertices[other.face] = np.linalg.norm(placed - _closest(there, placed), axis=1)
    return Distances(np.linalg.norm(gap, axis=1), of_vertices, float(scale))


def _spread(face: Face) -> np.ndarray:
    """Points (P, 3) evenly over the face, the same each time."""
    corners = face.vertices[face.triangles[face.face[face.triangles].all(1)]]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    random = np.random.default_rng(0)
    chosen = random.choice(len(corners), POINTS, p=area / area.sum())
    root, share = np.sqrt(random.random(POINTS)), random.random(POINTS)
    weights = np.stack([1 - root, root * (1 - share), root * share], 1)
    spread: np.ndarray = (corners[chosen] * weights[..., None]).sum(1)
    return spread


def _tree(vertices: np.ndarray, triangles: np.ndarray) -> BVHTree:
    return BVHTree.FromPolygons(vertices.tolist(), triangles.tolist())


def _closest(tree: BVHTree, points: np.ndarray) -> np.ndarray:
    find: Any = tree.find_nearest
    return np.array([tuple(find(point)[0]) for point in points.tolist()])


def _gaps(
    points: np.ndarray, tree: BVHTree, scale: float, turn: np.ndarray, shift: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """From the moved head's closest places to the points, and those places, (P, 3) each."""
    moved = scale * _closest(tree, (points - shift) @ turn / scale) @ turn.T + shift
    return points - moved, moved


def _by_eyes(reference: Face, other: Face) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale and shift that bring the eyes together; all heads look the same way."""
    apart = [float(np.linalg.norm(face.eyes[0] - face.eyes[1])) for face in (reference, other)]
    scale = apart[0] / max(apart[1], 1e-6)
    return scale, np.eye(3), reference.eyes.mean(0) - scale * other.eyes.mean(0)


def _rotation(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    across = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turned: np.ndarray = np.eye(3) + np.sin(angle) * across + (1 - np.cos(angle)) * across @ across
    return turned
