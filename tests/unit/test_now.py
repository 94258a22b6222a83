"""The shape error of the benches has known answers."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))

import now

RADII = np.array([0.08, 0.11, 0.095])  # metres: as large as a head, and no sphere, so that its pose is determined
ANGLES = np.radians(
    [[-40, 15], [-15, 14], [15, 14], [40, 15], [0, -12], [-22, -30], [22, -30]]
)  # longitude and latitude of the seven landmarks


def ball(longitude: np.ndarray, latitude: np.ndarray, radii: np.ndarray = RADII) -> np.ndarray:
    x, y, z = np.sin(longitude) * np.cos(latitude), np.sin(latitude), np.cos(longitude) * np.cos(latitude)
    return np.stack([x, y, z], -1) * radii


def mesh(radii: np.ndarray = RADII, columns: int = 120, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    longitude, latitude = np.meshgrid(
        np.linspace(-np.pi, np.pi, columns, endpoint=False), np.linspace(-1.5, 1.5, rows), indexing="ij"
    )
    index = np.arange(columns * rows).reshape(columns, rows)
    a, b = index[:, :-1], np.roll(index, -1, 0)[:, :-1]
    quads = np.stack([a, b, b + 1, a + 1], -1).reshape(-1, 4)
    vertices = ball(longitude, latitude, radii).reshape(-1, 3)
    return vertices, np.concatenate([quads[:, :3], quads[:, [0, 2, 3]]])


@pytest.fixture(scope="module")
def scan() -> now.Scan:
    return now.Scan(mesh()[0], ball(*ANGLES.T))


def test_the_same_mesh_has_no_error(scan: now.Scan) -> None:
    assert now.distances(scan, *mesh(), scan.landmarks).max() < 1e-6


def test_position_orientation_and_size_do_not_count(scan: now.Scan) -> None:
    vertices, triangles = mesh()
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0]
    turn *= np.sign(np.linalg.det(turn))
    moved = 37.0 * vertices @ turn.T + [5.0, -80.0, 12.0]
    landmarks = 37.0 * scan.landmarks @ turn.T + [5.0, -80.0, 12.0]
    assert now.distances(scan, moved, triangles, landmarks).max() < 2e-6


def test_wrong_landmarks_are_mended_by_the_refinement(scan: now.Scan) -> None:
    off = scan.landmarks + np.random.default_rng(1).normal(0, 0.004, (7, 3))
    assert now.distances(scan, *mesh(), off).max() < 1e-4


def test_bumps_of_a_millimetre_are_found(scan: now.Scan) -> None:
    vertices, triangles = mesh(columns=240, rows=120)
    normal = vertices / RADII**2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    # Up and down in bands: no similarity can take it away, and its mean size is 2 / pi of its height.
    wave = np.sin(vertices[:, 1] / RADII[1] * 16)[:, None]
    result = now.distances(scan, vertices + 0.001 * wave * normal, triangles, scan.landmarks)
    assert result.mean() == pytest.approx(0.001 * 2 / np.pi, rel=0.1)


def test_an_offset_along_the_normals_without_refinement_is_a_millimetre(scan: now.Scan) -> None:
    vertices, triangles = mesh()
    normal = vertices / RADII**2
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    closest, _ = now.Surface(vertices, triangles).closest(vertices + 0.001 * normal)
    assert np.linalg.norm(vertices + 0.001 * normal - closest, axis=1) == pytest.approx(0.001, rel=0.02)


def test_closest_points_are_those_of_brute_force() -> None:
    rng = np.random.default_rng(0)
    vertices, points = rng.normal(size=(30, 3)), rng.normal(size=(40, 3)) * 2
    triangles = rng.integers(0, 30, (50, 3))
    triangles = triangles[(triangles[:, 0] != triangles[:, 1]) & (triangles[:, 1] != triangles[:, 2])]
    triangles = triangles[triangles[:, 0] != triangles[:, 2]]
    closest, _ = now.Surface(vertices, triangles).closest(points)
    steps = np.linspace(0, 1, 60)
    u, v = (g[np.add.outer(steps, steps) <= 1] for g in np.meshgrid(steps, steps, indexing="ij"))
    weights = np.stack([1 - u - v, u, v], 1)
    grid = np.einsum("wk,tkc->twc", weights, vertices[triangles]).reshape(-1, 3)
    brute = np.linalg.norm(points[:, None] - grid, axis=2).min(1)
    found = np.linalg.norm(points - closest, axis=1)
    assert (found <= brute + 1e-6).all()
    assert found == pytest.approx(brute, abs=0.05)


def test_a_surface_hides_what_lies_behind_it() -> None:
    surface = now.Surface(*mesh())
    front, back = np.array([[0, 0, 0.1]]), np.array([[0, 0, -0.1]])
    assert not surface.blocked(front, np.array([0, 0, 1.0]))[0]
    assert surface.blocked(back, np.array([0, 0, 1.0]))[0]


def test_similarity_is_never_a_reflection() -> None:
    points = np.random.default_rng(2).normal(size=(7, 3))
    _, rotation, _ = now.similarity(points, points * [1, 1, -1])
    assert np.linalg.det(rotation) == pytest.approx(1)


def test_the_crop_is_the_published_ball(scan: now.Scan) -> None:
    landmarks = np.array([[-4, 0, 0], [-1.5, 0, 0], [1.5, 0, 0], [4, 0, 0], [0, -4, 0], [-2, -6, 0], [2, -6, 0.0]])
    # Centre (0, -2.8, 0); radius 1.4 * (8 + 4) / 2 = 8.4.
    points = np.array([[0, 5.5, 0], [0, 5.7, 0], [8.3, -2.8, 0], [0, -2.8, 8.5]])
    kept = now.crop(now.Scan(points, landmarks)).points
    assert kept.tolist() == [[0, 5.5, 0], [8.3, -2.8, 0]]
