"""The de-lighting network looks at a face in one chart, whatever the head, and its word comes back to the UV square."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor

from likeness.errors import WeightsError
from likeness.heads.base import HeadModel
from likeness.maps.atlas import atlas_of
from likeness.maps.delight import de_light, freed, network_input
from likeness.maps.delight_chart import SIDE, Chart
from likeness.networks.delight import INPUTS, DelightNet
from likeness.weights.tensor_file import write_tensors


class Says(DelightNet):
    """Says what it sees in one layer as residual, and shine everywhere."""

    def __init__(self, layer: int) -> None:
        super().__init__((2, 2))
        self.layer = layer

    def forward(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        one = seen[:, self.layer : self.layer + 1]
        return one.expand(-1, 3, -1, -1), torch.ones_like(one)


def test_an_untrained_network_changes_nothing_and_comes_back_as_it_was(tmp_path: Path) -> None:
    network = DelightNet((4, 6, 8, 8))
    picture = torch.randn(2, INPUTS, 32, 48, generator=torch.Generator().manual_seed(1))
    residual, shine = network(picture)
    assert residual.shape == (2, 3, 32, 48)
    assert residual.abs().max() == 0
    assert shine.max() < 0.1
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(0, 0.1)
    network.save(tmp_path / "a.safetensors", {"head": "ball"})
    again, told = DelightNet.load(tmp_path / "a.safetensors")
    assert told["head"] == "ball"
    assert again.widths == (4, 6, 8, 8)
    with torch.no_grad():
        assert (again(picture)[0] - network(picture)[0]).abs().max() < 2e-3 * network(picture)[0].abs().max()
    (tmp_path / "b.safetensors").write_bytes(b"no tensors")
    with pytest.raises(WeightsError, match="cannot be read"):
        DelightNet.load(tmp_path / "b.safetensors")
    write_tensors(tmp_path / "c.safetensors", {"one": torch.zeros(1)}, {"widths": [4, 4]})
    with pytest.raises(WeightsError, match="another network"):
        DelightNet.load(tmp_path / "c.safetensors")


def test_the_chart_shows_the_face_from_ear_to_ear_and_takes_it_back(anny_head: HeadModel) -> None:
    vertices = anny_head.template.numpy()
    chart = Chart.of(anny_head, vertices)
    drawn = chart.picture(vertices)
    assert 0.9 < chart.covered.mean() < 1
    rows, columns = np.nonzero(chart.covered)
    assert np.corrcoef(drawn[rows, columns, 0], columns)[0, 1] > 0.9  # the head's left is on the right
    assert np.corrcoef(drawn[rows, columns, 1], rows)[0, 1] < -0.9
    marks = anny_head.landmarks["ibug68"].on(torch.from_numpy(chart.places), anny_head.triangles).numpy()
    assert ((marks > 10) & (marks < SIDE - 10)).all()
    assert abs(marks[30, 0] - (SIDE - 1) / 2) < 1.5  # the tip of the nose is in the middle
    atlas = atlas_of(anny_head, "Skin", 256)
    square = atlas.texels(vertices)
    assert np.abs(chart.drawn(square, atlas) - drawn)[chart.covered].mean() < 3e-4
    face = atlas.texels(anny_head.groups["face"].numpy()) > 0.9
    assert np.median(np.abs(chart.laid_back(drawn, atlas) - square)[face]) < 5e-4
    far = (vertices[:, 2] < -0.05) & (vertices[:, 1] > 0.06)
    behind = atlas.texels(far.astype(np.float32)) > 0.99
    assert behind.any()
    assert np.abs(chart.laid_back(drawn, atlas)[behind]).max() == 0


def test_a_residual_is_laid_where_it_belongs_and_keeps_the_level(anny_head: HeadModel) -> None:
    vertices = anny_head.template.numpy()
    atlas = atlas_of(anny_head, "Skin", 256)
    side = (256, 256)
    weight = (atlas.texels(anny_head.groups["face"].numpy()) > 0.5).astype(np.float32)
    log = np.full((*side, 3), -1.0, np.float32)
    made = de_light(anny_head, vertices, atlas, log, weight, np.zeros((*side, 3), np.float32), Says(12))
    x = atlas.texels(vertices[:, 0])
    sure = weight * (np.abs(x) < 0.05) > 0
    assert np.corrcoef(made.residual[sure][:, 0], x[sure])[0, 1] > 0.95
    assert abs(made.residual[sure].mean()) < 0.1
    assert np.abs(made.residual[weight == 0]).max() == 0
    assert made.highlight.max() == pytest.approx(1, abs=1e-3)
    # Shading is taken per vertex as well, and means the same.
    slope = np.repeat(vertices[:, :1] * 5, 3, 1)
    by_vertex = de_light(anny_head, vertices, atlas, log, weight, slope, Says(8))
    by_texel = de_light(anny_head, vertices, atlas, log, weight, atlas.texels(slope), Says(8))
    np.testing.assert_allclose(by_vertex.residual[sure], by_texel.residual[sure], atol=0.02)
    assert np.corrcoef(by_vertex.residual[sure][:, 0], x[sure])[0, 1] > 0.95


def test_what_the_photo_does_not_show_is_not_looked_at() -> None:
    rng = np.random.default_rng(3)
    log, shading = rng.normal(-1, 0.3, (2, 32, 32, 3)).astype(np.float32)
    weight = np.zeros((32, 32), np.float32)
    weight[8:24] = 1
    normal, air = np.zeros((32, 32, 3), np.float32), np.ones((32, 32), np.float32)
    given = network_input(log, weight, normal, air, shading)
    assert given.shape == (INPUTS, 32, 32)
    assert np.abs(given[:3, 8:24].mean((1, 2))).max() < 1e-5
    other = log.copy()
    other[:8] = 5
    np.testing.assert_array_equal(given, network_input(other, weight, normal, air, shading))
    # A longer exposure changes nothing but how near the picture is to its brightest.
    brighter = network_input(log + 0.5, weight, normal, air, shading)
    same = [k for k in range(INPUTS) if k != 11]
    np.testing.assert_allclose(given[same], brighter[same], atol=1e-5)
    assert brighter[11].max() > given[11].max()


def test_a_finished_map_is_changed_where_it_is_known_and_stays_elsewhere(anny_head: HeadModel) -> None:
    vertices = anny_head.template.numpy()
    atlas = atlas_of(anny_head, "Skin", 512)
    albedo = np.full((1024, 1024, 3), (200, 150, 120), np.uint8)
    known = np.zeros((1024, 1024), np.float32)
    face = cv2.resize(atlas.texels(anny_head.groups["face"].numpy()), (1024, 1024)) > 0.9
    known[face] = 1
    made = freed(anny_head, vertices, albedo, known, Says(12))
    assert made.shape == albedo.shape
    assert made.dtype == np.uint8
    unknown = cv2.dilate(known, np.ones((9, 9), np.uint8)) == 0
    np.testing.assert_array_equal(made[unknown], albedo[unknown])
    x = cv2.resize(atlas.texels(vertices[:, 0]), (1024, 1024))
    core = face & (abs(x) < 0.05)
    assert np.corrcoef(made[core][:, 1], x[core])[0, 1] > 0.9
    np.testing.assert_array_equal(freed(anny_head, vertices, albedo, known, DelightNet((2, 2))), albedo)
