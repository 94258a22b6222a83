"""VRN against Torch7, from .t7 files: the official layout through the store, a graph, and the surface of a volume."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import vrn_stand_in as stand_in
from fill import fill
from scipy.spatial import cKDTree

from likeness.methods.vrn_volume import DEPTH, isosurface
from likeness.networks.torch7 import Torch7
from likeness.weights import store
from likeness.weights.readers import torch7, torch7_tree

DATA = Path(__file__).parent / "data" / "vrn"
SHARED = Path(__file__).parents[3] / "shared" / "parity" / "vrn"


def network_in(path: Path) -> Torch7:
    read = torch7.read(path)
    fields = ("weight", "bias", "running_mean", "running_var", "running_std")
    return Torch7(torch7_tree.tree(read), torch7.tensors(read, fields), path.name)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Torch7]:
    """The official layout as installed, 19 million numbers."""
    official = tmp_path_factory.mktemp("official")
    stand_in.write_official(official)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIKENESS_HOME", str(tmp_path_factory.mktemp("home")))
        store.install("vrn", official)
        yield Torch7.from_store(store.open_weights("vrn").tensors("model/"), "VRN")


@pytest.mark.parametrize(("mode", "tolerance"), [("running", 1e-4), ("batch", 1e-3)])
def test_the_official_layout(network: Torch7, mode: str, tolerance: float) -> None:
    """At full size, in both ways of normalising; what differs by 0.1 is the wrong nesting or the wrong way."""
    given = stand_in.case()
    coarse = fill("vrn/input", (3, 24, 24), "uniform").repeat(8, 1).repeat(8, 2)
    picture = np.float32(0.9) * coarse + np.float32(0.1) * fill("vrn/noise", (3, 192, 192), "uniform")
    assert network.inputs == 3
    network.batch = mode == "batch"
    volume = network(torch.from_numpy(picture)[None])
    assert isinstance(volume, torch.Tensor)
    found = volume[0].numpy()
    assert found.shape == (200, 192, 192)
    np.testing.assert_allclose(found[::8, ::8, ::8], given[f"{mode}_sub"], atol=tolerance)
    edge = [found[::20, 0, ::8], found[::20, -1, ::8], found[::20, ::8, 0], found[::20, ::8, -1]]
    np.testing.assert_allclose(edge, given[f"{mode}_edge"], atol=tolerance)
    equal = (found[::8, ::8, ::8] * 255).astype(np.uint8) == given[f"{mode}_bytes_sub"]
    assert equal.mean() > 0.999


def test_a_graph_written_by_nngraph() -> None:
    """An hourglass with two results."""
    given = np.load(DATA / "hourglass_nngraph.npz")
    results = network_in(DATA / "hourglass_nngraph.t7")(torch.from_numpy(given["in1"]))
    assert isinstance(results, list)
    for ours, name in zip(results, ("out1", "out2"), strict=True):
        np.testing.assert_allclose(ours.numpy(), given[name], atol=1e-5)


@pytest.mark.parametrize("mode", ["running", "batch"])
def test_a_file_written_by_torch7_itself(mode: str) -> None:
    if not SHARED.exists():
        pytest.skip("needs shared/parity/vrn beside the checkout")
    network, given = network_in(SHARED / "vrn_mini.t7"), np.load(SHARED / "vrn_mini.npz")
    assert network.batch == bool(given["stored_train_flag"])
    network.batch = mode == "batch"
    volume = network(torch.from_numpy(given["input"])[None])
    assert isinstance(volume, torch.Tensor)
    np.testing.assert_allclose(volume.numpy(), given[mode], atol=1e-5)


@pytest.mark.parametrize("level", ["10", "127.5"])
def test_the_surface_of_a_volume(level: str) -> None:
    """Against PyMCubes on a solid that leaves the volume at the front: theirs is open there, ours is closed."""
    given = np.load(DATA / "isosurface.npz")
    vertices, triangles = isosurface(given["volume"], float(level))
    a, b, c = (vertices[triangles[:, k]] for k in range(3))
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2
    theirs = given[f"level_{level}_stats"]
    assert area == pytest.approx(theirs[2], rel=0.01)
    bounds = given[f"level_{level}_bbox"]
    np.testing.assert_allclose(vertices.min(0), bounds[0], atol=0.01)
    np.testing.assert_allclose(vertices.max(0)[:2], bounds[1, :2], atol=0.01)
    closed = bounds[1, 2] < (DEPTH - 1) / 2
    assert vertices[:, 2].max() == pytest.approx(bounds[1, 2], abs=0.01 if closed else 0.5)
    upright = (vertices * (1, -1, 1))[triangles]
    volume = np.einsum("tk,tk->", upright[:, 0], np.cross(upright[:, 1], upright[:, 2])) / 6
    assert volume == pytest.approx(theirs[3], rel=0.002 if closed else 0.01), "positive: wound outwards"
    away = cKDTree(vertices).query(given[f"level_{level}_vertices_sub"])[0]
    assert np.quantile(away, 0.99) < 0.01
