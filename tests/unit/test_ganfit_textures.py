"""Texture models of others: found where they are installed, laid onto the head through its surface, refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from likeness.errors import WeightsError
from likeness.fitting.appearance import Sitter
from likeness.heads import registration
from likeness.heads.base import HeadModel
from likeness.heads.mesh_landmarks import Found
from likeness.maps.latent import albedo_map, at_vertices
from likeness.methods import ganfit_layout
from likeness.methods.ganfit_layout import Layout, laid_out
from likeness.methods.ganfit_textures import Generated, choose
from likeness.networks.stylegan2 import Generator
from likeness.progress import quiet
from likeness.weights import store

LATENT = 12


def plain_layout(side: int = 32) -> Layout:
    """The head's own square, all of it but the last rows."""
    steps = (torch.arange(side) + 0.5) / side * 2 - 1
    rows, columns = torch.meshgrid(steps, steps, indexing="ij")
    covered = torch.ones(side, side)
    covered[-4:] = 0
    return Layout(torch.stack([columns, rows], -1), covered)


def test_the_head_on_itself_finds_its_own_texels(anny_head: HeadModel, monkeypatch: pytest.MonkeyPatch) -> None:
    skin = anny_head.region("skin")
    turn = np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]])
    moved = 100 * anny_head.template.double().numpy() @ turn.T + (3, 2, 1)  # centimetres, looking along +X
    marks = anny_head.landmarks["mediapipe478"].on(torch.from_numpy(moved), anny_head.triangles).numpy()
    found = Found(marks, 100.0, turn, np.array([3.0, 2.0, 1.0]), False, 1.0)
    monkeypatch.setattr(ganfit_layout, "find_on_mesh", lambda *_: found)  # tested with meshes that are rigged
    monkeypatch.setattr(registration, "SCHEDULE", registration.SCHEDULE[-1:])  # nothing is to be bent
    monkeypatch.setattr(registration, "IDENTITY_ROUNDS", 1)
    monkeypatch.setattr(ganfit_layout, "SIDE", 96)
    uv = anny_head.uv.double().numpy()
    corners = anny_head.triangles_uv[skin].numpy()
    made = laid_out(anny_head, moved, anny_head.triangles[skin].numpy(), uv, corners, quiet)
    own = plain_layout(made.grid.shape[0]).grid
    known = made.covered > 0.99
    assert known.float().mean() > 0.4
    away = (made.grid - own).norm(dim=-1)[known] / 2  # in widths of the square
    assert float(away.median()) < 0.003
    assert float(away.quantile(0.97)) < 0.03


@pytest.fixture(scope="module")
def texture(anny_head: HeadModel) -> Generated:
    torch.manual_seed(0)
    generator = Generator(32, base=256, most=16).eval().requires_grad_(False)
    latent = torch.randn(generator.styles, 512)

    def make(latent: torch.Tensor) -> torch.Tensor:
        return generator.synthesis(latent[None], 16)[0].sigmoid()

    return Generated("some", "user: some.pth", ("MIT",), anny_head, plain_layout(), latent, make, rate=0.1, sphere=True)


def test_a_generators_picture_is_on_the_skin_and_nowhere_else(anny_head: HeadModel, texture: Generated) -> None:
    sitter = Sitter.of(
        anny_head, np.zeros(len(anny_head.identity), np.float32), anny_head.template.numpy(),
        torch.ones(len(anny_head.template)),
    )  # fmt: skip
    spots = at_vertices(sitter)
    colours = texture.paint()(spots)
    assert colours.shape == (len(anny_head.template), 3)
    weights = torch.rand(colours.shape, generator=torch.Generator().manual_seed(1))
    (colours * weights)[spots.skin].sum().backward()
    assert texture.latent.grad is not None
    used = texture.latent.grad.abs().sum(1) > 0
    assert used[:6].all()
    assert not used[6:].any()  # what only larger pictures look at
    with torch.no_grad():
        texture.latent.mul_(1.5)
        texture.settle()
        torch.testing.assert_close(texture.latent.norm(dim=1), torch.full((len(texture.latent),), 512**0.5))
        other = texture.paint()(spots)
        teeth = torch.unique(anny_head.triangles[anny_head.region("teeth")])
        assert torch.equal(other[teeth], colours[teeth])
        flat = albedo_map(anny_head, texture.paint(), 64)
    assert flat.std() > 3


def test_without_files_it_is_the_free_one(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    chosen = choose(anny_head, 0, quiet)
    assert chosen.name == "free"
    assert chosen.source.startswith("free")
    assert chosen.licences == ()


def test_what_is_missing_beside_a_generator_is_told(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path))
    store.path("ffhq-uv").parent.mkdir(parents=True)
    store.path("ffhq-uv").write_bytes(b"")
    with pytest.raises(
        WeightsError, match=r"research purposes only.*mesh_head\.obj.*ffhq-uv-mesh; https://github\.com"
    ):
        choose(anny_head, 0, quiet)


def test_a_network_of_the_users_own_is_installed_and_taken(
    anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIKENESS_HOME", str(tmp_path / "home"))
    rng, given = np.random.default_rng(0), tmp_path / "given"
    given.mkdir()
    layers = {"4x4/Dense": ((LATENT, 128), 8), "4x4/Conv": ((3, 3, 8, 8), 8), "8x8/Conv0_up": ((3, 3, 8, 8), 8),
              "8x8/Conv1": ((3, 3, 8, 8), 8), "ToRGB_lod1": ((1, 1, 8, 3), 3),
              "ToRGB_lod0": ((1, 1, 8, 3), 3)}  # fmt: skip
    variables = {f"{name}/weight": rng.normal(size=shape) for name, (shape, _) in layers.items()}
    variables |= {f"{name}/bias": np.zeros(count) for name, (_, count) in layers.items()}
    np.savez(given / "generator.npz", **variables)
    corners = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvt 1 0\nvt 0 1\n"
    (given / "mesh.obj").write_text(f"{corners}f 1/1 2/2 3/3\n")
    store.install("pggan-uv", given)
    seen = []

    def laid(head: HeadModel, *mesh: np.ndarray) -> Layout:
        seen.append(mesh[2].shape)
        return plain_layout()

    monkeypatch.setattr(ganfit_layout, "laid_out", laid)
    chosen = choose(anny_head, 1, quiet)
    again = choose(anny_head, 1, quiet)  # its layout was kept
    assert seen == [(3, 2)]
    assert (chosen.name, chosen.licences[0].split(";")[0]) == ("pggan", "that of your own training")
    assert chosen.source.startswith("user: generator.npz, mesh.obj")
    one, other = (albedo_map(anny_head, texture.paint(), 32) for texture in (chosen, again))
    assert np.array_equal(one, other)
    assert not np.array_equal(one, albedo_map(anny_head, choose(anny_head, 2, quiet).paint(), 32))
    (given / "mesh.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    with pytest.raises(WeightsError, match="lacks vt"):
        store.install("pggan-uv", given)
