"""What is refused as no FLAME, and the maps that a method brings of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from likeness.avatar import Map, Material
from likeness.errors import HeadError
from likeness.heads.expressions import clipped, limits_of
from likeness.heads.flame import Flame, full_pose
from likeness.heads.flame_landmarks import FlameLandmarks, contour_row
from likeness.heads.flame_texture import TextureSpace
from likeness.heads.skinning import axis_angle_to_matrix
from likeness.maps.own import with_own
from likeness.methods.flame_crops import Crop, landmark_crop, ringnet_window
from likeness.networks.fuse import fold_batch_norms


def arrays(**changed: Any) -> dict[str, np.ndarray]:
    """A FLAME of seven vertices."""
    random = np.random.default_rng(0)
    made = {
        "v_template": random.normal(size=(7, 3)),
        "shapedirs": random.normal(size=(7, 3, 400)),
        "posedirs": random.normal(size=(7, 3, 36)),
        "weights": np.full((7, 5), 0.2),
        "J_regressor": np.full((5, 7), 1 / 7),
        "kintree_table": np.array([[4294967295, 0, 1, 1, 1], [0, 1, 2, 3, 4]]),
        "f": np.array([[0, 1, 2], [2, 3, 4]], np.uint32),
    }
    made |= {name: value for name, value in changed.items() if value is not None}
    return {name: np.asarray(value) for name, value in made.items() if changed.get(name, 0) is not None}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"posedirs": None}, "lacks the array posedirs"),
        ({"shapedirs": np.zeros((7, 3, 150))}, "shapedirs in the shape"),
        ({"J_regressor": np.zeros((5, 8))}, "J_regressor in the shape"),
        ({"v_template": np.full((7, 3), np.nan)}, "not finite in v_template"),
        ({"f": np.array([[0, 1, 7]])}, "triangles that do not fit"),
        ({"f": np.array([[0.0, 1.0, 2.0]])}, "triangles that do not fit"),
        ({"kintree_table": np.array([[4294967295, 0, 0, 0], [0, 1, 2, 3]])}, "other joints"),
        ({"kintree_table": np.array([[4294967295, 0, 1, 2, 1], [0, 1, 2, 3, 4]])}, "other joints"),
    ],
)
def test_what_is_no_flame_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(HeadError, match=said):
        Flame.from_arrays(arrays(**changed), "a file")


def test_any_kind_of_number_will_do() -> None:
    given = {name: value.astype(np.float64) if value.dtype.kind == "f" else value for name, value in arrays().items()}
    flame = Flame.from_arrays(given)
    posed = flame.forward(torch.ones(2, 10), torch.zeros(2, 5), torch.zeros(2, 15))
    assert posed.vertices.dtype == torch.float32
    expected = flame.template + flame.shapes[:10].sum(0)
    assert torch.allclose(posed.vertices[1], expected, atol=1e-5)


def test_six_numbers_are_global_and_jaw() -> None:
    full = full_pose(torch.arange(1.0, 7.0)[None])
    assert full[0].tolist() == [[1, 2, 3], [0, 0, 0], [4, 5, 6], [0, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(
    ("yaw", "row"), [(0, 0), (10.4, 10), (38.6, 39), (80, 39), (-1, 40), (-38.7, 78), (-39.4, 78), (-80, 78), (2.5, 2)]
)
def test_the_contour_wanders_with_the_yaw(yaw: float, row: int) -> None:
    rotation = axis_angle_to_matrix(torch.tensor([[0.0, np.radians(yaw), 0.0]], dtype=torch.float64))
    assert contour_row(rotation).tolist() == [row]
    assert contour_row(rotation.transpose(1, 2), -1).tolist() == [row]


def test_landmarks_of_another_head_are_refused() -> None:
    tables = {
        "static_lmk_faces_idx": np.full(51, 9),
        "static_lmk_bary_coords": np.full((51, 3), 1 / 3),
        "dynamic_lmk_faces_idx": np.zeros((79, 17), np.int64),
        "dynamic_lmk_bary_coords": np.full((79, 17, 3), 1 / 3),
    }
    assert FlameLandmarks.from_arrays(tables, 10, "a file").whole is None
    with pytest.raises(HeadError, match="does not have"):
        FlameLandmarks.from_arrays(tables, 9, "a file")
    with pytest.raises(HeadError, match="dynamic_lmk_faces_idx"):
        FlameLandmarks.from_arrays({k: v for k, v in tables.items() if "dynamic" not in k}, 10, "a file")
    with pytest.raises(HeadError, match="shape"):
        FlameLandmarks.from_arrays(tables | {"static_lmk_faces_idx": np.zeros(50, np.int64)}, 10, "a file")


def test_what_is_no_texture_space_is_refused() -> None:
    with pytest.raises(HeadError, match="neither"):
        TextureSpace.from_arrays({"x": np.zeros(3)}, "a file")
    with pytest.raises(HeadError, match="mean"):
        TextureSpace.from_arrays({"MU": np.zeros(12), "PC": np.zeros((12, 4))}, "a file")


def test_statistical_expressions_go_both_ways() -> None:
    assert limits_of("jawOpen") == (0.0, 1.0)
    assert limits_of("FLAME exp 007") == (-5.0, 5.0)
    assert [clipped("FLAME exp 000", w) for w in (-7.0, -2.0, 3.0, 9.0)] == [-5.0, -2.0, 3.0, 5.0]
    assert [clipped("jawOpen", w) for w in (-0.5, 0.5, 1.5)] == [0.0, 0.5, 1.0]


def test_own_maps_join_the_skin() -> None:
    fine = Map(np.full((8, 8), 65535, np.uint16), "linear", scale=0.0008, offset=-0.0004)
    broad = np.full((4, 4), 0.002, np.float32)
    added = np.full((4, 4), -0.001, np.float32)
    photo = np.zeros((4, 4, 3), np.uint8)
    skin = with_own(
        Material({"displacement": fine}, {"albedo": [1, 1, 1]}),
        {"displacement": broad, "detail.jawOpen": added, "photo": photo, "photo_seen": photo[..., 0]},
    )
    assert np.allclose(skin.maps["displacement"].pixels, 0.0024, atol=1e-6)
    assert skin.maps["displacement"].pixels.shape == (8, 8)
    assert skin.maps["detail.jawOpen"].pixels.max() == np.float32(-0.001)
    assert [skin.maps[n].colour for n in ("photo", "photo_seen", "detail.jawOpen")] == ["srgb", "linear", "linear"]
    assert skin.values == {"albedo": [1, 1, 1]}


def test_a_square_is_cut_where_it_lies() -> None:
    """A ramp tells where each pixel of the crop was taken from; outside the photo it is black."""
    photo = np.tile(np.arange(200, dtype=np.uint8)[None, :, None], (150, 1, 3))
    points = np.array([[60.0, 40.0], [140.0, 40.0], [60.0, 120.0], [140.0, 120.0]])
    crop = landmark_crop(points)
    cut = crop.cut(photo)
    side = int(80 * 1.1 * 1.25)
    columns = 100 - side / 2 + np.arange(224) * side / 223
    assert np.abs(255 * cut[0, 112].numpy() - columns).max() < 0.01
    beyond = Crop(np.array([[1.0, 0, 300], [0, 1, 0], [0, 0, 1]]))
    assert float(beyond.cut(photo).abs().max()) == 0


def test_ringnets_window_repeats_the_edge() -> None:
    picture = np.zeros((100, 200, 3), np.uint8)
    picture[0], picture[-1] = 255, 128
    window = ringnet_window(picture)
    assert window.pixels.shape == (224, 224, 3)
    assert np.allclose(window.pixels[0], 1.0)
    assert np.allclose(window.pixels[-1], 2 * (128 / 255 - 0.5), atol=1e-6)


def test_folded_norms_change_nothing() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.BatchNorm2d(3), torch.nn.Conv2d(3, 4, 3, bias=False), torch.nn.BatchNorm2d(4), torch.nn.ReLU(),
        torch.nn.Conv2d(4, 2, 1), torch.nn.BatchNorm2d(2, eps=0.8),
    )  # fmt: skip
    x = torch.randn(4, 3, 9, 9)
    with torch.no_grad():
        for _ in range(3):
            net(x + 1)
        net.eval()
        before = net(x)
        fold_batch_norms(net)
        assert [type(m).__name__ for m in net] == ["BatchNorm2d", "Conv2d", "Identity", "ReLU", "Conv2d", "Identity"]
        assert torch.allclose(net(x), before, atol=1e-6)
