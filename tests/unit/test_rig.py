"""Mesh files become heads that move: a known person of the open head, smiling, in another frame, unit and winding."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from likeness import package
from likeness.avatar import Avatar
from likeness.cli import main
from likeness.errors import HeadError, MeshError
from likeness.heads.base import HeadModel
from likeness.heads.embedding_points import LOWER_LIDS, UPPER_LIDS
from likeness.heads.mesh_landmarks import FaceMesh, find_on_mesh
from likeness.heads.surface import Surface, normals
from likeness.rig import welded
from likeness.scan import at_vertices, load_scan

MOODS = {"mouthSmileLeft": 0.6, "mouthSmileRight": 0.6, "jawOpen": 0.2}
TURN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""Z up, the face along -Y, as Blender has it."""


@pytest.fixture(scope="module")
def person(anny_head: HeadModel) -> tuple[torch.Tensor, torch.Tensor]:
    """(V, 3) metres, at rest and smiling."""
    some = 0.8 * torch.randn(1, len(anny_head.identity), generator=torch.Generator().manual_seed(5))
    weights = torch.zeros(1, len(anny_head.expression))
    for name, value in MOODS.items():
        weights[0, anny_head.expression_names.index(name)] = value
    return anny_head.shape(some)[0], anny_head.shape(some, weights)[0]


@pytest.fixture(scope="module")
def avatar(
    anny_head: HeadModel, person: tuple[torch.Tensor, torch.Tensor], tmp_path_factory: pytest.TempPathFactory
) -> Avatar:
    """By the command line; the file has millimetres, 0.2 mm of noise, inward triangles and colours."""
    folder = tmp_path_factory.mktemp("rig")
    random = np.random.default_rng(0)
    vertices = 1000 * person[1].double().numpy() + 0.2 * random.standard_normal(person[1].shape)
    triangles = anny_head.triangles[anny_head.region("skin", "eye.L", "eye.R", "mouth", "teeth")].numpy()
    order = random.permutation(len(vertices))
    lips = anny_head.groups["lips"].numpy()[:, None]
    colours = np.uint8((1 - lips) * (200, 150, 130) + lips * (170, 90, 90))
    mesh = trimesh.Trimesh(
        (vertices @ TURN.T)[order], np.argsort(order)[triangles][:, ::-1], vertex_colors=colours[order], process=False
    )
    mesh.export(folder / "scan.ply")
    arguments = ["rig", str(folder / "scan.ply"), "-o", str(folder / "a.likeness"), "--head", "anny"]
    assert main([*arguments, "--texture-size", "256"]) == 0
    return package.load(folder / "a.likeness")


def face_of(head: HeadModel) -> np.ndarray:
    return head.groups["face"].numpy() > 0.5


def test_what_was_found_out_about_the_mesh(avatar: Avatar) -> None:
    told = avatar.provenance["details"]
    assert avatar.provenance["method"]["name"] == "rig"
    assert told["unit"] == "mm"
    assert told["colours"] == "vertices"
    assert told["covered"] > 0.9
    assert told["gap_mm"] < 0.3
    assert avatar.own_mesh is not None
    smile = avatar.views[0].expression
    assert smile["mouthSmileLeft"] > 0.3
    assert smile["mouthSmileRight"] > 0.3


def test_the_head_is_the_person_at_rest(
    avatar: Avatar, anny_head: HeadModel, person: tuple[torch.Tensor, torch.Tensor]
) -> None:
    """True to size, in the head's frame; what may differ is what smile and shape share."""
    ours, theirs = avatar.vertices.astype(np.float64), person[0].double().numpy()
    front = face_of(anny_head)
    ours = ours + (theirs[front] - ours[front]).mean(0)
    skin = anny_head.triangles[anny_head.region("skin")].numpy()
    found = Surface(theirs, skin).closest(ours[front], normals(ours, skin)[front])
    assert np.median(np.linalg.norm(found.place - ours[front], axis=1)) < 0.001
    assert np.median(np.linalg.norm(ours - theirs, axis=1)[front]) < 0.002
    marks = anny_head.landmarks["ibug68"]
    a, b = (marks.on(torch.from_numpy(v).float(), anny_head.triangles).numpy()[17:] for v in (ours, theirs))
    assert np.linalg.norm(a - b, axis=1).mean() < 0.002


