"""Where another mesh's texels are on a head: the head is laid onto the mesh, and each texel asks what is below it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from likeness.errors import MeshError
from likeness.fitting.expression import expression_prior
from likeness.heads.base import HeadModel
from likeness.heads.expressions import ARKIT
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.heads.registration import lay_onto
from likeness.heads.surface import Surface, normals
from likeness.maps.atlas import atlas_of
from likeness.maps.tangents import Frames, vertex_tangents
from likeness.maps.tiles import dilated
from likeness.progress import Progress
from likeness.scan import Scan

__all__ = ["Correspondence", "Parted", "corresponding", "looked_up", "parted"]

Floats = NDArray[np.float32]

SIDE = 384
"""Of the picture that says where texels are; larger maps take what is between, but not across seams."""
REACH, FACING = 0.008, 0.2
"""Metres, and cosine of the normals, within which a point of the mesh is the texel's."""
AROUND = 0.25
"""Metres from the middle of the face within which a mesh is its head."""
CHUNK = 8192
JUMP = 12.0
"""Times the usual step between texels by which UVs jump at a seam."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """The texels of a head's skin on another mesh.

    Attributes:
        uv: (L, L, 2) float32 of the other mesh, origin lower left, valid all over the square.
        share: (L, L) float32 in 0..1, 1 where the mesh has what the texel shows, with soft borders.
        seam: (L, L) bool, where the neighbours' UVs are far away.
        frames: the other mesh's surface frame at the texels, in its own axes.
        turn: (3, 3) float32, vectors of the mesh to the head's axes: ``vector @ turn``.
    """

    uv: Floats
    share: Floats
    seam: NDArray[np.bool_]
    frames: Frames
    turn: Floats

    def places(self, rows: slice, side: int) -> Floats:
        """Rows of the UVs as a picture of that side has them, (h, side, 2)."""
        step = len(self.uv) / side
        x, y = (np.arange(side) + 0.5) * step - 0.5, (np.arange(rows.start, rows.stop) + 0.5) * step - 0.5
        column, row = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        smooth = cv2.remap(self.uv, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        near = np.ix_(
            np.rint(y).astype(int).clip(0, len(self.uv) - 1), np.rint(x).astype(int).clip(0, len(self.uv) - 1)
        )
        return np.where(self.seam[near][..., None], self.uv[near], smooth).astype(np.float32)


def corresponding(head: HeadModel, scan: Scan, progress: Progress) -> Correspondence:
    """Lay a head onto a mesh with UVs and look up its texels there.

    Raises:
        MeshError: it has no UVs.
        HeadError: no face is seen on it.
    """
    if scan.uv is None:
        raise MeshError("The mesh has no UVs, so its maps cannot be read; export it with texture coordinates.")
    head = head.with_expressions(ARKIT)
    found = find_on_mesh(head, FaceMesh(scan.vertices, scan.triangles), progress)
    # In sizes of the head, with one vertex where UVs have parted several.
    skin = parted(replace(scan, vertices=scan.vertices / found.scale), flipped=found.flipped)
    landmarks = found.landmarks / found.scale
    near = np.linalg.norm(skin.vertices - np.nanmean(landmarks[:468], 0), axis=1) < AROUND
    kept = near[skin.triangles].all(1)
    skin = replace(skin, triangles=skin.triangles[kept], triangles_uv=skin.triangles_uv[kept])
    used, local = np.unique(skin.triangles, return_inverse=True)
    moods = expression_prior(head.expression_names)
    laid = lay_onto(head, skin.vertices[used], local.reshape(-1, 3), landmarks, progress, moods=moods)
    progress("maps", 0.1, "Looking up the texels on the mesh")
    return looked_up(head, laid.vertices, laid.rotation, skin)


@dataclass(frozen=True, eq=False)
class Parted:
    """A mesh whose corners have UVs: vertices (V, 3), triangles (T, 3), uv (U, 2), triangles_uv (T, 3)."""

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]
    uv: Floats
    triangles_uv: NDArray[np.int64]


def parted(scan: Scan, *, flipped: bool = False) -> Parted:
    """A scan with UVs as one surface, without triangles that collapse; flipped: its triangles are wound inwards."""
    assert scan.uv is not None
    cells = np.round(scan.vertices / 1e-6).astype(np.int64)
    _, first, number = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    corners_uv = scan.triangles[:, ::-1] if flipped else scan.triangles
    corners = number.reshape(-1)[corners_uv]
    whole = (corners != np.roll(corners, 1, 1)).all(1)
    uv = np.asarray(scan.uv, np.float32)
    return Parted(scan.vertices[first], corners[whole], uv, np.ascontiguousarray(corners_uv[whole]))


def looked_up(
    head: HeadModel, vertices: NDArray[np.float64], rotation: NDArray[np.float64], mesh: Parted
) -> Correspondence:
    """Look up the texels of a head on the mesh that it was laid onto.

    Args:
        vertices: (V, 3) of the head, laid onto the mesh; rotation: (3, 3), of the head's axes into the mesh's.
        mesh: in metres.

    Raises:
        MeshError: the mesh has nothing where the head's skin is.
    """
    atlas = atlas_of(head, "Skin", SIDE)
    skin = head.triangles.numpy()
    points = atlas.texels(vertices.astype(np.float32))[atlas.inside].astype(np.float64)
    facing = atlas.texels(normals(vertices, skin).astype(np.float32))[atlas.inside].astype(np.float64)
    surface = Surface(mesh.vertices, mesh.triangles)
    flat, tangents = vertex_tangents(mesh.vertices.astype(np.float32), mesh.triangles, mesh.uv, mesh.triangles_uv)
    uv, frame, good = [], [], []
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        hit = surface.closest(points[part], facing[part])
        weight = hit.barycentric[..., None]
        uv.append((mesh.uv[mesh.triangles_uv[hit.triangle]] * weight).sum(1))
        normal = (flat[mesh.triangles[hit.triangle]] * weight).sum(1)
        tangent = (tangents[mesh.triangles_uv[hit.triangle]] * weight).sum(1)
        frame.append(np.concatenate([normal, tangent], 1))
        away = np.linalg.norm(hit.place - points[part], axis=1)
        good.append((away < REACH) & (hit.facing > FACING) & ~surface.at_border[hit.triangle])
    covered = np.zeros(atlas.inside.shape, bool)
    covered[atlas.inside] = np.concatenate(good)
    if not covered.any():
        raise MeshError("The mesh has nothing where the head's skin is; give the mesh that the maps were made for.")
    fields = np.zeros((*covered.shape, 9), np.float32)
    fields[atlas.inside] = np.concatenate([np.concatenate(uv), np.concatenate(frame)], 1)
    fields = np.asarray(dilated(fields, covered, float(SIDE)), np.float32)
    return Correspondence(
        np.ascontiguousarray(fields[..., :2]),
        _soft(covered),
        _jumps(fields[..., :2], covered),
        _frames(fields[..., 2:5], fields[..., 5:8], fields[..., 8:], covered),
        rotation.astype(np.float32),
    )


def _soft(covered: NDArray[np.bool_]) -> Floats:
    """1 well inside, 0 outside, with a border of some texels."""
    deep = cv2.distanceTransform(np.pad(covered, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    soft = np.asarray(cv2.GaussianBlur(np.clip((deep - 2) / 6, 0, 1), (0, 0), 1.0), np.float32)
    return np.where(covered, soft, np.float32(0))


def _jumps(uv: Floats, covered: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Texels beside which the UVs are not near."""
    kernel = np.ones((3, 3), np.uint8)
    span = (cv2.dilate(uv, kernel) - cv2.erode(uv, kernel)).max(-1)
    usual = float(np.median(span[covered]))
    far: NDArray[np.bool_] = span > max(JUMP * usual, 1e-6)
    return far


def _frames(normal: Floats, tangent: Floats, side: Floats, inside: NDArray[np.bool_]) -> Frames:
    def made_unit(vectors: Floats) -> Floats:
        length = np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
        unit: Floats = (vectors / length).astype(np.float32)
        return unit

    normal = made_unit(normal)
    tangent = made_unit(tangent - (tangent * normal).sum(-1, keepdims=True) * normal)
    bitangent = made_unit(np.cross(normal, tangent) * np.where(side < 0, np.float32(-1), np.float32(1)))
    return Frames(normal, tangent, bitangent, inside)
