"""ArcFace in GANFIT-style fitting: alignment, gradients, and who is named in the result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from likeness import faces, photos
from likeness.faces.arcface_chip import ARCFACE, chip_matrix, cut_aligned
from likeness.fitting.appearance_fit import Plan
from likeness.fitting.appearance_looks import arcface_looks
from likeness.heads.base import HeadModel
from likeness.methods.base import Settings
from likeness.methods.deep3d_crops import arcface_matrix
from likeness.methods.ganfit import Ganfit
from likeness.methods.ganfit_faces import choose_network
from likeness.networks.iresnet import BLOCKS, IResNet
from likeness.progress import quiet
from likeness.weights import store

POINTS = np.array([[60.2, 71.0], [98.0, 66.5], [82.3, 90.1], [68.0, 112.4], [101.5, 108.0]])


def test_the_similarity_is_the_known_one_and_the_chip_lies_on_the_template() -> None:
    np.testing.assert_allclose(chip_matrix(torch.from_numpy(POINTS)).numpy(), arcface_matrix(POINTS), atol=1e-9)
    rows, columns = np.meshgrid(np.arange(160.0) + 0.5, np.arange(140.0) + 0.5, indexing="ij")
    places = torch.from_numpy(np.stack([columns, rows]))
    exact = np.array(ARCFACE) @ np.array([[1.1, 0.2], [-0.2, 1.1]]) + (10, 30)  # a similarity: the fit is exact
    chip = cut_aligned(places, torch.from_numpy(exact + 0.5))
    for (x, y), place in zip(np.round(ARCFACE).astype(int), exact, strict=True):
        assert np.abs(chip[:, y, x].numpy() - place - 0.5).max() < 1.2


def test_the_chip_has_gradients_to_picture_and_points() -> None:
    draw = torch.Generator().manual_seed(0)
    weights = torch.randn(1, 112, 112, generator=draw, dtype=torch.float64)
    rows, columns = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in (160, 140)), indexing="ij")
    picture = (torch.sin(rows / 30) + torch.cos(columns / 25))[None].requires_grad_()
    points = torch.from_numpy(POINTS).requires_grad_()

    def cost(picture: torch.Tensor, points: torch.Tensor) -> torch.Tensor:
        return (cut_aligned(picture, points) * weights.cumsum(1)).mean()

    for value in torch.autograd.grad(cost(picture, points), (picture, points)):
        assert float(value.norm()) > 0
    (grad,) = torch.autograd.grad(cost(picture.detach(), points), points)
    way = grad / grad.norm()
    with torch.no_grad():
        slope = (cost(picture, points + 0.01 * way) - cost(picture, points - 0.01 * way)) / 0.02
    assert float(slope) == pytest.approx(float(grad.norm()), rel=0.02)


def tiny() -> IResNet:
    torch.manual_seed(0)
    return IResNet(BLOCKS[18]).eval().requires_grad_(False)


def test_what_arcface_sees_is_of_the_aligned_face() -> None:
    network = tiny()
    looks = arcface_looks(network)
    picture = torch.rand(3, 160, 140, generator=torch.Generator().manual_seed(1))
    left, right, tip, *mouth = torch.from_numpy(POINTS).float()
    aside = torch.tensor([9.0, 1.0])
    anchors = torch.stack([right + aside, right - aside, left - aside, left + aside, tip + 5, tip, *mouth])
    found = looks(picture, anchors.requires_grad_())
    chip = cut_aligned(picture, torch.stack([left, right, tip, *mouth]))
    torch.testing.assert_close(found.descriptor.detach(), network(2 * chip[None] - 1)[0], atol=1e-4, rtol=1e-4)
    assert [len(layer) for layer in found.layers] == [64, 128, 256, 512]
    (grad,) = torch.autograd.grad(found.descriptor.square().sum(), anchors)
    assert (grad.norm(dim=1) > 0).tolist() == [True] * 4 + [False] + [True] * 3


def test_a_head_is_fitted_by_arcface_and_the_point_light(
    astronaut: Path, anny_head: HeadModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    for kept in store.home().iterdir():
        if kept.name != "weights":
            (home / kept.name).symlink_to(kept)
    face = faces.find(photos.load(astronaut))
    monkeypatch.setenv("LIKENESS_HOME", str(home))
    torch.save(tiny().state_dict(), tmp_path / "r18_backbone.pth")
    store.install("arcface", tmp_path / "r18_backbone.pth")
    assert choose_network().realigned
    settings = Settings(head="anny", texture_size=256, light="phong")
    weights = dict(choose_network().weights or {})
    made = Ganfit(replace(Plan(steps=2, align=1), weights=weights)).reconstruct([face], settings, quiet)
    told = made.details["providers"]["face network"]
    assert told.startswith("user: backbone.pth (ArcFace (InsightFace)")
    assert "IResNet-18; non-commercial research only" in told
    assert made.licences == ("non-commercial research only (InsightFace)",)
    assert made.details["light"].startswith("one point light")
    assert np.shape(made.details["lights"]) == (1, 3, 3)
    assert made.details["terms"]["content"] > 0
    assert np.isfinite(made.vertices).all()
