"""What the add-on writes of meshes is what the backend reads."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from likeness.mesh_file import look_at_mesh
from likeness.scan import Scan, at_vertices, load_scan

sys.path.insert(0, str(Path(__file__).parents[2]))

from blender_addon.link.mesh_files import Part, glb, ply, png


@pytest.fixture
def sheet() -> tuple[np.ndarray, np.ndarray]:
    """A sheet of 16 x 16 vertices, (256, 3), and its triangles."""
    column, row = np.meshgrid(np.arange(16), np.arange(16))
    a = (row * 16 + column)[:-1, :-1].ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + 17], 1), np.stack([a, a + 17, a + 16], 1)])
    return np.stack([column.ravel(), row.ravel(), 0 * row.ravel()], 1) / 16, triangles


def read(path: Path, content: bytes) -> Scan:
    path.write_bytes(content)
    assert look_at_mesh(path, path.name) == path.suffix
    return load_scan(path, path.name)


def test_ply(sheet: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    vertices, triangles = sheet
    plain = read(tmp_path / "a.ply", ply(vertices, triangles))
    assert np.allclose(plain.vertices, vertices)
    assert np.array_equal(plain.triangles, triangles)
    assert plain.colours is None
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    painted = read(tmp_path / "b.ply", ply(vertices, triangles, colours))
    assert painted.colours is not None
    assert np.array_equal(np.rint(painted.colours * 255), colours)


def test_glb_of_several_textures(sheet: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    vertices, triangles = sheet
    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, :8, 0] = picture[:4, 8:, 2] = 200  # row 0 on top: the upper right is blue
    uv = vertices[:, :2] + 1 / 32
    one = read(tmp_path / "one.glb", glb([Part(vertices, triangles, uv, png(picture))]))
    assert one.texture is not None
    assert np.array_equal(one.texture, picture)
    colours = at_vertices(one)
    assert colours is not None
    left, upper = vertices[:, 0] < 0.5, vertices[:, 1] >= 0.5
    assert (colours[left, 0] > 0.7).all()
    assert (colours[~left & upper, 2] > 0.7).all()
    assert (colours[~left & ~upper] == 0).all()
    green = png(np.broadcast_to(np.uint8([0, 255, 0]), (8, 8, 3)))
    parts = [Part(vertices, triangles[::2], uv, png(picture)), Part(vertices + 2, triangles[1::2], uv, green)]
    two = read(tmp_path / "two.glb", glb(parts))
    assert len(two.triangles) == len(triangles)
    assert two.colours is not None
    assert (two.colours[two.vertices[:, 0] > 1.5] == (0, 1, 0)).all()
