"""Any mesh of a face becomes a head that moves: found, laid onto, freed of its expression, and painted as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from likeness import maps
from likeness.assemble import assemble
from likeness.avatar import Avatar
from likeness.camera import Camera
from likeness.errors import MethodError
from likeness.faces import landmarks_of
from likeness.faces.face import Face
from likeness.faces.pose import head_angles
from likeness.fitting.expression import expression_prior
from likeness.heads.base import HeadModel
from likeness.heads.embedding_pictures import camera_at
from likeness.heads.expressions import ARKIT
from likeness.heads.library import open_head
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.heads.transfer import Rigged, onto_head
from likeness.methods.base import OF_THE_HEAD, Licences, Mesh, Reconstruction, Settings, View
from likeness.methods.photo_mesh import registration_maps
from likeness.photos import Photo
from likeness.progress import Progress, quiet
from likeness.scan import Scan, at_vertices, load_scan

__all__ = ["GivenMesh", "rig", "rigged_scan"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNITS = {"m": 1.0, "cm": 100.0, "mm": 1000.0, "inch": 39.3701}
LIKELY = 1.2
"""How much larger or smaller than the mean head somebody may be for a unit to be believed."""
AROUND = 0.25
"""Metres from the middle of the face within which a mesh is its head."""
VIEWS = ((0.0, 0.0), (40.0, 0.0), (-40.0, 0.0), (0.0, 25.0), (0.0, -20.0))
"""Yaw and pitch in degrees from which the mesh's colours are taken."""
PICTURE = 1024
MOST_SHOWN = 400_000
"""Vertices of the mesh that go along with the head."""


class GivenMesh:
    """Where the head is from, for its provenance."""

    name: ClassVar[str] = "rig"
    title: ClassVar[str] = "A mesh that was given"
    paper: ClassVar[str] = "none; our own, see README"
    year: ClassVar[int] = 2026
    licences: ClassVar[Licences] = Licences(code="Apache-2.0", weights="Apache-2.0", model=OF_THE_HEAD)
    needs: ClassVar[tuple[str, ...]] = ("landmarks", "ict-facekit or anny")
    inputs: ClassVar[Literal["one photo", "many photos", "video"]] = "one photo"

    def reconstruct(self, faces: list[Face], settings: Settings, progress: Progress) -> Reconstruction:
        """Never from photos; raises MethodError."""
        raise MethodError("Meshes are rigged by `likeness rig`, not from photos.")


def rig(
    source: Path,
    settings: Settings | None = None,
    *,
    name: str | None = None,
    called: str | None = None,
    neutral: bool = False,
    progress: Progress = quiet,
) -> Avatar:
    """A mesh file to an avatar.

    Args:
        source: OBJ, PLY, STL, GLB or glTF; a face is enough, a whole body is not too much.
        settings: head model, texture size, seed.
        name: of the avatar; the file's name when left out.
        called: what the file is called where it came from; then nothing beside it is read.
        neutral: the face is at rest, so what it shows is its shape and no expression.
        progress: hears of every stage and may raise `Cancelled`.

    Raises:
        MeshError, HeadError, WeightsError: one sentence that says what to do.
    """
    settings = settings or Settings()
    shown = called or source.name
    progress("start", 0.0, f"Reading {shown}")
    scan, stem = load_scan(source, called), Path(shown).stem
    made = rigged_scan(scan, settings, neutral=neutral, called=stem, progress=progress)
    painted = maps.make(made, settings, progress)
    return assemble(name or stem, made, painted.materials, painted.lights, GivenMesh)


