"""The unsupervised training: its losses, its gradients, and that stopping it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from likeness.errors import MethodError, WeightsError
from likeness.fitting.chips import shoot
from likeness.fitting.scenes import draw_scene, plain_scene
from likeness.heads.base import LandmarkEmbedding
from likeness.heads.morphable import Morphable
from likeness.networks.dlib_face import DlibFace
from likeness.networks.genova import Regressor
from likeness.progress import Cancelled, Progress, quiet
from likeness.training import genova, pictures, samples
from likeness.training.genova import Plan, train, unsupervised
from likeness.training.losses import Coefficients, batch_distribution, multi_view_identity, parameter_distance
from likeness.weights.tensor_file import write_tensors

ROWS, COLUMNS, RADIUS = 14, 20, 0.1
EYES_AND_NOSE = ((0.05, 0.03), (0.02, 0.03), (-0.05, 0.03), (-0.02, 0.03), (0.0, -0.02))
TINY = Plan(seed=3, pieces=2, start_steps=12, start_batch=8, steps=3, batch=8, faces=1, yaws=(20.0,), width=8, keep=2)


def ball() -> Morphable:
    """A ball with three ways to bulge, one expression, and a colour for its upper and its lower half."""
    polar, around = np.pi * np.arange(ROWS + 1) / ROWS, 2 * np.pi * np.arange(COLUMNS) / COLUMNS
    ring = np.stack([np.sin(around), np.zeros(COLUMNS), np.cos(around)], 1)
    points = np.concatenate([RADIUS * (np.sin(p) * ring + [0, np.cos(p), 0]) for p in polar])
    triangles = []
    for r in range(ROWS):
        for c in range(COLUMNS):
            a, b, n = r * COLUMNS, (r + 1) * COLUMNS, (c + 1) % COLUMNS
            triangles += [(a + c, b + c, b + n), (a + c, b + n, a + n)]
    faces = np.array(triangles)
    front = points[faces].mean(1)
    marks = np.array([(x, y, np.sqrt(RADIUS**2 - x * x - y * y)) for x, y in EYES_AND_NOSE])
    nearest = np.linalg.norm(front[None] - marks[:, None], axis=2).argmin(1)
    five = LandmarkEmbedding(torch.from_numpy(nearest), torch.full((5, 3), 1 / 3))
    unknown = LandmarkEmbedding(torch.full((68,), -1), torch.zeros(68, 3))
    mean = torch.from_numpy(points).float()
    unit = mean / RADIUS
    bulge = torch.stack([unit * (unit[:, k : k + 1] ** 2) * 0.02 for k in range(3)])
    halves = torch.stack([(unit[:, 1:2] > 0).float(), (unit[:, 1:2] <= 0).float()]) * torch.tensor([0.2, 0.3, 0.4])
    return Morphable(
        "ball", mean, bulge, bulge[:1] * 0.2, ("jawOpen",), torch.from_numpy(faces),
        torch.ones(len(faces), dtype=torch.bool), five, unknown, torch.zeros(len(mean)),
        lambda albedo: torch.exp(-(0.6 + torch.einsum("bk,kvc->bvc", albedo, halves)).clamp(min=0.1)), 2,
    )  # fmt: skip


class Eye(nn.Module):
    """A frozen stand-in for the identity network: coarse pixels, mixed at random."""

    def __init__(self) -> None:
        super().__init__()
        mix = torch.randn(12, 675, generator=torch.Generator().manual_seed(1)) / 26
        self.register_buffer("mix", mix)

    def forward(self, chips: Tensor) -> Tensor:
        coarse = nn.functional.avg_pool2d(chips / 255 - 0.4, 10).flatten(1)
        return torch.as_tensor(torch.tanh(coarse @ self.mix.T))


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (samples, genova):
        monkeypatch.setattr(module, "PIECE", 16)
    monkeypatch.setattr(pictures, "HEADS", 3)


def test_losses_are_those_of_the_paper() -> None:
    found = Coefficients(torch.tensor([[1.0, 2.0], [3.0, 2.0]]), torch.tensor([[0.5], [1.5]]))
    true = Coefficients(torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([[0.0], [0.0]]))
    # identity: (0 + 4 + 9 + 0) / 2, albedo: (0.25 + 2.25) / 2
    assert parameter_distance(found, true, 0.4, 0.2).item() == pytest.approx(0.4 * 6.5 + 0.2 * 1.25)
    # means 2, 2, 1; deviations 1, 0, 0.5
    assert batch_distribution(found).item() == pytest.approx(4 + 4 + 1 + 0 + 1 + 0.25)
    photo = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    renders = torch.tensor([[[2.0, 0.0], [0.0, 1.0]], [[0.0, 5.0], [3.0, 3.0]]])
    assert multi_view_identity(photo, renders).item() == pytest.approx((0 + 1 + 0 + 1 - 0.5**0.5) / 4)


def test_a_batch_that_is_as_people_are_costs_nothing() -> None:
    spread = torch.tensor([[1.0], [-1.0]]).repeat(1, 4)
    assert batch_distribution(Coefficients(spread, spread[:, :1])).item() == pytest.approx(0)


def test_gradients_reach_the_regressor_through_renderer_and_identity_network() -> None:
    model, rng = ball(), np.random.default_rng(0)
    torch.manual_seed(0)
    network = DlibFace().requires_grad_(False)
    regressor = Regressor(128, 3, 2, 16)
    with torch.no_grad():
        heads = torch.randn(3, 3), torch.randn(3, 2)
        seen = network(shoot(model, *heads, [draw_scene(("jawOpen",), rng) for _ in range(3)]))
        regressor.centre.copy_(seen.mean(0))
        regressor.scale.copy_(seen.std(0) + 1e-3)
    for number in range(3):
        regressor.zero_grad()
        part = unsupervised(regressor, model, network, seen, TINY, np.random.default_rng(1))[number]
        part.backward()
        sizes = [float(p.grad.abs().max()) for p in regressor.parameters() if p.grad is not None]
        assert len(sizes) == 6
        assert all(0 < size < float("inf") for size in sizes)


def test_following_the_identity_loss_makes_the_head_alike() -> None:
    model, eye = ball(), Eye()
    views = [plain_scene(1, yaw) for yaw in (0.0, 30.0)]
    with torch.no_grad():
        photo = eye(shoot(model, torch.tensor([[1.5, -1.0, 0.5]]), torch.tensor([[2.0, -1.5]]), views[:1]))
    identity, albedo = torch.zeros(1, 3, requires_grad=True), torch.zeros(1, 2, requires_grad=True)
    adam = torch.optim.Adam([identity, albedo], 0.3)
    losses = []
    for _ in range(5):
        seen = eye(shoot(model, identity.expand(2, -1), albedo.expand(2, -1), views))
        loss = multi_view_identity(photo, seen[None])
        adam.zero_grad()
        loss.backward()
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def stopped_at(stage: str, fraction: float) -> Progress:
    """A progress that interrupts."""

    def report(where: str, share: float, _: str) -> None:
        if where == stage and share >= fraction:
            raise Cancelled

    return report


def test_a_training_that_was_interrupted_ends_bit_for_bit_as_one_that_was_not(tmp_path: Path) -> None:
    model, eye = ball(), Eye()
    whole = train(model, eye, tmp_path / "whole", TINY).read_bytes()
    for stage, fraction in (("samples", 0.5), ("start", 0.6), ("train", 0.3)):
        with pytest.raises(Cancelled):
            train(model, eye, tmp_path / "parts", TINY, progress=stopped_at(stage, fraction))
        assert not (tmp_path / "parts" / genova.WEIGHTS).exists()
    assert train(model, eye, tmp_path / "parts", TINY).read_bytes() == whole
    for name, size in (("curves.png", (920, 480)), ("heads.png", (3 * 150, 4 * 150))):
        with Image.open(tmp_path / "parts" / name) as picture:
            assert picture.size == size
            assert np.asarray(picture).std() > 10
    other = replace(TINY, seed=4)
    with pytest.raises(MethodError, match="another plan"):
        train(model, eye, tmp_path / "parts", other)


def test_it_learns_what_descriptors_tell_and_photos_take_part(tmp_path: Path) -> None:
    model, eye = ball(), Eye()
    plan = replace(TINY, pieces=24, start_steps=200, start_batch=64, start_rate=1e-2, noise=0.1, steps=1, keep=300)
    draw = torch.Generator().manual_seed(5)
    mix = torch.randn(5, 12, generator=draw)
    # Heads that were rendered already are taken from the folder; here the third of identity is not told.
    for number in range(plan.pieces):
        identity, albedo = torch.randn(16, 3, generator=draw), torch.randn(16, 2, generator=draw)
        told = torch.cat([identity, albedo], 1) * torch.tensor([1.0, 1.0, 0.0, 1.0, 1.0])
        piece = {"descriptor": told @ mix, "identity": identity, "albedo": albedo}
        for folder in ("a", "b"):
            write_tensors(tmp_path / folder / "samples" / f"{number:04d}.safetensors", piece)
    regressor, said = Regressor.load(train(model, eye, tmp_path / "a", plan))
    assert said["head"] == "ball"
    assert said["held_out"] == 48
    assert said["explained"]["albedo"] > 0.8
    assert 0.4 < said["explained"]["shape"] < 0.9
    assert (regressor.gain[[0, 1, 3, 4]] > 0.8).all()
    likely, _ = regressor.likely(torch.randn(200, 5, generator=draw) @ mix)
    assert likely[:, 2].std() < 0.4 < 0.8 < likely[:, 0].std()
    photos = torch.randn(4, 12, generator=draw)
    with_photos, _ = Regressor.load(train(model, eye, tmp_path / "b", plan, photos))
    assert not torch.equal(with_photos.layers[4].weight, regressor.layers[4].weight)
    with pytest.raises(MethodError, match="other photos"):
        train(model, eye, tmp_path / "b", plan, photos[:3])


def test_what_is_no_regressor_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "genova.safetensors"
    path.write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        Regressor.load(path)
    Regressor(4, 2, 1, 3).save(path, {"head": "ball"})
    regressor, told = Regressor.load(path)
    assert told["sizes"] == [4, 2, 1, 3]
    with pytest.raises(MethodError, match="no folder"):
        samples.photo_descriptors(tmp_path / "absent", quiet)
    regressor.sizes = (4, 2, 1, 5)
    regressor.save(path, {})
    with pytest.raises(WeightsError, match="another network"):
        Regressor.load(path)
