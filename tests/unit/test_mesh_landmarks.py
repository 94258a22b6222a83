"""Landmarks on meshes that bring no colours, where networks err most: a known person, smiling with the mouth open."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from likeness.heads.base import HeadModel
from likeness.heads.embedding_pictures import camera_at
from likeness.heads.embedding_points import LOWER_LIDS, LOWER_LIP, OVAL, UPPER_LIDS, UPPER_LIP
from likeness.heads.mesh_landmarks import BROWS, FaceMesh, Found, find_on_mesh
from likeness.heads.surface import Surface, normals

MOODS = {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "jawOpen": 0.3}
TURN = np.array([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])


@pytest.fixture(scope="module")
def known(anny_head: HeadModel) -> tuple[Found, np.ndarray]:
    """What is found on the face, in millimetres and another frame, and where the landmarks (478, 3) are."""
    some = 0.9 * torch.randn(1, len(anny_head.identity), generator=torch.Generator().manual_seed(8))
    weights = torch.zeros(1, len(anny_head.expression))
    for name, value in MOODS.items():
        weights[0, anny_head.expression_names.index(name)] = value
    vertices = anny_head.shape(some, weights)[0]
    skin = anny_head.triangles[anny_head.region("skin")].numpy()
    face = skin[(anny_head.groups["face"].numpy() > 0.3)[skin].all(1)]
    eyes = anny_head.triangles[anny_head.region("eye.L", "eye.R")].numpy()
    mesh = FaceMesh(1000 * vertices.double().numpy() @ TURN.T, np.concatenate([face, eyes])[:, ::-1].copy())
    true = anny_head.landmarks["mediapipe478"].on(vertices, anny_head.triangles).double().numpy()
    return find_on_mesh(anny_head, mesh), 1000 * true @ TURN.T


def test_landmarks_lie_where_the_head_has_them(known: tuple[Found, np.ndarray]) -> None:
    found, true = known
    assert found.flipped
    assert found.scale == pytest.approx(1000, rel=0.15)
    away = np.linalg.norm(found.landmarks - true, axis=1)
    inner = np.setdiff1d(np.arange(468), [*OVAL, *BROWS])
    assert np.nanmedian(away[inner]) < 1.8
    assert np.nanmean(away[[*UPPER_LIDS, *LOWER_LIDS]]) < 2.0
    assert np.nanmean(away[[*UPPER_LIP, *LOWER_LIP]]) < 3.0
    assert np.isfinite(found.landmarks[[*UPPER_LIP, *LOWER_LIP]]).all(), "both lips of an open mouth are found"


def test_brows_of_a_mesh_without_colours_are_about_where_they_are(known: tuple[Found, np.ndarray]) -> None:
    found, true = known
    away = np.linalg.norm(found.landmarks - true, axis=1)[BROWS]
    assert np.nanmedian(away) < 6.0


def test_noise_of_a_hollow_mesh_is_not_seen() -> None:
    """A sheet of 12 cm, rough by 0.3 mm, is lit nearly as a smooth one."""
    step = np.linspace(-0.06, 0.06, 121)
    x, y = (a.ravel() for a in np.meshgrid(step, step))
    a = (np.arange(120)[:, None] * 121 + np.arange(120)).ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + 122], 1), np.stack([a, a + 122, a + 121], 1)])
    flat = np.stack([x, y, np.zeros_like(x)], 1)
    rough = flat + np.random.default_rng(0).standard_normal(flat.shape) * (0, 0, 0.0003)
    camera, amid = camera_at(0, 0, np.zeros(3)), (slice(160, 220), slice(160, 220))
    clean, seen, smooth = (
        FaceMesh(v, triangles, hollow=hollow).picture(camera)[0][amid].astype(float)
        for v, hollow in ((flat, True), (rough, False), (rough, True))
    )
    assert np.abs(smooth - clean).mean() < 0.5 * np.abs(seen - clean).mean()


def test_a_moved_surface_is_the_surface_of_what_was_moved() -> None:
    random = np.random.default_rng(0)
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], np.float64)
    triangles = np.array([[0, 1, 2], [0, 2, 3]])
    turned = 2 * square @ TURN.T + 3
    ours, plain = Surface(square, triangles).moved(turned), Surface(turned, triangles)
    points = 3 + random.random((20, 3))
    assert np.allclose(ours.closest(points).place, plain.closest(points).place)
    assert np.allclose(ours.normals, normals(turned, triangles))
    assert (ours.at_border == plain.at_border).all()


def test_a_hole_amid_a_face_is_dark_and_what_is_just_behind_a_lid_is_not() -> None:
    """A sheet of 12 cm with a hole, and a flap that shows its back 5 mm behind another hole."""
    step = np.linspace(-0.06, 0.06, 25)
    x, y = (a.ravel() for a in np.meshgrid(step, step))
    vertices = np.stack([x, y, np.zeros_like(x)], 1)
    a = (np.arange(24)[:, None] * 25 + np.arange(24)).ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + 26], 1), np.stack([a, a + 26, a + 25], 1)])
    middle = vertices[triangles].mean(1)
    holes = (np.abs(middle[:, 1]) < 0.01) & (np.abs(np.abs(middle[:, 0]) - 0.03) < 0.01)
    flap = np.array([[0.01, -0.02, -0.005], [0.05, -0.02, -0.005], [0.03, 0.03, -0.005]])
    mesh = FaceMesh(
        np.concatenate([vertices, flap]),
        np.concatenate([triangles[~holes], [[len(vertices), len(vertices) + 2, len(vertices) + 1]]]),
        hollow=True,
    )
    camera = camera_at(0, 0, np.zeros(3))
    pixels = mesh.picture(camera)[0]
    left, right, skin = (
        int(pixels[int(v), int(u)].sum())
        for u, v in camera.project(np.array([[-0.03, 0, 0], [0.03, 0, -0.005], [0.0, 0.04, 0]]))
    )
    assert left < 0.3 * skin
    assert right > 0.7 * skin
