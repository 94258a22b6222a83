"""How far a reconstruction is from a scan, by the NoW protocol.

The protocol (Sanyal et al., "Learning to Regress 3D Face Shape and Expression from an Image without 3D Supervision",
CVPR 2019, section 5; https://now.is.tue.mpg.de): seven landmarks give a first similarity transform of the
reconstruction onto the scan, which is cropped to a ball around the face; the transform (scale included) is then
refined to the smallest sum of squared distances from the scan's points to the reconstruction's surface; the distances
that remain are the error. Both are neutral. Position, orientation and size of the reconstruction do not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from likeness.fitting.pose import rotation_of

__all__ = ["IBUG7", "Scan", "Surface", "crop", "distances", "refine", "similarity"]

wp.config.log_level = wp.LOG_ERROR

Floats = NDArray[np.float64]

IBUG7 = (36, 39, 42, 45, 33, 48, 54)
"""The seven landmarks among the 68: right eye outer, inner, left eye inner, outer, under the nose, mouth corners."""


@dataclass(frozen=True, eq=False)
class Scan:
    """The truth.

    Attributes:
        points: (P, 3) float64 metres, spread evenly over the visible skin.
        landmarks: (7, 3) float64 metres, in the order of `IBUG7`.
    """

    points: Floats
    landmarks: Floats


@wp.kernel
def _closest(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    reach: float,
    triangle: wp.array(dtype=int),
    uv: wp.array(dtype=wp.vec2),
) -> None:
    i = wp.tid()
    hit = wp.mesh_query_point_no_sign(mesh, points[i], reach)
    triangle[i] = hit.face
    uv[i] = wp.vec2(hit.u, hit.v)


@wp.kernel
def _blocked(
    mesh: wp.uint64,
    points: wp.array(dtype=wp.vec3),
    direction: wp.vec3,
    reach: float,
    hits: wp.array(dtype=int),
) -> None:
    i = wp.tid()
    hits[i] = wp.where(wp.mesh_query_ray(mesh, points[i], direction, reach).result, 1, 0)


class Surface:
    """Triangles that can be asked for their closest points and for what they hide."""

    def __init__(self, vertices: NDArray[Any], triangles: NDArray[Any]) -> None:
        """Take vertices (V, 3) metres and triangles (T, 3)."""
        self.corners = np.asarray(vertices, np.float64)[np.asarray(triangles)]
        self.centre = self.corners.reshape(-1, 3).mean(0)
        # Every corner is a vertex of its own and the origin lies inside: exact enough in float32.
        flat = (self.corners.reshape(-1, 3) - self.centre).astype(np.float32)
        self.reach = float(np.linalg.norm(flat, axis=1).max())
        self._mesh = wp.Mesh(
            wp.array(flat, dtype=wp.vec3, device="cpu"),
            wp.array(np.arange(len(flat), dtype=np.int32), dtype=int, device="cpu"),
        )

    def closest(self, points: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """Closest points (P, 3) on the surface to points (P, 3), and their triangles (P,)."""
        local = np.ascontiguousarray(points - self.centre, np.float32)
        triangle = wp.zeros(len(local), dtype=int, device="cpu")
        uv = wp.zeros(len(local), dtype=wp.vec2, device="cpu")
        # The search must reach the farthest point from anywhere on the surface.
        reach = float(np.linalg.norm(local, axis=1).max()) + self.reach
        inputs = [self._mesh.id, wp.array(local, dtype=wp.vec3, device="cpu"), reach]
        wp.launch(_closest, len(local), inputs, [triangle, uv], device="cpu")
        faces = triangle.numpy().astype(np.int64)
        u, v = uv.numpy().astype(np.float64).T
        weights = np.stack([u, v, 1 - u - v], 1)
        return np.einsum("pk,pkc->pc", weights, self.corners[faces]), faces

    def blocked(self, points: Floats, direction: Floats) -> NDArray[np.bool_]:
        """Whether the surface hides each point (P, 3) from someone far away in `direction` (3,)."""
        local = np.ascontiguousarray(points - self.centre, np.float32)
        hits = wp.zeros(len(local), dtype=int, device="cpu")
        inputs = [self._mesh.id, wp.array(local, dtype=wp.vec3, device="cpu"), wp.vec3(*direction), 4 * self.reach]
        wp.launch(_blocked, len(local), inputs, [hits], device="cpu")
        return hits.numpy().astype(bool)


def similarity(source: Floats, target: Floats) -> tuple[float, Floats, Floats]:
    """Least-squares similarity from points to points (Umeyama, TPAMI 1991), never a reflection.

    Args:
        source, target: (N, 3).

    Returns:
        scale, rotation (3, 3) and translation (3,): ``target ~ scale * source @ rotation.T + translation``.
    """
    a, b = source - source.mean(0), target - target.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    signs = np.array([1.0, 1.0, np.sign(np.linalg.det(u @ vt))])
    rotation = (u * signs) @ vt
    scale = float((s * signs).sum() / (a**2).sum())
    return scale, rotation, target.mean(0) - scale * rotation @ source.mean(0)


def crop(scan: Scan) -> Scan:
    """The scan inside NoW's ball: 1.4 times half the sum of the outer-eye distance and the nose's length."""
    landmarks = scan.landmarks
    bridge = (landmarks[1] + landmarks[2]) / 2
    centre = landmarks[4] + 0.3 * (bridge - landmarks[4])
    radius = 1.4 * (np.linalg.norm(landmarks[0] - landmarks[3]) + np.linalg.norm(bridge - landmarks[4])) / 2
    return Scan(scan.points[np.linalg.norm(scan.points - centre, axis=1) <= radius], landmarks)


Similarity = tuple[float, Floats, Floats]


def refine(points: Floats, surface: Surface, start: Similarity, steps: int = 60) -> tuple[Similarity, Floats]:
    """Move, turn and scale a surface to the smallest sum of squared distances from the points (Levenberg-Marquardt).

    Args:
        points: (P, 3) metres.
        surface: in a frame of its own.
        start: scale, rotation, translation from the surface's frame to the points'.
        steps: at most so many.

    Returns:
        the refined similarity, and the distances (P,) in metres that remain.
    """

    def measure(pose: Similarity) -> tuple[Floats, Floats, Floats]:
        scale, rotation, translation = pose
        closest, faces = surface.closest((points - translation) @ rotation / scale)
        moved = scale * closest @ rotation.T + translation
        gap = points - moved
        distance = np.linalg.norm(gap, axis=1)
        edges = surface.corners[faces]
        normal = np.cross(edges[:, 1] - edges[:, 0], edges[:, 2] - edges[:, 0]) @ rotation.T
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
        # A point on the surface has no direction to it; the triangle's normal is the limit.
        near = distance < 1e-7
        direction = np.where(near[:, None], normal, gap / np.maximum(distance, 1e-12)[:, None])
        return distance, moved, direction

    pose, damping = start, 1e-4
    distance, moved, direction = measure(pose)
    centre = points.mean(0)
    for _ in range(steps):
        arm = moved - centre
        jacobian = -np.concatenate(
            [np.cross(arm, direction), (arm * direction).sum(1, keepdims=True), direction], axis=1
        )
        normal, gradient = jacobian.T @ jacobian, jacobian.T @ distance
        before = float(distance @ distance)
        while True:
            delta = np.linalg.solve(normal + damping * np.diag(np.diag(normal)), -gradient)
            scale, rotation, translation = pose
            turn = rotation_of(delta[:3])
            grow = float(np.exp(delta[3]))
            trial = (
                scale * grow,
                turn @ rotation,
                grow * turn @ (translation - centre) + centre + delta[4:],
            )
            result = measure(trial)
            after = float(result[0] @ result[0])
            if after <= before or damping > 1e6:
                break
            damping *= 10
        if after > before:
            break
        pose, (distance, moved, direction) = trial, result
        damping = max(damping / 10, 1e-9)
        if before - after <= 1e-10 * before:
            break
    return pose, distance


def distances(scan: Scan, vertices: NDArray[Any], triangles: NDArray[Any], landmarks: NDArray[Any]) -> Floats:
    """Error of a neutral reconstruction, point by point.

    Args:
        scan: the truth, uncropped.
        vertices, triangles: (V, 3) in any unit and frame, (T, 3).
        landmarks: (7, 3) on the reconstruction, in the order of `IBUG7`.

    Returns:
        (P,) distances in the scan's metres from its points inside the crop to the aligned surface.
    """
    cropped = crop(scan)
    start = similarity(np.asarray(landmarks, np.float64), cropped.landmarks)
    return refine(cropped.points, Surface(vertices, triangles), start)[1]