def rigged_scan(
    scan: Scan, settings: Settings, *, neutral: bool = False, called: str = "mesh", progress: Progress = quiet
) -> Reconstruction:
    """A mesh to a head of its shape, with views that show the mesh's own colours; raises as `rig`."""
    head = open_head(settings.head, progress).with_expressions(ARKIT)
    seen = FaceMesh(scan.vertices, scan.triangles, scan.colours, scan.uv, scan.texture)
    found = find_on_mesh(head, seen, progress)
    if found.flipped:
        seen = replace(seen, triangles=seen.triangles[:, ::-1].copy())
    unit = next((u for u, size in UNITS.items() if 1 / LIKELY < found.scale / size < LIKELY), None)
    per_unit = UNITS[unit] if unit else 1.0
    vertices, triangles = welded(seen.vertices, seen.triangles)
    middle = np.nanmean(found.landmarks[:468], 0)
    near = np.linalg.norm(vertices - middle, axis=1) < AROUND * found.scale
    triangles = triangles[near[triangles].all(1)]
    used, local = np.unique(triangles, return_inverse=True)
    rigged = onto_head(
        head,
        vertices[used] / per_unit,
        local.reshape(-1, 3),
        found.landmarks / per_unit,
        progress,
        metric=unit is not None,
        moods=None if neutral else expression_prior(head.expression_names),
    )
    size = rigged.laid.scale if unit else 1.0
    home = replace(seen, vertices=size * rigged.laid.home(seen.vertices / per_unit))
    views = _views(head, home, rigged, called, progress)
    face = head.groups["face"].numpy() > 0.5
    details = {
        "unit": unit or "not known; the head has a likely size",
        "gap_mm": round(1e3 * rigged.gap, 3),
        "covered": round(float(rigged.known[face].mean()), 3),
        "score": round(found.score, 4),
        "colours": "texture" if scan.texture is not None else "vertices" if scan.colours is not None else "none",
    }
    return Reconstruction(
        GivenMesh.name,
        head,
        rigged.identity,
        rigged.vertices,
        rigged.joints,
        views,
        _own(home, scan),
        registration_maps(head, rigged, settings.texture_size),
        details,
    )


def welded(vertices: Floats, triangles: Ints) -> tuple[Floats, Ints]:
    """One vertex where there are several in one place, without triangles that collapse."""
    span = float(np.ptp(vertices, axis=0).max())
    cells = np.round(vertices / max(1e-6 * span, 1e-12)).astype(np.int64)
    _, first, number = np.unique(cells, axis=0, return_index=True, return_inverse=True)
    triangles = number.reshape(-1)[triangles]
    whole = (
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 2] != triangles[:, 0])
    )
    return vertices[first], triangles[whole]


def _views(head: HeadModel, home: FaceMesh, rigged: Rigged, called: str, progress: Progress) -> tuple[View, ...]:
    """Pictures of the mesh as photos of the head: what makes maps of photos makes them of these."""
    eyes = [head.joint_names.index(n) for n in ("eye.L", "eye.R")]
    aim = rigged.joints[eyes].mean(0).astype(np.float64)
    aim += (0, -0.03, 0)
    still = np.zeros((len(head.joint_names), 3), np.float32)
    expression = rigged.laid.expression.astype(np.float32)
    views = []
    for number, (yaw, pitch) in enumerate(VIEWS):
        progress("fit", number / len(VIEWS), "Taking the colours of the mesh")
        camera: Camera = camera_at(yaw, pitch, aim).resized(PICTURE, PICTURE)
        pixels, lit = (home.picture(camera, lit=light)[0] for light in (False, True))
        box = camera.project(aim + np.array([[-0.08, 0.09, 0], [0.08, -0.09, 0]])).ravel()
        landmarks, score = landmarks_of(lit, (box[0], box[1], box[2], box[3]))
        photo = Photo(Path(f"{called}_{yaw:+.0f}_{pitch:+.0f}.png"), pixels)
        around = np.concatenate([landmarks[:468, :2].min(0), landmarks[:468, :2].max(0)])
        face = Face(photo, 0, around, landmarks, score, *head_angles(landmarks))
        if score > 0.5:
            views.append(View(face, camera, expression, still))
    return tuple(views)


def _own(home: FaceMesh, scan: Scan) -> Mesh | None:
    """The mesh itself where it is not too big, in the head's frame."""
    if len(home.vertices) > MOST_SHOWN:
        return None
    colours = at_vertices(scan)
    return Mesh(home.vertices.astype(np.float32), home.triangles, colours)
