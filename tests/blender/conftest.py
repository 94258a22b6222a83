"""What the tests inside Blender get: packages, the numbers they must reach, and the built extension."""

import json
import os
import runpy
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import made_avatar
import numpy as np
import pytest
import torch
from flame_home import linked

from likeness import package
from likeness.avatar import Avatar, AvatarView
from likeness.camera import Camera
from likeness.heads.base import HeadModel, triangulate
from likeness.render.raster import rasterise
from likeness.render.view import project
from likeness.sheet import posed
from likeness.weights import store

ROOT = Path(__file__).parents[2]
POSES = 200
SIDE = 300
"""Height in pixels of the silhouettes."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path.name == "inside" else None


def avatar() -> Avatar:
    """The made avatar, seen by three kinds of cameras."""
    egg = made_avatar.make()
    (first,) = egg.views
    wide = Camera(160, 100, 190.0, 205.0, 90.0, 47.0, np.diag([1.0, -1, -1]), np.array([0, 0.1, 0.6]))
    flat = Camera(80, 110, 300.0, 300.0, 45.0, 80.0, first.camera.rotation, first.camera.translation, "orthographic")
    views = [first]
    for name, camera in (("wide.png", wide), ("flat.png", flat)):
        photo = np.full((camera.height, camera.width, 3), 90, np.uint8)
        views.append(replace(first, name=name, photo=photo, camera=camera, pose=first.pose * 0.5))
    return replace(egg, views=tuple(views))


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that `inside` reads."""
    folder = tmp_path_factory.mktemp("blender")
    made = avatar()
    package.save(made, folder / "Egg.likeness")
    package.save(made, folder / "zipped.zip")
    hostile(folder)
    bending(folder)
    expected = {"vertices": made.vertices, "polygons": made.polygons, "region": made.polygon_region}
    for i, view in enumerate(made.views):
        expected[f"posed_{i}"] = posed(made, view)
        expected[f"pixels_{i}"] = view.camera.project(expected[f"posed_{i}"])
        expected[f"silhouette_{i}"] = silhouette(made, view.camera, expected[f"posed_{i}"])
    np.savez(folder / "expected.npz", **expected)
    runpy.run_path(str(ROOT / "build_addon.py"))["build"](folder)
    return folder


@pytest.fixture(scope="session")
def face(room: Path, anny_head: HeadModel) -> None:
    """Somebody's face and eyeballs beside the packages, Z up, in metres."""
    some = 0.8 * torch.randn(1, len(anny_head.identity), generator=torch.Generator().manual_seed(7))
    vertices = anny_head.shape(some)[0].numpy()[:, [0, 2, 1]] * np.array([1, -1, 1], np.float32)
    skin = anny_head.triangles[anny_head.region("skin")].numpy()
    skin = skin[(anny_head.groups["face"].numpy() > 0.3)[skin].all(1)]
    eyes = anny_head.triangles[anny_head.region("eye.L", "eye.R")].numpy()
    used, triangles = np.unique(np.concatenate([skin, eyes]), return_inverse=True)
    np.savez(room / "face.npz", vertices=vertices[used], triangles=triangles.reshape(-1, 3))


def bending(folder: Path) -> None:
    """A head with pose correctives, and 200 random poses of it as the backend has them."""
    made = made_avatar.bending()
    package.save(made, folder / "Bending.likeness")
    poses = np.random.default_rng(5).normal(0, 0.5, (POSES, len(made.joint_names), 3)).astype(np.float32)
    (view,) = made.views
    vertices = [posed(made, replace(view, pose=pose)) for pose in poses]
    np.savez(folder / "bending.npz", pose=poses, vertices=vertices, **another(made, view, poses[0]))


def another(made: Avatar, view: AvatarView, pose: np.ndarray) -> dict[str, np.ndarray]:
    """The first coefficients of a person that is not the avatar's, and what that person looks like in a pose."""
    identity = made.identity
    assert identity is not None
    weights = np.array([-0.5, 2.0], np.float32)
    change = np.append(weights - identity.weights[:2], 0)
    shaped = replace(
        made,
        vertices=made.vertices + np.tensordot(change, identity.deltas, 1).astype(np.float32),
        joints=made.joints + np.tensordot(change, identity.joints, 1).astype(np.float32),
    )
    return {"other_weights": weights, "other_joints": shaped.joints, "other": posed(shaped, replace(view, pose=pose))}


def silhouette(made: Avatar, camera: Camera, vertices: np.ndarray) -> np.ndarray:
    """(H, W) bool, `SIDE` pixels high."""
    camera = camera.resized(round(camera.width * SIDE / camera.height), SIDE)
    polygons = torch.as_tensor(made.polygons.astype(np.int64))
    corners, parent = triangulate(polygons)
    points = project(camera, torch.as_tensor(vertices))
    return rasterise(points, torch.gather(polygons[parent], 1, corners), camera.width, camera.height).covered.numpy()


def hostile(folder: Path) -> None:
    """Packages that must be refused: one that reaches outside, one whose polygons do."""
    for name in ("outside", "broken"):
        shutil.copytree(folder / "Egg.likeness", folder / f"{name}.likeness")
    manifest = folder / "outside.likeness" / "avatar.json"
    data = json.loads(manifest.read_text())
    data["materials"]["Skin"]["maps"]["albedo"]["file"] = "maps/../../secret.png"
    manifest.write_text(json.dumps(data))
    geometry = folder / "broken.likeness" / "geometry.npz"
    arrays = dict(np.load(geometry))
    arrays["polygons"] = arrays["polygons"] + 10_000
    np.savez(geometry, **arrays)


@pytest.fixture
def backend_environment(anny_head: HeadModel, tmp_path: Path) -> dict[str, str]:
    """Where the tests inside find the backend's program, and a home of its own that has all models."""
    home = tmp_path / "home"
    shutil.copytree(store.home(), home, ignore=lambda _, names: {"service", *(n for n in names if ".lock" in n)})
    return backend_in(home)


def backend_in(home: Path) -> dict[str, str]:
    """Where the tests inside find the backend's program and its home."""
    program = Path(sys.executable).with_name("likeness.exe" if sys.platform == "win32" else "likeness")
    return {"LIKENESS_TEST_BACKEND": str(program), "LIKENESS_TEST_HOME": str(home)}


@pytest.fixture
def flame_environment(flame_home: Path, tmp_path: Path) -> dict[str, str]:
    """The same with a home that has FLAME and DECA, or what stands in for them."""
    return backend_in(linked(flame_home, tmp_path / "home"))


@pytest.fixture
def bpy_environment(room: Path, tmp_path: Path) -> dict[str, str]:
    """Environment of a Blender process that keeps the user's settings out."""
    return os.environ | {"BLENDER_USER_RESOURCES": str(tmp_path / "user"), "LIKENESS_TEST_ROOM": str(room)}
