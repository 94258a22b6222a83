"""Heads laid onto other meshes: another person of the same head, where every vertex's place is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.errors import HeadError
from likeness.heads.base import HeadModel
from likeness.heads.registration import lay_onto
from likeness.heads.surface import Surface, normals, similarity
from likeness.heads.transfer import bridge, onto_head

TURN = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
SIZE, SHIFT = 1300.0, np.array([100.0, 200.0, -50.0])


@pytest.fixture(scope="module")
def person(anny_head: HeadModel) -> torch.Tensor:
    """(V, 3) metres, somebody."""
    some = torch.randn(1, len(anny_head.identity), generator=torch.Generator().manual_seed(3))
    return anny_head.shape(some)[0]


def marks(head: HeadModel, vertices: torch.Tensor) -> np.ndarray:
    return head.landmarks["ibug68"].on(vertices, head.triangles).double().numpy()


def skin_of(head: HeadModel) -> np.ndarray:
    return head.triangles.numpy()[head.region("skin").numpy()]


def test_a_whole_head_in_another_frame_and_unit(anny_head: HeadModel, person: torch.Tensor) -> None:
    there = SIZE * person.double().numpy() @ TURN.T + SHIFT
    laid = lay_onto(anny_head, there, skin_of(anny_head), SIZE * marks(anny_head, person) @ TURN.T + SHIFT)
    away = np.linalg.norm(laid.vertices - there, axis=1) / SIZE
    face = anny_head.groups["face"].numpy() > 0.5
    assert np.median(away[face]) < 0.0005
    assert np.quantile(away[face], 0.95) < 0.003
    assert np.median(laid.gap[laid.known]) / SIZE < 0.0001
    assert laid.scale == pytest.approx(SIZE, rel=0.05)
    assert np.abs(laid.rotation - TURN).max() < 0.05
    # What is not skin went along: eyes stay between their lids.
    for name in ("eye.L", "eye.R"):
        ball = np.unique(anny_head.triangles.numpy()[anny_head.region(name).numpy()])
        assert np.linalg.norm(laid.vertices[ball].mean(0) - there[ball].mean(0)) / SIZE < 0.003


def test_a_part_of_a_face_becomes_a_head_that_can_be_animated(anny_head: HeadModel, person: torch.Tensor) -> None:
    """As a method gives it that knows the face alone: its triangles, in millimetres."""
    triangles = skin_of(anny_head)
    front = (anny_head.groups["face"].numpy() > 0.6)[triangles].all(1)
    used, faces = np.unique(triangles[front], return_inverse=True)
    mesh = 1000 * person.double().numpy()[used]
    rigged = onto_head(anny_head, mesh, faces.reshape(-1, 3), 1000 * marks(anny_head, person))
    ours, theirs = rigged.vertices.astype(np.float64), person.double().numpy()
    scale, rotation, shift = similarity(ours[used], theirs[used])
    away = np.linalg.norm(scale * ours @ rotation.T + shift - theirs, axis=1)
    assert np.median(away[used]) < 0.0007
    assert rigged.gap < 0.0003
    # Size stays likely, and what the mesh does not have stays where a head has it.
    assert 0.9 < scale < 1.1
    mean = np.linalg.norm(anny_head.template.double().numpy() - theirs, axis=1)
    rest = np.setdiff1d(np.unique(triangles), used)
    assert np.median(away[rest]) < 1.5 * np.median(mean[rest])
    eyes = rigged.joints[[anny_head.joint_names.index(n) for n in ("eye.L", "eye.R")]]
    for eye, name in zip(eyes, ("eye.L", "eye.R"), strict=True):
        ball = np.unique(anny_head.triangles.numpy()[anny_head.region(name).numpy()])
        assert np.linalg.norm(ours[ball] - eye, axis=1).max() < 0.02


def test_expressions_arrive_where_they_belong(anny_head: HeadModel, person: torch.Tensor) -> None:
    """On the same head in another person's shape a displacement is known; lips must not be taken for each other."""
    triangles = skin_of(anny_head)
    used, faces = np.unique(triangles, return_inverse=True)
    names = ["jawOpen", "mouthSmileLeft", "eyeBlinkRight"]
    deltas = anny_head.expression[[anny_head.expression_names.index(n) for n in names]].double().numpy()
    over = bridge(
        anny_head,
        person.double().numpy()[used],
        faces.reshape(-1, 3),
        marks(anny_head, person),
        opened=deltas[0, used],
    )
    carried = over.displacements(deltas)
    face = anny_head.groups["face"].numpy()[used] > 0.3
    for delta, ours, name in zip(deltas[:, used], carried, names, strict=True):
        size = np.sqrt((delta[face] ** 2).sum(1).mean())
        assert np.sqrt(((ours - delta)[face] ** 2).sum(1).mean()) < 0.0001 + 0.08 * size, name
    lips = anny_head.groups["lips"].double().numpy()
    assert np.abs(over.values(lips) - lips[used]).mean() < 0.02


def test_a_mesh_without_landmarks_is_refused(anny_head: HeadModel) -> None:
    unknown = np.full((68, 3), np.nan)
    with pytest.raises(HeadError, match="landmarks"):
        lay_onto(anny_head, anny_head.template.double().numpy(), skin_of(anny_head), unknown)


def test_closest_points() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    surface = Surface(square, np.array([[0, 1, 2], [0, 2, 3]]))
    found = surface.closest(np.array([[0.75, 0.25, 2.0], [-1.0, 0.5, 0.0], [3.0, 3.0, 1.0]]))
    assert np.allclose(found.place, [[0.75, 0.25, 0], [0, 0.5, 0], [1, 1, 0]])
    assert found.triangle[:2].tolist() == [0, 1]
    assert np.allclose(found.barycentric.sum(1), 1)
    assert surface.at_border.all()
    assert np.allclose(normals(square, surface.triangles), [0, 0, 1])


def test_what_parts_is_told_apart_by_its_motion() -> None:
    """Two sheets in one place, one of which moves."""
    lower = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float64)
    surface = Surface(np.concatenate([lower, lower + np.array([0, 0, 0.001])]), np.array([[0, 1, 2], [3, 4, 5]]))
    motion = np.concatenate([np.zeros((3, 3)), np.tile([0, 0, 0.5], (3, 1))])
    points = np.tile([0.2, 0.2, 0.0], (2, 1))
    found = surface.closest(points, motion=(motion, np.array([[0, 0, 0.0], [0, 0, 0.5]])))
    assert found.triangle.tolist() == [0, 1]
