"""FLAME against DECA's, FLAME_PyTorch's and TF_FLAME's own code, out of files read through the store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from flame_cases import case, worst, write_deca_data, write_model, write_ringnet_landmarks

from likeness.heads.flame import Posed
from likeness.heads.flame_files import FlameFiles, open_flame
from likeness.heads.flame_landmarks import contour_row
from likeness.heads.flame_texture import TextureSpace
from likeness.weights import store


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("official")
    write_model(folder)
    write_ringnet_landmarks(folder / "flame_model")
    write_deca_data(folder / "data")
    return folder


@pytest.fixture(scope="module")
def files(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlameFiles]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("flame-2020", sources / "generic_model.pkl")
        store.install("deca-data", sources / "data")
        yield open_flame("flame-2020")


def tensors(given: dict[str, np.ndarray], *names: str) -> list[torch.Tensor]:
    return [torch.from_numpy(given[name]) for name in names]


def test_as_deca_poses_it(files: FlameFiles) -> None:
    given = case("flame/flame_deca")
    shape, exp, pose, eyes = tensors(given, "shape", "exp", "pose", "eye_pose_2")
    posed = files.flame.forward(shape, exp, pose)
    assert contour_row(posed.head_rotation).tolist() == given["dynamic_row"].tolist()
    assert worst(posed.vertices[:, ::5], given["verts"]) < 1e-6
    assert worst(posed.vertices.double().sum((1, 2)), given["v_sum"]) < 1e-3
    triangles = files.flame.triangles
    assert worst(files.landmarks.seen(posed.vertices, triangles, posed.head_rotation), given["landmarks2d"]) < 1e-6
    assert worst(files.landmarks.fixed().on(posed.vertices, triangles), given["landmarks3d"]) < 1e-6
    looking = torch.cat([pose[:2, :3], torch.zeros(2, 3), pose[:2, 3:], eyes], 1)
    assert worst(files.flame.forward(shape[:2], exp[:2], looking).vertices[:, ::5], given["verts_eye"]) < 1e-6


def full(files: FlameFiles, given: dict[str, np.ndarray], dtype: torch.dtype) -> tuple[Posed, torch.Tensor]:
    shape, exp, pose, neck, eye, shift = (
        t.to(dtype) for t in tensors(given, "shape", "exp", "pose", "neck", "eye", "transl")
    )
    flame = files.flame
    if dtype == torch.float64:
        flame = type(flame)(*(v.double() if v.is_floating_point() else v for v in vars(flame).values()))
    posed = flame.forward(shape, exp, torch.cat([pose[:, :3], neck, pose[:, 3:], eye], 1))
    return posed, posed.vertices + shift[:, None]


def test_as_flame_pytorch_poses_it(files: FlameFiles) -> None:
    given = case("flame/flame_full")
    posed, vertices = full(files, given, torch.float32)
    assert contour_row(posed.head_rotation, -1).tolist() == given["dynamic_row"].tolist()
    assert worst(vertices[:, ::5], given["verts"]) < 1e-6
    assert worst(vertices.double().sum((1, 2)), given["v_sum"]) < 1e-3
    seen = files.landmarks.seen(vertices, files.flame.triangles, posed.head_rotation, -1)
    assert worst(seen, given["landmarks"]) < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_as_tf_flame_poses_it(files: FlameFiles, dtype: torch.dtype) -> None:
    theirs = case("flame/flame_full_tf64")
    posed, vertices = full(files, case("flame/flame_full"), dtype)
    assert worst(vertices[:, ::25], theirs["verts"]) < 1e-6
    assert worst(posed.joints, theirs["joints"]) < 1e-6


def test_ringnets_landmark_files_say_the_same(
    files: FlameFiles, sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from likeness.heads.flame_files import LANDMARKS

    assert LANDMARKS[0] == "deca-data"
    monkeypatch.setattr("likeness.heads.flame_files.LANDMARKS", LANDMARKS[::-1])
    store.install("flame-landmarks", sources / "flame_model")
    other = open_flame("flame-2020").landmarks
    assert other.whole is None
    assert torch.equal(other.contour.triangle, files.landmarks.contour.triangle)
    assert torch.equal(other.inner.triangle, files.landmarks.inner.triangle)
    assert torch.allclose(other.contour.barycentric, files.landmarks.contour.barycentric, atol=1e-7)


@pytest.mark.parametrize("kind", ["BFM", "FLAME"])
def test_texture_space(kind: str) -> None:
    from fill import fill

    given = case("deca/texture_space")

    def part(name: str, shape: tuple[int, ...], draw: str, scale: float) -> np.ndarray:
        small = fill(f"deca/{name}", shape, draw) * np.float32(scale)
        return small.repeat(8, 0).repeat(8, 1)

    if kind == "BFM":
        mean, basis = part("tex_MU", (64, 64, 3), "uniform", 1.0), part("tex_PC", (64, 64, 3, 60), "basis", 0.02)
        arrays = {"MU": mean.ravel(), "PC": basis.reshape(-1, 60)}
    else:
        mean = part("tex_mean", (64, 64, 3), "uniform", 255.0)
        arrays = {"mean": mean, "tex_dir": part("tex_tex_dir", (64, 64, 3, 60), "basis", 5.1)}
    space = TextureSpace.from_arrays(arrays, "a file")
    assert space.kind == kind
    albedo = space.albedo(torch.from_numpy(given["texcode"]))
    # The original goes to 256 texels by the nearest of 512, and the case holds every fourth of those.
    assert worst(albedo[:, ::8, ::8].permute(0, 3, 1, 2), given[f"{kind}_albedo"]) < 1e-5
