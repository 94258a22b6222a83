"""Tiles give what the whole picture would, hold a strip of it in memory, and islands are grown before."""

import tracemalloc

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from likeness.maps.tiles import Tiling, dilated, run_tiles

Floats = NDArray[np.float32]


def convolutions(inputs: int, outputs: int, scale: int = 1) -> torch.nn.Sequential:
    """A network that looks 9 pixels around."""
    torch.manual_seed(3)
    layers = [torch.nn.Conv2d(inputs, 8, 7), torch.nn.ReLU(), torch.nn.Conv2d(8, 8, 7), torch.nn.ReLU()]
    last = torch.nn.Conv2d(8, outputs * scale**2, 7)
    pad = torch.nn.ReflectionPad2d(9)
    return torch.nn.Sequential(pad, *layers, last, torch.nn.PixelShuffle(scale)).eval().requires_grad_(False)


def tiled(network: torch.nn.Module, picture: Floats, channels: int, tiling: Tiling) -> Floats:
    made = np.full((picture.shape[0] * tiling.scale, picture.shape[1] * tiling.scale, channels), np.nan, np.float32)
    rows_so_far = 0

    def write(rows: slice, band: Floats) -> None:
        nonlocal rows_so_far
        assert rows.start == rows_so_far
        rows_so_far = rows.stop
        made[rows] = band

    run_tiles(network, lambda r, c: picture[r, c], picture.shape[:2], channels, write, tiling)
    assert rows_so_far == len(made)
    return made


@pytest.mark.parametrize(
    ("height", "width", "scale"), [(200, 150, 1), (97, 233, 2), (40, 50, 3), (64, 64, 1), (12, 70, 1)]
)
def test_tiles_are_the_whole(height: int, width: int, scale: int) -> None:
    picture = np.random.default_rng(0).random((height, width, 4), np.float32)
    network = convolutions(4, 3, scale)
    made = tiled(network, picture, 3, Tiling(80, 40, scale))
    around = np.pad(picture, ((9, 9), (9, 9), (0, 0)), "reflect")
    whole = network[1:](torch.from_numpy(around).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(made, whole, atol=1e-5)


def test_a_network_that_sees_its_tile_as_a_whole_leaves_no_step() -> None:
    """Instance norms make of each tile something else: the weights must hide where one ends."""
    y, x = np.mgrid[:300, :300].astype(np.float32)
    picture = np.stack([np.sin(x / 40) + y / 300], -1).astype(np.float32)
    made = tiled(torch.nn.InstanceNorm2d(1), picture, 1, Tiling(128, 64))
    steps = max(np.abs(np.diff(made[..., 0], axis=axis)).max() for axis in (0, 1))
    hard = np.concatenate(
        [
            torch.nn.InstanceNorm2d(1)(torch.from_numpy(p[None, None]))[0, 0].numpy()
            for p in np.split(picture[:, :256, 0], 2, axis=1)
        ],
        1,
    )
    assert steps < 0.1
    assert np.abs(np.diff(hard, axis=1)).max() > 5 * steps


def test_what_is_not_wanted_is_left_out() -> None:
    picture = np.ones((256, 256, 1), np.float32)
    seen = []

    def network(tile: torch.Tensor) -> torch.Tensor:
        seen.append(tile)
        return tile

    wanted = np.zeros((32, 32), bool)
    wanted[4, 4] = True
    made = np.full((256, 256, 1), np.nan, np.float32)

    def write(rows: slice, band: Floats) -> None:
        made[rows] = band

    run_tiles(network, lambda r, c: picture[r, c], (256, 256), 1, write, Tiling(64, 16), wanted=wanted)
    assert len(seen) == 1
    assert made[36, 36] == 1
    assert made[200, 200] == 0


def test_memory_is_that_of_a_strip() -> None:
    codes = np.random.default_rng(0).integers(0, 255, (4096, 512, 3), np.uint8)
    made = np.zeros_like(codes)

    def write(rows: slice, band: Floats) -> None:
        made[rows] = np.rint(band * 255)

    tracemalloc.start()
    try:
        run_tiles(lambda t: t, lambda r, c: codes[r, c] / np.float32(255), (4096, 512), 3, write, Tiling(128, 32))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    np.testing.assert_array_equal(made, codes)
    assert peak < 0.25 * codes.size * 4


def test_progress_may_stop_it() -> None:
    def stop(share: float) -> None:
        if share > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tiles(
            lambda t: t, lambda r, c: np.zeros((r.stop - r.start, c.stop - c.start, 1), np.float32), (256, 256), 1,
            lambda rows, band: None, Tiling(64, 16), heard=stop,
        )  # fmt: skip


def test_a_network_of_another_scale_is_told() -> None:
    with pytest.raises(ValueError, match="the network made"):
        tiled(convolutions(1, 1, 2), np.zeros((64, 64, 1), np.float32), 1, Tiling(64, 16))


def test_overlaps_that_leave_no_tile_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot overlap"):
        Tiling(64, 33)


def test_islands_grow_by_their_own_edge() -> None:
    picture = np.zeros((20, 40, 3), np.uint8)
    inside = np.zeros((20, 40), bool)
    inside[:, :10] = True
    inside[:, 30:] = True
    picture[:, :10], picture[:, 30:] = 100, 200
    grown = dilated(picture, inside, 4)
    assert (grown[:, 10:14] == 100).all()
    assert (grown[:, 26:30] == 200).all()
    assert (grown[:, 15:25] == 150).all()
    np.testing.assert_array_equal(picture[:, 10:30], 0)