def test_eyes_shut_and_nothing_folds(avatar: Avatar, anny_head: HeadModel) -> None:
    rest = avatar.vertices.astype(np.float64)
    names = list(avatar.expression_names)
    shut = rest + avatar.expression[[names.index(n) for n in ("eyeBlinkLeft", "eyeBlinkRight")]].sum(0)
    marks = anny_head.landmarks["mediapipe478"].on(torch.from_numpy(shut).float(), anny_head.triangles).numpy()
    for first in (0, 7):
        gap = marks[list(UPPER_LIDS[first + 3 : first + 6]), 1] - marks[list(LOWER_LIDS[first + 3 : first + 6]), 1]
        assert gap.mean() < 0.0005
    skin = anny_head.triangles[anny_head.region("skin")].numpy()
    skin = skin[face_of(anny_head)[skin].all(1)]
    mean = anny_head.template.double().numpy()

    def across(vertices: np.ndarray) -> np.ndarray:
        a, b, c = (vertices[skin[:, k]] for k in range(3))
        return np.cross(b - a, c - a)

    turned = (across(rest) * across(mean)).sum(1) < 0
    assert turned.mean() < 0.002


def test_a_textured_file_has_its_colours(tmp_path: Path) -> None:
    """A sheet whose left half is red and whose right half is blue, with a seam."""
    from PIL import Image

    picture = np.zeros((8, 16, 3), np.uint8)
    picture[:, :8, 0] = picture[:, 8:, 2] = 200
    column, row = np.meshgrid(np.arange(16), np.arange(16))
    uv = np.stack([(column + 0.5) / 16, (row + 0.5) / 16], -1).reshape(-1, 2)
    a = (row * 16 + column)[:-1, :-1].ravel()
    triangles = np.concatenate([np.stack([a, a + 1, a + 17], 1), np.stack([a, a + 17, a + 16], 1)])
    vertices = np.concatenate([uv, np.zeros((256, 1))], 1)
    material = trimesh.visual.material.SimpleMaterial(image=Image.fromarray(picture))
    mesh = trimesh.Trimesh(vertices, triangles, process=False)
    mesh.visual = trimesh.visual.TextureVisuals(uv, material=material)
    for name in ("sheet.glb", "sheet.obj"):
        mesh.export(tmp_path / name)
        scan = load_scan(tmp_path / name)
        assert scan.texture is not None
        colours = at_vertices(scan)
        assert colours is not None
        left = scan.vertices[:, 0] < 0.5
        assert (colours[left, 0] > 0.7).all()
        assert (colours[~left, 2] > 0.7).all()


def test_seams_are_closed() -> None:
    square = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 0]], np.float64)
    vertices, triangles = welded(square, np.array([[0, 1, 2], [3, 4, 5], [5, 6, 0]]))
    assert len(vertices) == 4
    assert len(triangles) == 2
    assert np.allclose(vertices[triangles].mean((0, 1)), square[[0, 1, 2, 3, 4, 5]].mean(0))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"x", "no mesh that is known"),
        ("a.ply", b"ply\nformat ascii 1.0\n", "damaged|too few"),
        ("a.glb", b"glTF" + bytes(40), "damaged"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "too few triangles"),
        ("gone.stl", None, "cannot be read"),
    ],
)
def test_files_that_are_no_meshes_are_told(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(MeshError, match=said):
        load_scan(tmp_path / name)


def test_a_mesh_without_a_face_is_told(anny_head: HeadModel) -> None:
    ball = trimesh.creation.icosphere(subdivisions=3)
    with pytest.raises(HeadError, match="No face was seen"):
        find_on_mesh(anny_head, FaceMesh(np.asarray(ball.vertices), np.asarray(ball.faces, np.int64)))


def test_a_mesh_that_came_alone_brings_nothing_from_beside_it(tmp_path: Path) -> None:
    """An OBJ may name any file of the machine that reads it."""
    from PIL import Image

    ball = trimesh.creation.icosphere(subdivisions=3)
    Image.new("RGB", (16, 16), (200, 30, 30)).save(tmp_path / "secret.png")
    (tmp_path / "ball.mtl").write_text("newmtl skin\nmap_Kd secret.png\n")
    lines = ["mtllib ball.mtl", "usemtl skin"]
    lines += [f"v {x} {y} {z}\nvt 0.5 0.5" for x, y, z in ball.vertices]
    lines += ["f " + " ".join(f"{i}/{i}" for i in face) for face in ball.faces + 1]
    (tmp_path / "ball.obj").write_text("\n".join(lines))
    ours, theirs = load_scan(tmp_path / "ball.obj"), load_scan(tmp_path / "ball.obj", "ball.obj")
    assert ours.texture is not None
    assert tuple(ours.texture[0, 0]) == (200, 30, 30)
    assert theirs.texture is None
    assert at_vertices(theirs) is None, "UVs alone are no colours"
    assert np.array_equal(ours.vertices, theirs.vertices)
